// SPDX-License-Identifier: MIT
// Invariants: an entry whose full_at_us is not in the future says the same as no entry. Keys are told apart by their
// keyed 64-bit hash: two that collide share a bucket, which nobody can arrange without the seed.
#include <pairport/rate_limiter.h>

#include <algorithm>
#include <bit>
#include <new>

#include <xxhash.h>

namespace pairport {
namespace {

// More than any clock of milliseconds reaches, and small enough that sums of times never overflow. Configured rates go
// down to 1e-300: unlimited, the conversion to an integer would be undefined.
constexpr double kLongestTokenUs = 1e15;  // 31 years
constexpr double kLongestBurstUs = 1e18;

std::uint64_t whole(double value, double largest) noexcept {
  if (!(value > 1)) return 1;  // not a number included
  return static_cast<std::uint64_t>(std::min(value, largest));
}

}  // namespace

Result<std::unique_ptr<RateLimiter>> RateLimiter::create(const Options& options) noexcept {
  const bool limited = options.per_second > 0 && options.burst > 0;
  const std::size_t sets = limited ? std::bit_ceil(std::max<std::size_t>(options.keys / kWays, 1)) : 0;
  std::unique_ptr<Entry[]> entries;
  if (limited) {
    entries.reset(new (std::nothrow) Entry[sets * kWays]);
    if (entries == nullptr) return StatusCode::kOutOfMemory;
  }
  std::unique_ptr<RateLimiter> limiter(new (std::nothrow) RateLimiter(options, std::move(entries), sets));
  if (limiter == nullptr) return StatusCode::kOutOfMemory;
  return limiter;
}

RateLimiter::RateLimiter(const Options& options, std::unique_ptr<Entry[]> entries, std::size_t sets) noexcept
    : us_per_token_(sets == 0 ? 0 : whole(1e6 / options.per_second, kLongestTokenUs)),
      capacity_us_(whole(std::max(1.0, options.burst) * static_cast<double>(us_per_token_), kLongestBurstUs)),
      seed_(options.hash_seed),
      sets_(sets),
      entries_(std::move(entries)) {}

std::uint64_t RateLimiter::hash_of(const ClientKey& key) const noexcept {
  return XXH3_64bits_withSeed(key.bytes.data(), key.bytes.size(), seed_);
}

std::uint64_t RateLimiter::wait_ms(const ClientKey& key, std::uint64_t now_ms) const noexcept {
  if (sets_ == 0) return 0;
  const std::uint64_t hash = hash_of(key);
  const std::uint64_t now_us = now_ms * 1000;
  const Entry* set = set_of(hash);
  for (std::size_t i = 0; i < kWays; ++i) {
    if (set[i].hash != hash || set[i].full_at_us <= now_us) continue;
    const std::uint64_t missing = set[i].full_at_us - now_us + us_per_token_;
    return missing <= capacity_us_ ? 0 : (missing - capacity_us_ + 999) / 1000;
  }
  return 0;
}

void RateLimiter::take(const ClientKey& key, std::uint64_t now_ms) noexcept {
  if (sets_ == 0) return;
  const std::uint64_t hash = hash_of(key);
  const std::uint64_t now_us = now_ms * 1000;
  Entry* set = set_of(hash);
  Entry* entry = std::find_if(set, set + kWays, [hash](const Entry& e) { return e.hash == hash; });
  if (entry == set + kWays) {
    entry =
        std::min_element(set, set + kWays, [](const Entry& a, const Entry& b) { return a.full_at_us < b.full_at_us; });
    *entry = {hash, 0};
  }
  entry->full_at_us = std::min(std::max(entry->full_at_us, now_us) + us_per_token_, now_us + capacity_us_);
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Invariants: an entry whose full_at_us is not in the future means the same as no entry. From nobody_waits_from_us_ on,
// every bucket has a token. A keyed 64-bit hash identifies a key: two keys with the same hash share a bucket, and
// nobody can cause this without the seed.
#include "core/limits/rate_limiter.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <new>

#include <xxhash.h>

namespace pairport {
namespace {

// Longer than any clock of milliseconds runs, and small enough that sums of times never overflow. Configured rates go
// down to 1e-300; without these limits the conversion to an integer would be undefined.
constexpr double kLongestTokenUs = 1e15;  // 31 years
constexpr double kLongestBurstUs = 1e18;

std::uint64_t whole(double value, double largest) noexcept {
  if (!(value > 1)) return 1;  // also for NaN
  return static_cast<std::uint64_t>(std::min(value, largest));
}

// Reads a number and the character that ends it; false when either is missing.
template <typename Number>
bool read(std::string_view& text, char end, Number& number) noexcept {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  if (text.empty()) return end == ' ';
  if (text.front() != end) return false;
  text.remove_prefix(1);
  return !text.empty();
}

}  // namespace

std::optional<NetworkBudgets> NetworkBudgets::parse(std::string_view text) noexcept {
  NetworkBudgets budgets;
  budgets.count_ = 0;
  while (!text.empty()) {
    Budget budget;
    if (budgets.count_ == kMax || !read(text, ':', budget.prefix) || !read(text, ' ', budget.factor)) {
      return std::nullopt;
    }
    const Budget before = budgets.count_ == 0 ? Budget{65, 1} : budgets.budgets_[budgets.count_ - 1];
    if (budget.prefix < 16 || budget.prefix >= before.prefix) return std::nullopt;
    if (!(budget.factor >= before.factor && budget.factor <= 1e6)) return std::nullopt;
    budgets.budgets_[budgets.count_++] = budget;
  }
  if (budgets.count_ == 0) return std::nullopt;
  return budgets;
}

Result<std::unique_ptr<RateLimiter>> RateLimiter::create(const Options& options) noexcept {
  const bool limited = options.per_second > 0 && options.burst > 0;
  const std::size_t sets = limited ? std::bit_ceil(std::max<std::size_t>(options.keys / kWays, 1)) : 0;
  std::unique_ptr<RateLimiter> limiter(new (std::nothrow) RateLimiter(options, sets));
  if (limiter == nullptr) return StatusCode::kOutOfMemory;
  for (std::size_t i = 0; limited && i < options.ipv6.size(); ++i) {
    // The kernel zeroes pages on demand, so only written pages take memory.
    limiter->tables_[i].reset(static_cast<Entry*>(std::calloc(sets * kWays, sizeof(Entry))));
    if (limiter->tables_[i] == nullptr) return StatusCode::kOutOfMemory;
  }
  return limiter;
}

RateLimiter::RateLimiter(const Options& options, std::size_t sets) noexcept
    : seed_(options.hash_seed), sets_(sets), ipv4_prefix_(options.ipv4_prefix), ipv6_(options.ipv6) {
  const auto bucket = [&options](double factor) {
    const std::uint64_t us_per_token = whole(1e6 / (options.per_second * factor), kLongestTokenUs);
    return Bucket{us_per_token,
                  whole(std::max(1.0, options.burst * factor) * static_cast<double>(us_per_token), kLongestBurstUs)};
  };
  ipv4_bucket_ = bucket(1);
  for (std::size_t i = 0; i < ipv6_.size(); ++i) ipv6_buckets_[i] = bucket(ipv6_[i].factor);
}

std::uint64_t RateLimiter::hash_at(const ClientKey& client, std::size_t width, bool is_ipv6) const noexcept {
  const unsigned prefix = is_ipv6 ? ipv6_[width].prefix : 96 + ipv4_prefix_;
  ClientKey network = client;
  const std::size_t whole_bytes = prefix / 8;
  if (whole_bytes < network.bytes.size()) {
    network.bytes[whole_bytes] &= static_cast<std::uint8_t>(0xff00U >> prefix % 8);
    std::fill(network.bytes.begin() + static_cast<std::ptrdiff_t>(whole_bytes) + 1, network.bytes.end(),
              std::uint8_t{0});
  }
  return XXH3_64bits_withSeed(network.bytes.data(), network.bytes.size(), seed_);
}

RateLimiter::Entry* RateLimiter::set_of(std::size_t width, std::uint64_t hash) const noexcept {
  return tables_[width].get() + (hash & (sets_ - 1)) * kWays;
}

const RateLimiter::Bucket& RateLimiter::bucket_at(std::size_t width, bool is_ipv6) const noexcept {
  return is_ipv6 ? ipv6_buckets_[width] : ipv4_bucket_;
}

std::uint64_t RateLimiter::wait_of(const ClientKey& client, std::uint64_t now_ms) const noexcept {
  const bool is_ipv6 = client.is_ipv6();
  const std::uint64_t now_us = now_ms * 1000;
  for (std::size_t width = is_ipv6 ? ipv6_.size() : 1; width-- > 0;) {
    const std::uint64_t hash = hash_at(client, width, is_ipv6);
    const Bucket& bucket = bucket_at(width, is_ipv6);
    const Entry* set = set_of(width, hash);
    for (std::size_t i = 0; i < kWays; ++i) {
      if (set[i].hash != hash || set[i].full_at_us <= now_us) continue;
      const std::uint64_t missing = set[i].full_at_us - now_us + bucket.us_per_token;
      if (missing > bucket.capacity_us) return (missing - bucket.capacity_us + 999) / 1000;
      break;
    }
  }
  return 0;
}

void RateLimiter::give_back(const ClientKey& client) noexcept {
  if (sets_ == 0) return;
  const bool is_ipv6 = client.is_ipv6();
  for (std::size_t width = is_ipv6 ? ipv6_.size() : 1; width-- > 0;) {
    const std::uint64_t hash = hash_at(client, width, is_ipv6);
    Entry* const set = set_of(width, hash);
    Entry* const entry = std::find_if(set, set + kWays, [hash](const Entry& e) { return e.hash == hash; });
    if (entry == set + kWays) continue;  // replaced by another client's meanwhile
    entry->full_at_us -= std::min(entry->full_at_us, bucket_at(width, is_ipv6).us_per_token);
  }
}

void RateLimiter::take(const ClientKey& client, std::uint64_t now_ms, double tokens) noexcept {
  if (sets_ == 0) return;
  const bool is_ipv6 = client.is_ipv6();
  const std::uint64_t now_us = now_ms * 1000;
  for (std::size_t width = is_ipv6 ? ipv6_.size() : 1; width-- > 0;) {
    const std::uint64_t hash = hash_at(client, width, is_ipv6);
    const Bucket& bucket = bucket_at(width, is_ipv6);
    Entry* set = set_of(width, hash);
    Entry* entry = std::find_if(set, set + kWays, [hash](const Entry& e) { return e.hash == hash; });
    if (entry == set + kWays) {
      entry = std::min_element(set, set + kWays,
                               [](const Entry& a, const Entry& b) { return a.full_at_us < b.full_at_us; });
      *entry = {hash, 0};
    }
    const std::uint64_t cost =
        tokens == 1 ? bucket.us_per_token : whole(tokens * static_cast<double>(bucket.us_per_token), kLongestBurstUs);
    entry->full_at_us = std::min(std::max(entry->full_at_us, now_us) + cost, now_us + bucket.capacity_us);
    const std::uint64_t has_token_at_us =
        entry->full_at_us - std::min(entry->full_at_us, bucket.capacity_us - bucket.us_per_token);
    nobody_waits_from_us_ = std::max(nobody_waits_from_us_, has_token_at_us);
  }
}

}  // namespace pairport

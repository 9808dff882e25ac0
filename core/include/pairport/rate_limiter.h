// SPDX-License-Identifier: MIT
// Token buckets per client address in a table of fixed size.
#ifndef PAIRPORT_RATE_LIMITER_H_
#define PAIRPORT_RATE_LIMITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include <pairport/client_address.h>
#include <pairport/export.h>
#include <pairport/status.h>

namespace pairport {

// Each key has a bucket of `burst` tokens that refills at `per_second`. Kept as one time stamp per key (the generic
// cell rate algorithm, ITU-T I.371, equivalent to a token bucket). The table is 8-way associative: a key in a set that
// is full of active keys replaces the one that is closest to having all its tokens, so a flood from many addresses
// weakens the limit for some of them but never locks anyone out. Never allocates after creation. One thread at a time.
class PAIRPORT_EXPORT RateLimiter {
 public:
  struct Options {
    double per_second = 0;  // 0: no limit
    double burst = 0;       // 0: no limit; less than 1 counts as 1
    std::size_t keys = std::size_t{1} << 16;
    std::uint64_t hash_seed = 0;  // secret, different in each process
  };

  static Result<std::unique_ptr<RateLimiter>> create(const Options& options) noexcept;

  // Milliseconds until `key` has a token; 0 when it has one now. Changes nothing.
  std::uint64_t wait_ms(const ClientKey& key, std::uint64_t now_ms) const noexcept;
  // Takes one token, or as much as is left of one.
  void take(const ClientKey& key, std::uint64_t now_ms) noexcept;

 private:
  struct Entry {
    std::uint64_t hash = 0;
    std::uint64_t full_at_us = 0;  // when the bucket will be full again
  };
  static constexpr std::size_t kWays = 8;

  PAIRPORT_LOCAL RateLimiter(const Options& options, std::unique_ptr<Entry[]> entries, std::size_t sets) noexcept;
  Entry* set_of(std::uint64_t hash) const noexcept { return entries_.get() + (hash & (sets_ - 1)) * kWays; }
  PAIRPORT_LOCAL std::uint64_t hash_of(const ClientKey& key) const noexcept;

  std::uint64_t us_per_token_;  // 0: no limit
  std::uint64_t capacity_us_;   // burst tokens
  std::uint64_t seed_;
  std::size_t sets_;
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace pairport

#endif  // PAIRPORT_RATE_LIMITER_H_

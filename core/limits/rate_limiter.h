// SPDX-License-Identifier: MIT
// Token buckets per client address, and per network around it, in tables of fixed size.
#ifndef PAIRPORT_RATE_LIMITER_H_
#define PAIRPORT_RATE_LIMITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

#include <pairport/client_address.h>
#include <pairport/export.h>
#include <pairport/status.h>

namespace pairport {

// Budgets of the IPv6 networks around a client, from the narrowest to the widest. One customer often has a /56 or a
// /48. Without a budget for these, the customer would have a budget for each /64 network inside.
class PAIRPORT_EXPORT NetworkBudgets {
 public:
  struct Budget {
    unsigned prefix = 64;  // bits of the address: 16 to 64
    double factor = 1;     // multiple of the tokens and of the rate of one client

    friend bool operator==(const Budget&, const Budget&) = default;
  };
  static constexpr std::size_t kMax = 4;

  // A budget for each /64, and for no wider network.
  NetworkBudgets() noexcept : count_(1) {}
  // `text` is `64:1 56:4 48:16` or the like: prefix and factor of 1 to kMax budgets, separated by spaces; prefixes
  // decrease, factors are 1 to 1e6 and never decrease. Nothing for any other text.
  static std::optional<NetworkBudgets> parse(std::string_view text) noexcept;

  std::size_t size() const noexcept { return count_; }
  const Budget& operator[](std::size_t i) const noexcept { return budgets_[i]; }

 private:
  std::array<Budget, kMax> budgets_;
  std::size_t count_ = 0;
};

// What NetworkBudgets::parse() expects, for messages.
inline constexpr std::string_view kNetworkBudgetsExpected =
    "prefixes of IPv6 networks and factors like \"64:1 56:4 48:16\", at most four, from the narrowest (16 to 64 bits) "
    "to "
    "the widest, factors 1 to 1000000 that do not decrease";

// Each client has a bucket of `burst` tokens that refills at `per_second`. Each network around an IPv6 client has a
// bucket that is larger by its factor. A bucket is one time stamp per key (the generic cell rate algorithm, ITU-T
// I.371, equivalent to a token bucket). There is an 8-way associative table for each prefix length. A new key in a full
// set of active keys replaces the key that is closest to a full bucket. So a flood from many addresses weakens the
// limit for some of them but never locks a client out. Never allocates after creation. One thread at a time.
class PAIRPORT_EXPORT RateLimiter {
 public:
  struct Options {
    double per_second = 0;  // 0: no limit
    double burst = 0;       // 0: no limit; less than 1 counts as 1
    std::size_t keys = std::size_t{1} << 16;
    std::uint64_t hash_seed = 0;  // secret, different in each process
    NetworkBudgets ipv6{};
    unsigned ipv4_prefix = 32;  // clients of one such IPv4 network share a bucket: 8, 16, 24 or 32
  };

  static Result<std::unique_ptr<RateLimiter>> create(const Options& options) noexcept;

  // Milliseconds until `client` and every network around it have a token; 0 when they have one now. Begins with the
  // widest network and stops at the first one without a token. Changes nothing: a refused client takes no entry.
  std::uint64_t wait_ms(const ClientKey& client, std::uint64_t now_ms) const noexcept {
    // The common case: no client must wait, so this reads no table.
    return now_ms * 1000 >= nobody_waits_from_us_ ? 0 : wait_of(client, now_ms);
  }
  // Takes `tokens` from `client` and from every network around it; a bucket with fewer is emptied.
  void take(const ClientKey& client, std::uint64_t now_ms, double tokens = 1) noexcept;
  // Takes back take() of one token.
  void give_back(const ClientKey& client) noexcept;

 private:
  struct Entry {
    std::uint64_t hash;
    std::uint64_t full_at_us;  // when the bucket will be full again
  };
  struct Bucket {
    std::uint64_t us_per_token;
    std::uint64_t capacity_us;  // burst tokens
  };
  struct Free {
    void operator()(Entry* entries) const noexcept { std::free(entries); }
  };
  using Table = std::unique_ptr<Entry[], Free>;
  static constexpr std::size_t kWays = 8;

  PAIRPORT_LOCAL RateLimiter(const Options& options, std::size_t sets) noexcept;
  std::uint64_t wait_of(const ClientKey& client, std::uint64_t now_ms) const noexcept;
  PAIRPORT_LOCAL std::uint64_t hash_at(const ClientKey& client, std::size_t width, bool is_ipv6) const noexcept;
  PAIRPORT_LOCAL Entry* set_of(std::size_t width, std::uint64_t hash) const noexcept;
  PAIRPORT_LOCAL const Bucket& bucket_at(std::size_t width, bool is_ipv6) const noexcept;

  std::uint64_t nobody_waits_from_us_ = 0;  // when every emptied bucket has a token again
  std::uint64_t seed_;
  std::size_t sets_;  // 0: no limit
  unsigned ipv4_prefix_;
  NetworkBudgets ipv6_;
  Bucket ipv4_bucket_;
  std::array<Bucket, NetworkBudgets::kMax> ipv6_buckets_;
  std::array<Table, NetworkBudgets::kMax> tables_;  // one for each of ipv6_; IPv4 clients are in the first one
};

}  // namespace pairport

#endif  // PAIRPORT_RATE_LIMITER_H_

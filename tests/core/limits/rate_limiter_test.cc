// SPDX-License-Identifier: MIT
#include "core/limits/rate_limiter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

ClientKey client(std::uint64_t number) {
  ClientKey key;
  for (std::size_t i = 0; i < 8; ++i) key.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return key;
}

std::unique_ptr<RateLimiter> limiter(double per_second, double burst, std::size_t keys = 1 << 16) {
  auto created = RateLimiter::create({.per_second = per_second, .burst = burst, .keys = keys, .hash_seed = 99});
  EXPECT_TRUE(created.ok());
  return std::move(created).value();
}

// Takes a token when there is one.
bool try_take(RateLimiter& limits, const ClientKey& key, std::uint64_t now) {
  if (limits.wait_ms(key, now) != 0) return false;
  limits.take(key, now);
  return true;
}

int take_all(RateLimiter& limits, const ClientKey& key, std::uint64_t now) {
  int taken = 0;
  while (taken < 1'000'000 && try_take(limits, key, now)) ++taken;
  return taken;
}

TEST(RateLimiter, GivesTheBurstAndThenTheRate) {
  const auto limits = limiter(1, 20);
  EXPECT_EQ(take_all(*limits, client(1), 1000), 20);
  EXPECT_EQ(limits->wait_ms(client(1), 1000), 1000U);
  EXPECT_EQ(limits->wait_ms(client(1), 1001), 999U);
  EXPECT_EQ(limits->wait_ms(client(1), 1999), 1U);
  EXPECT_EQ(limits->wait_ms(client(1), 2000), 0U);
  EXPECT_EQ(take_all(*limits, client(1), 2000), 1);
  EXPECT_EQ(take_all(*limits, client(1), 12'000), 10);
  EXPECT_EQ(take_all(*limits, client(1), 12'000 + 3'600'000), 20) << "never more than the burst";
}

TEST(RateLimiter, FractionsOfASecondCount) {
  const auto limits = limiter(5, 50);
  EXPECT_EQ(take_all(*limits, client(1), 5), 50);
  EXPECT_EQ(limits->wait_ms(client(1), 5), 200U);
  EXPECT_EQ(take_all(*limits, client(1), 204), 0);
  EXPECT_EQ(take_all(*limits, client(1), 205), 1);
  const auto slow = limiter(0.1, 2);
  EXPECT_EQ(take_all(*slow, client(1), 0), 2);
  EXPECT_EQ(slow->wait_ms(client(1), 0), 10'000U);
}

TEST(RateLimiter, LookingCostsNothing) {
  const auto limits = limiter(1, 1);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limits->wait_ms(client(1), 7), 0U);
  EXPECT_EQ(take_all(*limits, client(1), 7), 1);
}

TEST(RateLimiter, TakingWithoutATokenTakesWhatIsLeft) {
  const auto limits = limiter(1, 3);
  for (int i = 0; i < 1000; ++i) limits->take(client(1), 500);
  EXPECT_EQ(limits->wait_ms(client(1), 500), 1000U) << "no debt beyond an empty bucket";
}

TEST(RateLimiter, ClientsDoNotShare) {
  const auto limits = limiter(1, 5);
  EXPECT_EQ(take_all(*limits, client(1), 0), 5);
  EXPECT_EQ(take_all(*limits, client(2), 0), 5);
  ClientKey almost = client(1);
  almost.bytes[7] = 1;
  EXPECT_EQ(take_all(*limits, almost, 0), 5);
  EXPECT_EQ(take_all(*limits, ClientKey{}, 0), 5) << "no address is an address too";
}

TEST(RateLimiter, ZeroSwitchesItOff) {
  const auto limits = limiter(0, 0);
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(limits->wait_ms(client(1), 0), 0U);
    limits->take(client(1), 0);
  }
}

TEST(RateLimiter, ABurstBelowOneIsOne) {
  const auto limits = limiter(1, 0.5);
  EXPECT_EQ(take_all(*limits, client(1), 0), 1);
}

TEST(RateLimiter, ExtremeRatesAreClampedNotUndefined) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double rate : {1e-300, 1e-18, 1e-9, 1e-3, 1e6, 1e9, 1e300, kInfinity}) {
    for (const double burst : {0.0, 1.0, 1e6, 1e18, 1e300, kInfinity}) {
      const auto limits = limiter(rate, burst, 64);
      // At least one token at first, and one more is never further away than the rate says (as far as a clock reaches).
      EXPECT_EQ(limits->wait_ms(client(1), 1'000'000), 0U) << rate << " " << burst;
      limits->take(client(1), 1'000'000);
      if (burst == 0) {
        limits->take(client(1), 1'000'000);
        EXPECT_EQ(limits->wait_ms(client(1), 1'000'000), 0U) << "0 switches it off";
      } else if (burst <= 1 && rate <= 1e-3) {
        EXPECT_GE(limits->wait_ms(client(1), 1'000'000), 999'000U) << rate << " " << burst;
        EXPECT_GE(limits->wait_ms(client(1), 1'500'000), 499'000U) << rate << " " << burst;
      }
      if (burst >= 1e6) {
        EXPECT_EQ(limits->wait_ms(client(1), 1'000'000), 0U) << rate << " " << burst;
      }
    }
  }
}

TEST(RateLimiter, NotANumberIsNoLimit) {
  const auto limits = limiter(std::nan(""), std::nan(""));
  EXPECT_EQ(take_all(*limits, client(1), 0), 1'000'000);
}

TEST(RateLimiter, AgreesWithATokenBucketOverRandomOperations) {
  struct Bucket {
    double tokens = 10;
    std::uint64_t at = 0;
  };
  const auto limits = limiter(2, 10);
  std::unordered_map<std::uint64_t, Bucket> model;
  std::mt19937 engine(8);
  std::uint64_t now = 1'000'000;
  for (int i = 0; i < 200'000; ++i) {
    now += engine() % 20;
    const std::uint64_t number = engine() % 50;
    Bucket& bucket = model[number];
    bucket.tokens = std::min(10.0, bucket.tokens + static_cast<double>(now - bucket.at) * 2 / 1000);
    bucket.at = now;
    const double missing = 1 - bucket.tokens;
    const auto expected = missing <= 1e-9 ? 0 : static_cast<std::uint64_t>(std::ceil(missing * 500 - 1e-6));
    ASSERT_EQ(limits->wait_ms(client(number), now), expected) << i;
    if (expected == 0) {
      limits->take(client(number), now);
      bucket.tokens = std::max(0.0, bucket.tokens - 1);
    }
  }
}

TEST(RateLimiter, AFloodOfAddressesNeverLocksAnyoneOut) {
  const auto limits = limiter(1, 2, 64);
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    ASSERT_EQ(limits->wait_ms(client(number), 1000), 0U) << "a new address has its tokens";
    limits->take(client(number), 1000);
    limits->take(client(number), 1000);
  }
  EXPECT_EQ(limits->wait_ms(client(1'000'000), 1000), 0U);
}

TEST(RateLimiter, WhoIsMostLimitedIsKeptInACrowd) {
  const auto limits = limiter(1, 20, 8);  // one set of eight
  while (try_take(*limits, client(1), 0)) {
  }
  for (std::uint64_t number = 100; number < 1100; ++number) limits->take(client(number), 0);
  EXPECT_GT(limits->wait_ms(client(1), 0), 0U) << "passers-by with one token taken do not free the one who used up all";
}

TEST(RateLimiter, HoldsTheLimitForAsManyAddressesAsItHasRoomFor) {
  const auto limits = limiter(1, 1, 1 << 12);
  for (std::uint64_t number = 0; number < 1024; ++number) limits->take(client(number), 0);
  std::size_t limited = 0;
  for (std::uint64_t number = 0; number < 1024; ++number) limited += limits->wait_ms(client(number), 0) > 0 ? 1U : 0U;
  EXPECT_GE(limited, 1000U);
}

// ---- Networks

ClientKey client(const char* address) {
  return ClientAddress::parse(address).value_or(ClientAddress{}).key();
}

std::unique_ptr<RateLimiter> network_limiter(const char* budgets, unsigned ipv4_prefix = 32) {
  auto created = RateLimiter::create({.per_second = 1,
                                      .burst = 20,
                                      .hash_seed = 99,
                                      .ipv6 = NetworkBudgets::parse(budgets).value(),
                                      .ipv4_prefix = ipv4_prefix});
  EXPECT_TRUE(created.ok());
  return std::move(created).value();
}

// The address of one /64 of a /48.
std::string address_in_48(unsigned network) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "2001:db8:1:%x::1", network);
  return text.data();
}

TEST(RateLimiter, NetworksAroundAClientHaveBudgetsOfTheirOwn) {
  const auto limits = network_limiter("64:1 56:4 48:16");
  EXPECT_EQ(take_all(*limits, client("2001:db8:1:0::1"), 1000), 20);
  EXPECT_EQ(take_all(*limits, client("2001:db8:1:0:ffff::2"), 1000), 0) << "the same /64";
  int in_56 = 20;
  for (unsigned i = 1; i < 256; ++i) in_56 += take_all(*limits, client(address_in_48(i).c_str()), 1000);
  EXPECT_EQ(in_56, 80);
  int in_48 = in_56;
  for (unsigned i = 256; i < 65'536; i += 7) in_48 += take_all(*limits, client(address_in_48(i).c_str()), 1000);
  EXPECT_EQ(in_48, 320) << "a whole /48 guesses like 16 clients";
  EXPECT_EQ(limits->wait_ms(client("2001:db8:1:fffe::1"), 1000), 63U) << "16 tokens a second come back";
  EXPECT_EQ(take_all(*limits, client("2001:db8:2::1"), 1000), 20) << "a neighbour";
  EXPECT_EQ(take_all(*limits, client("192.0.2.1"), 1000), 20) << "IPv4 addresses stand alone";
  EXPECT_EQ(take_all(*limits, client("192.0.2.2"), 1000), 20);
}

// Else a flood from one /48 would throw others out of the tables of narrower networks.
TEST(RateLimiter, ARefusalOfAWiderNetworkWritesNothingBelow) {
  const auto limits = network_limiter("64:1 56:4 48:16");
  for (unsigned i = 0; i < 65'536; i += 64) take_all(*limits, client(address_in_48(i).c_str()), 1000);
  ASSERT_NE(limits->wait_ms(client(address_in_48(1).c_str()), 1000), 0U) << "the /48 has no token";
  for (unsigned i = 0; i < 65'536; ++i) try_take(*limits, client(address_in_48(i).c_str()), 1000);
  // When the /48 has tokens again, a /64 that was only refused has all of its own.
  const ClientKey refused = client(address_in_48(65'535).c_str());
  EXPECT_EQ(take_all(*limits, refused, 1000 + 2000), 20);
}

TEST(RateLimiter, NetworksOfIpv4ShareABucketWhereThatIsAskedFor) {
  const auto limits = network_limiter("48:1", 24);
  EXPECT_EQ(take_all(*limits, client("192.0.2.1"), 1000), 20);
  EXPECT_EQ(take_all(*limits, client("192.0.2.255"), 1000), 0);
  EXPECT_EQ(take_all(*limits, client("192.0.3.1"), 1000), 20);
  EXPECT_EQ(take_all(*limits, client("2001:db8:1:2::"), 1000), 20);
  EXPECT_EQ(take_all(*limits, client("2001:db8:1:ffff::"), 1000), 0);
}

TEST(RateLimiter, PrefixesNeedNotBeWholeBytes) {
  const auto limits = network_limiter("62:1");
  EXPECT_EQ(take_all(*limits, client("2001:db8:1:4::"), 1000), 20);
  EXPECT_EQ(take_all(*limits, client("2001:db8:1:7::"), 1000), 0);
  EXPECT_EQ(take_all(*limits, client("2001:db8:1:8::"), 1000), 20);
  EXPECT_EQ(take_all(*limits, client("2001:db8:1:3::"), 1000), 20);
}

TEST(RateLimiter, SeveralTokensMayBeTakenAtOnce) {
  const auto limits = network_limiter("64:1");
  limits->take(client(1), 1000, 19.5);
  EXPECT_EQ(limits->wait_ms(client(1), 1000), 500U);
  limits->take(client(1), 1000, 1e300);
  EXPECT_EQ(limits->wait_ms(client(1), 1000), 1000U) << "as much as is left";
}

TEST(RateLimiter, WhetherAnybodyHasToWaitIsKnownExactly) {
  const auto limits = network_limiter("64:1");
  EXPECT_EQ(take_all(*limits, client(1), 1000), 20);
  EXPECT_EQ(limits->wait_ms(client(2), 1000), 0U);
  EXPECT_EQ(limits->wait_ms(client(1), 1999), 1U) << "a millisecond before there is a token again";
  EXPECT_EQ(limits->wait_ms(client(1), 2000), 0U);
  // Somebody else's time has come long ago, and this one's has not.
  EXPECT_EQ(take_all(*limits, client(2), 1500), 20);
  EXPECT_EQ(limits->wait_ms(client(2), 2000), 500U);
  EXPECT_EQ(take_all(*limits, client(3), 1600), 20);
  EXPECT_EQ(limits->wait_ms(client(2), 2499), 1U);
  EXPECT_EQ(limits->wait_ms(client(3), 2500), 100U);
}

TEST(NetworkBudgets, AreWrittenAsPrefixesAndFactors) {
  const auto budgets = NetworkBudgets::parse("64:1 56:4 48:16.5");
  ASSERT_TRUE(budgets);
  ASSERT_EQ(budgets->size(), 3U);
  EXPECT_EQ((*budgets)[0], (NetworkBudgets::Budget{64, 1}));
  EXPECT_EQ((*budgets)[1], (NetworkBudgets::Budget{56, 4}));
  EXPECT_EQ((*budgets)[2], (NetworkBudgets::Budget{48, 16.5}));
  for (const char* good : {"64:1", "48:1", "16:1000000", "64:2 63:2 62:2 61:2"}) {
    EXPECT_TRUE(NetworkBudgets::parse(good)) << good;
  }
  for (const char* bad : {"",           " ",
                          "64",         "64:",
                          ":1",         "64:x",
                          "x:1",        "65:1",
                          "128:1",      "15:1",
                          "0:1",        "-64:1",
                          "64:0",       "64:0.5",
                          "64:-1",      "64:nan",
                          "64:inf",     "64:1000001",
                          "64:1 ",      " 64:1",
                          "64:1  56:4", "64:1,56:4",
                          "56:1 64:4",  "64:1 64:4",
                          "64:4 56:1",  "64:1 60:1 56:1 52:1 48:1",
                          "64:1x",      "/64:1",
                          "64 :1",      "99999999999:1"}) {
    EXPECT_FALSE(NetworkBudgets::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace pairport

// SPDX-License-Identifier: MIT
#include <pairport/rate_limiter.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
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
  almost.bytes[15] = 1;
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

}  // namespace
}  // namespace pairport

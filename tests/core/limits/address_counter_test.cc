// SPDX-License-Identifier: MIT
#include "core/limits/address_counter.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

ClientKey key(std::string_view address) {
  return ClientAddress::parse(address)->key();
}

ClientKey numbered(std::uint32_t number) {
  ClientKey key;
  for (std::size_t i = 0; i < 4; ++i) key.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return key;
}

std::unique_ptr<AddressCounter> counter(std::uint32_t most_per_client, std::size_t most) {
  auto created = AddressCounter::create({most_per_client, most, 7});
  EXPECT_TRUE(created.ok());
  return std::move(created).value();
}

TEST(AddressCounterTest, EachClientHasItsOwnPlaces) {
  const auto places = counter(2, 10);
  AddressCounter::Place first = places->take(key("192.0.2.1"));
  AddressCounter::Place second = places->take(key("192.0.2.1"));
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(places->take(key("192.0.2.1")));
  EXPECT_TRUE(places->take(key("192.0.2.2")));
  EXPECT_EQ(places->clients(), 1U) << "the place of the other one has been given back";
}

TEST(AddressCounterTest, AnIpv6NetworkIsOneClient) {
  const auto places = counter(1, 10);
  const AddressCounter::Place place = places->take(key("2001:db8::1"));
  EXPECT_FALSE(places->take(key("2001:db8::ffff:2")));
  EXPECT_TRUE(places->take(key("2001:db8:0:1::1")));
}

TEST(AddressCounterTest, APlaceThatIsGivenBackCanBeTakenAgain) {
  const auto places = counter(1, 10);
  {
    const AddressCounter::Place place = places->take(key("192.0.2.1"));
    EXPECT_FALSE(places->take(key("192.0.2.1")));
  }
  EXPECT_EQ(places->clients(), 0U);
  EXPECT_TRUE(places->take(key("192.0.2.1")));
}

TEST(AddressCounterTest, APlaceThatIsMovedIsGivenBackOnce) {
  const auto places = counter(2, 10);
  AddressCounter::Place first = places->take(key("192.0.2.1"));
  AddressCounter::Place moved = std::move(first);
  EXPECT_TRUE(moved);
  const AddressCounter::Place second = places->take(key("192.0.2.1"));
  moved = {};
  EXPECT_TRUE(places->take(key("192.0.2.1")));
  EXPECT_TRUE(second);
}

TEST(AddressCounterTest, ZeroIsNoLimit) {
  const auto places = counter(0, 1000);
  std::vector<AddressCounter::Place> taken;
  taken.reserve(1000);
  for (int i = 0; i < 1000; ++i) taken.push_back(places->take(key("192.0.2.1")));
  for (const auto& place : taken) EXPECT_TRUE(place);
}

TEST(AddressCounterTest, MoreClientsThanItWasMadeForGetNoPlace) {
  for (const std::size_t most : {0U, 1U, 2U, 4U, 8U, 60U}) {
    const auto places = counter(0, most);
    std::vector<AddressCounter::Place> taken;
    for (std::uint32_t client = 0; client < 500; ++client) {
      if (AddressCounter::Place place = places->take(numbered(client)); place) taken.push_back(std::move(place));
    }
    EXPECT_EQ(taken.size(), std::max<std::size_t>(most, 1));
    EXPECT_TRUE(places->take(numbered(0))) << "who has one may have another one";
    taken.pop_back();
    EXPECT_TRUE(places->take(numbered(1'000))) << "what is given back can be taken";
  }
}

// As full as it gets, in every order: what it says is what a map says.
TEST(AddressCounterTest, AgreesWithAMapWhenItIsFull) {
  constexpr std::size_t kMost = 64;
  constexpr std::uint32_t kMostPerClient = 3;
  const auto places = counter(kMostPerClient, kMost);
  std::mt19937 random(1);
  std::vector<std::pair<std::uint32_t, AddressCounter::Place>> taken;
  std::map<std::uint32_t, std::uint32_t> model;
  std::size_t refused = 0;
  for (int i = 0; i < 200'000; ++i) {
    if (taken.size() < kMost && (random() & 3) != 0) {
      const auto client = static_cast<std::uint32_t>(random() % 50);
      AddressCounter::Place place = places->take(numbered(client));
      ASSERT_EQ(static_cast<bool>(place), model[client] < kMostPerClient) << i;
      if (place) {
        ++model[client];
        taken.emplace_back(client, std::move(place));
      } else {
        ++refused;
      }
    } else if (!taken.empty()) {
      std::swap(taken[random() % taken.size()], taken.back());
      --model[taken.back().first];
      taken.pop_back();
    }
    std::size_t clients = 0;
    for (const auto& [client, count] : model) clients += count != 0;
    ASSERT_EQ(places->clients(), clients) << i;
  }
  EXPECT_GT(refused, 1000U);
  taken.clear();
  EXPECT_EQ(places->clients(), 0U);
}

}  // namespace
}  // namespace pairport

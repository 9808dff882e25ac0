// SPDX-License-Identifier: MIT
// Limits per client against plain models: token buckets that are counted in tokens, and places that are counted in a
// map. The input is a sequence of operations, read from its end.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/limits/address_counter.h"
#include "core/limits/rate_limiter.h"
#include "input.h"

namespace pairport::fuzz {
namespace {

ClientKey key_of(std::uint32_t number) {
  ClientKey key;
  key.bytes[3] = static_cast<std::uint8_t>(number >> 8);
  key.bytes[7] = static_cast<std::uint8_t>(number);
  return key;
}

// A bucket as the textbook has it. Tokens are counted in the microseconds that they take to come back.
struct Bucket {
  std::uint64_t level_us;
  std::uint64_t at_ms;
};

// As many clients as one set of the limiter's table holds, so that none of them is forgotten.
void play_buckets(Input& input) {
  // Rates whose tokens take a whole number of microseconds.
  static constexpr std::array<std::uint32_t, 8> kRates = {1, 2, 5, 10, 100, 1000, 20'000, 1'000'000};
  constexpr std::size_t kClients = 8;
  const std::uint32_t rate = kRates[input.byte() % kRates.size()];
  const std::uint64_t token_us = 1'000'000 / rate;
  const std::uint64_t burst = 1 + input.byte() % 32;
  const std::uint64_t full_us = burst * token_us;
  auto created = RateLimiter::create({static_cast<double>(rate), static_cast<double>(burst), 8, input.byte()});
  expect(created.ok(), "there is a limiter");
  RateLimiter& limiter = *created.value();
  std::uint64_t now_ms = 1'000;
  std::array<Bucket, kClients> buckets;
  buckets.fill({full_us, now_ms});

  while (!input.empty()) {
    const std::uint8_t kind = input.byte();
    if (kind >= 128) now_ms += std::uint64_t{kind % 16U} << (kind / 16 - 8);
    const std::size_t client = kind % kClients;
    Bucket& bucket = buckets[client];
    bucket.level_us = std::min(full_us, bucket.level_us + (now_ms - bucket.at_ms) * 1000);
    bucket.at_ms = now_ms;
    const ClientKey key = key_of(static_cast<std::uint32_t>(client));
    const std::uint64_t wait = bucket.level_us >= token_us ? 0 : (token_us - bucket.level_us + 999) / 1000;
    expect(limiter.wait_ms(key, now_ms) == wait, "a client waits for as long as a token takes");
    if (kind % 16 >= 8) continue;
    limiter.take(key, now_ms);
    bucket.level_us -= std::min(bucket.level_us, token_us);
  }
}

// Far more clients than the table holds: some are let through too early, but nobody waits longer than for one token.
void play_flood(Input& input) {
  auto created = RateLimiter::create({10, 1.0 + input.byte() % 8, 16, input.byte()});
  expect(created.ok(), "there is a limiter");
  RateLimiter& limiter = *created.value();
  std::uint64_t now_ms = 1'000;
  while (!input.empty()) {
    now_ms += input.byte() % 8U;
    const ClientKey key = key_of(input.byte());
    expect(limiter.wait_ms(key, now_ms) <= 100, "nobody is locked out");
    limiter.take(key, now_ms);
  }
}

void play_places(Input& input) {
  constexpr std::size_t kMost = 48;
  AddressCounter::Options options;
  options.most_per_client = input.byte() % 8;
  options.most = kMost;
  options.hash_seed = input.byte();
  auto created = AddressCounter::create(options);
  expect(created.ok(), "there is a counter");
  AddressCounter& counter = *created.value();
  std::map<std::uint32_t, std::size_t> model;
  std::vector<std::pair<std::uint32_t, AddressCounter::Place>> taken;
  while (!input.empty()) {
    const std::uint8_t kind = input.byte();
    if (kind % 2 == 0 && !taken.empty()) {
      const auto place = taken.begin() + kind / 2 % static_cast<int>(taken.size());
      if (--model[place->first] == 0) model.erase(place->first);
      std::swap(*place, taken.back());
      taken.pop_back();
    } else if (taken.size() < kMost) {
      const std::uint32_t client = kind / 2U;
      AddressCounter::Place place = counter.take(key_of(client));
      const bool may = options.most_per_client == 0 || model[client] < options.most_per_client;
      expect(static_cast<bool>(place) == may, "a client has as many places as it may");
      if (model[client] == 0 && !place) model.erase(client);
      if (place) {
        ++model[client];
        taken.emplace_back(client, std::move(place));
      }
    }
    expect(counter.clients() == model.size(), "the counter knows who has a place");
  }
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::Input input(data, size);
  switch (input.byte() % 3) {
    case 0:
      pairport::fuzz::play_buckets(input);
      break;
    case 1:
      pairport::fuzz::play_flood(input);
      break;
    default:
      pairport::fuzz::play_places(input);
      break;
  }
  return 0;
}

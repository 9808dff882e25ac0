// SPDX-License-Identifier: MIT
#include "core/store/code_hash.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

#include <pairport/code.h>

#include "support/codes.h"

namespace pairport::testing {
namespace {

constexpr std::size_t kMany = 200'000;
constexpr std::array<std::uint64_t, 4> kSeeds = {0, 1, 0x9e37'79b9'7f4a'7c15U, ~std::uint64_t{0}};

// Sets of codes that differ from each other in different ways.
std::vector<std::string> random_codes(std::size_t length) {
  std::mt19937_64 engine(7);
  std::unordered_set<std::string> codes;
  while (codes.size() < kMany) codes.insert(random_code(engine, length));
  return {codes.begin(), codes.end()};
}
// As somebody numbers them.
std::vector<std::string> numbered_codes() {
  std::vector<std::string> codes;
  for (std::size_t i = 0; i < kMany; ++i) codes.push_back(std::to_string(1'000'000'000 + i));
  return codes;
}
// All that differ in the characters at `place` and the two behind it.
std::vector<std::string> neighbours(std::size_t place) {
  std::vector<std::string> codes;
  std::string code(kDefaultCodeLength, 'a');
  for (const char first : kCodeAlphabet) {
    for (const char second : kCodeAlphabet) {
      for (const char third : kCodeAlphabet) {
        code[place] = first;
        code[place + 1] = second;
        code[place + 2] = third;
        codes.push_back(code);
      }
    }
  }
  return codes;
}

// Pearson's chi-squared over 1024 boxes, as standard deviations above what chance gives.
double unevenness(const std::vector<std::string>& codes, const CodeHash& hash, unsigned shift) {
  constexpr std::size_t kBoxes = 1024;
  std::array<std::size_t, kBoxes> counts{};
  for (const std::string& code : codes) ++counts[hash(code) >> shift & (kBoxes - 1)];
  const double expected = static_cast<double>(codes.size()) / kBoxes;
  double sum = 0;
  for (const std::size_t count : counts) sum += std::pow(static_cast<double>(count) - expected, 2) / expected;
  return (sum - (kBoxes - 1)) / std::sqrt(2.0 * (kBoxes - 1));
}

std::size_t collisions(const std::vector<std::string>& codes, const CodeHash& hash) {
  std::unordered_set<std::uint32_t> seen;
  for (const std::string& code : codes) seen.insert(hash(code));
  return codes.size() - seen.size();
}

void expect_evenly_spread(const std::vector<std::string>& codes) {
  for (const std::uint64_t seed : kSeeds) {
    const CodeHash hash(seed);
    // The table takes its segments from the low bits and its blocks from the high ones.
    for (const unsigned shift : {0U, 4U, 11U, 22U})
      EXPECT_LT(unevenness(codes, hash, shift), 6) << seed << " " << shift;
    // Chance gives 5 with 200,000 codes.
    EXPECT_LT(collisions(codes, hash), 40U) << seed;
  }
}

TEST(CodeHashTest, RandomCodesAreEvenlySpread) {
  for (const std::size_t length : {7U, 8U, 10U, 12U, 32U}) expect_evenly_spread(random_codes(length));
}

TEST(CodeHashTest, NumberedCodesAreEvenlySpread) {
  expect_evenly_spread(numbered_codes());
}

TEST(CodeHashTest, CodesThatDifferInFewCharactersAreEvenlySpread) {
  for (std::size_t place = 0; place <= kDefaultCodeLength - 3; ++place) expect_evenly_spread(neighbours(place));
}

// On average over seeds and codes, a character that becomes another changes each bit of the hash in a quarter to three
// quarters of the cases.
TEST(CodeHashTest, EachBitDependsOnEachCharacterOfTheCode) {
  constexpr int kTrials = 4000;
  std::mt19937_64 engine(11);
  for (std::size_t place = 0; place < CodeWord::kLength; ++place) {
    for (std::size_t step = 1; step < kCodeAlphabet.size(); step += 11) {
      std::array<int, 32> changed{};
      for (int trial = 0; trial < kTrials; ++trial) {
        const CodeHash hash(engine());
        std::string code = random_code(engine, CodeWord::kLength);
        const std::uint32_t before = hash(code);
        code[place] = kCodeAlphabet[(kCodeAlphabet.find(code[place]) + step) % kCodeAlphabet.size()];
        const std::uint32_t difference = before ^ hash(code);
        for (unsigned i = 0; i < changed.size(); ++i) changed[i] += static_cast<int>(difference >> i & 1U);
      }
      const auto [least, most] = std::minmax_element(changed.begin(), changed.end());
      EXPECT_GT(*least, kTrials / 4) << place << " " << step;
      EXPECT_LT(*most, kTrials / 4 * 3) << place << " " << step;
    }
  }
}

TEST(CodeHashTest, AnotherSeedGivesOtherHashes) {
  std::unordered_set<std::uint32_t> hashes;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) hashes.insert(CodeHash(seed)("aB3dE5gHiJ"));
  EXPECT_GE(hashes.size(), 999U);
}

constexpr std::string_view kLettersAndDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// No two codes have the same word: each place changes bits of the word that no other place changes, and all characters
// at a place give different ones. And no word looks like the length of another code.
TEST(CodeHashTest, WordsOfDifferentCodesDiffer) {
  std::string code(CodeWord::kLength, kLettersAndDigits.front());
  const std::uint64_t base = CodeWord(code.data()).value();
  std::uint64_t taken = 0;
  for (char& c : code) {
    std::unordered_set<std::uint64_t> words;
    std::uint64_t changed = 0;
    for (const char other : kLettersAndDigits) {
      c = other;
      const CodeWord word(code.data());
      EXPECT_TRUE(words.insert(word.value()).second) << code;
      changed |= word.value() ^ base;
    }
    c = kLettersAndDigits.front();
    EXPECT_EQ(changed & taken, 0U);
    taken |= changed;
  }
  std::mt19937_64 engine(5);
  for (int i = 0; i < 100'000; ++i) {
    for (char& c : code) c = kLettersAndDigits[engine() % kLettersAndDigits.size()];
    std::array<char, sizeof(CodeWord)> bytes;
    const CodeWord word(code.data());
    word.write(bytes.data());
    ASSERT_GT(static_cast<unsigned char>(bytes[0]), kMaxCodeLength) << code;
    ASSERT_TRUE(word.is_at(bytes.data()));
    ASSERT_EQ(CodeWord::read(bytes.data()).value(), word.value());
    bytes[engine() % bytes.size()] ^= 1;
    ASSERT_FALSE(word.is_at(bytes.data()));
  }
}

TEST(CodeHashTest, AWordReadsNothingBeforeAndBehindTheCode) {
  const std::vector<char> exact = {'a', 'B', '3', 'd', 'E', '5', 'g', 'H', '0', 'o'};
  EXPECT_EQ(CodeHash(5)(CodeWord(exact.data())), CodeHash(5)("aB3dE5gH0o"));
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
#include <pairport/code.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <new>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/fixed_random.h"

namespace pairport::testing {
namespace {

std::string draw(CodeGenerator& codes) {
  Code code;
  EXPECT_TRUE(codes.next(code).ok());
  return std::string(code.view());
}

TEST(CodeAlphabet, IsTheOneThatClientsKnow) {
  EXPECT_EQ(kCodeAlphabet, "abcdefghijklmnpqrstuvwyxzABCDEFGHIJKLMNPQRSTUVWXYZ123456789");
  const std::set<char> different(kCodeAlphabet.begin(), kCodeAlphabet.end());
  EXPECT_EQ(different.size(), 59U);
  for (const char confusing : {'o', 'O', '0'}) EXPECT_EQ(kCodeAlphabet.find(confusing), std::string_view::npos);
  EXPECT_TRUE(is_plausible_code(kCodeAlphabet.substr(0, 32)));
}

TEST(PlausibleCode, IsOneTo32LettersAndDigits) {
  EXPECT_FALSE(is_plausible_code(""));
  EXPECT_TRUE(is_plausible_code("a"));
  EXPECT_TRUE(is_plausible_code("0000000")) << "static deposits use what is not in the alphabet";
  EXPECT_TRUE(is_plausible_code(std::string(32, 'Z')));
  EXPECT_FALSE(is_plausible_code(std::string(33, 'Z')));
  EXPECT_FALSE(is_plausible_code(std::string(1 << 20, 'Z')));
  for (int c = 0; c < 256; ++c) {
    const bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    EXPECT_EQ(is_plausible_code(std::string(1, static_cast<char>(c))), good) << c;
    EXPECT_EQ(is_plausible_code("abc" + std::string(1, static_cast<char>(c)) + "def"), good) << c;
  }
}

TEST(ShortCodes, AreToldWithTheTimeToAFirstHit) {
  std::array<char, 256> text;
  // 59^7 / (10,000 * 65,536) seconds are 1.05 hours; 59^10 take 24.7 years.
  EXPECT_EQ(describe_short_code(7, text),
            "codes of 7 characters are short for a public address: with 10000 live codes and 65536 guesses a second, "
            "the first one is found after 1.1 hours on average (with 10 characters: 25 years)");
  EXPECT_NE(describe_short_code(9, text).find("after 3671.9 hours"), std::string_view::npos)
      << describe_short_code(9, text);
  for (std::size_t length = kDefaultCodeLength; length <= kMaxCodeLength; ++length) {
    EXPECT_EQ(describe_short_code(length, text), "") << length;
  }
}

TEST(CodeGenerator, DrawsCodesOfTheLengthAskedFor) {
  for (std::size_t length = kMinCodeLength; length <= kMaxCodeLength; ++length) {
    FixedRandom random;
    CodeGenerator codes(random, length);
    for (int i = 0; i < 100; ++i) {
      const std::string code = draw(codes);
      EXPECT_EQ(code.size(), length);
      EXPECT_TRUE(is_plausible_code(code));
      EXPECT_EQ(code.find_first_not_of(kCodeAlphabet), std::string::npos) << code;
    }
  }
}

TEST(CodeGenerator, TakesSixBitsAndDrawsAgainWhatIsOutside) {
  FixedRandom random;
  // 59 to 63 are outside; the two upper bits say nothing.
  random.first = {0, 59, 1, 60, 61, 62, 63, 58, 64, 64 + 59, 128 + 58, 255, 192 + 2, 3};
  CodeGenerator codes(random, 7);
  EXPECT_EQ(draw(codes), "ab9a9cd");
}

TEST(CodeGenerator, HasNoBias) {
  FixedRandom random(7);
  CodeGenerator codes(random, 8);
  constexpr int kCodes = 150'000;
  std::array<std::array<int, 256>, 8> seen{};
  for (int i = 0; i < kCodes; ++i) {
    const std::string code = draw(codes);
    for (std::size_t place = 0; place < code.size(); ++place) ++seen[place][static_cast<unsigned char>(code[place])];
  }
  const double expected = kCodes / 59.0;
  double all = 0;
  for (const auto& place : seen) {
    double chi_square = 0;
    for (const char c : kCodeAlphabet) {
      const double difference = place[static_cast<unsigned char>(c)] - expected;
      chi_square += difference * difference / expected;
    }
    // 58 degrees of freedom: 99.9 % of fair draws stay below 97. Modulo 59 of six bits would give about 11,000.
    EXPECT_LT(chi_square, 97);
    all += chi_square;
  }
  // 464 degrees of freedom, 99.9 %.
  EXPECT_LT(all, 564);
  EXPECT_GT(all, 371) << "too even to be random";
}

TEST(CodeGenerator, DoesNotRepeatItself) {
  FixedRandom random;
  CodeGenerator codes(random, kDefaultCodeLength);
  std::set<std::string> seen;
  for (int i = 0; i < 20'000; ++i) EXPECT_TRUE(seen.insert(draw(codes)).second);
}

TEST(CodeGenerator, OneFillServesManyCodes) {
  FixedRandom random;
  CodeGenerator codes(random, kDefaultCodeLength);
  for (int i = 0; i < 15; ++i) draw(codes);
  EXPECT_EQ(random.fills, 1U);
}

TEST(CodeGenerator, AFailingSourceGivesNoCode) {
  FixedRandom random;
  random.failing = true;
  CodeGenerator codes(random, 7);
  Code code("before");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(codes.next(code).code(), StatusCode::kRandomFailed);
    EXPECT_EQ(code.view(), "before");
  }
  random.failing = false;
  EXPECT_EQ(draw(codes).size(), 7U) << "it works again as soon as the source does";
}

TEST(CodeGenerator, ASourceThatFailsInTheMiddleGivesNoHalfCode) {
  FixedRandom random;
  CodeGenerator codes(random, 32);
  Code code("before");
  // 192 bytes ahead: the sixth code of 32 characters at the latest needs more.
  EXPECT_TRUE(codes.next(code).ok());
  random.failing = true;
  Status status;
  Code last = code;
  for (int i = 0; i < 6 && status.ok(); ++i) {
    last = code;
    status = codes.next(code);
  }
  EXPECT_EQ(status.code(), StatusCode::kRandomFailed);
  EXPECT_EQ(code.view(), last.view());
  // What was drawn for the code that failed is not used for the next one, and neither are the zeros of the failed fill.
  random.failing = false;
  const std::string fresh = draw(codes);
  EXPECT_NE(fresh, std::string(32, 'a'));
}

// What memory holds of the random bytes of a generator.
class UsedBytes : public ::testing::Test {
 protected:
  UsedBytes() {
    // Each makes a character, and no four of them occur twice.
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::uint8_t>(64 * (i % 4) + i % 59);
    random_.first.assign(bytes_.begin(), bytes_.end());
    codes_ = new (memory_.data()) CodeGenerator(random_, kDefaultCodeLength);
  }
  bool holds(std::size_t from, std::size_t count) const {
    return std::search(memory_.begin(), memory_.end(), bytes_.begin() + from, bytes_.begin() + from + count) !=
           memory_.end();
  }
  bool holds_any() const {
    for (std::size_t i = 0; i + 4 <= bytes_.size(); ++i) {
      if (holds(i, 4)) return true;
    }
    return false;
  }

  FixedRandom random_;
  std::array<std::uint8_t, 192> bytes_;
  alignas(CodeGenerator) std::array<std::uint8_t, sizeof(CodeGenerator)> memory_{};
  CodeGenerator* codes_ = nullptr;
};

TEST_F(UsedBytes, AreWiped) {
  std::size_t used = 0;
  for (; used + kDefaultCodeLength <= bytes_.size(); used += kDefaultCodeLength) {
    EXPECT_EQ(draw(*codes_).front(), kCodeAlphabet[used % 59]);
    const std::size_t begin = used + kDefaultCodeLength;
    EXPECT_TRUE(holds(begin, bytes_.size() - begin)) << "those that wait are there";
    for (std::size_t i = 0; i < begin; ++i) {
      EXPECT_FALSE(holds(i, 4) && i + 4 <= begin) << "byte " << i << " after " << begin;
    }
  }
  EXPECT_EQ(random_.fills, 1U);
  codes_->~CodeGenerator();
}

TEST_F(UsedBytes, AreWipedWithThoseThatWaitWhenTheGeneratorEnds) {
  draw(*codes_);
  ASSERT_TRUE(holds_any());
  codes_->~CodeGenerator();
  EXPECT_FALSE(holds_any());
}

TEST_F(UsedBytes, AreWipedWhenTheSourceFailsInTheMiddle) {
  class Failing final : public RandomSource {
   public:
    bool fill(std::span<std::uint8_t> out) noexcept override {
      std::fill(out.begin(), out.end(), std::uint8_t{0x5a});
      return false;
    }
  } failing;
  codes_->~CodeGenerator();
  codes_ = new (memory_.data()) CodeGenerator(failing, kDefaultCodeLength);
  Code code;
  EXPECT_EQ(codes_->next(code).code(), StatusCode::kRandomFailed);
  EXPECT_EQ(std::search_n(memory_.begin(), memory_.end(), 4, 0x5a), memory_.end());
  codes_->~CodeGenerator();
}

TEST(CodeGenerator, DrawsLongerOnesOnRequest) {
  KernelRandom random;
  CodeGenerator codes(random, 10);
  Code code;
  for (const std::size_t at_least : {std::size_t{0}, std::size_t{7}, std::size_t{10}}) {
    ASSERT_TRUE(codes.next(code, at_least).ok());
    EXPECT_EQ(code.view().size(), 10U) << at_least;
  }
  for (const std::size_t at_least : {std::size_t{11}, std::size_t{16}, kMaxCodeLength}) {
    ASSERT_TRUE(codes.next(code, at_least).ok());
    EXPECT_EQ(code.view().size(), at_least);
  }
}

// What the header promises, with the default limits: one look-up a second, and twenty at once.
TEST(ShortestCodeFor, GuessingWithinALifeIsHopeless) {
  constexpr std::uint64_t kHourMs = 3'600'000;
  for (const std::uint64_t life_ms :
       {std::uint64_t{600'000}, kHourMs, kHourMs + 1000, 24 * kHourMs, 24 * kHourMs + 1000, 30 * 24 * kHourMs}) {
    const std::size_t length = std::max(kDefaultCodeLength, shortest_code_for(life_ms));
    const double guesses = 100'000.0 * (static_cast<double>(life_ms) / 1000 + 20);
    EXPECT_LT(100'000.0 * guesses / std::pow(59.0, static_cast<double>(length)), 1e-4) << life_ms;
  }
  EXPECT_EQ(shortest_code_for(kHourMs), kMinCodeLength);
  EXPECT_EQ(shortest_code_for(kHourMs + 1), 11U);
  EXPECT_EQ(shortest_code_for(24 * kHourMs), 11U);
  EXPECT_EQ(shortest_code_for(24 * kHourMs + 1), 16U);
}

}  // namespace
}  // namespace pairport::testing

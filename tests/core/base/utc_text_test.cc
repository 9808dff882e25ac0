// SPDX-License-Identifier: MIT
#include "core/base/utc_text.h"

#include <array>
#include <cstdint>
#include <ctime>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace pairport::testing {
namespace {

class UtcTextTest : public ::testing::Test {
 protected:
  std::string text_of(std::int64_t unix_seconds) {
    std::array<char, UtcText::kSize> out;
    return std::string(utc_.write(unix_seconds, out.data()));
  }

  UtcText utc_;
};

TEST_F(UtcTextTest, ATimeIsWrittenAsRfc3339) {
  EXPECT_EQ(text_of(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(text_of(59), "1970-01-01T00:00:59Z");
  EXPECT_EQ(text_of(3599), "1970-01-01T00:59:59Z");
  EXPECT_EQ(text_of(1'709'164'800), "2024-02-29T00:00:00Z") << "a leap day";
  EXPECT_EQ(text_of(1'767'225'599), "2025-12-31T23:59:59Z");
  EXPECT_EQ(text_of(1'767'225'600), "2026-01-01T00:00:00Z");
  EXPECT_EQ(text_of(1'767'225'599), "2025-12-31T23:59:59Z") << "and back";
}

TEST_F(UtcTextTest, TimesWithoutATextBecomeTheNearestThatHasOne) {
  EXPECT_EQ(text_of(-1), "1970-01-01T00:00:00Z");
  EXPECT_EQ(text_of(std::numeric_limits<std::int64_t>::min()), "1970-01-01T00:00:00Z");
  EXPECT_EQ(text_of(253'402'300'799), "9999-12-31T23:59:59Z");
  EXPECT_EQ(text_of(253'402'300'800), "9999-12-31T23:59:59Z");
  EXPECT_EQ(text_of(std::numeric_limits<std::int64_t>::max()), "9999-12-31T23:59:59Z");
  EXPECT_EQ(text_of(-1), "1970-01-01T00:00:00Z");
}

TEST_F(UtcTextTest, AgreesWithTheCLibrary) {
  std::mt19937_64 random(1);
  std::time_t time = 0;
  for (int i = 0; i < 20'000; ++i) {
    // Every other time lies in the day of the one before.
    const auto draw = static_cast<std::time_t>(random());
    time = i % 2 == 0 ? (draw & 0x1f'ffff'ffff) : time - time % 86'400 + (draw & 0xffff);
    std::tm utc{};
    ASSERT_NE(gmtime_r(&time, &utc), nullptr);
    std::array<char, 32> expected;
    ASSERT_EQ(std::strftime(expected.data(), expected.size(), "%Y-%m-%dT%H:%M:%SZ", &utc), UtcText::kSize);
    ASSERT_EQ(text_of(time), expected.data());
  }
}

}  // namespace
}  // namespace pairport::testing

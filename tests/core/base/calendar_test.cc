// SPDX-License-Identifier: MIT
#include "core/base/calendar.h"

#include <cstdint>
#include <ctime>
#include <random>

#include <gtest/gtest.h>

namespace pairport {
namespace {

TEST(Calendar, SecondsBecomeADateAndATimeOfDay) {
  const CalendarTime leap_day = calendar_time(1'709'251'199);  // 2024-02-29T23:59:59Z, a Thursday
  EXPECT_EQ(leap_day.year, 2024);
  EXPECT_EQ(leap_day.month, 2U);
  EXPECT_EQ(leap_day.day, 29U);
  EXPECT_EQ(leap_day.weekday, 4U);
  EXPECT_EQ(leap_day.hour, 23U);
  EXPECT_EQ(leap_day.minute, 59U);
  EXPECT_EQ(leap_day.second, 59U);
  const CalendarTime before = calendar_time(-1);
  EXPECT_EQ(before.year, 1969);
  EXPECT_EQ(before.hour, 23U);
  EXPECT_EQ(before.second, 59U);
}

TEST(Calendar, AgreesWithTheCLibraryAndWithItself) {
  std::mt19937_64 random(19);
  std::uniform_int_distribution<std::int64_t> any(-2'208'988'800, 253'402'300'799);  // 1900 to 9999
  for (int i = 0; i < 10'000; ++i) {
    const std::time_t seconds = any(random);
    std::tm expected{};
    ASSERT_NE(gmtime_r(&seconds, &expected), nullptr);
    const CalendarTime time = calendar_time(seconds);
    ASSERT_EQ(time.year, expected.tm_year + 1900) << seconds;
    ASSERT_EQ(time.month, static_cast<unsigned>(expected.tm_mon + 1)) << seconds;
    ASSERT_EQ(time.day, static_cast<unsigned>(expected.tm_mday)) << seconds;
    ASSERT_EQ(time.weekday, static_cast<unsigned>(expected.tm_wday)) << seconds;
    ASSERT_EQ(time.hour, static_cast<unsigned>(expected.tm_hour)) << seconds;
    ASSERT_EQ(time.minute, static_cast<unsigned>(expected.tm_min)) << seconds;
    ASSERT_EQ(time.second, static_cast<unsigned>(expected.tm_sec)) << seconds;
    ASSERT_EQ(unix_seconds(time), seconds);
  }
}

}  // namespace
}  // namespace pairport

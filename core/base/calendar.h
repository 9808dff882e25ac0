// SPDX-License-Identifier: MIT
// The calendar of UTC: days and seconds since 1970 as a date and a time of day, and back.
#ifndef PAIRPORT_CALENDAR_H_
#define PAIRPORT_CALENDAR_H_

#include <chrono>
#include <cstdint>

namespace pairport {

// A second of the proleptic Gregorian calendar, in UTC, without leap seconds.
struct CalendarTime {
  int year = 1970;
  unsigned month = 1;    // 1 to 12
  unsigned day = 1;      // of the month, from 1
  unsigned weekday = 4;  // 0 is Sunday
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
};

// `unix_seconds`: seconds since 1970, of any year from -32767 to 32767.
constexpr CalendarTime calendar_time(std::int64_t unix_seconds) noexcept {
  const std::chrono::sys_seconds time{std::chrono::seconds(unix_seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto of_day = static_cast<unsigned>((time - day).count());
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          std::chrono::weekday(day).c_encoding(),
          of_day / 3600,
          of_day / 60 % 60,
          of_day % 60};
}

// The reverse. Ignores `weekday`. REQUIRES: the date exists
constexpr std::int64_t unix_seconds(const CalendarTime& time) noexcept {
  const std::chrono::year_month_day date{std::chrono::year(time.year), std::chrono::month(time.month),
                                         std::chrono::day(time.day)};
  return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{24 * 3600} +
         std::int64_t{time.hour} * 3600 + time.minute * 60 + time.second;
}

}  // namespace pairport

#endif  // PAIRPORT_CALENDAR_H_

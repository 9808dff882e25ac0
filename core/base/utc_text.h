// SPDX-License-Identifier: MIT
// Times of the wall clock as text.
#ifndef PAIRPORT_UTC_TEXT_H_
#define PAIRPORT_UTC_TEXT_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/calendar.h"

namespace pairport {

// Writes times as RFC 3339 in UTC with whole seconds: 2026-01-31T23:59:59Z. Remembers the last day, so that times of
// one day cost no calendar arithmetic, because every installer holds two times. One thread at a time.
class UtcText {
 public:
  static constexpr std::size_t kSize = 20;

  // Writes `unix_seconds` to `out`, which has room for kSize characters. Times before 1970 and after 9999 have no such
  // text; they become the nearest time that has one.
  std::string_view write(std::int64_t unix_seconds, char* out) noexcept {
    // Unsigned, so a time before the day becomes a large number, after its end.
    std::uint64_t of_day = static_cast<std::uint64_t>(unix_seconds) - static_cast<std::uint64_t>(day_begin_);
    if (of_day >= kDay) of_day = set_day(unix_seconds);
    const auto seconds = static_cast<std::uint32_t>(of_day);
    const std::uint32_t minutes = seconds / 60;
    const std::uint32_t hours = minutes / 60;
    std::memcpy(out, text_.data(), kSize);
    put_two(hours, out + 11);
    put_two(minutes - 60 * hours, out + 14);
    put_two(seconds - 60 * minutes, out + 17);
    return {out, kSize};
  }

 private:
  static constexpr std::int64_t kDay = 24 * 3600;
  static constexpr std::int64_t kLast = 253'402'300'799;  // 9999-12-31T23:59:59Z
  static constexpr auto kTwoDigits = [] {
    std::array<std::array<char, 2>, 100> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i] = {static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10)};
    }
    return table;
  }();

  static void put_two(std::uint32_t value, char* out) noexcept { std::memcpy(out, kTwoDigits[value].data(), 2); }

  // Returns the second of the day.
  [[gnu::noinline]] std::uint64_t set_day(std::int64_t unix_seconds) noexcept {
    const std::int64_t seconds = std::clamp(unix_seconds, std::int64_t{0}, kLast);
    day_begin_ = seconds - seconds % kDay;
    const CalendarTime date = calendar_time(day_begin_);
    const auto year = static_cast<std::uint32_t>(date.year);
    put_two(year / 100, text_.data());
    put_two(year % 100, text_.data() + 2);
    put_two(date.month, text_.data() + 5);
    put_two(date.day, text_.data() + 8);
    return static_cast<std::uint64_t>(seconds - day_begin_);
  }

  std::int64_t day_begin_ = 0;
  std::array<char, kSize> text_{'1', '9', '7', '0', '-', '0', '1', '-', '0', '1',
                                'T', '0', '0', ':', '0', '0', ':', '0', '0', 'Z'};
};

}  // namespace pairport

#endif  // PAIRPORT_UTC_TEXT_H_

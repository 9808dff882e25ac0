// SPDX-License-Identifier: MIT
// Times of the wall clock as text.
#ifndef PAIRPORT_RENDER_UTC_TEXT_H_
#define PAIRPORT_RENDER_UTC_TEXT_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace pairport {

// Writes times as RFC 3339 in UTC with whole seconds: 2026-01-31T23:59:59Z. Remembers the last day, so that times of
// one day cost no calendar arithmetic: every installer carries two. One thread at a time.
class UtcText {
 public:
  static constexpr std::size_t kSize = 20;

  // Writes `unix_seconds` to `out`, which has room for kSize characters. Years before 1970 and after 9999, which have
  // no such text, become the nearest time that has one.
  std::string_view write(std::int64_t unix_seconds, char* out) noexcept {
    const std::int64_t seconds = std::clamp(unix_seconds, std::int64_t{0}, kLast);
    if (seconds < day_begin_ || seconds - day_begin_ >= kDay) set_day(seconds);
    const auto of_day = static_cast<std::uint32_t>(seconds - day_begin_);
    std::memcpy(out, date_.data(), date_.size());
    put_two(of_day / 3600, out + 11);
    out[13] = ':';
    put_two(of_day / 60 % 60, out + 14);
    out[16] = ':';
    put_two(of_day % 60, out + 17);
    out[19] = 'Z';
    return {out, kSize};
  }

 private:
  static constexpr std::int64_t kDay = 24 * 3600;
  static constexpr std::int64_t kLast = 253'402'300'799;  // 9999-12-31T23:59:59Z

  static void put_two(std::uint32_t value, char* out) noexcept {
    out[0] = static_cast<char>('0' + value / 10);
    out[1] = static_cast<char>('0' + value % 10);
  }

  void set_day(std::int64_t seconds) noexcept {
    day_begin_ = seconds - seconds % kDay;
    const std::chrono::year_month_day date(std::chrono::sys_days(std::chrono::days(day_begin_ / kDay)));
    const auto year = static_cast<std::uint32_t>(static_cast<int>(date.year()));
    put_two(year / 100, date_.data());
    put_two(year % 100, date_.data() + 2);
    put_two(static_cast<unsigned>(date.month()), date_.data() + 5);
    put_two(static_cast<unsigned>(date.day()), date_.data() + 8);
  }

  std::int64_t day_begin_ = 0;
  std::array<char, 11> date_{'1', '9', '7', '0', '-', '0', '1', '-', '0', '1', 'T'};
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_UTC_TEXT_H_

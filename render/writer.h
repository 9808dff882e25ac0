// SPDX-License-Identifier: MIT
// Text written into a buffer of fixed size.
#ifndef PAIRPORT_RENDER_WRITER_H_
#define PAIRPORT_RENDER_WRITER_H_

#include <cassert>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <pairport/quote.h>

namespace pairport {

// Appends to a buffer whose size its user has made sure of.
class Writer {
 public:
  explicit Writer(std::span<char> buffer) noexcept
      : begin_(buffer.data()), out_(begin_), end_(begin_ + buffer.size()) {}

  Writer& text(std::string_view text) noexcept {
    assert(text.size() <= static_cast<std::size_t>(end_ - out_));
    if (!text.empty()) std::memcpy(out_, text.data(), text.size());  // an empty view may be null
    out_ += text.size();
    return *this;
  }
  Writer& number(std::uint64_t value) noexcept {
    out_ = std::to_chars(out_, end_, value).ptr;
    return *this;
  }
  template <typename Quote>
  Writer& quoted(std::string_view value, Quote&& quote) noexcept {
    assert(max_quoted(value.size()) <= static_cast<std::size_t>(end_ - out_));
    out_ = quote(value, out_);
    return *this;
  }
  // RFC 3339, UTC, whole seconds.
  Writer& timestamp(std::int64_t unix_seconds) noexcept {
    const std::chrono::sys_seconds time{std::chrono::seconds(unix_seconds)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    const auto two = [this](std::int64_t value, char before) {
      if (before != '\0') *out_++ = before;
      *out_++ = static_cast<char>('0' + value / 10 % 10);
      *out_++ = static_cast<char>('0' + value % 10);
    };
    number(static_cast<std::uint64_t>(static_cast<int>(date.year())));
    two(static_cast<unsigned>(date.month()), '-');
    two(static_cast<unsigned>(date.day()), '-');
    two(clock.hours().count(), 'T');
    two(clock.minutes().count(), ':');
    two(clock.seconds().count(), ':');
    *out_++ = 'Z';
    return *this;
  }

  std::string_view written() const noexcept { return {begin_, static_cast<std::size_t>(out_ - begin_)}; }

 private:
  char* begin_;
  char* out_;
  char* end_;
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_WRITER_H_

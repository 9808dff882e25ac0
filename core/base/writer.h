// SPDX-License-Identifier: MIT
// Text written into a buffer of fixed size.
#ifndef PAIRPORT_WRITER_H_
#define PAIRPORT_WRITER_H_

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/base/check.h"

namespace pairport {

// Appends to a buffer. The user makes sure that the buffer is large enough.
class Writer {
 public:
  explicit Writer(std::span<char> buffer) noexcept
      : begin_(buffer.data()), out_(begin_), end_(begin_ + buffer.size()) {}

  Writer& text(std::string_view text) noexcept {
    PAIRPORT_CHECK(text.size() <= static_cast<std::size_t>(end_ - out_));
    if (!text.empty()) std::memcpy(out_, text.data(), text.size());  // an empty view may be null
    out_ += text.size();
    return *this;
  }
  Writer& number(std::uint64_t value) noexcept {
    out_ = std::to_chars(out_, end_, value).ptr;
    return *this;
  }
  // Lower-case hexadecimal, with leading zeros up to `least_digits`.
  Writer& hex(std::uint64_t value, int least_digits = 1) noexcept {
    std::array<char, 2 * sizeof(value)> digits;
    auto at = digits.end();
    for (; value != 0 || least_digits > 0; value >>= 4, --least_digits) *--at = "0123456789abcdef"[value & 15];
    return text({at, digits.end()});
  }
  // Writes `value` with `digits` digits behind the point.
  Writer& number(double value, int digits) noexcept {
    out_ = std::to_chars(out_, end_, value, std::chars_format::fixed, digits).ptr;
    return *this;
  }
  // Appends the output of `quote(value, out)`, which returns the end of its output: one of the functions of
  // render/scripts/quote.h.
  template <typename Quote>
  Writer& quoted(std::string_view value, Quote&& quote) noexcept {
    out_ = quote(value, out_);
    PAIRPORT_CHECK(out_ <= end_);
    return *this;
  }
  std::string_view written() const noexcept { return {begin_, static_cast<std::size_t>(out_ - begin_)}; }

 private:
  char* begin_;
  char* out_;
  char* end_;
};

}  // namespace pairport

#endif  // PAIRPORT_WRITER_H_

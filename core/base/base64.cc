// SPDX-License-Identifier: MIT
#include "core/base/base64.h"

#include <algorithm>
#include <array>

namespace pairport {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t kNoDigit = 64;
constexpr std::array<std::uint8_t, 256> kUrlValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kUrlDigits.size(); ++i) {
    values[static_cast<unsigned char>(kUrlDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

// Three bytes become four characters. Omits the characters of the last group that hold no bit.
char* put(Bytes bytes, std::string_view digits, char* out) noexcept {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? bytes[i + k] : 0U);
    for (std::size_t k = 0; k <= count; ++k) *out++ = digits[bits >> (18 - 6 * k) & 63U];
  }
  return out;
}

}  // namespace

char* put_base64(Bytes bytes, char* out) noexcept {
  char* const end = out + base64_size(bytes.size());
  std::fill(put(bytes, kDigits, out), end, '=');
  return end;
}

char* put_base64url(Bytes bytes, char* out) noexcept {
  return put(bytes, kUrlDigits, out);
}

std::optional<std::size_t> read_base64url(std::string_view text, std::span<std::uint8_t> out) noexcept {
  // Four characters hold three bytes, three hold two, two hold one; a single character holds too few bits for a byte.
  if (text.size() % 4 == 1) return std::nullopt;
  const std::size_t size = text.size() / 4 * 3 + text.size() % 4 * 3 / 4;
  if (size > out.size()) return std::nullopt;
  std::uint32_t bits = 0;
  unsigned held = 0;  // bits that are not in a byte yet
  std::size_t written = 0;
  for (const char c : text) {
    const std::uint8_t value = kUrlValues[static_cast<unsigned char>(c)];
    if (value == kNoDigit) return std::nullopt;
    bits = bits << 6 | value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[written++] = static_cast<std::uint8_t>(bits >> held);
    }
  }
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return size;
}

}  // namespace pairport

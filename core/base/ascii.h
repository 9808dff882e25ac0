// SPDX-License-Identifier: MIT
// Character classes of protocols: ASCII, independent of the locale.
#ifndef PAIRPORT_ASCII_H_
#define PAIRPORT_ASCII_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pairport {

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_alphanumeric(char c) noexcept {
  return is_letter(c) || is_digit(c);
}
// Whether `text` holds only letters, digits and the characters of `marks`.
constexpr bool consists_of(std::string_view text, std::string_view marks) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [marks](char c) { return is_alphanumeric(c) || marks.find(c) != std::string_view::npos; });
}
// Visible characters and the space.
constexpr bool is_printable(char c) noexcept {
  return c >= ' ' && c <= '~';
}
constexpr bool is_visible(char c) noexcept {
  return c > ' ' && c <= '~';
}
// Below the space, or DEL. False for the bytes of a UTF-8 character of several bytes.
constexpr bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}
constexpr bool has_control(std::string_view text) noexcept {
  // A lambda, because with the function itself as the predicate the compiler would call it for each character.
  return std::any_of(text.begin(), text.end(), [](char c) { return is_control(c); });
}
constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// A set of bytes. A look-up is one load, for loops over every character of a text.
class CharacterSet {
 public:
  constexpr explicit CharacterSet(std::string_view members) noexcept {
    for (const char c : members) contains_[static_cast<unsigned char>(c)] = true;
  }
  constexpr bool contains(char c) const noexcept { return contains_[static_cast<unsigned char>(c)]; }

 private:
  std::array<bool, 256> contains_{};
};

// Whether all eight bytes of `word`, in any byte order, are letters and digits.
constexpr bool are_letters_and_digits(std::uint64_t word) noexcept {
  constexpr std::uint64_t kOnes = 0x01010101'01010101U;
  // The highest bit of each byte says whether the byte is at least `least`. A byte that is not ASCII may carry into the
  // next one; the result is then false because of the byte itself.
  const auto reaches = [](std::uint64_t bytes, char least) {
    return bytes + (0x80U - static_cast<std::uint64_t>(least)) * kOnes;
  };
  const std::uint64_t lower = word | 0x20 * kOnes;
  const std::uint64_t letters = reaches(lower, 'a') & ~reaches(lower, 'z' + 1);
  const std::uint64_t digits = reaches(word, '0') & ~reaches(word, '9' + 1);
  return ((letters | digits) & ~word & 0x80 * kOnes) == 0x80 * kOnes;
}

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that the two hexadecimal digits at `position` stand for, or -1 when there are not two.
constexpr int hex_byte(std::string_view text, std::size_t position) noexcept {
  if (position + 2 > text.size()) return -1;
  const int high = hex_value(text[position]);
  const int low = hex_value(text[position + 1]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

// REQUIRES: no upper-case letter in `lower_text`.
constexpr bool equals_ignoring_case(std::string_view text, std::string_view lower_text) noexcept {
  return std::equal(text.begin(), text.end(), lower_text.begin(), lower_text.end(),
                    [](char a, char b) { return to_lower(a) == b; });
}

// Without spaces and tabs at both ends (RFC 9110 section 5.6.3).
constexpr std::string_view trim(std::string_view text) noexcept {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace pairport

#endif  // PAIRPORT_ASCII_H_

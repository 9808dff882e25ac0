// SPDX-License-Identifier: MIT
// Reads literals back as the languages do that they are written for.
#ifndef PAIRPORT_TESTS_FUZZ_LITERALS_H_
#define PAIRPORT_TESTS_FUZZ_LITERALS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "input.h"
#include "render/scripts/template.h"

namespace pairport::fuzz {

// Takes one word off `text`: single-quoted stretches and escaped quotes between them (POSIX.1-2017, Shell Command
// Language, 2.2). Anything else ends it.
inline std::string read_posix(std::string_view& text) {
  std::string value;
  while (true) {
    if (text.starts_with('\'')) {
      const std::size_t end = text.find('\'', 1);
      expect(end != std::string_view::npos, "a shell literal ends");
      value += text.substr(1, end - 1);
      text.remove_prefix(end + 1);
    } else if (text.starts_with("\\'")) {
      value += '\'';
      text.remove_prefix(2);
    } else {
      return value;
    }
  }
}

inline std::string decode_base64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  expect(text.size() % 4 == 0, "base64 comes in fours");
  std::string value;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::size_t digit = kDigits.find(c);
    expect(digit != std::string_view::npos, "base64 has 64 digits");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      value += static_cast<char>(bits >> count & 0xff);
    }
  }
  return value;
}

// Takes one literal off `text`: '...' with every quote doubled, or the expression that decodes base64.
inline std::string read_powershell(std::string_view& text) {
  static constexpr std::string_view kBegin = "([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('";
  static constexpr std::string_view kEnd = "')))";
  if (text.starts_with(kBegin)) {
    text.remove_prefix(kBegin.size());
    const std::size_t end = text.find(kEnd);
    expect(end != std::string_view::npos, "a PowerShell expression ends");
    std::string value = decode_base64(text.substr(0, end));
    text.remove_prefix(end + kEnd.size());
    return value;
  }
  expect(text.starts_with('\''), "a PowerShell literal begins with a quote");
  text.remove_prefix(1);
  std::string value;
  while (true) {
    expect(!text.empty(), "a PowerShell literal ends");
    const char c = text.front();
    text.remove_prefix(1);
    expect(c >= 0x20 && c < 0x7f, "a PowerShell literal is printable ASCII");
    if (c == '\'') {
      if (!text.starts_with('\'')) return value;
      text.remove_prefix(1);
    }
    value += c;
  }
}

inline std::string read_literal(Dialect dialect, std::string_view& text) {
  return dialect == Dialect::kPosixShell ? read_posix(text) : read_powershell(text);
}

}  // namespace pairport::fuzz

#endif  // PAIRPORT_TESTS_FUZZ_LITERALS_H_

// SPDX-License-Identifier: MIT
// Bytes as the documents that define algorithms print them.
#ifndef PAIRPORT_TESTS_SUPPORT_HEX_H_
#define PAIRPORT_TESTS_SUPPORT_HEX_H_

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/bytes.h"

namespace pairport::testing {

inline std::vector<std::uint8_t> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int byte = hex_byte(text, i);
    if (byte < 0) throw std::invalid_argument("not hexadecimal: " + std::string(text));
    bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  return bytes;
}

inline std::string to_hex(Bytes bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15U]);
  }
  return text;
}

// `count` bytes that count up.
inline std::vector<std::uint8_t> counting(std::uint8_t first, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = first++;
  return bytes;
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_HEX_H_

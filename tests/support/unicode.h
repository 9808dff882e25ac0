// SPDX-License-Identifier: MIT
#ifndef PAIRPORT_TESTS_SUPPORT_UNICODE_H_
#define PAIRPORT_TESTS_SUPPORT_UNICODE_H_

#include <cstdint>
#include <string>

namespace pairport::testing {

// RFC 3629.
inline std::string utf8(std::uint32_t code_point) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (code_point < 0x80) return {byte(code_point)};
  if (code_point < 0x800) return {byte(0xc0 | code_point >> 6), byte(0x80 | (code_point & 63))};
  if (code_point < 0x10000) {
    return {byte(0xe0 | code_point >> 12), byte(0x80 | (code_point >> 6 & 63)), byte(0x80 | (code_point & 63))};
  }
  return {byte(0xf0 | code_point >> 18), byte(0x80 | (code_point >> 12 & 63)), byte(0x80 | (code_point >> 6 & 63)),
          byte(0x80 | (code_point & 63))};
}

// Calls `visit(text)` for the first planes' interesting parts in full and for every plane in samples, without
// surrogates.
template <typename Visit>
void for_sampled_code_points(Visit&& visit) {
  for (std::uint32_t c = 1; c <= 0x10ffff; c += c < 0x3000 ? 1 : 37) {
    if (c < 0xd800 || c > 0xdfff) visit(utf8(c));
  }
  for (std::uint32_t plane = 0; plane <= 16; ++plane) {
    for (const std::uint32_t c : {0xe000U, 0xfeffU, 0xfffdU, 0xfffeU, 0xffffU}) visit(utf8(plane << 16 | c));
  }
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_UNICODE_H_

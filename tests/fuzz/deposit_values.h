// SPDX-License-Identifier: MIT
// The rules of a deposit, written down a second time and as simply as possible.
#ifndef PAIRPORT_TESTS_FUZZ_DEPOSIT_VALUES_H_
#define PAIRPORT_TESTS_FUZZ_DEPOSIT_VALUES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <pairport/deposit.h>

#include "input.h"

namespace pairport::fuzz {

// RFC 3629.
inline bool is_utf8(std::string_view text) {
  const auto at = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = at(i);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xc2 ? 9
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : 9;
    if (more == 9) return false;
    std::uint32_t point = more == 0 ? lead : lead & (0x3fU >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      if ((at(i + k) & 0xc0) != 0x80) return false;
      point = point << 6 | (at(i + k) & 0x3f);
    }
    if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10ffff))) return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
    i += more + 1;
  }
  return true;
}

inline bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// What every accepted deposit keeps to.
inline void expect_valid(const DepositView& deposit) {
  for (const auto& [value, most] : {std::pair(deposit.connect_url, kMaxConnectUrl),
                                    {deposit.client_id, kMaxClientId},
                                    {deposit.password, kMaxPassword}}) {
    expect(!value.empty() && value.size() <= most, "a value keeps its limits");
    expect(is_utf8(value) && is_printable(value), "a value is printable UTF-8");
  }
  expect(deposit.client_id.find(':') == std::string_view::npos, "a client id has no colon");
  const std::string_view url = deposit.connect_url;
  expect(url.find_first_of(" #") == std::string_view::npos, "a URL has neither spaces nor a fragment");
  const std::size_t scheme = url.find("://");
  std::string_view rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?"));
  expect(!rest.empty() && rest.find('@') == std::string_view::npos, "a URL has a host and no user info");
}

}  // namespace pairport::fuzz

#endif  // PAIRPORT_TESTS_FUZZ_DEPOSIT_VALUES_H_

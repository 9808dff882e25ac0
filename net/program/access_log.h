// SPDX-License-Identifier: MIT
// The lines of the access log.
#ifndef PAIRPORT_NET_ACCESS_LOG_H_
#define PAIRPORT_NET_ACCESS_LOG_H_

#include <array>
#include <cstdint>
#include <string_view>

#include <pairport/access.h>

namespace pairport {

enum class AccessFormat : std::uint8_t { kOff, kText, kJson };

using AccessLine = std::array<char, 256>;

// False for a monitor's GET or HEAD of /healthz, which comes every few seconds and says nothing.
inline bool is_logged(const AccessEntry& entry) noexcept {
  return entry.route != Route::kHealth || (entry.method != Method::kGet && entry.method != Method::kHead);
}

// `entry` without the time, which is the logger's: as words, or as the members of a JSON object without its braces. Its
// address shortened when asked for. A view of `line`. REQUIRES: format is not kOff
std::string_view format_access(const AccessEntry& entry, AccessFormat format, bool shorten, AccessLine& line) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_ACCESS_LOG_H_

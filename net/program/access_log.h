// SPDX-License-Identifier: MIT
// The lines of the access log.
#ifndef PAIRPORT_NET_ACCESS_LOG_H_
#define PAIRPORT_NET_ACCESS_LOG_H_

#include <array>
#include <cstdint>
#include <string_view>

#include <pairport/connection.h>

namespace pairport {

enum class AccessFormat : std::uint8_t { kOff, kText, kJson };

using AccessLine = std::array<char, 256>;

// False for GET and HEAD of /healthz: monitors send them every few seconds, and they are no news.
inline bool is_logged(const AccessEntry& entry) noexcept {
  return entry.route != Route::kHealth || (entry.method != Method::kGet && entry.method != Method::kHead);
}

// Formats `entry` as words, or as the members of a JSON object without its braces; without the time, which the logger
// adds. `shorten`: with ClientAddress::shortened(). The result is a view of `line`. REQUIRES: format is not kOff
std::string_view format_access(const AccessEntry& entry, AccessFormat format, bool shorten, AccessLine& line) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_ACCESS_LOG_H_

// SPDX-License-Identifier: MIT
// Writes values as literals of a language. This is the only way for a value to get into a script.
#ifndef PAIRPORT_QUOTE_H_
#define PAIRPORT_QUOTE_H_

#include <cstddef>
#include <string_view>

#include <pairport/export.h>

namespace pairport {

// The language of a script.
enum class Dialect { kPosixShell, kPowerShell };

// Each function writes one complete literal for `value` to `out` and returns the end of the literal. `out` has room for
// max_quoted(value.size()) bytes. Never fails, never allocates; any thread.

// POSIX shell: single quotes, with ' as '\'' (POSIX.1-2017, Shell Command Language, 2.2.2). REQUIRES: no NUL in
// `value`.
PAIRPORT_EXPORT char* quote_posix(std::string_view value, char* out) noexcept;

// PowerShell: '...' with ' doubled when `value` is printable ASCII. Any other value becomes base64 in an
// expression that is pure ASCII: PowerShell treats typographic quotes as quotes, and Windows PowerShell reads other
// characters in the ANSI code page. REQUIRES: `value` is UTF-8.
PAIRPORT_EXPORT char* quote_powershell(std::string_view value, char* out) noexcept;

inline char* quote(Dialect dialect, std::string_view value, char* out) noexcept {
  return dialect == Dialect::kPosixShell ? quote_posix(value, out) : quote_powershell(value, out);
}

// JSON string with its quotes (RFC 8259 section 7). REQUIRES: `value` is UTF-8.
PAIRPORT_EXPORT char* quote_json(std::string_view value, char* out) noexcept;

// An upper bound for all of the above: a control character in JSON takes six bytes, the PowerShell expression about
// seventy.
constexpr std::size_t max_quoted(std::size_t size) noexcept {
  return size * 6 + 80;
}
// A tighter bound for text without control characters, such as the fields of a deposit.
constexpr std::size_t max_quoted_printable(std::size_t size) noexcept {
  return size * 4 + 80;
}

}  // namespace pairport

#endif  // PAIRPORT_QUOTE_H_

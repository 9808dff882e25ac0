// SPDX-License-Identifier: MIT
// Bytes as text of 64 characters (RFC 4648), in the standard alphabet for scripts and in the alphabet for URLs and
// tokens.
//
// A function fails only if it says so, and never allocates; any thread. The time for a character may depend on the
// character: do not encode a key. A token is fine, because it is sealed or random, and its holder may read it.
#ifndef PAIRPORT_BASE64_H_
#define PAIRPORT_BASE64_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <pairport/export.h>

#include "core/base/bytes.h"

namespace pairport {

// Characters that `size` bytes become: with padding (section 4), and without (section 5).
constexpr std::size_t base64_size(std::size_t size) noexcept {
  return (size + 2) / 3 * 4;
}
constexpr std::size_t base64url_size(std::size_t size) noexcept {
  return size / 3 * 4 + (size % 3 * 4 + 2) / 3;
}

// Section 4: A-Z a-z 0-9 + /, padded with = to a multiple of four characters. Writes base64_size(bytes.size())
// characters to `out` and returns their end.
PAIRPORT_EXPORT char* put_base64(Bytes bytes, char* out) noexcept;

// Section 5: A-Z a-z 0-9 - _, not padded. Writes base64url_size(bytes.size()) characters to `out` and returns their
// end.
char* put_base64url(Bytes bytes, char* out) noexcept;

// Accepts only the output of put_base64url(): different texts give different bytes, so no token has a second form.
// Returns the number of bytes at the beginning of `out`. Empty for any other character, also padding and line breaks;
// for a length that no number of bytes has; when a bit behind the last byte is set (section 3.5); and when `out` is too
// small. The content of `out` is undefined then.
[[nodiscard]] std::optional<std::size_t> read_base64url(std::string_view text, std::span<std::uint8_t> out) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_BASE64_H_

// SPDX-License-Identifier: MIT
// Bytes that are no text.
#ifndef PAIRPORT_BYTES_H_
#define PAIRPORT_BYTES_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace pairport {

// A view of bytes that are only read.
using Bytes = std::span<const std::uint8_t>;

// The bytes of `text`; a view of it.
inline Bytes bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace pairport

#endif  // PAIRPORT_BYTES_H_

// SPDX-License-Identifier: MIT
// Range requests.
#ifndef PAIRPORT_RENDER_RANGE_H_
#define PAIRPORT_RENDER_RANGE_H_

#include <cstdint>
#include <string_view>

#include <pairport/http.h>

namespace pairport {

enum class RangeVerdict { kNone, kPartial, kUnsatisfiable };

// Determines the part of a file of `size` bytes that a Range header asks for. Only with kPartial, sets `range`, which
// is not empty then. Supports one range of bytes (RFC 9110 section 14); ignores several ranges, other units and
// malformed headers, as the RFC allows. Pure; any thread.
RangeVerdict parse_range(std::string_view spec, std::uint64_t size, FileRange& range) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_RENDER_RANGE_H_

// SPDX-License-Identifier: MIT
// Range requests.
#ifndef PAIRPORT_RENDER_RANGE_H_
#define PAIRPORT_RENDER_RANGE_H_

#include <cstdint>
#include <string_view>

#include <pairport/http.h>

namespace pairport {

enum class RangeVerdict { kNone, kPartial, kUnsatisfiable };

// Finds out which part of a file of `size` bytes a Range header asks for. With kPartial, and only then, sets `range`,
// which then is not empty. One range of bytes (RFC 9110 section 14); several ranges, other units and what is malformed
// are ignored, as the RFC allows. Pure; any thread.
RangeVerdict parse_range(std::string_view spec, std::uint64_t size, FileRange& range) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_RENDER_RANGE_H_

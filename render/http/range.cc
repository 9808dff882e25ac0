// SPDX-License-Identifier: MIT
#include "render/http/range.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

#include "core/base/ascii.h"

namespace pairport {

RangeVerdict parse_range(std::string_view spec, std::uint64_t size, FileRange& range) noexcept {
  static constexpr std::string_view kUnit = "bytes=";
  if (!equals_ignoring_case(spec.substr(0, kUnit.size()), kUnit)) return RangeVerdict::kNone;
  spec.remove_prefix(kUnit.size());
  // Returns whether there are digits. A number that no integer holds is larger than any file.
  const auto number = [&spec](std::uint64_t& value) {
    const auto [end, error] = std::from_chars(spec.data(), spec.data() + spec.size(), value);
    if (error == std::errc::result_out_of_range) value = std::numeric_limits<std::uint64_t>::max();
    const auto digits = static_cast<std::size_t>(end - spec.data());
    spec.remove_prefix(digits);
    return digits != 0;
  };
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  const bool has_first = number(first);
  if (!spec.starts_with('-')) return RangeVerdict::kNone;
  spec.remove_prefix(1);
  const bool has_last = number(last);
  if (!spec.empty() || (!has_first && !has_last) || (has_first && has_last && last < first)) return RangeVerdict::kNone;
  if (!has_first) {
    if (last == 0 || size == 0) return RangeVerdict::kUnsatisfiable;
    range.size = std::min(last, size);
    range.offset = size - range.size;
    return RangeVerdict::kPartial;
  }
  if (first >= size) return RangeVerdict::kUnsatisfiable;
  range.offset = first;
  range.size = (has_last ? std::min(last, size - 1) : size - 1) - first + 1;
  return RangeVerdict::kPartial;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
#include "range.h"

#include <algorithm>
#include <charconv>

namespace pairport {

RangeVerdict parse_range(std::string_view spec, std::uint64_t size, FileRange& range) noexcept {
  static constexpr std::string_view kUnit = "bytes=";
  if (!spec.starts_with(kUnit)) return RangeVerdict::kNone;
  spec.remove_prefix(kUnit.size());
  const auto number = [&spec](std::uint64_t& value) {
    const auto [end, error] = std::from_chars(spec.data(), spec.data() + spec.size(), value);
    spec.remove_prefix(static_cast<std::size_t>(end - spec.data()));
    return error == std::errc();
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

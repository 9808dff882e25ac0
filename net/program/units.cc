// SPDX-License-Identifier: MIT
#include "net/program/units.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <system_error>
#include <utility>

namespace pairport {

std::optional<std::uint64_t> parse_duration(std::string_view text) noexcept {
  constexpr std::uint64_t kLongest = std::uint64_t{1000} * 366 * 86'400'000;
  std::uint64_t ms = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end == text.data() + text.size()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    static constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
        {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
    const auto* const unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                          [text](const auto& known) { return text.starts_with(known.first); });
    if (unit == std::end(kUnits)) return std::nullopt;
    ms += count * unit->second;
    if (ms > kLongest) return std::nullopt;
    text.remove_prefix(unit->first.size());
  }
  return ms;
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.empty()) return count;
  if (unit == "K") return std::uint64_t{count} << 10;
  if (unit == "M") return std::uint64_t{count} << 20;
  if (unit == "G") return std::uint64_t{count} << 30;
  return std::nullopt;
}

}  // namespace pairport

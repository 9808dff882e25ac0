// SPDX-License-Identifier: MIT
// Durations and sizes in their written form.
#ifndef PAIRPORT_NET_UNITS_H_
#define PAIRPORT_NET_UNITS_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace pairport {

// "10m", "90s", "1h30m", "180d", "500ms": whole numbers with d, h, m, s and ms, in milliseconds. Less than a
// millennium.
std::optional<std::uint64_t> parse_duration(std::string_view text) noexcept;

// "512M": a whole number of bytes, or with K, M or G (powers of 1024).
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_UNITS_H_

// SPDX-License-Identifier: MIT
// Invariant: no rule ever fails for the defaults.
#include <limits>
#include <string>

#include <pairport/server.h>

namespace pairport {
namespace {

// Smaller limits would refuse every request.
constexpr std::size_t kLeastBytes = 1024;
constexpr std::size_t kLeastHeaders = 8;
constexpr std::size_t kMostConnections = 1'000'000;
constexpr std::uint64_t kMostBytesPerSecond = 1'000'000'000;
constexpr ConnectionLimits kMost;  // the buffers have these sizes
static_assert(kMost.max_head_bytes == 8192 && kMost.max_headers == 64 && kMost.max_body_bytes == 16384);
constexpr auto kMostPerAddress = std::numeric_limits<decltype(ServerOptions::max_connections_per_address)>::max();
static_assert(kMostPerAddress == 4'294'967'295);

// The member at the end of a chain of members.
template <auto... kPath>
constexpr auto& at(ServerOptions& options) noexcept {
  return (options.*....*kPath);
}

template <std::uint64_t kLeast, std::uint64_t kMost, auto... kPath>
constexpr ServerOptionRule count_row(std::string_view name, std::string_view expected) noexcept {
  return {name, OptionKind::kCount, at<kPath...>, expected, [](const ServerOptions& options) {
            const std::uint64_t value = (options.*....*kPath);
            return value >= kLeast && value <= kMost;
          }};
}
template <auto... kPath>
constexpr ServerOptionRule time_row(std::string_view name) noexcept {
  return {name, OptionKind::kMilliseconds, at<kPath...>, kTimeoutExpected,
          [](const ServerOptions& options) { return is_timeout((options.*....*kPath)); }};
}

constexpr auto kConnection = &ServerOptions::connection;
using Limits = ConnectionLimits;

constexpr ServerOptionRule kRules[] = {
    count_row<1, kMostConnections, &ServerOptions::max_connections>("max_connections",
                                                                    "a whole number from 1 to 1000000"),
    count_row<0, kMostPerAddress, &ServerOptions::max_connections_per_address>(
        "max_connections_per_address", "a whole number from 0 (off) to 4294967295"),
    count_row<kLeastBytes, kMost.max_head_bytes, kConnection, &Limits::max_head_bytes>(
        "max_head_bytes", "a whole number from 1024 to 8192"),
    count_row<kLeastHeaders, kMost.max_headers, kConnection, &Limits::max_headers>("max_headers",
                                                                                   "a whole number from 8 to 64"),
    count_row<kLeastBytes, kMost.max_body_bytes, kConnection, &Limits::max_body_bytes>(
        "max_body_bytes", "a whole number from 1024 to 16384"),
    time_row<kConnection, &Limits::head_timeout>("head_timeout"),
    time_row<kConnection, &Limits::body_timeout>("body_timeout"),
    time_row<kConnection, &Limits::idle_timeout>("idle_timeout"),
    time_row<kConnection, &Limits::answer_timeout>("answer_timeout"),
    count_row<1, kMostBytesPerSecond, kConnection, &Limits::min_bytes_per_second>(
        "min_bytes_per_second", "a whole number from 1 to 1000000000"),
    time_row<kConnection, &Limits::linger_timeout>("linger_timeout"),
    time_row<&ServerOptions::drain_timeout>("drain_timeout"),
    count_row<0, kMostConnections, &ServerOptions::max_handshakes>("max_handshakes",
                                                                   "a whole number from 0 to 1000000"),
};

}  // namespace

std::span<const ServerOptionRule> server_option_rules() noexcept {
  return kRules;
}

Status check_options(const ServerOptions& options) {
  std::string text;
  for (const ServerOptionRule& rule : kRules) {
    if (rule.holds(options)) continue;
    text.append(text.empty() ? "" : "; ").append(rule.name).append(": expected ").append(rule.expected);
  }
  return text.empty() ? Status() : Status(StatusCode::kInvalidArgument, std::move(text));
}

}  // namespace pairport

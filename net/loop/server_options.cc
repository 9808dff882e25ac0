// SPDX-License-Identifier: MIT
// Invariant: no rule ever fails for the defaults.
#include <limits>
#include <string>

#include <pairport/server.h>

namespace pairport {
namespace {

// Less would refuse every request.
constexpr std::size_t kLeastBytes = 1024;
constexpr std::size_t kLeastHeaders = 8;
constexpr std::size_t kMostConnections = 1'000'000;
constexpr std::uint64_t kMostBytesPerSecond = 1'000'000'000;
constexpr ConnectionLimits kMost;  // buffers are made for these sizes
static_assert(kMost.max_head_bytes == 8192 && kMost.max_headers == 64 && kMost.max_body_bytes == 16384);
static_assert(std::numeric_limits<decltype(ServerOptions::max_connections_per_address)>::max() == 4'294'967'295);

using Options = const ServerOptions&;

bool is_within(std::size_t value, std::size_t least, std::size_t most) noexcept {
  return value >= least && value <= most;
}

constexpr ServerOptionRule kRules[] = {
    {"max_connections", "a whole number from 1 to 1000000",
     [](Options o) { return is_within(o.max_connections, 1, kMostConnections); }},
    {"max_connections_per_address", "a whole number from 0 (off) to 4294967295", [](Options) { return true; }},
    {"max_head_bytes", "a whole number from 1024 to 8192",
     [](Options o) { return is_within(o.connection.max_head_bytes, kLeastBytes, kMost.max_head_bytes); }},
    {"max_headers", "a whole number from 8 to 64",
     [](Options o) { return is_within(o.connection.max_headers, kLeastHeaders, kMost.max_headers); }},
    {"max_body_bytes", "a whole number from 1024 to 16384",
     [](Options o) { return is_within(o.connection.max_body_bytes, kLeastBytes, kMost.max_body_bytes); }},
    {"head_timeout", kTimeoutExpected, [](Options o) { return is_timeout(o.connection.head_timeout); }},
    {"body_timeout", kTimeoutExpected, [](Options o) { return is_timeout(o.connection.body_timeout); }},
    {"idle_timeout", kTimeoutExpected, [](Options o) { return is_timeout(o.connection.idle_timeout); }},
    {"answer_timeout", kTimeoutExpected, [](Options o) { return is_timeout(o.connection.answer_timeout); }},
    {"min_bytes_per_second", "a whole number from 1 to 1000000000",
     [](Options o) { return is_within(o.connection.min_bytes_per_second, 1, kMostBytesPerSecond); }},
    {"linger_timeout", kTimeoutExpected, [](Options o) { return is_timeout(o.connection.linger_timeout); }},
    {"drain_timeout", kTimeoutExpected, [](Options o) { return is_timeout(o.drain_timeout); }},
    {"max_handshakes", "a whole number from 0 to 1000000",
     [](Options o) { return o.max_handshakes <= kMostConnections; }},
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

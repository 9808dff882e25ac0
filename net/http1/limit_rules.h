// SPDX-License-Identifier: MIT
// The bounds of the numbers and times in ConnectionLimits, for every structure that holds them, and rows for more
// settings of the same kinds.
#ifndef PAIRPORT_NET_LIMIT_RULES_H_
#define PAIRPORT_NET_LIMIT_RULES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/connection.h>
#include <pairport/options.h>
#include <pairport/status.h>

namespace pairport {

// One setting of `Options`, as ServerOptionRule in server.h.
template <typename Options>
struct LimitRule {
  std::string_view name;
  OptionKind kind;
  OptionMember<Options> member;
  std::string_view expected;  // completes the sentence "expected ..."
  bool (*holds)(const Options& options);
};

// Rows of a table of `Rule`. The path of a setting is a chain of members, from `Options` to the number.
template <typename Rule, typename Options>
class LimitRows {
 public:
  template <std::uint64_t kLeast, std::uint64_t kMost, auto... kPath>
  static constexpr Rule count(std::string_view name, std::string_view expected) noexcept {
    return {name, OptionKind::kCount, at<kPath...>, expected, [](const Options& options) {
              const std::uint64_t value = (options.*....*kPath);
              return value >= kLeast && value <= kMost;
            }};
  }
  template <auto... kPath>
  static constexpr Rule time(std::string_view name) noexcept {
    return {name, OptionKind::kMilliseconds, at<kPath...>, kTimeoutExpected,
            [](const Options& options) { return is_timeout((options.*....*kPath)); }};
  }

  // The rows of ConnectionLimits; `kBefore` leads to it, and is empty when `Options` is ConnectionLimits.
  template <auto... kBefore>
  static constexpr auto connection() noexcept {
    using Limits = ConnectionLimits;
#define PAIRPORT_COUNT(member, least, most) \
  count<least, most, kBefore..., &Limits::member>(#member, "a whole number from " #least " to " #most),
#define PAIRPORT_TIME(member) time<kBefore..., &Limits::member>(#member),
    return std::array{PAIRPORT_CONNECTION_BOUNDS(PAIRPORT_COUNT, PAIRPORT_TIME)};
#undef PAIRPORT_COUNT
#undef PAIRPORT_TIME
  }

 private:
  // The defaults are valid, and those of sizes are what the buffers hold.
#define PAIRPORT_COUNT(member, least, most) \
  static_assert(least <= ConnectionLimits{}.member && ConnectionLimits{}.member <= most);
#define PAIRPORT_TIME(member) static_assert(is_timeout(ConnectionLimits{}.member));
  PAIRPORT_CONNECTION_BOUNDS(PAIRPORT_COUNT, PAIRPORT_TIME)
#undef PAIRPORT_COUNT
#undef PAIRPORT_TIME
  static constexpr ConnectionLimits kBuffers{};
  static_assert(kBuffers.max_head_bytes == 8192 && kBuffers.max_headers == 64 && kBuffers.max_body_bytes == 16384,
                "the most in the bounds");

  // The member at the end of a path.
  template <auto... kPath>
  static constexpr auto& at(Options& options) noexcept {
    return (options.*....*kPath);
  }
};

// kInvalidArgument names each setting that breaks its rule, and the expected value. May throw std::bad_alloc.
template <typename Rule, typename Options>
Status check_rules(std::span<const Rule> rules, const Options& options) {
  std::string text;
  for (const Rule& rule : rules) {
    if (rule.holds(options)) continue;
    text.append(text.empty() ? "" : "; ").append(rule.name).append(": expected ").append(rule.expected);
  }
  return text.empty() ? Status() : Status(StatusCode::kInvalidArgument, std::move(text));
}

}  // namespace pairport

#endif  // PAIRPORT_NET_LIMIT_RULES_H_

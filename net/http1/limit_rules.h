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
  static constexpr std::array<Rule, 9> connection() noexcept {
    using Limits = ConnectionLimits;
    return {
        count<kLeastBytes, kMost.max_head_bytes, kBefore..., &Limits::max_head_bytes>(
            "max_head_bytes", "a whole number from 1024 to 8192"),
        count<kLeastHeaders, kMost.max_headers, kBefore..., &Limits::max_headers>("max_headers",
                                                                                  "a whole number from 8 to 64"),
        count<kLeastBytes, kMost.max_body_bytes, kBefore..., &Limits::max_body_bytes>(
            "max_body_bytes", "a whole number from 1024 to 16384"),
        time<kBefore..., &Limits::head_timeout>("head_timeout"),
        time<kBefore..., &Limits::body_timeout>("body_timeout"),
        time<kBefore..., &Limits::idle_timeout>("idle_timeout"),
        time<kBefore..., &Limits::answer_timeout>("answer_timeout"),
        count<1, kMostBytesPerSecond, kBefore..., &Limits::min_bytes_per_second>("min_bytes_per_second",
                                                                                 "a whole number from 1 to 1000000000"),
        time<kBefore..., &Limits::linger_timeout>("linger_timeout"),
    };
  }

 private:
  // Smaller limits would refuse every request.
  static constexpr std::size_t kLeastBytes = 1024;
  static constexpr std::size_t kLeastHeaders = 8;
  static constexpr std::uint64_t kMostBytesPerSecond = 1'000'000'000;
  static constexpr ConnectionLimits kMost{};  // the buffers have these sizes
  static_assert(kMost.max_head_bytes == 8192 && kMost.max_headers == 64 && kMost.max_body_bytes == 16384);

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

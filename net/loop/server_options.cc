// SPDX-License-Identifier: MIT
// Invariant: no rule ever fails for the defaults.
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include <pairport/server.h>

#include "net/http1/limit_rules.h"

namespace pairport {
namespace {

constexpr std::size_t kMostConnections = 1'000'000;
constexpr auto kMostPerAddress = std::numeric_limits<decltype(ServerOptions::max_connections_per_address)>::max();
static_assert(kMostPerAddress == 4'294'967'295);

using Rows = LimitRows<ServerOptionRule, ServerOptions>;

constexpr std::array kOfServer = {
    Rows::count<1, kMostConnections, &ServerOptions::max_connections>("max_connections",
                                                                      "a whole number from 1 to 1000000"),
    Rows::count<0, kMostPerAddress, &ServerOptions::max_connections_per_address>(
        "max_connections_per_address", "a whole number from 0 (off) to 4294967295"),
    Rows::time<&ServerOptions::drain_timeout>("drain_timeout"),
    Rows::count<0, kMostConnections, &ServerOptions::max_handshakes>("max_handshakes",
                                                                     "a whole number from 0 to 1000000"),
};
constexpr auto kOfConnections = Rows::connection<&ServerOptions::connection>();

template <std::size_t kFirst, std::size_t kSecond>
constexpr auto joined(const std::array<ServerOptionRule, kFirst>& first,
                      const std::array<ServerOptionRule, kSecond>& second) noexcept {
  return [&]<std::size_t... kI, std::size_t... kJ>(std::index_sequence<kI...>, std::index_sequence<kJ...>) {
    return std::array{first[kI]..., second[kJ]...};
  }
  (std::make_index_sequence<kFirst>(), std::make_index_sequence<kSecond>());
}

constexpr auto kRules = joined(kOfServer, kOfConnections);

}  // namespace

std::span<const ServerOptionRule> server_option_rules() noexcept {
  return kRules;
}

Status check_options(const ServerOptions& options) {
  return check_rules(server_option_rules(), options);
}

}  // namespace pairport

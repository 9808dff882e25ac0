// SPDX-License-Identifier: MIT
// The operating systems with scripts, one row each. Targets, scripts, commands and messages use the rows.
#ifndef PAIRPORT_RENDER_PLATFORMS_H_
#define PAIRPORT_RENDER_PLATFORMS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "render/scripts/quote.h"

namespace pairport {

enum class Os : std::uint8_t { kLinux, kWindows };

struct Platform {
  Os os;
  std::string_view name;           // in `?os=`, and the folder of its templates
  std::string_view suffix;         // of its scripts; at the end of a path it selects this platform
  std::string_view packed_suffix;  // of its scripts as gzip files; empty: there are none
  Dialect dialect;                 // of its scripts
  std::string_view user_agent;     // a part of the User-Agent of its clients; empty: all clients without another row
};

// In the order of Os. A suffix of two rows means the first one. Exactly one row has no user_agent.
inline constexpr std::array<Platform, 2> kPlatforms = {{
    {Os::kLinux, "linux", ".sh", ".sh.gz", Dialect::kPosixShell, ""},
    {Os::kWindows, "windows", ".ps1", "", Dialect::kPowerShell, "PowerShell"},
}};

constexpr const Platform& platform(Os os) noexcept {
  return kPlatforms[static_cast<std::size_t>(os)];
}

// The platform of clients whose User-Agent matches no row.
inline constexpr Os kDefaultOs = [] {
  std::size_t found = kPlatforms.size();
  for (std::size_t i = 0; i < kPlatforms.size(); ++i) {
    if (kPlatforms[i].user_agent.empty()) found = found == kPlatforms.size() ? i : kPlatforms.size() + 1;
    if (static_cast<std::size_t>(kPlatforms[i].os) != i) found = kPlatforms.size() + 1;
  }
  return kPlatforms.at(found).os;  // compiles only when exactly one row has no user_agent
}();

// Calls `look` with the index of each row, a std::integral_constant, until it returns true. Returns whether it did.
// With a constant index the texts of the row are constants, so each look-up compares them with a few instructions.
template <typename Look>
constexpr bool any_platform(Look&& look) noexcept {
  return [&]<std::size_t... kRow>(std::index_sequence<kRow...>) {
    return (look(std::integral_constant<std::size_t, kRow>{}) || ...);
  }
  (std::make_index_sequence<kPlatforms.size()>{});
}

// The platform of a client with this User-Agent.
constexpr Os os_of_user_agent(std::string_view user_agent) noexcept {
  Os os = kDefaultOs;
  any_platform([&](auto row) {
    constexpr const Platform& kPlatform = kPlatforms[row()];
    if constexpr (!kPlatform.user_agent.empty()) {
      if (user_agent.find(kPlatform.user_agent) == std::string_view::npos) return false;
      os = kPlatform.os;
      return true;
    }
    return false;
  });
  return os;
}

}  // namespace pairport

#endif  // PAIRPORT_RENDER_PLATFORMS_H_

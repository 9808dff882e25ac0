// SPDX-License-Identifier: MIT
// The routes of the service, one row each. The parser of targets, the reserved words, Allow, redirects, access logs and
// the choice of the handler use the rows.
#ifndef PAIRPORT_RENDER_ROUTES_H_
#define PAIRPORT_RENDER_ROUTES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <pairport/http.h>
#include <pairport/options.h>
#include <pairport/service.h>

#include "render/http/header_blocks.h"

namespace pairport {

class Target;

// Answers a request whose method the route takes.
using Handler = void(Service::Impl& service, const Target& target, const Request& request, const Now& now,
                     Response& response) noexcept;
Handler answer_about;         // health.cc
Handler answer_health;        // health.cc
Handler answer_preflight;     // health.cc
Handler answer_nothing;       // health.cc
Handler answer_deposit;       // deposit.cc
Handler answer_installer;     // look_up.cc
Handler answer_update;        // look_up.cc
Handler answer_uninstall;     // look_up.cc
Handler answer_file_request;  // file.cc

using MethodSet = std::uint8_t;
constexpr MethodSet methods(Method method) noexcept {
  return static_cast<MethodSet>(1U << static_cast<unsigned>(method));
}
inline constexpr MethodSet kReads = methods(Method::kGet) | methods(Method::kHead);
inline constexpr MethodSet kAllMethods = 0xff;

// Rules for the name behind the path of a route that is a prefix.
bool is_file_name(std::string_view name) noexcept;   // letters, digits and ._+~-, and no dot first
bool is_token_name(std::string_view name) noexcept;  // the base64url alphabet (RFC 8555 section 8.3)

struct RouteRow {
  enum class Match : std::uint8_t {
    kNone,    // no path of its own
    kExact,   // `path`
    kPrefix,  // `path` and a name behind it
    kCode,    // every other single segment that is not reserved
  };

  Route route;
  std::string_view name;  // the text of Response::route()
  Match match;
  std::string_view path;                       // without the first slash
  MethodSet methods;                           // OPTIONS is answered everywhere
  bool has_os;                                 // whether a suffix and `?os=` choose the platform
  bool in_clear;                               // whether it is served, not redirected, without encryption
  Audience audience;                           // who may read its errors
  bool (*is_name)(std::string_view) noexcept;  // with kPrefix
  bool ServiceOptions::*option;                // the option that enables it; null: always enabled
  Handler* handler;

  constexpr bool takes(Method method) const noexcept;
};

constexpr bool RouteRow::takes(Method method) const noexcept {
  return (methods & pairport::methods(method)) != 0;
}

// In the order of Route. Of two rows with the same path, the one that takes the method applies, else the first.
// clang-format off
inline constexpr std::array<RouteRow, 10> kRoutes = {{
    // route            name          match                      path
    //   methods, by OS, in clear, audience, name, option, handler
    {Route::kOther,     "other",      RouteRow::Match::kNone,    "",
        kAllMethods, false, false, Audience::kSameOrigin, nullptr, nullptr, answer_nothing},
    {Route::kDeposit,   "deposit",    RouteRow::Match::kExact,   "",
        methods(Method::kPost), false, false, Audience::kEveryOrigin, nullptr, nullptr, answer_deposit},
    {Route::kInstaller, "installer",  RouteRow::Match::kCode,    "",
        kReads, true, false, Audience::kSameOrigin, nullptr, nullptr, answer_installer},
    {Route::kUpdate,    "update",     RouteRow::Match::kExact,   "update",
        kReads, true, false, Audience::kSameOrigin, nullptr, nullptr, answer_update},
    {Route::kUninstall, "uninstall",  RouteRow::Match::kExact,   "uninstall",
        kReads, true, false, Audience::kSameOrigin, nullptr, nullptr, answer_uninstall},
    {Route::kPackage,   "package",    RouteRow::Match::kPrefix,  "packages/",
        kReads, false, false, Audience::kSameOrigin, is_file_name, &ServiceOptions::serve_packages,
        answer_file_request},
    {Route::kPreflight, "preflight",  RouteRow::Match::kNone,    "",
        methods(Method::kOptions), false, false, Audience::kEveryOrigin, nullptr, nullptr, answer_preflight},
    {Route::kChallenge, "challenge",  RouteRow::Match::kPrefix,  ".well-known/acme-challenge/",
        kReads, false, true, Audience::kSameOrigin, is_token_name, &ServiceOptions::serve_challenges,
        answer_file_request},
    {Route::kHealth,    "health",     RouteRow::Match::kExact,   "healthz",
        kReads, false, false, Audience::kSameOrigin, nullptr, nullptr, answer_health},
    {Route::kAbout,     "about",      RouteRow::Match::kExact,   "",
        kReads, false, false, Audience::kSameOrigin, nullptr, nullptr, answer_about},
}};
// clang-format on

constexpr const RouteRow& route_row(Route route) noexcept {
  return kRoutes[static_cast<std::size_t>(route)];
}
static_assert([] {
  for (std::size_t i = 0; i < kRoutes.size(); ++i) {
    if (static_cast<std::size_t>(kRoutes[i].route) != i) return false;
  }
  return true;
}());

constexpr bool same_path(const RouteRow& a, const RouteRow& b) noexcept {
  return a.match == b.match && a.path == b.path && a.match != RouteRow::Match::kNone;
}

// The methods that any row with the path of `row` takes.
constexpr MethodSet methods_of_path(const RouteRow& row) noexcept {
  MethodSet all = row.methods;
  for (const RouteRow& other : kRoutes) {
    if (same_path(row, other)) all |= other.methods;
  }
  return all;
}

// The value of Allow for the path of `row`. May throw std::bad_alloc: for the start.
std::string allowed_methods(const RouteRow& row);

// The methods of all routes together, for the answer to a preflight, which is the same for every path. May throw
// std::bad_alloc: for the start.
std::string all_methods();

}  // namespace pairport

#endif  // PAIRPORT_RENDER_ROUTES_H_

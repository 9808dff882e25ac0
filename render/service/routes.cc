// SPDX-License-Identifier: MIT
#include "render/service/routes.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace pairport {
namespace {

// In the order of Method.
constexpr std::array<std::string_view, 4> kMethodNames = {"GET", "HEAD", "POST", "OPTIONS"};
static_assert(kMethodNames.size() == static_cast<std::size_t>(Method::kOther));

// In the order in which the services that we replace list them in the answer to a preflight; the methods that they lack
// come last.
std::string list_of(MethodSet all) {
  std::string text;
  for (const Method method : {Method::kPost, Method::kGet, Method::kOptions, Method::kHead}) {
    if ((all & methods(method)) != 0) text.append(text.empty() ? "" : ", ").append(to_string(method));
  }
  return text;
}

}  // namespace

// Allows no name that could lead out of a folder, be hidden in it, or need quoting.
bool is_file_name(std::string_view name) noexcept {
  return !name.empty() && name.front() != '.' && consists_of(name, "._+~-");
}

bool is_token_name(std::string_view name) noexcept {
  return !name.empty() && consists_of(name, "-_");
}

std::string allowed_methods(const RouteRow& row) {
  return list_of(methods_of_path(row) | methods(Method::kOptions));
}

std::string all_methods() {
  MethodSet all = 0;
  for (const RouteRow& row : kRoutes) {
    if (row.route != Route::kOther) all |= row.methods;
  }
  return list_of(all);
}

std::string_view to_string(Method method) noexcept {
  const auto index = static_cast<std::size_t>(method);
  return index < kMethodNames.size() ? kMethodNames[index] : "other";
}

std::string_view to_string(Route route) noexcept {
  const auto index = static_cast<std::size_t>(route);
  return kRoutes[index < kRoutes.size() ? index : 0].name;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
#include "render/service/routes.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"

namespace pairport {

// Nothing that could lead out of a folder, hide in it, or need quoting anywhere.
bool is_file_name(std::string_view name) noexcept {
  return !name.empty() && name.front() != '.' && consists_of(name, "._+~-");
}

bool is_token_name(std::string_view name) noexcept {
  return !name.empty() && consists_of(name, "-_");
}

std::string allowed_methods(const RouteRow& row) {
  static constexpr std::pair<Method, std::string_view> kNames[] = {
      {Method::kGet, "GET"}, {Method::kHead, "HEAD"}, {Method::kPost, "POST"}, {Method::kOptions, "OPTIONS"}};
  const MethodSet all = methods_of_path(row) | methods(Method::kOptions);
  std::string text;
  for (const auto& [method, name] : kNames) {
    if ((all & methods(method)) != 0) text.append(text.empty() ? "" : ", ").append(name);
  }
  return text;
}

std::string_view to_string(Route route) noexcept {
  const auto index = static_cast<std::size_t>(route);
  return kRoutes[index < kRoutes.size() ? index : 0].name;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Scripts for tests and fuzzers that make many services: compiling the built-in ones would take most of the time.
#ifndef PAIRPORT_TESTS_SUPPORT_SMALL_TEMPLATES_H_
#define PAIRPORT_TESTS_SUPPORT_SMALL_TEMPLATES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pairport::testing {

// A Template::Loader, but for the installer's size in bytes: long enough for answers that are not sent at once.
inline std::optional<std::string> small_template(std::string_view name, std::size_t installer_size) {
  if (name.starts_with("linux/installer")) {
    return "url={{connect_url}}\nprint={{fingerprint}}\nid={{client_id}}\npass={{password}}\n# {{code}}\n" +
           std::string(installer_size, '#') + "\n";
  }
  if (name.find("not_found") != std::string_view::npos) return "# {{code}}\nexit 1\n";
  if (name.find("installer") != std::string_view::npos) return "$Url = {{connect_url}}\n$Password = {{password}}\n";
  return "echo " + std::string(name) + "\n";
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_SMALL_TEMPLATES_H_

// SPDX-License-Identifier: MIT
// The templates of render/scripts/templates, which the build compiles into the library.
#ifndef PAIRPORT_RENDER_EMBEDDED_TEMPLATES_H_
#define PAIRPORT_RENDER_EMBEDDED_TEMPLATES_H_

#include <span>
#include <string_view>

namespace pairport {

struct EmbeddedTemplate {
  std::string_view name;  // path below render/scripts/templates: "linux/installer.sh"
  std::string_view text;
};

// Static storage.
std::span<const EmbeddedTemplate> embedded_templates() noexcept;

}  // namespace pairport

#endif  // PAIRPORT_RENDER_EMBEDDED_TEMPLATES_H_

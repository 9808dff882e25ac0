// SPDX-License-Identifier: MIT
// All scripts of one language, with the headers that they are sent with.
#ifndef PAIRPORT_RENDER_SCRIPTS_H_
#define PAIRPORT_RENDER_SCRIPTS_H_

#include <string>

#include <pairport/http.h>
#include <pairport/service.h>
#include <pairport/status.h>
#include <pairport/template.h>

#include "target.h"

namespace pairport {

// A script that does not depend on a deposit: its entity tag is fixed.
struct StaticScript {
  Template script;
  HeaderBlock headers;
  std::string etag;
};

// Everything that is said in one language.
struct Language {
  Os os;
  Template installer;
  Template not_found;
  StaticScript update;
  StaticScript uninstall;
  HeaderBlock installer_headers;
};

// Compiles the four scripts of `os`. kBadTemplate. May throw std::bad_alloc: for the start.
Result<Language> compile_scripts(Os os, const Template::Loader& loader, const Template::Constants& constants);

// The values that the scripts get from the configuration.
Template::Constants script_constants(const ServiceOptions& options);

}  // namespace pairport

#endif  // PAIRPORT_RENDER_SCRIPTS_H_

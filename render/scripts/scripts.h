// SPDX-License-Identifier: MIT
// The scripts of a platform, compiled, with their headers.
#ifndef PAIRPORT_RENDER_SCRIPTS_H_
#define PAIRPORT_RENDER_SCRIPTS_H_

#include <string>
#include <utility>

#include <pairport/http.h>
#include <pairport/options.h>
#include <pairport/status.h>

#include "render/scripts/gzip.h"
#include "render/scripts/platforms.h"
#include "render/scripts/template.h"

namespace pairport {

// A script in one form. It has no entity tag when it depends on a deposit.
struct Representation {
  HeaderBlock headers;
  std::string etag;
  HeaderBlock not_modified;
};

// A script, plain and compressed.
struct Script {
  Template text;
  GzipParts gzip;
  Representation plain;
  Representation compressed;  // with Content-Encoding: gzip
  Representation packed;      // as a gzip file
};

// The script for a code without a deposit. It has the headers of other errors.
struct NotFoundScript {
  Template text;
  GzipParts gzip;

  explicit NotFoundScript(Template script) : text(std::move(script)), gzip(text) {}
};

// The scripts of one platform.
struct Language {
  Os os;
  Script installer;
  NotFoundScript not_found;
  Script update;
  Script uninstall;
};

// Compiles the four scripts of `os`. Errors: kBadTemplate. May throw std::bad_alloc: call it at the start.
Result<Language> compile_scripts(Os os, const Template::Loader& loader, const Template::Constants& constants);

// The values that the scripts get from the configuration.
Template::Constants script_constants(const ServiceOptions& options);

}  // namespace pairport

#endif  // PAIRPORT_RENDER_SCRIPTS_H_

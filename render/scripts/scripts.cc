// SPDX-License-Identifier: MIT
#include "render/scripts/scripts.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <xxhash.h>

#include <pairport/version.h>

#include "core/base/ascii.h"
#include "render/http/header_blocks.h"

namespace pairport {
namespace {

// `mark` distinguishes representations of the same text.
std::string strong_etag(std::string_view text, std::string_view mark) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  static constexpr char kHex[] = "0123456789abcdef";
  std::string etag = "\"";
  for (const std::uint64_t half : {hash.high64, hash.low64}) {
    for (int shift = 60; shift >= 0; shift -= 4) etag += kHex[half >> shift & 15];
  }
  return etag.append(mark) + "\"";
}

enum class Form { kPlain, kCompressed, kPacked };

Representation representation(std::string file, Form form, std::string etag) {
  const bool packed = form == Form::kPacked;
  Headers common;
  if (!packed) common.push_back({"Vary", "User-Agent, Accept-Encoding"});
  if (!etag.empty()) common.push_back({"ETag", etag});
  const char* const cache_control = etag.empty() ? "no-store" : "public, max-age=300";
  if (packed) file += ".gz";
  Headers headers = {{"Content-Type", packed ? "application/gzip" : "text/plain; charset=utf-8"},
                     {"Content-Disposition", "attachment; filename=\"" + file + "\""}};
  if (form == Form::kCompressed) headers.push_back({"Content-Encoding", "gzip"});
  headers.insert(headers.end(), common.begin(), common.end());
  return {block(std::move(headers), cache_control), std::move(etag), block(std::move(common), cache_control)};
}

// `is_static`: the script is the same for everyone, so caches may store it.
Script script(Os os, std::string_view what, Template text, bool is_static) {
  const auto etag = [&](std::string_view mark) { return is_static ? strong_etag(text.prefix(), mark) : std::string(); };
  const std::string file = std::string("rport-").append(what).append(platform(os).suffix);
  Representation plain = representation(file, Form::kPlain, etag({}));
  Representation compressed = representation(file, Form::kCompressed, etag("-gzip"));
  Representation packed = representation(file, Form::kPacked, etag("-gz"));
  GzipParts gzip(text);
  return {std::move(text), std::move(gzip), std::move(plain), std::move(compressed), std::move(packed)};
}

}  // namespace

Result<Language> compile_scripts(Os os, const Template::Loader& loader, const Template::Constants& constants) {
  std::array<Template, 4> templates;
  const std::array<std::string_view, 4> names = {"installer", "not_found", "update", "uninstall"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = std::string(platform(os).name).append("/").append(names[i]).append(platform(os).suffix);
    Result<Template> result = Template::compile(name, platform(os).dialect, loader, constants);
    if (!result.ok()) return result.status();
    templates[i] = std::move(result).value();
    if (i >= 2 && templates[i].has_slots()) {
      return Status(StatusCode::kBadTemplate, name +
                                                  ": this script is the same for everyone and must not use "
                                                  "the fields of a deposit, code, made_at or valid_until");
    }
  }
  return Language{os, script(os, "installer", std::move(templates[0]), false), NotFoundScript(std::move(templates[1])),
                  script(os, "update", std::move(templates[2]), true),
                  script(os, "uninstall", std::move(templates[3]), true)};
}

Template::Constants script_constants(const ServiceOptions& options) {
  const InstallerOptions& installer = options.installer;
  const auto expand = [&options](std::string url_template) {
    static constexpr std::string_view kPlaceholder = "{pairing_url}";
    if (const std::size_t at = url_template.find(kPlaceholder); at != std::string::npos) {
      url_template.replace(at, kPlaceholder.size(), options.url);
    }
    return url_template;
  };
  std::string sha256;
  for (const auto& [file, digest] : installer.sha256) {
    if (!sha256.empty()) sha256 += '\n';
    // Scripts compare the digest in lower case with the output of sha256sum and Get-FileHash.
    for (const char c : digest) sha256 += to_lower(c);
    sha256 += "  " + file;
  }
  Template::Constants constants = {
      {"sha256", sha256}, {"pairing_url", options.url}, {"pairport_version", PAIRPORT_VERSION}};
  ServiceOptions copy;  // the rows need a mutable object; this copy omits the static deposit
  copy.installer = installer;
  for (const OptionRule& row : option_rules()) {
    if (row.table != "installer") continue;
    std::string& value = constants[std::string(row.name)];
    if (row.kind == OptionKind::kSwitch) {
      value = std::get<bool& (*)(ServiceOptions&)>(row.member)(copy) ? "true" : "false";
    } else {
      value = expand(std::get<std::string& (*)(ServiceOptions&)>(row.member)(copy));
    }
  }
  return constants;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
#include "scripts.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <xxhash.h>

#include <pairport/version.h>

#include "header_blocks.h"

namespace pairport {
namespace {

std::string_view file_name(Os os, std::string_view what) noexcept {
  const bool posix = os == Os::kLinux;
  if (what == "installer") return posix ? "rport-installer.sh" : "rport-installer.ps1";
  if (what == "update") return posix ? "rport-update.sh" : "rport-update.ps1";
  return posix ? "rport-uninstall.sh" : "rport-uninstall.ps1";
}

std::string strong_etag(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  static constexpr char kHex[] = "0123456789abcdef";
  std::string etag = "\"";
  for (const std::uint64_t half : {hash.high64, hash.low64}) {
    for (int shift = 60; shift >= 0; shift -= 4) etag += kHex[half >> shift & 15];
  }
  return etag + "\"";
}

std::string disposition(Os os, std::string_view what) {
  return "attachment; filename=\"" + std::string(file_name(os, what)) + "\"";
}

}  // namespace

Result<Language> compile_scripts(Os os, const Template::Loader& loader, const Template::Constants& constants) {
  const Dialect dialect = os == Os::kLinux ? Dialect::kPosixShell : Dialect::kPowerShell;
  const std::string folder = os == Os::kLinux ? "linux/" : "windows/";
  const std::string extension = os == Os::kLinux ? ".sh" : ".ps1";
  std::array<Template, 4> templates;
  const std::array<std::string_view, 4> names = {"installer", "not_found", "update", "uninstall"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = folder + std::string(names[i]) + extension;
    Result<Template> result = Template::compile(name, dialect, loader, constants);
    if (!result.ok()) return result.status();
    templates[i] = std::move(result).value();
    if (i >= 2 && templates[i].has_slots()) {
      return Status(StatusCode::kBadTemplate, name +
                                                  ": this script is the same for everyone and must not use "
                                                  "connect_url, fingerprint, client_id, password or code");
    }
  }
  const auto static_script = [os](Template script, std::string_view what) {
    std::string etag = strong_etag(script.prefix());
    HeaderBlock headers = block({{"Content-Type", "text/plain; charset=utf-8"},
                                 {"Content-Disposition", disposition(os, what)},
                                 {"ETag", etag},
                                 {"Vary", "User-Agent, Accept-Encoding"}},
                                "public, max-age=300");
    return StaticScript{std::move(script), std::move(headers), std::move(etag)};
  };
  return Language{os,
                  std::move(templates[0]),
                  std::move(templates[1]),
                  static_script(std::move(templates[2]), "update"),
                  static_script(std::move(templates[3]), "uninstall"),
                  block({{"Content-Type", "text/plain; charset=utf-8"},
                         {"Content-Disposition", disposition(os, "installer")},
                         {"Vary", "User-Agent, Accept-Encoding"}})};
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
    sha256 += digest + "  " + file;
  }
  return {{"version", installer.version},
          {"unstable_version", installer.unstable_version},
          {"linux_url", expand(installer.linux_url)},
          {"windows_url", expand(installer.windows_url)},
          {"checksums_url", expand(installer.checksums_url)},
          {"deb_repo", expand(installer.deb_repo)},
          {"rpm_repo", expand(installer.rpm_repo)},
          {"repo_keys", expand(installer.repo_keys)},
          {"tacoscript_url", expand(installer.tacoscript_url)},
          {"use_repositories", installer.use_repositories ? "true" : "false"},
          {"sha256", sha256},
          {"pairing_url", options.url},
          {"pairport_version", PAIRPORT_VERSION}};
}

}  // namespace pairport

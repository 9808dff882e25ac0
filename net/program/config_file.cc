// SPDX-License-Identifier: MIT
#include "net/program/config_file.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <pairport/secret_memory.h>

#include "core/memory/secret_block.h"
#include "net/program/read_file.h"

namespace pairport {
namespace {

constexpr std::string_view kNoFile = "no configuration file, running on the defaults";

}  // namespace

Result<LoadedConfig> load_config(const std::string& requested, std::string_view home) {
  const std::string name = requested.empty() ? std::string(kDefaultConfigName) : requested;
  const std::vector<std::string> candidates = config_candidates(name, home);
  for (const std::string& path : candidates) {
    const std::optional<std::string> text = read_file(path);
    if (!text) {
      if (errno == ENOENT || errno == ENOTDIR) continue;
      return Status(StatusCode::kBadConfiguration, "cannot read " + path + ": " + std::strerror(errno));
    }
    Result<Config> config = parse_config(*text, path);
    if (!config.ok()) return config.status();
    return LoadedConfig{std::move(config).value(),
                        path == "/dev/null" ? std::string(kNoFile) : "configuration " + path};
  }
  if (requested.empty()) return LoadedConfig{Config(), std::string(kNoFile)};
  std::string looked_for;
  for (const std::string& path : candidates) looked_for += (looked_for.empty() ? "" : ", ") + path;
  return Status(StatusCode::kBadConfiguration, "there is no configuration file; looked for " + looked_for);
}

[[gnu::noinline]] void wipe_deep_stack() {
  std::array<std::byte, 256 * 1024> remains;
  wipe(remains.data(), remains.size());
  wipe_vector_registers();
}

}  // namespace pairport

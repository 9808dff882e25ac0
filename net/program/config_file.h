// SPDX-License-Identifier: MIT
// Finds and reads the configuration file.
#ifndef PAIRPORT_NET_CONFIG_FILE_H_
#define PAIRPORT_NET_CONFIG_FILE_H_

#include <string>
#include <string_view>

#include <pairport/status.h>

#include "net/program/config.h"

namespace pairport {

// The configuration, and its origin for the log.
struct LoadedConfig {
  Config config;
  std::string origin;
};

// Reads the configuration called `requested`, or the one with the default name when that is empty (see
// config_candidates(), also for `home`). Without a file of the default name: the default configuration. Errors:
// kBadConfiguration. May block.
Result<LoadedConfig> load_config(const std::string& requested, std::string_view home);

// Wipes the stack after parsing a configuration, which may hold a password. It wipes much deeper than wipe_stack().
void wipe_deep_stack();

}  // namespace pairport

#endif  // PAIRPORT_NET_CONFIG_FILE_H_

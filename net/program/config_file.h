// SPDX-License-Identifier: MIT
// Where the configuration comes from.
#ifndef PAIRPORT_NET_CONFIG_FILE_H_
#define PAIRPORT_NET_CONFIG_FILE_H_

#include <string>
#include <string_view>

#include <pairport/status.h>

#include "net/program/config.h"

namespace pairport {

// The configuration and, for the log, where it came from.
struct LoadedConfig {
  Config config;
  std::string origin;
};

// Reads the configuration called `requested`, or the one with the default name when that is empty (see
// config_candidates(), also for `home`). Without a file of the default name it is the default. kBadConfiguration. May
// block.
Result<LoadedConfig> load_config(const std::string& requested, std::string_view home);

// Wipes what parsing a configuration, which may hold a password, leaves on the stack: much deeper than wipe_stack()
// goes.
void wipe_deep_stack();

}  // namespace pairport

#endif  // PAIRPORT_NET_CONFIG_FILE_H_

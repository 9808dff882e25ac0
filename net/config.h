// SPDX-License-Identifier: MIT
// The configuration file of the program.
#ifndef PAIRPORT_NET_CONFIG_H_
#define PAIRPORT_NET_CONFIG_H_

#include <string>
#include <string_view>
#include <vector>

#include <pairport/server.h>
#include <pairport/service.h>
#include <pairport/status.h>

#include "access_log.h"

namespace pairport {

inline constexpr std::string_view kDefaultAddress = "127.0.0.1:9978";
inline constexpr std::string_view kDefaultConfigName = "rport-pairing.conf";

struct Config {
  std::string address{kDefaultAddress};
  std::string url;               // empty: made from the address
  std::string templates_folder;  // empty: the built-in templates alone
  ServiceOptions service;        // url and templates are filled in by whoever creates the service
  ServerOptions server;
  bool sandbox = true;  // give up what serving does not need
  bool require_landlock = false;
  bool require_seccomp = false;
  AccessFormat access_log = AccessFormat::kOff;
  bool shorten_addresses = false;
};

// Parses TOML. `file_name` is only for messages. kBadConfiguration with one line for each problem: file, line, key and
// what is expected; never a value.
Result<Config> parse_config(std::string_view text, std::string_view file_name);

// Where a configuration called `name` is looked for, in this order: `name` itself when it has a slash, else in
// /etc/rport, `home`/.rport (when `home` is not empty) and the current folder.
std::vector<std::string> config_candidates(std::string_view name, std::string_view home);

}  // namespace pairport

#endif  // PAIRPORT_NET_CONFIG_H_

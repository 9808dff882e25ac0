// SPDX-License-Identifier: MIT
// Checks before the first request, so that the log shows problems at the start that would otherwise appear only under
// load, or never.
#ifndef PAIRPORT_NET_START_CHECKS_H_
#define PAIRPORT_NET_START_CHECKS_H_

#include <span>
#include <string>
#include <string_view>

#include <pairport/server.h>
#include <pairport/status.h>

#include "net/program/config.h"
#include "net/program/sandbox.h"

namespace pairport {

// Raises the limits of the process as far as possible, and warns when a limit is still too low.
void check_limits(const Config& config);

// Checks that the folders of the configuration exist and can be read. Errors: kBadConfiguration.
Status check_folders(const Config& config);

// Warns when a proxy seems to be in front of the service and `config` trusts none. Also warns when any user of this
// machine can pose as a trusted proxy. `url` is how clients reach the service.
void warn_of_proxies(const Config& config, std::string_view url);

// The part of the file system that the running service needs. Warns about other files that it allows to be read or
// removed.
SandboxOptions choose_sandbox(const Config& config);

// Exposed for tests.
// The host of `url` without brackets, user and port.
std::string host_of(std::string_view url);
// Whether only programs of this machine reach `host`, by its name or as an address of the loopback interface.
bool is_loopback_host(std::string_view host);

}  // namespace pairport

#endif  // PAIRPORT_NET_START_CHECKS_H_

// SPDX-License-Identifier: MIT
// Checks before the first request, so that an operator learns at the start what would otherwise show under load, or
// never. The results are in the log.
#ifndef PAIRPORT_NET_START_CHECKS_H_
#define PAIRPORT_NET_START_CHECKS_H_

#include <span>
#include <string>
#include <string_view>

#include <pairport/listener.h>
#include <pairport/status.h>

#include "net/program/config.h"
#include "net/program/sandbox.h"

namespace pairport {

// Raises the limits of the process as far as they go, and warns where that is not far enough.
void check_limits(const Config& config);

// Checks that the folders of the configuration exist and can be read, before somebody needs them. kBadConfiguration.
Status check_folders(const Config& config);

// Warns when a proxy seems to be in front of the service, and `config` trusts none; and when anybody on this machine
// can pass for a proxy. `url` is how clients reach the service.
void warn_of_proxies(const Config& config, std::string_view url);

// The part of the file system that the service needs once it runs. Warns of what else can be read or removed through
// it.
SandboxOptions choose_sandbox(const Config& config);

// Exposed for tests.
// The host of `url` without brackets, user and port.
std::string host_of(std::string_view url);
// Whether only programs of this machine reach `host`, by its name or as an address of the loopback interface.
bool is_loopback_host(std::string_view host);

}  // namespace pairport

#endif  // PAIRPORT_NET_START_CHECKS_H_

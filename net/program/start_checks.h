// SPDX-License-Identifier: MIT
// What the program looks at before it serves, so that an operator reads at the start what would otherwise be found out
// under load, or never. Everything is said in the log.
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

// The folders of the configuration, which must not turn out to be missing when somebody needs them. kBadConfiguration.
Status check_folders(const Config& config);

// Warns when a proxy seems to be in front of the service, and `config` trusts none; and when anybody on this machine
// can pass for a proxy. `url` is how clients reach the service.
void warn_of_proxies(const Config& config, std::string_view url);

// What of the file system the service needs once it runs. Warns of what else can be read or removed through it.
SandboxOptions choose_sandbox(const Config& config);

// Exposed for tests.
// The host of `url` without brackets, user and port.
std::string host_of(std::string_view url);
// Whether only programs of this machine reach `host`, by its name or as an address of the loopback interface.
bool is_loopback_host(std::string_view host);

}  // namespace pairport

#endif  // PAIRPORT_NET_START_CHECKS_H_

// SPDX-License-Identifier: MIT
// The parts of the service, made as the configuration says.
#ifndef PAIRPORT_NET_ASSEMBLY_H_
#define PAIRPORT_NET_ASSEMBLY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <pairport/listener.h>
#include <pairport/random.h>
#include <pairport/service.h>
#include <pairport/status.h>
#include <pairport/tls.h>

#include "net/program/config.h"

namespace pairport {

// A listening socket of the configuration.
struct OpenAddress {
  Listener listener;
  bool tls;

  std::string url() const { return tls ? "https" + listener.url().substr(4) : listener.url(); }
};

// The mode and the owner of Unix sockets. kInvalidArgument: there is no such group.
Result<SocketFile> resolve_socket_file(const Config& config);

// All listening sockets, or none. kInvalidArgument, kSystem.
Result<std::vector<OpenAddress>> open_addresses(const Config& config);

// What clients reach one of `addresses` at, when the configuration does not say it. REQUIRES: one of the addresses is
// not a Unix socket
std::string default_url(const std::vector<OpenAddress>& addresses);

// How many handshakes are computed at the same time.
std::size_t tls_lanes(const Config& config);

// Null when nothing listens for TLS. kBadConfiguration, kInvalidArgument: the certificates or an option. Reads files.
Result<std::unique_ptr<TlsContext>> create_tls(const Config& config, RandomSource& random);

// kBadTemplate, kInvalidArgument and what Service::create() says. Reads files. REQUIRES: `random` outlives the service
Result<std::unique_ptr<Service>> create_service(const Config& config, const std::string& url, RandomSource& random);

}  // namespace pairport

#endif  // PAIRPORT_NET_ASSEMBLY_H_

// SPDX-License-Identifier: MIT
// Creates the parts of the service from the configuration.
#ifndef PAIRPORT_NET_ASSEMBLY_H_
#define PAIRPORT_NET_ASSEMBLY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <pairport/secret_memory.h>
#include <pairport/server.h>
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

// Opens all listening sockets, or none. Errors: kInvalidArgument, kSystem.
Result<std::vector<OpenAddress>> open_addresses(const Config& config);

// The URL of one of `addresses`, for a configuration without a URL. REQUIRES: one of the addresses is not a Unix socket
std::string default_url(const std::vector<OpenAddress>& addresses);

// The number of handshakes that are computed at the same time.
std::size_t tls_lanes(const Config& config);

// Null when nothing listens for TLS. Errors: kBadConfiguration, kInvalidArgument (the certificates or an option). Reads
// files.
Result<std::unique_ptr<TlsContext>> create_tls(const Config& config, RandomSource& random);

// Errors: kBadTemplate, kInvalidArgument and those of Service::create(). Reads files. REQUIRES: `random` outlives the
// service, and so does `store`, as in Service::create()
Result<std::unique_ptr<Service>> create_service(const Config& config, const std::string& url, RandomSource& random,
                                                Store* store = nullptr);

}  // namespace pairport

#endif  // PAIRPORT_NET_ASSEMBLY_H_

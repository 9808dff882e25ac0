// SPDX-License-Identifier: MIT
// The configuration file of the program.
#ifndef PAIRPORT_NET_CONFIG_H_
#define PAIRPORT_NET_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <pairport/server.h>
#include <pairport/service.h>
#include <pairport/status.h>
#include <pairport/tls.h>

#include "net/program/access_log.h"
#include "net/program/certificates.h"

namespace pairport {

inline constexpr std::string_view kDefaultAddress = "127.0.0.1:9978";
inline constexpr std::string_view kDefaultConfigName = "rport-pairing.conf";

struct ListenAddress {
  std::string address;  // for Listener::open()
  bool tls = false;
};

struct Config {
  std::vector<ListenAddress> addresses{{std::string(kDefaultAddress), false}};
  std::string url;           // empty: from the first address with TLS, else from the first with a port
  SocketFile socket_file;    // of Unix sockets, without the group
  std::string socket_group;  // a name or a number; empty: the default group
  std::vector<CertificateFiles> certificates;  // not empty exactly when an address has TLS
  TlsVersion tls_min_version = TlsVersion::kTls12;
  std::size_t tls_threads = 0;                   // for handshakes; 0: two for each processor
  std::uint64_t tls_handshake_timeout = 10'000;  // milliseconds
  // Whether plain TCP addresses, except on the loopback interface, only redirect clients to the URL, which is https
  // then.
  bool redirect_to_https = false;
  std::string templates_folder;  // empty: only the built-in templates
  ServiceOptions service;        // create_service() sets url and templates
  ServerOptions server;
  bool sandbox = true;  // give up rights that serving does not need
  bool require_landlock = false;
  bool require_seccomp = false;
  AccessFormat access_log = AccessFormat::kOff;
  bool shorten_addresses = false;
};

// Parses TOML. `file_name` is only for messages. kBadConfiguration with one line for each problem: file, line, key and
// the expected value, but never the given value.
Result<Config> parse_config(std::string_view text, std::string_view file_name);

// The paths at which to look for the configuration `name`, in this order: `name` itself when it has a slash, else in
// /etc/rport, `home`/.rport (when `home` is not empty) and the current folder.
std::vector<std::string> config_candidates(std::string_view name, std::string_view home);

}  // namespace pairport

#endif  // PAIRPORT_NET_CONFIG_H_

// SPDX-License-Identifier: MIT
#include "net/program/assembly.h"

#include <grp.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include <pairport/server.h>

#include "net/program/certificates.h"
#include "net/program/read_file.h"

namespace pairport {

Result<SocketFile> resolve_socket_file(const Config& config) {
  SocketFile file = config.socket_file;
  const std::string& name = config.socket_group;
  if (name.empty()) return file;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) {
    file.group = number;
  } else if (const group* found = getgrnam(name.c_str()); found != nullptr) {
    file.group = found->gr_gid;
  } else {
    return Status(StatusCode::kInvalidArgument, "[server] socket_group: there is no group " + name);
  }
  return file;
}

Result<std::vector<OpenAddress>> open_addresses(const Config& config) {
  Result<SocketFile> socket_file = resolve_socket_file(config);
  if (!socket_file.ok()) return socket_file.status();
  std::vector<OpenAddress> opened;
  for (const ListenAddress& address : config.addresses) {
    Result<Listener> listener = Listener::open(address.address, socket_file.value());
    if (!listener.ok()) return listener.status();
    opened.push_back({std::move(listener).value(), address.tls});
  }
  return opened;
}

std::string default_url(const std::vector<OpenAddress>& addresses) {
  auto best = std::find_if(addresses.begin(), addresses.end(), [](const OpenAddress& address) { return address.tls; });
  if (best == addresses.end()) {
    best = std::find_if(addresses.begin(), addresses.end(),
                        [](const OpenAddress& address) { return !address.listener.is_unix(); });
  }
  std::string url = best->url();
  if (!best->listener.is_any()) return url;
  return url.substr(0, url.find("//") + 2) + "127.0.0.1" + url.substr(url.rfind(':'));
}

// Two for each processor: while a result goes to the loop and the next step comes back, the other thread computes. On
// two processors, which the client shared, this gave 617 full handshakes a second instead of 533 with one for each.
std::size_t tls_lanes(const Config& config) {
  if (config.tls_threads != 0) return config.tls_threads;
  return 2 * std::max(1U, std::thread::hardware_concurrency());
}

Result<std::unique_ptr<TlsContext>> create_tls(const Config& config, RandomSource& random) {
  if (config.certificates.empty()) return std::unique_ptr<TlsContext>();
  TlsOptions options;
  options.min_version = config.tls_min_version;
  options.lanes = tls_lanes(config);
  options.handshake_timeout = config.tls_handshake_timeout;
  options.linger_timeout = config.server.connection.linger_timeout;
  Result<std::unique_ptr<TlsContext>> context = TlsContext::create(options, random, config.service.store.minimum_level);
  if (!context.ok()) {
    // The library may lack only this one of the options.
    if (context.status().code() != StatusCode::kInvalidArgument) return context.status();
    return Status(StatusCode::kBadConfiguration,
                  "[server] tls_min_version: " + std::string(context.status().message()));
  }
  Result<std::shared_ptr<const TlsCredentials>> credentials = load_certificates(*context.value(), config.certificates);
  if (!credentials.ok()) return credentials.status();
  context.value()->use(std::move(credentials).value());
  return context;
}

Result<std::unique_ptr<Service>> create_service(const Config& config, const std::string& url, RandomSource& random,
                                                Store* store) {
  ServiceOptions options = config.service;
  options.url = url;
  options.hash_codes = config.access_log != AccessFormat::kOff;
  // When a template of the operator exists but cannot be read, do not use the built-in one instead.
  std::string unreadable;
  if (!config.templates_folder.empty()) {
    options.templates = [&](std::string_view name) {
      const std::string path = config.templates_folder + "/" + std::string(name);
      std::optional<std::string> text = read_file(path);
      if (!text && errno != ENOENT && errno != ENOTDIR) unreadable = path + ": " + std::strerror(errno);
      return text;
    };
  }
  Result<std::unique_ptr<Service>> service = Service::create(options, random, current_time(), store);
  if (!unreadable.empty()) return Status(StatusCode::kBadTemplate, "cannot read the template " + unreadable);
  return service;
}

}  // namespace pairport

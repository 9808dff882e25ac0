// SPDX-License-Identifier: MIT
#include <pairport/server.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/ascii.h"
#include "net/base/file_descriptor.h"
#include "net/loop/given_socket.h"
#include "net/loop/socket_options.h"

namespace pairport {
namespace {

// The kernel doubles it for its own overhead, so about 400 KiB of an answer are in flight at most. A file of the
// package folder still reaches 64 Mbit/s at a round trip of 50 ms.
constexpr int kSendBuffer = 256 * 1024;
// Seconds for which the kernel holds back a connection whose client has sent nothing yet. 1 is the smallest value.
constexpr int kDeferSeconds = 1;
// The kernel limits it to net.core.somaxconn.
constexpr int kBacklog = 4096;

Status not_an_address(std::string_view address) {
  return {StatusCode::kInvalidArgument,
          "'" + std::string(address) + "' is not an address; expected host:port, [IPv6]:port, :port or unix:/path"};
}

Status bad_path(std::string_view path) {
  return {StatusCode::kInvalidArgument, "unix:" + std::string(path) + ": the path of a socket must have 1 to " +
                                            std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " characters"};
}

// Host (without brackets; empty: all interfaces) and port.
std::optional<std::pair<std::string, std::string>> split(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string host(address.substr(0, colon));
  std::string port(address.substr(colon + 1));
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return std::nullopt;
  }
  const bool number = !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
  if (!number || std::stoi(port) > 65535) return std::nullopt;
  return std::pair(std::move(host), std::move(port));
}

Status cannot_listen(std::string_view address, int error) {
  std::string message = "cannot listen on " + std::string(address) + ": " + std::strerror(error);
  if (error == EADDRINUSE)
    message += "; stop the program that uses it, or choose another address with [server] address";
  if (error == EACCES) message += "; ports below 1024 need CAP_NET_BIND_SERVICE, a socket file a writable folder";
  if (error == EADDRNOTAVAIL) message += "; [server] address must belong to this machine";
  return {StatusCode::kSystem, std::move(message)};
}

// Whether `address` is the file of a socket on which no process listens any more.
bool is_stale_socket(const sockaddr_un& address) {
  struct stat info {};
  if (lstat(address.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool refused =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 && errno == ECONNREFUSED;
  close(probe);
  return refused;
}

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == IN_LOOPBACKNET);
}

// Accepted connections inherit these options.
void set_listener_options(int fd) noexcept {
  set_tcp_options(fd);
  // Otherwise the kernel buffers megabytes for each peer that does not read.
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof(kSendBuffer));
  // The request of a client on another machine arrives shortly after its connection. Without this option the loop would
  // wake up for the connection, find nothing to read and poll for the request, which costs half as much as the rest of
  // the work (doc/benchmarks.md, late_request).
  setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &kDeferSeconds, sizeof(kDeferSeconds));
}

// `unix:` and the name of a bound Unix socket.
std::string unix_url(const SocketAddress& address) {
  constexpr std::size_t kPath = offsetof(sockaddr_un, sun_path);
  const auto& name = reinterpret_cast<const sockaddr_un&>(address.storage).sun_path;
  std::string_view shown(name, std::min<std::size_t>(address.size - kPath, sizeof(name)));
  const bool is_abstract = shown.starts_with('\0');
  if (!is_abstract) shown = shown.substr(0, shown.find('\0'));
  std::string url = "unix:";
  url += shown;
  std::replace(url.begin(), url.end(), '\0', '@');
  return url;
}

}  // namespace

Listener::~Listener() {
  if (fd_ < 0) return;
  close(fd_);
  if (!path_.empty()) unlink(path_.c_str());
}

Result<Listener> Listener::open_unix(const std::string& path, const SocketFile& file) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  Listener listener;
  listener.fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener.fd_ < 0) return cannot_listen("unix:" + path, errno);
  if (is_stale_socket(address)) unlink(address.sun_path);
  if (bind(listener.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return cannot_listen("unix:" + path, errno);
  }
  listener.path_ = path;
  // In time: no client can connect before listen(2).
  if (file.group && chown(address.sun_path, static_cast<uid_t>(-1), *file.group) != 0) {
    return Status(StatusCode::kSystem, "cannot give unix:" + path + " to the group " + std::to_string(*file.group) +
                                           ": " + std::strerror(errno) + "; the user of the service must belong to it");
  }
  if (chmod(address.sun_path, file.mode) != 0) return cannot_listen("unix:" + path, errno);
  if (listen(listener.fd_, kBacklog) != 0) return cannot_listen("unix:" + path, errno);
  listener.url_ = "unix:" + path;
  return listener;
}

Status Listener::check(std::string_view address) {
  if (address.starts_with("unix:")) {
    const std::size_t size = address.size() - 5;
    return size != 0 && size < sizeof(sockaddr_un::sun_path) ? Status() : bad_path(address.substr(5));
  }
  return split(address) ? Status() : not_an_address(address);
}

Result<Listener> Listener::open(std::string_view address, const SocketFile& file) {
  if (Status status = check(address); !status.ok()) return status;
  if (address.starts_with("unix:")) return open_unix(std::string(address.substr(5)), file);
  const auto [host, port] = *split(address);

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
  if (code != 0) {
    // A temporary failure: while a machine boots, its name servers may not answer yet.
    const bool passes = code == EAI_AGAIN || code == EAI_SYSTEM || code == EAI_MEMORY;
    return Status(passes ? StatusCode::kSystem : StatusCode::kInvalidArgument,
                  "cannot resolve '" + host + "' of [server] address: " + gai_strerror(code) + "; use an IP address");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<const addrinfo*> candidates;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) candidates.push_back(info);
  // All interfaces: the IPv6 wildcard takes IPv4 too.
  if (host.empty()) {
    std::stable_partition(candidates.begin(), candidates.end(),
                          [](const addrinfo* info) { return info->ai_family == AF_INET6; });
  }
  int error = EADDRNOTAVAIL;
  bool first = true;
  for (const addrinfo* info : candidates) {
    // Use IPv4 alone only when there is no IPv6, not when the port is in use.
    if (host.empty() && !std::exchange(first, false) && error != EAFNOSUPPORT && error != EADDRNOTAVAIL) break;
    Listener listener;
    listener.fd_ = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener.fd_ < 0) {
      error = errno;
      continue;
    }
    const int on = 1;
    const int off = 0;
    setsockopt(listener.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    set_listener_options(listener.fd_);
    if (info->ai_family == AF_INET6) {
      setsockopt(listener.fd_, IPPROTO_IPV6, IPV6_V6ONLY, host.empty() ? &off : &on, sizeof(on));
    }
    if (bind(listener.fd_, info->ai_addr, info->ai_addrlen) != 0 || listen(listener.fd_, kBacklog) != 0) {
      error = errno;
      continue;
    }
    SocketAddress bound;
    if (getsockname(listener.fd_, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) != 0) {
      return cannot_listen(address, errno);
    }
    if (Status status = listener.describe(bound); !status.ok()) return status;
    return listener;
  }
  return cannot_listen(address, error);
}

// Fills the members that describe a TCP socket with this address.
Status Listener::describe(const SocketAddress& bound) {
  char name[NI_MAXHOST];
  char service[NI_MAXSERV];
  const int code = getnameinfo(reinterpret_cast<const sockaddr*>(&bound.storage), bound.size, name, sizeof(name),
                               service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
  if (code != 0) return {StatusCode::kSystem, std::string("cannot name a listening socket: ") + gai_strerror(code)};
  const std::string shown = bound.storage.ss_family == AF_INET6 ? "[" + std::string(name) + "]" : name;
  loopback_ = is_loopback(bound.storage);
  any_ = shown == "[::]" || shown == "0.0.0.0";
  url_ = "http://" + shown + ":" + service;
  return StatusCode::kOk;
}

Result<Listener> Listener::adopt(int fd) {
  FileDescriptor given(fd);
  const Result<SocketAddress> bound = take_socket(given, SocketRole::kListening);
  if (!bound.ok()) return bound.status();
  Listener listener;
  listener.fd_ = given.release();
  if (bound.value().storage.ss_family == AF_UNIX) {
    listener.url_ = unix_url(bound.value());
    return listener;
  }
  set_listener_options(fd);
  if (Status status = listener.describe(bound.value()); !status.ok()) return status;
  return listener;
}

}  // namespace pairport

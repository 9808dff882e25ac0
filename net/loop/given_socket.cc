// SPDX-License-Identifier: MIT
#include "net/loop/given_socket.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

namespace pairport {
namespace {

// An integer option of the socket, or -1.
int option(int fd, int name) noexcept {
  int value = -1;
  socklen_t size = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool is_known_family(int family) noexcept {
  return family == AF_INET || family == AF_INET6 || family == AF_UNIX;
}

bool address_of(int fd, SocketRole role, SocketAddress& address) noexcept {
  auto* storage = reinterpret_cast<sockaddr*>(&address.storage);
  return (role == SocketRole::kListening ? getsockname(fd, storage, &address.size)
                                         : getpeername(fd, storage, &address.size)) == 0;
}

// Completes the sentence "descriptor 5 is ...". REQUIRES: `fd` is not a socket for `role`
std::string_view what_it_is(int fd, SocketRole role) noexcept {
  struct stat info {};
  if (fstat(fd, &info) != 0) return "not open";
  switch (info.st_mode & S_IFMT) {
    case S_IFREG:
      return "a file";
    case S_IFDIR:
      return "a folder";
    case S_IFIFO:
      return "a pipe";
    case S_IFCHR:
      return "a terminal or another character device";
    case S_IFSOCK:
      break;
    default:
      return "no socket";
  }
  if (!is_known_family(option(fd, SO_DOMAIN))) return "a socket of another address family";
  switch (option(fd, SO_TYPE)) {
    case SOCK_STREAM:
      break;
    case SOCK_DGRAM:
      return "a datagram socket";
    default:
      return "a socket of another type";
  }
  if (option(fd, SO_ACCEPTCONN) == 1) return "a listening socket";
  SocketAddress peer;
  if (role == SocketRole::kListening && address_of(fd, SocketRole::kConnected, peer)) return "a connected socket";
  return role == SocketRole::kListening ? "a socket on which listen(2) was not called"
                                        : "a socket that is not connected, or whose peer has gone";
}

}  // namespace

Result<SocketAddress> take_socket(FileDescriptor& given, SocketRole role) {
  const int fd = given.get();
  const bool listens = role == SocketRole::kListening;
  SocketAddress address;
  // Only a connected socket has a peer, so that the type is all that remains to be checked.
  if ((listens && option(fd, SO_ACCEPTCONN) != 1) || !address_of(fd, role, address) ||
      !is_known_family(address.storage.ss_family) || option(fd, SO_TYPE) != SOCK_STREAM) {
    std::string message = "descriptor " + std::to_string(fd) + " is ";
    message += what_it_is(fd, role);
    message += listens ? "; expected a listening" : "; expected a connected";
    message += " stream socket (IPv4, IPv6 or Unix)";
    if (fcntl(fd, F_GETFD) < 0) given.release();
    return Status(StatusCode::kSystem, std::move(message));
  }
  // It may be a blocking one, and the server uses it before libuv gets it.
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return Status(StatusCode::kSystem, "cannot set up descriptor " + std::to_string(fd) + ": " + std::strerror(errno));
  }
  return address;
}

}  // namespace pairport

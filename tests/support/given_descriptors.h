// SPDX-License-Identifier: MIT
// What a hurried or hostile program may hand over in place of a socket.
#ifndef PAIRPORT_TESTS_SUPPORT_GIVEN_DESCRIPTORS_H_
#define PAIRPORT_TESTS_SUPPORT_GIVEN_DESCRIPTORS_H_

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/counted_close.h"

namespace pairport::testing {

// A bound socket of IPv4, IPv6 (on the loopback interface, port 0) or Unix: a path, or an abstract name behind '@'. -1:
// this machine lacks the family.
inline int bound_socket(int family, int type, const std::string& name = "") {
  const int fd = socket(family, type, 0);
  if (fd < 0) return -1;
  sockaddr_storage address{};
  socklen_t size = 0;
  if (family == AF_UNIX) {
    auto& path = reinterpret_cast<sockaddr_un&>(address);
    std::memcpy(path.sun_path, name.data(), name.size());
    if (name.starts_with('@')) path.sun_path[0] = '\0';
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name.starts_with('@') ? 0 : 1));
  } else if (family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof(sockaddr_in);
  } else {
    reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
    size = sizeof(sockaddr_in6);
  }
  address.ss_family = static_cast<sa_family_t>(family);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return fd;
  EXPECT_EQ(errno, EADDRNOTAVAIL) << std::strerror(errno);  // no IPv6 on the loopback interface
  close(fd);
  return -1;
}

// The same, and it listens.
inline int listening_socket(int family, const std::string& name = "") {
  const int fd = bound_socket(family, SOCK_STREAM, name);
  if (fd >= 0) {
    EXPECT_EQ(listen(fd, 16), 0);
  }
  return fd;
}

// A socket that is connected to `listener`, and the one that `listener` has accepted.
inline std::pair<int, int> connected_sockets(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  EXPECT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const int client = socket(address.ss_family, SOCK_STREAM, 0);
  EXPECT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), size), 0) << std::strerror(errno);
  return {client, accept(listener, nullptr, nullptr)};
}

struct GivenDescriptor {
  int fd;
  std::string_view is;  // a part of the message about it
};

// Descriptors that are neither a listening nor a connected stream socket.
inline std::vector<GivenDescriptor> no_stream_sockets() {
  int pipes[2];
  EXPECT_EQ(pipe(pipes), 0);
  int packets[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets), 0);
  int datagrams[2];  // connected, so that getpeername(2) succeeds
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
  const int packet_listener = bound_socket(AF_UNIX, SOCK_SEQPACKET, "@pairport-packets-" + std::to_string(getpid()));
  EXPECT_EQ(listen(packet_listener, 1), 0);
  return {{open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "is a file;"},
          {open("/", O_RDONLY | O_CLOEXEC), "is a folder;"},
          {open("/dev/null", O_RDWR | O_CLOEXEC), "is a terminal or another character device;"},
          {pipes[0], "is a pipe;"},
          {pipes[1], "is a pipe;"},
          {eventfd(0, 0), "is no socket;"},
          {socket(AF_NETLINK, SOCK_RAW, 0), "is a socket of another address family;"},
          {packets[0], "is a socket of another type;"},
          {packets[1], "is a socket of another type;"},
          {packet_listener, "is a socket of another type;"},
          {datagrams[0], "is a datagram socket;"},
          {datagrams[1], "is a datagram socket;"},
          {bound_socket(AF_INET, SOCK_DGRAM), "is a datagram socket;"}};
}

inline bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_GIVEN_DESCRIPTORS_H_

// SPDX-License-Identifier: MIT
// The options of every TCP socket that carries answers.
#ifndef PAIRPORT_NET_SOCKET_OPTIONS_H_
#define PAIRPORT_NET_SOCKET_OPTIONS_H_

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace pairport {

// Unsent bytes that the kernel takes from an answer; a socket with more is not writable. Without this limit, thousands
// of peers that do not read fill the kernel's memory for all TCP connections (tcp_mem). Then every write fails although
// epoll reports the socket as writable, and the loop does nothing else. Measured with 17 x 480 such peers on a machine
// with 24 GiB: look-ups of other clients take 660 ms without the limit, 235 ms with 128 KiB, 32 ms with 64 KiB.
inline constexpr int kMostUnsent = 64 * 1024;

// Call it for the listening socket: accepted connections inherit its options (Linux) without system calls of their own.
inline void set_tcp_options(int fd) noexcept {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kMostUnsent, sizeof(kMostUnsent));
}

}  // namespace pairport

#endif  // PAIRPORT_NET_SOCKET_OPTIONS_H_

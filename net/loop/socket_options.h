// SPDX-License-Identifier: MIT
// What every TCP socket that carries answers is set to.
#ifndef PAIRPORT_NET_SOCKET_OPTIONS_H_
#define PAIRPORT_NET_SOCKET_OPTIONS_H_

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace pairport {

// The bytes of an answer that the kernel takes before the peer takes any. A socket with more is not writable. Without
// this bound, thousands of peers that do not read fill what the kernel has for all TCP connections (tcp_mem); then
// every write fails although epoll reports that it would not, and the loop does nothing else. Measured with 17 x 480
// such peers on a machine with 24 GiB: look-ups of others take 660 ms without it, 235 ms with 128 KiB, 32 ms with 64
// KiB.
inline constexpr int kMostUnsent = 64 * 1024;

// Connections inherit the options of the listening socket (Linux), so that none of them needs system calls for it.
inline void set_tcp_options(int fd) noexcept {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kMostUnsent, sizeof(kMostUnsent));
}

}  // namespace pairport

#endif  // PAIRPORT_NET_SOCKET_OPTIONS_H_

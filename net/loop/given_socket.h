// SPDX-License-Identifier: MIT
// Checks of sockets that the embedder hands over: what it passes may be any descriptor.
#ifndef PAIRPORT_NET_GIVEN_SOCKET_H_
#define PAIRPORT_NET_GIVEN_SOCKET_H_

#include <sys/socket.h>

#include <pairport/status.h>

#include "net/base/file_descriptor.h"

namespace pairport {

enum class SocketRole { kListening, kConnected };

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
};

// Checks that `given` is a stream socket (IPv4, IPv6 or Unix) in this role, then sets O_NONBLOCK and FD_CLOEXEC.
// Returns the address of the peer, for a listening socket its own. kSystem: the message says what the descriptor is
// instead. `given` keeps the descriptor, except for one that is not open: another thread may get its number at any
// time. May throw std::bad_alloc.
Result<SocketAddress> take_socket(FileDescriptor& given, SocketRole role);

}  // namespace pairport

#endif  // PAIRPORT_NET_GIVEN_SOCKET_H_

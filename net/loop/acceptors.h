// SPDX-License-Identifier: MIT
// The listening sockets of a server.
#ifndef PAIRPORT_NET_ACCEPTORS_H_
#define PAIRPORT_NET_ACCEPTORS_H_

#include <vector>

#include <pairport/connection.h>
#include <pairport/server.h>
#include <pairport/status.h>

#include "net/loop/loop_context.h"
#include "net/loop/peers.h"

namespace pairport {

// Accepts connections in bounded batches and hands them to Peers. Pauses while there is no descriptor or no place; new
// connections then stay in the backlog of the kernel. One thread at a time.
class Acceptors {
 public:
  // `context` and `peers` outlive the object.
  Acceptors(LoopContext& context, Peers& peers) noexcept : context_(context), peers_(peers) {}
  // REQUIRES: close_all() has been called, or listen() has not
  ~Acceptors() = default;
  Acceptors(const Acceptors&) = delete;
  Acceptors& operator=(const Acceptors&) = delete;

  // kSystem. May throw std::bad_alloc.
  Status listen(Listener listener, Transport transport);
  // Resumes the paused listening sockets.
  void resume() noexcept;
  void close_all() noexcept;

 private:
  struct Acceptor;

  void watch(Acceptor& acceptor) noexcept;
  void pause(Acceptor& acceptor) noexcept;
  void accept_batch(Acceptor& acceptor) noexcept;
  enum class Next { kGoOn, kStop };
  Next on_error(Acceptor& acceptor, int error) noexcept;

  LoopContext& context_;
  Peers& peers_;
  std::vector<Acceptor*> acceptors_;
  bool any_paused_ = false;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_ACCEPTORS_H_

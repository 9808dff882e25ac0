// SPDX-License-Identifier: MIT
// Invariants: the memory of an acceptor is freed in its close callback and nowhere else. any_paused_ is set when an
// acceptor has paused.
#include "net/loop/acceptors.h"

#include <poll.h>
#include <sys/socket.h>
#include <uv.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace pairport {
namespace {

// While connections arrive one by one, one iteration in this many checks for a second one.
constexpr unsigned kLookForMore = 16;

}  // namespace

// A listening socket that is polled for readability, because uv_listen would accept without a limit.
struct Acceptors::Acceptor {
  uv_poll_t poll;
  Acceptors* owner;
  Listener listener;
  Transport transport;
  bool paused = false;
  bool crowded = false;     // the last iteration that checked for more found some
  unsigned one_by_one = 0;  // iterations since the last check
};

Status Acceptors::listen(Listener listener, Transport transport) {
  acceptors_.reserve(acceptors_.size() + 1);  // all that may throw comes before the handle exists
  auto acceptor = std::make_unique<Acceptor>(Acceptor{{}, this, std::move(listener), transport});
  if (const int error = uv_poll_init(context_.loop, &acceptor->poll, acceptor->listener.fd()); error != 0) {
    return {StatusCode::kSystem, std::string("cannot watch a listening socket: ") + uv_strerror(error)};
  }
  acceptor->poll.data = acceptor.get();
  context_.handles.add();
  acceptors_.push_back(acceptor.get());
  watch(*acceptor.release());
  return StatusCode::kOk;
}

void Acceptors::watch(Acceptor& acceptor) noexcept {
  uv_poll_start(&acceptor.poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto& self = *static_cast<Acceptor*>(poll->data);
    self.owner->accept_batch(self);
    self.owner->peers_.settle_newcomers();
  });
}

// Leaves new connections in the backlog until the next call of resume().
void Acceptors::pause(Acceptor& acceptor) noexcept {
  uv_poll_stop(&acceptor.poll);
  acceptor.paused = true;
  any_paused_ = true;
  context_.keep_ticking();
}

void Acceptors::resume() noexcept {
  if (!std::exchange(any_paused_, false)) return;
  for (Acceptor* acceptor : acceptors_) {
    if (std::exchange(acceptor->paused, false)) watch(*acceptor);
  }
}

// Handles a failure of accept4(2).
Acceptors::Next Acceptors::on_error(Acceptor& acceptor, int error) noexcept {
  if (error == EINTR || error == ECONNABORTED) return Next::kGoOn;
  if (error == EMFILE || error == ENFILE) {
    // The kernel reports this before it checks the backlog; do not evict a peer when nobody is waiting.
    pollfd backlog{acceptor.listener.fd(), POLLIN, 0};
    if (poll(&backlog, 1, 0) == 0) return Next::kStop;
    if (!peers_.refusals().empty()) {
      peers_.refusals().close_all();
      return Next::kGoOn;
    }
    if (peers_.make_room()) return Next::kGoOn;
  }
  if (error != EAGAIN) {
    // No file descriptor or no memory: the connection stays in the backlog, and polling for it would spin. The next
    // tick tries again; until then open connections continue, and some may end.
    context_.events.tell(Event::kAcceptPaused, error, context_.clock.ms());
    pause(acceptor);
  }
  return Next::kStop;
}

void Acceptors::accept_batch(Acceptor& acceptor) noexcept {
  // Connections that remain after the batch make the socket readable again in the next iteration. accept4(2) on an
  // empty backlog costs more than a successful one: the kernel creates a socket and a file before it checks the
  // backlog.
  const bool looks_for_more = acceptor.crowded || ++acceptor.one_by_one == kLookForMore;
  if (looks_for_more) acceptor.one_by_one = 0;
  acceptor.crowded = false;
  const std::size_t limit = looks_for_more ? Peers::kBatch : 1;
  for (std::size_t i = 0; i < limit; ++i) {
    // All places belong to clients whose handshakes wait for the server. A new connection would evict one that is about
    // to be served, and the next new one would evict it. Leave it in the backlog until a handshake is done.
    if (acceptor.transport == Transport::kSecure && !peers_.has_room() && peers_.all_are_queued()) {
      return pause(acceptor);
    }
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    const int fd =
        accept4(acceptor.listener.fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (on_error(acceptor, errno) == Next::kStop) return;
      continue;
    }
    acceptor.crowded = i > 0;
    peers_.add(fd, address, acceptor.transport);
  }
}

void Acceptors::close_all() noexcept {
  for (Acceptor* acceptor : acceptors_) {
    uv_close(reinterpret_cast<uv_handle_t*>(&acceptor->poll), [](uv_handle_t* handle) {
      auto* self = static_cast<Acceptor*>(handle->data);
      HandleCount& handles = self->owner->context_.handles;
      delete self;
      handles.remove();
    });
  }
  acceptors_.clear();
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// TLS handshakes: whose turn it is, and which thread computes them.
#ifndef PAIRPORT_NET_HANDSHAKES_H_
#define PAIRPORT_NET_HANDSHAKES_H_

#include <uv.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <pairport/client_address.h>
#include <pairport/tls.h>

#include "core/limits/fair_queue.h"
#include "core/limits/rate_limiter.h"
#include "net/loop/loop_context.h"

namespace pairport {

// The owner of a handshake.
class HandshakeOwner {
 public:
  // A thread now computes a step: do not touch the TlsConnection before on_step_done().
  virtual void on_step_begins() noexcept = 0;
  // The step is done: call TlsConnection::on_handshake(). May destroy the handshake.
  virtual void on_step_done() noexcept = 0;
  // The handshake was dropped from the queue, or cannot be computed.
  virtual void on_dropped() noexcept = 0;

 protected:
  ~HandshakeOwner() = default;
};

class Handshakes;

// The handshake of one connection. Not destroyed while is_computing() or is_waiting().
class Handshake : public FairQueue::Waiter {
 public:
  // `tls` is null for a connection without TLS. `owner` and `tls` outlive this object.
  Handshake(HandshakeOwner& owner, TlsConnection* tls, const ClientKey& client) noexcept
      : owner_(owner), tls_(tls), client_(client) {}

  bool is_computing() const noexcept { return computing_; }

 private:
  friend class Handshakes;

  HandshakeOwner& owner_;
  TlsConnection* const tls_;
  const ClientKey client_;
  bool computing_ = false;
  uv_work_t work_;
  Handshakes* queue_ = nullptr;
};

// Computes handshakes in libuv's thread pool, one for each lane of the TlsContext at a time. Handshakes that have begun
// go first: if they timed out, their work would be wasted.
class Handshakes {
 public:
  // Errors: kOutOfMemory. Calls `on_done` after each step; a paused listener may accept again then. REQUIRES for
  // queue(): the options of `context` have a TlsContext. May throw std::bad_alloc.
  static Result<std::unique_ptr<Handshakes>> create(LoopContext& context, std::function<void()> on_done);
  Handshakes(const Handshakes&) = delete;
  Handshakes& operator=(const Handshakes&) = delete;

  // Queues `handshake` for its next step, and starts work on idle lanes. May call the owners of this and other
  // handshakes. Does nothing when `handshake` is in the queue already.
  void queue(Handshake& handshake) noexcept;
  // Removes `handshake` from the queue. Does nothing when it is not in the queue.
  void leave(Handshake& handshake) noexcept;

 private:
  // One lane of the TlsContext.
  struct Lane {
    explicit Lane(std::uint64_t seed) noexcept;

    FairQueue begun;  // handshakes that wait for a further step; unlimited
    bool busy = false;
  };

  Handshakes(LoopContext& context, std::function<void()> on_done);
  FairQueue& queue_of(const Handshake& handshake) noexcept;
  void compute() noexcept;
  void compute(Handshake& handshake, std::size_t lane) noexcept;
  void on_computed(Handshake& handshake) noexcept;

  LoopContext& context_;
  const std::function<void()> on_done_;
  std::unique_ptr<RateLimiter> budgets_;
  FairQueue fresh_;  // handshakes that wait for their first step
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_HANDSHAKES_H_

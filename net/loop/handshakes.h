// SPDX-License-Identifier: MIT
// Handshakes of TLS: whose turn it is, and on which thread they are computed.
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

// Who a handshake belongs to.
class HandshakeOwner {
 public:
  // A step is computed from now on: the TlsConnection must not be touched before on_step_done().
  virtual void on_step_begins() noexcept = 0;
  // The TlsConnection has to be told. May destroy the handshake.
  virtual void on_step_done() noexcept = 0;
  // It was dropped from the queue, or cannot be computed.
  virtual void on_dropped() noexcept = 0;

 protected:
  ~HandshakeOwner() = default;
};

class Handshakes;

// The handshake of one connection. Not destroyed while is_computing() or is_waiting().
class Handshake : public FairQueue::Waiter {
 public:
  // `tls`: null for a connection that has none. All of them outlive this object.
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

// Handshakes are computed in libuv's thread pool, one for each lane of the TlsContext at a time. What has been begun is
// finished first: else the work that it took is lost when its time is over.
class Handshakes {
 public:
  // kOutOfMemory. `on_done` is called after each step, for whoever waits for a connection to get on. Without a
  // TlsContext in the options of `context` there is nothing to queue. May throw std::bad_alloc.
  static Result<std::unique_ptr<Handshakes>> create(LoopContext& context, std::function<void()> on_done);
  Handshakes(const Handshakes&) = delete;
  Handshakes& operator=(const Handshakes&) = delete;

  // Lets `handshake` wait for its turn to have the next step computed, and gives idle lanes something to do. May call
  // the owners of other handshakes, and its own. Does nothing when it waits already.
  void queue(Handshake& handshake) noexcept;
  // Does nothing when it does not wait.
  void leave(Handshake& handshake) noexcept;

 private:
  // One lane of the TlsContext.
  struct Lane {
    explicit Lane(std::uint64_t seed) noexcept;

    FairQueue begun;  // those that wait for a further step; as many as have made the first one
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
  FairQueue fresh_;  // those that wait for their first step
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_HANDSHAKES_H_

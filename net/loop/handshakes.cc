// SPDX-License-Identifier: MIT
// Invariants: a handshake that is being computed is in no queue. A waiting one is in the queue of its lane, or in
// fresh_ before it has a lane.
#include "net/loop/handshakes.h"

#include <sched.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace pairport {
namespace {

// A client that begins more handshakes than this waits behind other clients. One machine begins one or two; a fleet
// behind one address begins many.
constexpr double kHandshakesPerSecond = 2;
constexpr double kHandshakeBurst = 20;
constexpr std::size_t kHandshakeKeys = std::size_t{1} << 14;

// Once per thread is enough. If the kernel refuses, handshakes only delay the loop more.
void prefer_batch_scheduling() noexcept {
  thread_local bool asked = false;
  if (std::exchange(asked, true)) return;
  const sched_param no_priority{};
  sched_setscheduler(0, SCHED_BATCH, &no_priority);
}

}  // namespace

Handshakes::Lane::Lane(std::uint64_t seed) noexcept : begun(std::numeric_limits<std::size_t>::max(), seed) {}

Handshakes::Handshakes(LoopContext& context, std::function<void()> on_done)
    : context_(context),
      on_done_(std::move(on_done)),
      fresh_(context.options.max_handshakes != 0 ? context.options.max_handshakes
                                                 : std::max<std::size_t>(context.options.max_connections, 1),
             context.options.hash_seed) {}

Result<std::unique_ptr<Handshakes>> Handshakes::create(LoopContext& context, std::function<void()> on_done) {
  std::unique_ptr<Handshakes> handshakes(new Handshakes(context, std::move(on_done)));
  const ServerOptions& options = context.options;
  if (options.tls == nullptr) return handshakes;
  Result<std::unique_ptr<RateLimiter>> budgets =
      RateLimiter::create({kHandshakesPerSecond, kHandshakeBurst, kHandshakeKeys, options.hash_seed});
  if (!budgets.ok()) return budgets.status();
  handshakes->budgets_ = std::move(budgets).value();
  for (std::size_t i = 0; i < options.tls->lanes(); ++i) {
    handshakes->lanes_.push_back(std::make_unique<Lane>(options.hash_seed));
  }
  return handshakes;
}

FairQueue& Handshakes::queue_of(const Handshake& handshake) noexcept {
  const std::optional<std::size_t> lane = handshake.tls_->lane();
  return lane ? lanes_[*lane]->begun : fresh_;
}

void Handshakes::queue(Handshake& handshake) noexcept {
  if (handshake.is_waiting()) return;
  const std::uint64_t now_ms = context_.clock.ms();
  bool is_late = false;
  if (!handshake.tls_->lane()) {
    is_late = budgets_->wait_ms(handshake.client_, now_ms) != 0;
    budgets_->take(handshake.client_, now_ms);
  }
  FairQueue::Waiter* dropped = queue_of(handshake).push(handshake, handshake.client_, is_late);
  if (dropped != nullptr) {
    ++context_.counters.handshakes_dropped;
    context_.events.tell(Event::kHandshakesDropped, 0, now_ms);
    static_cast<Handshake*>(dropped)->owner_.on_dropped();
  }
  compute();
}

void Handshakes::leave(Handshake& handshake) noexcept {
  if (handshake.is_waiting()) queue_of(handshake).remove(handshake);
}

// Starts work on each idle lane.
void Handshakes::compute() noexcept {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[i];
    while (!lane.busy) {
      FairQueue::Waiter* next = lane.begun.pop();
      if (next == nullptr) next = fresh_.pop();
      if (next == nullptr) break;
      compute(static_cast<Handshake&>(*next), i);
    }
  }
}

void Handshakes::compute(Handshake& handshake, std::size_t lane) noexcept {
  handshake.owner_.on_step_begins();
  handshake.tls_->begin_handshake(lane);
  handshake.computing_ = true;
  handshake.queue_ = this;
  handshake.work_.data = &handshake;
  const auto work = [](uv_work_t* request) {
    Handshake& self = *static_cast<Handshake*>(request->data);
    if (self.queue_->context_.options.batch_handshakes) prefer_batch_scheduling();
    self.tls_->handshake();
  };
  const auto on_done = [](uv_work_t* request, int) {
    Handshake& self = *static_cast<Handshake*>(request->data);
    self.queue_->on_computed(self);
  };
  if (uv_queue_work(context_.loop, &handshake.work_, work, on_done) != 0) {
    handshake.computing_ = false;
    return handshake.owner_.on_dropped();
  }
  lanes_[lane]->busy = true;
  context_.handles.add();
}

void Handshakes::on_computed(Handshake& handshake) noexcept {
  lanes_[*handshake.tls_->lane()]->busy = false;
  handshake.computing_ = false;
  handshake.owner_.on_step_done();
  compute();
  on_done_();
  context_.handles.remove();
}

}  // namespace pairport

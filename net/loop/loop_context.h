// SPDX-License-Identifier: MIT
// The state that the parts of a server share: the loop, its time, and the count of open handles.
#ifndef PAIRPORT_NET_LOOP_CONTEXT_H_
#define PAIRPORT_NET_LOOP_CONTEXT_H_

#include <uv.h>

#include <cstddef>
#include <functional>
#include <utility>

#include <pairport/server.h>
#include <pairport/service.h>

#include "core/base/check.h"
#include "net/loop/events.h"
#include "net/loop/loop_clock.h"

namespace pairport {

// Counts the handles that are not closed and the unfinished requests. The server has stopped when there are none.
class HandleCount {
 public:
  // Calls `on_removed(left)` after each removal. The call may destroy this object when none is left.
  explicit HandleCount(std::function<void(std::size_t left)> on_removed) : on_removed_(std::move(on_removed)) {}

  void add(std::size_t count = 1) noexcept { count_ += count; }
  void remove() noexcept {
    take_back();
    on_removed_(count_);
  }
  // Undoes add(), for a request that libuv has not accepted.
  void take_back() noexcept {
    PAIRPORT_CHECK(count_ > 0);
    --count_;
  }

 private:
  const std::function<void(std::size_t left)> on_removed_;
  std::size_t count_ = 0;
};

struct LoopContext {
  uv_loop_t* const loop;
  Service& service;
  const ServerOptions& options;
  ServerCounters counters;
  Events events;
  HandleCount handles;
  std::function<void()> keep_ticking;  // starts the tick, because there is a connection
  LoopClock clock;

  const Now& now() noexcept { return clock.now(); }
};

}  // namespace pairport

#endif  // PAIRPORT_NET_LOOP_CONTEXT_H_

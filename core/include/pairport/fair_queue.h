// SPDX-License-Identifier: MIT
// Who is next when clients wait for something that takes long, so that one with many requests delays the others little.
#ifndef PAIRPORT_FAIR_QUEUE_H_
#define PAIRPORT_FAIR_QUEUE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include <pairport/client_address.h>
#include <pairport/export.h>

namespace pairport {

// Stochastic fair queueing (McKenney, INFOCOM 1990): clients are spread over a fixed number of queues by a keyed hash,
// and the queues take turns. A client with one waiter waits for at most one of each other queue, however many wait
// there. Nothing is allocated. Waiters belong to their owners and are linked in place. One thread at a time.
class PAIRPORT_EXPORT FairQueue {
 public:
  // What waits; derive from it. Must be removed before it is destroyed.
  class Waiter {
   public:
    bool is_waiting() const noexcept { return waiting_; }

   private:
    friend class FairQueue;
    Waiter* before_ = nullptr;
    Waiter* behind_ = nullptr;
    std::uint8_t queue_ = 0;
    bool waiting_ = false;
  };

  // `most`: waiters at a time, at least 1. `seed`: secret, different in each process, so that nobody can choose an
  // address that shares the queue of somebody else.
  FairQueue(std::size_t most, std::uint64_t seed) noexcept : most_(most), seed_(seed) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // Puts `waiter` at the end of the queue of `client`. When there are more than `most` then, the last one of the
  // longest queue is taken out and returned: possibly `waiter`; else null. REQUIRES: !waiter.is_waiting()
  Waiter* push(Waiter& waiter, const ClientKey& client) noexcept;
  // Takes out the one whose turn it is; null when none waits.
  Waiter* pop() noexcept;
  // Takes `waiter` out if it waits.
  void remove(Waiter& waiter) noexcept;

  std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t kQueues = 256;

  struct Queue {
    Waiter* first = nullptr;
    Waiter* last = nullptr;
    std::size_t size = 0;
  };

  const std::size_t most_;
  const std::uint64_t seed_;
  std::size_t size_ = 0;
  std::size_t turn_ = 0;  // the queue that is looked at first
  std::array<Queue, kQueues> queues_{};
};

}  // namespace pairport

#endif  // PAIRPORT_FAIR_QUEUE_H_

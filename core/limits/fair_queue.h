// SPDX-License-Identifier: MIT
// Decides whose turn it is for slow work, so that a client with many requests barely delays the others.
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
// there. Waiters that are late, because their client has had its share, are next only when nobody else waits, or after
// kLateTurn - 1 others: they lose their turn, not their service. Nothing is allocated. Waiters belong to their owners
// and are linked in place. One thread at a time.
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
    std::uint16_t queue_ = 0;
    bool waiting_ = false;
  };

  // One in so many turns is for those who are late.
  static constexpr unsigned kLateTurn = 8;

  // `most`: waiters at a time, at least 1. `seed`: secret, different in each process, so that nobody can choose an
  // address that shares the queue of somebody else.
  FairQueue(std::size_t most, std::uint64_t seed) noexcept : most_(most), seed_(seed) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // Puts `waiter` at the end of the queue of `client`. When there are more than `most` then, the first one of the
  // longest queue, which has waited longest there, is taken out and returned, else null: what a client has sent last is
  // what it still waits for. REQUIRES: !waiter.is_waiting()
  Waiter* push(Waiter& waiter, const ClientKey& client, bool is_late = false) noexcept;
  // Takes out the one whose turn it is; null when none waits.
  Waiter* pop() noexcept;
  // Takes `waiter` out if it waits.
  void remove(Waiter& waiter) noexcept;

  std::size_t size() const noexcept { return in_time_.size + late_.size; }

 private:
  // An honest client shares its queue with one of 250 others with a probability of a fifth; with 256 queues two thirds.
  static constexpr std::size_t kQueues = 1024;

  struct Queue {
    Waiter* first = nullptr;
    Waiter* last = nullptr;
    std::size_t size = 0;
  };

  // The queues of those who are late, or of the others.
  struct Round {
    std::size_t size = 0;  // of all of them
    std::size_t turn = 0;  // the queue that is looked at first
    std::array<Queue, kQueues> queues{};
  };

  PAIRPORT_LOCAL Waiter* pop(Round& round) noexcept;

  const std::size_t most_;
  const std::uint64_t seed_;
  unsigned pops_ = 0;  // since somebody who is late had a turn
  Round in_time_;
  Round late_;
};

}  // namespace pairport

#endif  // PAIRPORT_FAIR_QUEUE_H_

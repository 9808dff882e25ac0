// SPDX-License-Identifier: MIT
// Decides whose turn it is for slow work, so that a client with many requests barely delays the others.
#ifndef PAIRPORT_FAIR_QUEUE_H_
#define PAIRPORT_FAIR_QUEUE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include <pairport/client_address.h>
#include <pairport/export.h>

#include "core/base/intrusive_list.h"

namespace pairport {

// Stochastic fair queueing (McKenney, INFOCOM 1990): a keyed hash distributes clients over a fixed number of queues,
// and the queues take turns. A client with one waiter waits for at most one waiter of each other queue, however long
// that queue is. A waiter is late when its client has used its share. Late waiters get every kLateTurn-th turn, and
// every turn when no other waits, so they are delayed but not starved. Never allocates: waiters belong to their owners
// and are linked in place. One thread at a time.
class PAIRPORT_EXPORT FairQueue {
 public:
  // Base class of a waiter. Remove it before you destroy it.
  class Waiter {
   public:
    bool is_waiting() const noexcept { return waiting_; }

   private:
    friend class FairQueue;
    ListLinks<Waiter> links_;
    std::uint16_t queue_ = 0;
    bool waiting_ = false;
  };

  // Every kLateTurn-th turn goes to a late waiter.
  static constexpr unsigned kLateTurn = 8;

  // `most`: waiters at a time, at least 1. `seed`: secret, different in each process, so that no client can choose an
  // address that shares the queue of another one.
  FairQueue(std::size_t most, std::uint64_t seed) noexcept : most_(most), seed_(seed) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // Adds `waiter` to the end of the queue of `client`. When more than `most` wait then, removes and returns the first
  // waiter of the longest queue, because its client is more likely to still wait for its later requests. Otherwise
  // returns null. REQUIRES: !waiter.is_waiting()
  Waiter* push(Waiter& waiter, const ClientKey& client, bool is_late = false) noexcept;
  // Removes and returns the next waiter; null when none waits.
  Waiter* pop() noexcept;
  // Removes `waiter` if it waits.
  void remove(Waiter& waiter) noexcept;

  std::size_t size() const noexcept { return in_time_.size + late_.size; }

 private:
  // With 250 other clients, the probability that a client shares its queue is a fifth; with 256 queues it would be two
  // thirds.
  static constexpr std::size_t kQueues = 1024;

  struct Queue {
    IntrusiveList<Waiter, &Waiter::links_> waiters;
    std::size_t size = 0;
  };

  // All queues of the late waiters, or of the others.
  struct Round {
    std::size_t size = 0;  // of all queues
    std::size_t turn = 0;  // index of the next queue
    std::array<Queue, kQueues> queues{};
  };

  PAIRPORT_LOCAL Waiter* pop(Round& round) noexcept;

  const std::size_t most_;
  const std::uint64_t seed_;
  unsigned pops_ = 0;  // since a late waiter had a turn
  Round in_time_;
  Round late_;
};

}  // namespace pairport

#endif  // PAIRPORT_FAIR_QUEUE_H_

// SPDX-License-Identifier: MIT
// Invariants: a round's size is the sum of its queues' sizes; size() is at most most_ between calls. A waiter's queue_
// counts the queues of in_time_ first, then those of late_.
#include "core/limits/fair_queue.h"

#include <algorithm>

#include <xxhash.h>

#include "core/base/check.h"

namespace pairport {

FairQueue::Waiter* FairQueue::push(Waiter& waiter, const ClientKey& client, bool is_late) noexcept {
  PAIRPORT_CHECK(!waiter.waiting_);
  const std::size_t number = XXH3_64bits_withSeed(client.bytes.data(), client.bytes.size(), seed_) % kQueues;
  waiter.queue_ = static_cast<std::uint16_t>(number + (is_late ? kQueues : 0));
  Round& round = is_late ? late_ : in_time_;
  Queue& queue = round.queues[number];
  queue.waiters.push(waiter);
  waiter.waiting_ = true;
  ++queue.size;
  ++round.size;
  if (size() <= most_) return nullptr;
  const auto longest = [](Round& of) -> Queue& {
    return *std::max_element(of.queues.begin(), of.queues.end(),
                             [](const Queue& a, const Queue& b) { return a.size < b.size; });
  };
  Queue& in_time = longest(in_time_);
  Queue& late = longest(late_);
  Waiter* const dropped = late.size >= in_time.size ? late.waiters.first : in_time.waiters.first;
  remove(*dropped);
  return dropped;
}

FairQueue::Waiter* FairQueue::pop() noexcept {
  const bool is_turn_of_late = in_time_.size == 0 || ++pops_ >= kLateTurn;
  if (late_.size == 0 || !is_turn_of_late) return pop(in_time_);
  pops_ = 0;
  return pop(late_);
}

FairQueue::Waiter* FairQueue::pop(Round& round) noexcept {
  if (round.size == 0) return nullptr;
  while (round.queues[round.turn].waiters.empty()) round.turn = (round.turn + 1) % kQueues;
  Waiter* const next = round.queues[round.turn].waiters.first;
  remove(*next);
  round.turn = (round.turn + 1) % kQueues;
  return next;
}

void FairQueue::remove(Waiter& waiter) noexcept {
  if (!waiter.waiting_) return;
  Round& round = waiter.queue_ < kQueues ? in_time_ : late_;
  Queue& queue = round.queues[waiter.queue_ % kQueues];
  queue.waiters.remove(waiter);
  waiter.waiting_ = false;
  --queue.size;
  --round.size;
}

}  // namespace pairport

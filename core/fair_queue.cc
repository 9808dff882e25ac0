// SPDX-License-Identifier: MIT
// Invariant: size_ is the sum of the queues' sizes, at most most_ between calls.
#include <pairport/fair_queue.h>

#include <algorithm>
#include <cassert>

#include <xxhash.h>

namespace pairport {

FairQueue::Waiter* FairQueue::push(Waiter& waiter, const ClientKey& client) noexcept {
  assert(!waiter.waiting_);
  waiter.queue_ =
      static_cast<std::uint8_t>(XXH3_64bits_withSeed(client.bytes.data(), client.bytes.size(), seed_) % kQueues);
  Queue& queue = queues_[waiter.queue_];
  waiter.before_ = queue.last;
  waiter.behind_ = nullptr;
  (queue.last != nullptr ? queue.last->behind_ : queue.first) = &waiter;
  queue.last = &waiter;
  waiter.waiting_ = true;
  ++queue.size;
  ++size_;
  if (size_ <= most_) return nullptr;
  Waiter* const dropped = std::max_element(queues_.begin(), queues_.end(), [](const Queue& a, const Queue& b) {
                            return a.size < b.size;
                          })->last;
  remove(*dropped);
  return dropped;
}

FairQueue::Waiter* FairQueue::pop() noexcept {
  if (size_ == 0) return nullptr;
  while (queues_[turn_].first == nullptr) turn_ = (turn_ + 1) % kQueues;
  Waiter* const next = queues_[turn_].first;
  remove(*next);
  turn_ = (turn_ + 1) % kQueues;
  return next;
}

void FairQueue::remove(Waiter& waiter) noexcept {
  if (!waiter.waiting_) return;
  Queue& queue = queues_[waiter.queue_];
  (waiter.before_ != nullptr ? waiter.before_->behind_ : queue.first) = waiter.behind_;
  (waiter.behind_ != nullptr ? waiter.behind_->before_ : queue.last) = waiter.before_;
  waiter.waiting_ = false;
  --queue.size;
  --size_;
}

}  // namespace pairport

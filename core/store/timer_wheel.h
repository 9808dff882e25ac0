// SPDX-License-Identifier: MIT
// A hierarchical timing wheel: deadlines for millions of objects. Arming and cancelling are O(1), and each call does a
// bounded amount of work. (Varghese & Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 7.)
#ifndef PAIRPORT_TIMER_WHEEL_H_
#define PAIRPORT_TIMER_WHEEL_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/check.h"

namespace pairport {

// The id of an object that may be armed. The user assigns ids below kFirstReservedTimerId.
using TimerId = std::uint32_t;
inline constexpr TimerId kFirstReservedTimerId = 0x80000000U;

// A member of each object that may be armed; only the wheel writes it. All zero (`TimerLinks{}`) means not armed.
struct TimerLinks {
  TimerId next = 0;
  TimerId prev = 0;
};

// `Nodes` finds the object of an id for the wheel:
//   TimerLinks& links(TimerId) noexcept;
//   std::uint64_t deadline(TimerId) noexcept;   // milliseconds, unchanged while the object is armed
//
// A deadline fires with the resolution of one tick, never early. Time is a parameter and must never go back. One thread
// at a time.
template <typename Nodes>
class TimerWheel {
 public:
  // Ticks of 128 ms: four levels of 256 slots reach 17 years.
  static constexpr unsigned kTickShift = 7;

  // REQUIRES: `nodes` outlives this object.
  TimerWheel(Nodes& nodes, std::uint64_t now_ms) noexcept : nodes_(nodes), current_(now_ms >> kTickShift) {
    for (std::size_t i = 0; i < lists_.size(); ++i) lists_[i] = {sentinel(i), sentinel(i)};
  }
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // The number of armed objects.
  std::size_t size() const noexcept { return size_; }

  // REQUIRES: `id` is not armed; its deadline is final.
  void arm(TimerId id) noexcept {
    PAIRPORT_CHECK(id < kFirstReservedTimerId);
    ++size_;
    place(id);
  }

  // REQUIRES: `id` is armed.
  void cancel(TimerId id) noexcept {
    PAIRPORT_CHECK(size_ > 0);
    unlink(id);
    --size_;
  }

  // Advances the wheel to `now_ms` and calls `on_due(id)` for each object whose deadline has passed. The wheel disarms
  // the object before the call, and the call may arm and cancel any object. Stops after about `max_work` steps (a step
  // fires an object, moves one to a finer level, or passes 64 empty ticks). Returns whether no due work is left.
  template <typename OnDue>
  bool advance(std::uint64_t now_ms, std::size_t max_work, OnDue&& on_due) noexcept {
    const std::uint64_t target = now_ms >> kTickShift;
    while (true) {
      if (!empty(kDueList)) {
        if (max_work-- == 0) return false;
        const TimerId id = lists_[kDueList].next;
        unlink(id);
        --size_;
        on_due(id);
      } else if (!empty(kCascadeList)) {
        if (max_work-- == 0) return false;
        const TimerId id = lists_[kCascadeList].next;
        unlink(id);
        place(id);
      } else if (current_ >= target) {
        return true;
      } else if (size_ == 0) {
        current_ = target;
      } else {
        if (max_work-- == 0) return false;
        step(target);
      }
    }
  }

 private:
  static constexpr unsigned kLevels = 4;
  static constexpr unsigned kSlotBits = 8;
  static constexpr std::uint64_t kSlots = 1U << kSlotBits;
  // The list of due objects, and the list of objects that must move to a finer level. Both are processed in parts, so
  // that a slot with a million objects never costs a million steps at once. Adding a whole slot to a list is O(1).
  static constexpr std::size_t kDueList = kLevels * kSlots;
  static constexpr std::size_t kCascadeList = kDueList + 1;

  static TimerId sentinel(std::size_t list) noexcept { return kFirstReservedTimerId + static_cast<TimerId>(list); }

  TimerLinks& links(TimerId id) noexcept {
    return id >= kFirstReservedTimerId ? lists_[id - kFirstReservedTimerId] : nodes_.links(id);
  }

  bool empty(std::size_t list) const noexcept { return lists_[list].next == sentinel(list); }

  void append(TimerId id, std::size_t list) noexcept {
    TimerLinks& node = nodes_.links(id);
    node = {sentinel(list), lists_[list].prev};
    links(node.prev).next = id;
    lists_[list].prev = id;
  }

  void unlink(TimerId id) noexcept {
    TimerLinks& node = nodes_.links(id);
    links(node.prev).next = node.next;
    links(node.next).prev = node.prev;
    node = {};
  }

  void splice(std::size_t from, std::size_t to) noexcept {
    if (empty(from)) return;
    const TimerId first = lists_[from].next;
    const TimerId last = lists_[from].prev;
    links(first).prev = lists_[to].prev;
    links(lists_[to].prev).next = first;
    links(last).next = sentinel(to);
    lists_[to].prev = last;
    lists_[from] = {sentinel(from), sentinel(from)};
  }

  void place(TimerId id) noexcept {
    // The first tick that begins at the deadline or after it.
    const std::uint64_t deadline = nodes_.deadline(id);
    std::uint64_t tick = (deadline >> kTickShift) + ((deadline & ((1U << kTickShift) - 1)) != 0 ? 1 : 0);
    if (tick <= current_) {
      append(id, kDueList);
      return;
    }
    std::uint64_t distance = tick - current_;
    constexpr std::uint64_t kReach = std::uint64_t{1} << (kLevels * kSlotBits);
    if (distance >= kReach) {
      // Beyond the coarsest level: put it at the greatest distance, and place it again at that time.
      distance = kReach - 1;
      tick = current_ + distance;
    }
    unsigned level = 0;
    while (distance >> (kSlotBits * (level + 1)) != 0) ++level;
    const std::uint64_t slot = (tick >> (kSlotBits * level)) & (kSlots - 1);
    append(id, level * kSlots + slot);
  }

  // Advances up to 64 ticks, as long as they are empty.
  void step(std::uint64_t target) noexcept {
    for (int i = 0; i < 64 && current_ < target; ++i) {
      ++current_;
      for (unsigned level = 1; level < kLevels; ++level) {
        if ((current_ & ((std::uint64_t{1} << (kSlotBits * level)) - 1)) != 0) break;
        splice(level * kSlots + ((current_ >> (kSlotBits * level)) & (kSlots - 1)), kCascadeList);
      }
      splice(current_ & (kSlots - 1), kDueList);
      if (!empty(kDueList) || !empty(kCascadeList)) return;
    }
  }

  Nodes& nodes_;
  std::uint64_t current_;  // slots up to this tick have been moved to kDueList or kCascadeList
  std::size_t size_ = 0;
  std::array<TimerLinks, kCascadeList + 1> lists_;
};

}  // namespace pairport

#endif  // PAIRPORT_TIMER_WHEEL_H_

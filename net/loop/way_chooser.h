// SPDX-License-Identifier: MIT
// Finds the cheaper of two ways to do the same work on this machine.
#ifndef PAIRPORT_NET_WAY_CHOOSER_H_
#define PAIRPORT_NET_WAY_CHOOSER_H_

#include <cstdint>

namespace pairport {

enum class Way : std::uint8_t { kFirst, kSecond };

// A two-armed bandit (Robbins, "Some aspects of the sequential design of experiments", 1952). Two consecutive turns of
// each kPeriod are trials, one for each way, and the faster way scores. A way is preferred until the other one leads by
// kLead. Only the order counts, not the difference, so an interrupted turn counts no more than another. The first
// kFirstTrials turns are all trials, so some dozens of turns decide. Has no clock. One thread at a time.
class WayChooser {
 public:
  static constexpr std::uint32_t kPeriod = 64;
  static constexpr int kLead = 8;
  static constexpr std::uint32_t kFirstTrials = 32;  // turns

  explicit WayChooser(Way preferred) noexcept : preferred_(preferred) {}

  // The way of the next turn, and whether it is a trial: then its time is reported to took().
  struct Turn {
    Way way;
    bool timed;
  };
  Turn next() noexcept {
    const std::uint32_t place = turn_ < kFirstTrials ? turn_ % 2 : turn_ % kPeriod;
    ++turn_;
    if (place > 1) return {preferred_, false};
    if (place == 0) {
      has_first_time_ = false;
      starts_with_other_ = !starts_with_other_;  // the second trial finds the caches as the first one left them
    }
    return {(place == 0) == starts_with_other_ ? other() : preferred_, true};
  }
  // REQUIRES: the last turn was a trial. A trial that failed is not reported, and its pair does not count.
  void took(std::uint64_t time) noexcept {
    if (turn_ % 2 != 0) {
      first_time_ = time;
      has_first_time_ = true;
      return;
    }
    if (!has_first_time_ || time == first_time_) return;
    const bool other_won = (first_time_ < time) == starts_with_other_;
    lead_ = other_won ? lead_ + 1 : lead_ > -kLead ? lead_ - 1 : lead_;
    if (lead_ < kLead) return;
    preferred_ = other();
    lead_ = 0;
  }

  Way preferred() const noexcept { return preferred_; }

 private:
  Way other() const noexcept { return preferred_ == Way::kFirst ? Way::kSecond : Way::kFirst; }

  static_assert(kPeriod % 2 == 0 && kFirstTrials % 2 == 0);
  Way preferred_;
  bool starts_with_other_ = false;
  bool has_first_time_ = false;
  int lead_ = 0;  // of the other way, in pairs of trials
  std::uint32_t turn_ = 0;
  std::uint64_t first_time_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_WAY_CHOOSER_H_

// SPDX-License-Identifier: MIT
#include "core/store/timer_wheel.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

constexpr std::uint64_t kTick = std::uint64_t{1} << 7;
constexpr std::size_t kAllWork = std::numeric_limits<std::size_t>::max();
constexpr std::uint64_t kSecond = 1000;
constexpr std::uint64_t kDay = 24 * 3600 * kSecond;

struct Objects {
  struct Object {
    TimerLinks links;
    std::uint64_t deadline = 0;
    bool armed = false;
  };
  TimerLinks& links(TimerId id) noexcept { return list[id].links; }
  std::uint64_t deadline(TimerId id) noexcept {
    ++deadlines_read;
    return list[id].deadline;
  }
  std::vector<Object> list;
  std::size_t deadlines_read = 0;  // an object placed, so that work can be counted
};

// A wheel beside a naive model: a list that is looked through.
class TimerWheelTest : public ::testing::Test {
 protected:
  void start(std::uint64_t now, std::size_t objects) {
    now_ = now;
    objects_.list.assign(objects, {});
    wheel_ = std::make_unique<TimerWheel<Objects>>(objects_, now);
  }
  void arm(TimerId id, std::uint64_t deadline) {
    objects_.list[id].deadline = deadline;
    objects_.list[id].armed = true;
    wheel_->arm(id);
  }
  void cancel(TimerId id) {
    wheel_->cancel(id);
    objects_.list[id].armed = false;
  }
  bool advance(std::uint64_t now, std::size_t max_work = kAllWork) {
    now_ = now;
    return wheel_->advance(now, max_work, [this](TimerId id) {
      EXPECT_TRUE(objects_.list[id].armed) << "fired twice, or after it was cancelled";
      EXPECT_LE(objects_.list[id].deadline, now_) << "early";
      objects_.list[id].armed = false;
      fired_.push_back(id);
    });
  }
  std::size_t armed() const {
    return static_cast<std::size_t>(
        std::count_if(objects_.list.begin(), objects_.list.end(), [](const auto& object) { return object.armed; }));
  }
  void expect_nothing_overdue() const {
    for (const Objects::Object& object : objects_.list) {
      if (object.armed) {
        ASSERT_GT(object.deadline + kTick, now_) << "more than one tick late";
      }
    }
    ASSERT_EQ(wheel_->size(), armed());
  }

  std::uint64_t now_ = 0;
  Objects objects_;
  std::unique_ptr<TimerWheel<Objects>> wheel_;
  std::vector<TimerId> fired_;
};

TEST_F(TimerWheelTest, AnEmptyOneHasNothingToDo) {
  start(12345, 0);
  EXPECT_TRUE(advance(12345));
  EXPECT_TRUE(advance(12345 + 1000 * kDay, 0)) << "no objects, no work, however far";
  EXPECT_TRUE(advance(std::numeric_limits<std::uint64_t>::max()));
}

TEST_F(TimerWheelTest, FiresWithinOneTickAndNeverEarly) {
  for (const std::uint64_t now : {std::uint64_t{0}, std::uint64_t{1}, kTick - 1, kTick, 1'000'003 * kTick - 1}) {
    for (std::uint64_t delay = 0; delay < 4 * kTick; ++delay) {
      start(now, 1);
      arm(0, now + delay);
      for (std::uint64_t t = now; t <= now + delay + kTick; ++t) {
        advance(t);
        if (!objects_.list[0].armed) break;
        ASSERT_LT(t, now + delay + kTick);
      }
      ASSERT_FALSE(objects_.list[0].armed);
    }
  }
}

TEST_F(TimerWheelTest, DeadlinesThatHavePassedFireAtTheNextAdvance) {
  start(100 * kDay, 3);
  arm(0, 0);
  arm(1, 99 * kDay);
  arm(2, 100 * kDay);
  EXPECT_TRUE(advance(100 * kDay));
  EXPECT_EQ(fired_.size(), 3U);
}

TEST_F(TimerWheelTest, EveryDistanceAroundTheEdgesOfLevelsIsMet) {
  // Powers of 256 ticks are where levels meet; the start decides how far the slots are from wrapping.
  for (const std::uint64_t start_tick :
       {0ULL, 1ULL, 255ULL, 256ULL, 257ULL, 65'535ULL, 65'536ULL, 65'537ULL, 1'000'000ULL}) {
    std::vector<std::uint64_t> distances;
    for (const std::uint64_t edge : {1ULL, 256ULL, 512ULL, 65'280ULL, 65'536ULL, 131'072ULL}) {
      for (const std::uint64_t off : {0ULL, 1ULL, 2ULL, 255ULL, 256ULL}) {
        distances.push_back(edge + off);
        if (edge > off) distances.push_back(edge - off);
      }
    }
    start(start_tick * kTick, distances.size());
    for (TimerId id = 0; id < distances.size(); ++id) arm(id, (start_tick + distances[id]) * kTick);
    for (std::uint64_t tick = start_tick; wheel_->size() != 0; ++tick) {
      advance(tick * kTick);
      for (const TimerId id : fired_) ASSERT_EQ(start_tick + distances[id], tick);
      fired_.clear();
      ASSERT_LT(tick, start_tick + 140'000);
    }
  }
}

TEST_F(TimerWheelTest, AgreesWithAModelOverRandomOperations) {
  std::mt19937_64 engine(6);
  for (int round = 0; round < 6; ++round) {
    start(engine() % (std::uint64_t{1} << 45), 500);
    for (int i = 0; i < 20'000; ++i) {
      const auto id = static_cast<TimerId>(engine() % objects_.list.size());
      const unsigned dice = static_cast<unsigned>(engine() % 100);
      if (dice < 60) {
        if (objects_.list[id].armed) {
          cancel(id);
        } else {
          // From within the tick to years, evenly over the orders of magnitude.
          const std::uint64_t reach = std::uint64_t{1} << (engine() % 40);
          arm(id, now_ + engine() % reach);
        }
      } else if (dice < 97) {
        advance(now_ + engine() % (std::uint64_t{1} << (engine() % 18)));
        expect_nothing_overdue();
      } else if (dice < 99) {
        // With little work allowed; what is late is late, but nothing is lost.
        const std::uint64_t now = now_ + engine() % (10 * kTick);
        while (!advance(now, engine() % 5)) {
        }
        expect_nothing_overdue();
      } else if (i % 7 == 0) {
        advance(now_ + engine() % (2 * kDay));
        expect_nothing_overdue();
      }
    }
  }
}

TEST_F(TimerWheelTest, HugeJumpsLoseNothing) {
  start(123'456'789, 1000);
  std::mt19937_64 engine(7);
  for (TimerId id = 0; id < 1000; ++id) arm(id, now_ + engine() % (90 * kDay));
  objects_.list.push_back({});
  arm(1000, now_ + 40'000 * kDay);
  EXPECT_TRUE(advance(now_ + 91 * kDay));
  EXPECT_EQ(fired_.size(), 1000U);
  EXPECT_EQ(wheel_->size(), 1U) << "beyond the coarsest level it waits on";
  cancel(1000);
  EXPECT_TRUE(advance(now_ + 100'000 * kDay, 0)) << "nothing left, nothing to do";
}

TEST_F(TimerWheelTest, TheEndOfTimeIsAFineDeadline) {
  start(1000, 2);
  arm(0, std::numeric_limits<std::uint64_t>::max());
  arm(1, std::numeric_limits<std::uint64_t>::max() - 1);
  EXPECT_TRUE(advance(kDay));
  EXPECT_EQ(wheel_->size(), 2U);
  cancel(0);
  cancel(1);
  EXPECT_EQ(wheel_->size(), 0U);
}

TEST_F(TimerWheelTest, WorkIsBounded) {
  constexpr std::size_t kObjects = 50'000;
  start(0, kObjects);
  // All in the same tick, far enough to come down through two levels.
  for (TimerId id = 0; id < kObjects; ++id) arm(id, 70'000 * kTick);
  objects_.deadlines_read = 0;
  int calls = 0;
  std::size_t fired_before = 0;
  while (!advance(70'001 * kTick, 100)) {
    ++calls;
    ASSERT_LE(objects_.deadlines_read, 100U) << "objects moved by one call";
    ASSERT_LE(fired_.size() - fired_before, 100U) << "objects fired by one call";
    objects_.deadlines_read = 0;
    fired_before = fired_.size();
    ASSERT_LT(calls, 10'000);
  }
  EXPECT_EQ(fired_.size(), kObjects);
  EXPECT_GE(calls, static_cast<int>(kObjects / 100));
}

TEST_F(TimerWheelTest, EmptyTicksAreWorkToo) {
  start(0, 1);
  arm(0, 30 * kDay);
  EXPECT_FALSE(advance(29 * kDay, 10)) << "a long way is not walked in one call";
  EXPECT_TRUE(advance(29 * kDay));
  EXPECT_TRUE(fired_.empty());
}

TEST_F(TimerWheelTest, NoWorkAllowedIsNoWorkDone) {
  start(0, 1);
  arm(0, 0);
  EXPECT_FALSE(advance(0, 0));
  EXPECT_TRUE(fired_.empty());
  EXPECT_TRUE(advance(0, 1));
  EXPECT_EQ(fired_.size(), 1U);
}

TEST_F(TimerWheelTest, ObjectsMayBeCancelledWhileTheyWaitForTheirTurn) {
  start(0, 100);
  for (TimerId id = 0; id < 100; ++id) arm(id, id < 50 ? kTick : 300 * kTick);
  EXPECT_FALSE(advance(2 * kTick, 20));
  for (TimerId id = 0; id < 100; ++id) {
    if (objects_.list[id].armed && id % 2 == 0) cancel(id);
  }
  EXPECT_FALSE(advance(300 * kTick, 12));
  for (TimerId id = 0; id < 100; ++id) {
    if (objects_.list[id].armed && id % 3 == 0) cancel(id);
  }
  const std::size_t left = armed();
  fired_.clear();
  EXPECT_TRUE(advance(301 * kTick));
  EXPECT_EQ(fired_.size(), left);
  EXPECT_EQ(wheel_->size(), 0U);
}

TEST_F(TimerWheelTest, WhatFiresMayArmAndCancelOthers) {
  start(0, 6);
  for (TimerId id = 0; id < 4; ++id) arm(id, kTick);
  arm(4, 10 * kTick);
  std::vector<TimerId> order;
  const auto on_due = [&](TimerId id) {
    order.push_back(id);
    objects_.list[id].armed = false;
    if (order.size() == 1) {
      cancel(1);           // due at the same time, not fired yet
      cancel(4);           // due later
      arm(5, 2 * kTick);   // due within this very call
      arm(0, 20 * kTick);  // itself
    }
  };
  EXPECT_TRUE(wheel_->advance(3 * kTick, kAllWork, on_due));
  EXPECT_EQ(order, (std::vector<TimerId>{0, 2, 3, 5}));
  EXPECT_EQ(wheel_->size(), 1U);
  EXPECT_TRUE(wheel_->advance(20 * kTick, kAllWork, on_due));
  EXPECT_EQ(order.back(), 0U);
}

TEST_F(TimerWheelTest, EqualDeadlinesFireInTheOrderOfArming) {
  start(0, 50);
  for (TimerId id = 0; id < 50; ++id) arm(id, 1000 * kTick);
  EXPECT_TRUE(advance(1000 * kTick));
  EXPECT_TRUE(std::is_sorted(fired_.begin(), fired_.end()));
}

}  // namespace
}  // namespace pairport

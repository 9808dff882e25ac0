// SPDX-License-Identifier: MIT
// Invariants that guard memory: who breaks one is stopped before it writes, in release builds too.
#include "core/base/check.h"

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "core/base/writer.h"
#include "core/limits/fair_queue.h"
#include "core/limits/victims.h"
#include "core/store/slab.h"
#include "core/store/timer_wheel.h"

namespace pairport {
namespace {

class CheckDeathTest : public ::testing::Test {
 protected:
  // Other tests of the process may have threads.
  CheckDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(CheckDeathTest, WhatHoldsCostsNothingAndWhatDoesNotEndsTheProcess) {
  PAIRPORT_CHECK(1 + 1 == 2);
  EXPECT_DEATH(PAIRPORT_CHECK(1 + 1 == 3), "");
}

TEST_F(CheckDeathTest, TextThatIsLongerThanTheRoom) {
  std::array<char, 4> room{};
  Writer fits(room);
  EXPECT_EQ(fits.text("1234").written(), "1234");
  EXPECT_DEATH(Writer(room).text("12345"), "");
  EXPECT_DEATH(Writer(room).text("1234").text("5"), "");
}

TEST_F(CheckDeathTest, ARecordThatIsReleasedTwice) {
  Slab slab(SecretLevel::kPlain);
  const Slab::Ref ref = slab.allocate(100, std::size_t{1} << 30);
  ASSERT_NE(ref, Slab::kNone);
  EXPECT_DEATH(slab.release(ref, 3000), "") << "as one of another size";
  slab.release(ref, 100);
  EXPECT_DEATH(slab.release(ref, 100), "");
  EXPECT_DEATH(slab.allocate(Slab::kMaxSize + 1, std::size_t{1} << 30), "");
}

TEST_F(CheckDeathTest, AWaiterThatWaitsAlready) {
  FairQueue queue(10, 1);
  FairQueue::Waiter waiter;
  EXPECT_EQ(queue.push(waiter, {}, false), nullptr);
  EXPECT_DEATH(queue.push(waiter, {}, true), "");
  queue.remove(waiter);
}

TEST_F(CheckDeathTest, ACandidateThatIsAddedTwiceOrOutlivesItsTable) {
  Result<std::unique_ptr<Victims>> created = Victims::create(10, 1);
  ASSERT_TRUE(created.ok());
  std::unique_ptr<Victims> victims = std::move(created).value();
  Victims::Candidate candidate;
  ASSERT_TRUE(victims->add(candidate, nullptr, 0));
  EXPECT_DEATH(victims->add(candidate, nullptr, 0), "");
  EXPECT_DEATH(victims.reset(), "") << "the candidate still points to it";
  victims->remove(candidate);
}

struct NoNodes {
  TimerLinks& links(TimerId) noexcept { return only; }
  std::uint64_t deadline(TimerId) noexcept { return 1000; }
  TimerLinks only;
};

TEST_F(CheckDeathTest, ATimerWithTheNumberOfAListAndOneThatIsNotArmed) {
  NoNodes nodes;
  TimerWheel<NoNodes> wheel(nodes, 0);
  EXPECT_DEATH(wheel.arm(kFirstReservedTimerId), "");
  EXPECT_DEATH(wheel.cancel(1), "");
}

}  // namespace
}  // namespace pairport

// SPDX-License-Identifier: MIT
#include "core/limits/fair_queue.h"

#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

ClientKey client(unsigned number) {
  ClientKey key;
  key.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  key.bytes[15] = static_cast<std::uint8_t>(number);
  return key;
}

struct Named : FairQueue::Waiter {
  explicit Named(std::string text) : name(std::move(text)) {}
  std::string name;
};

class FairQueueTest : public ::testing::Test {
 protected:
  // The name of the one that was dropped, or "".
  std::string push(const std::string& name, unsigned number, bool is_late = false) {
    waiters_.emplace_back(name);
    return name_of(queue_.push(waiters_.back(), client(number), is_late));
  }
  std::string pop() { return name_of(queue_.pop()); }
  std::string pop_all() {
    std::string names;
    while (FairQueue::Waiter* next = queue_.pop()) names += name_of(next);
    return names;
  }
  static std::string name_of(FairQueue::Waiter* waiter) {
    return waiter == nullptr ? "" : static_cast<Named*>(waiter)->name;
  }

  std::deque<Named> waiters_;
  FairQueue queue_{100, 1};
};

TEST_F(FairQueueTest, AnEmptyOneHasNobody) {
  EXPECT_EQ(pop(), "");
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(FairQueueTest, OneClientIsServedInItsOrder) {
  for (const char* name : {"a", "b", "c"}) push(name, 1);
  EXPECT_EQ(pop_all(), "abc");
}

TEST_F(FairQueueTest, AClientWithManyDelaysOneWithFewByOne) {
  for (int i = 0; i < 50; ++i) push("many", 1);
  pop();
  push("few", 2);
  const std::vector<std::string> next{pop(), pop()};
  EXPECT_TRUE(next[0] == "few" || next[1] == "few");
}

TEST_F(FairQueueTest, TheOldestOfWhoHasMostIsDroppedAndNeverTheNewcomer) {
  for (int i = 0; i < 99; ++i) EXPECT_EQ(push("many" + std::to_string(i), 1), "");
  EXPECT_EQ(push("few", 2), "");
  EXPECT_EQ(push("one more", 2), "many0");
  EXPECT_EQ(push("too many", 1), "many1");
  EXPECT_EQ(queue_.size(), 100U);
}

TEST_F(FairQueueTest, OfTwoLongestQueuesTheLateOneIsShortened) {
  for (int i = 0; i < 50; ++i) push("in time" + std::to_string(i), 1);
  for (int i = 0; i < 49; ++i) push("late" + std::to_string(i), 2, true);
  push("another", 3);
  EXPECT_EQ(push("one more", 2, true), "late0");
  EXPECT_EQ(push("too many", 1), "in time0");
}

TEST_F(FairQueueTest, WhoIsLateLosesItsTurnButNotItsService) {
  for (int i = 0; i < 10; ++i) push("l", 1, true);
  for (int i = 0; i < 20; ++i) push("i", 2);
  EXPECT_EQ(pop_all(), "iiiiiiiliiiiiiiliiiiiillllllll");
  push("l", 1, true);
  EXPECT_EQ(pop(), "l") << "nobody else waits";
}

TEST_F(FairQueueTest, WhoIsRemovedFromTheLateOnesIsNotServed) {
  for (const char* name : {"a", "b", "c"}) push(name, 1, true);
  queue_.remove(waiters_[1]);
  EXPECT_EQ(queue_.size(), 2U);
  EXPECT_EQ(pop_all(), "ac");
}

TEST_F(FairQueueTest, WhoIsRemovedIsNotServed) {
  for (const char* name : {"a", "b", "c"}) push(name, 1);
  queue_.remove(waiters_[1]);
  queue_.remove(waiters_[1]);
  EXPECT_FALSE(waiters_[1].is_waiting());
  EXPECT_EQ(pop_all(), "ac");
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(FairQueueTest, EveryOneIsServedOnce) {
  FairQueue queue(10'000, 7);
  std::deque<Named> waiters;
  for (unsigned i = 0; i < 5'000; ++i) {
    waiters.emplace_back(std::to_string(i));
    ASSERT_EQ(queue.push(waiters.back(), client(i % 700)), nullptr);
  }
  std::set<FairQueue::Waiter*> served;
  while (FairQueue::Waiter* next = queue.pop()) served.insert(next);
  EXPECT_EQ(served.size(), 5'000U);
}

TEST_F(FairQueueTest, TheSeedDecidesWhoSharesAQueue) {
  // With ten thousand clients and 1024 queues some share one; which of them depends on the seed.
  const auto shares = [](std::uint64_t seed, unsigned number) {
    FairQueue queue(10, seed);
    Named first("first");
    Named second("second");
    Named other("other");
    queue.push(first, client(1));
    queue.push(second, client(1));
    queue.push(other, client(number));
    std::string order;
    while (FairQueue::Waiter* next = queue.pop()) order += name_of(next)[0];
    return order == "fso";
  };
  std::set<unsigned> with_seed_1;
  std::set<unsigned> with_seed_2;
  for (unsigned number = 2; number < 10'000; ++number) {
    if (shares(1, number)) with_seed_1.insert(number);
    if (shares(2, number)) with_seed_2.insert(number);
  }
  EXPECT_FALSE(with_seed_1.empty());
  EXPECT_NE(with_seed_1, with_seed_2);
}

}  // namespace
}  // namespace pairport

// SPDX-License-Identifier: MIT
#include "core/base/intrusive_list.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

struct Item {
  ListLinks<Item> links;
  ListLinks<Item> other_links;
};
using List = IntrusiveList<Item, &Item::links>;
using OtherList = IntrusiveList<Item, &Item::other_links>;

std::vector<const Item*> forwards(const List& list) {
  std::vector<const Item*> items;
  for (const Item* item = list.first; item != nullptr; item = item->links.behind) items.push_back(item);
  return items;
}
std::vector<const Item*> backwards(const List& list) {
  std::vector<const Item*> items;
  for (const Item* item = list.last; item != nullptr; item = item->links.before) items.insert(items.begin(), item);
  return items;
}

class IntrusiveListTest : public ::testing::Test {
 protected:
  void expect(const std::vector<const Item*>& items) {
    EXPECT_EQ(forwards(list_), items);
    EXPECT_EQ(backwards(list_), items);
    EXPECT_EQ(list_.empty(), items.empty());
  }

  Item a_, b_, c_;
  List list_;
};

TEST_F(IntrusiveListTest, KeepsTheOrderInWhichItemsWerePushed) {
  expect({});
  list_.push(a_);
  expect({&a_});
  list_.push(b_);
  list_.push(c_);
  expect({&a_, &b_, &c_});
}

TEST_F(IntrusiveListTest, RemovesTheFirstTheLastAndOneBetween) {
  for (Item* item : {&a_, &b_, &c_}) list_.push(*item);
  list_.remove(b_);
  expect({&a_, &c_});
  list_.push(b_);
  list_.remove(a_);
  expect({&c_, &b_});
  list_.remove(b_);
  expect({&c_});
  list_.remove(c_);
  expect({});
  list_.push(a_);
  expect({&a_});
}

TEST_F(IntrusiveListTest, RotatesTheFirstToTheEnd) {
  for (Item* item : {&a_, &b_, &c_}) list_.push(*item);
  EXPECT_EQ(&list_.rotate(), &a_);
  expect({&b_, &c_, &a_});
  list_.remove(b_);
  list_.remove(c_);
  EXPECT_EQ(&list_.rotate(), &a_);
  expect({&a_});
}

TEST_F(IntrusiveListTest, AnItemMayBeInSeveralListsByLinksOfItsOwn) {
  OtherList other;
  list_.push(a_);
  list_.push(b_);
  other.push(b_);
  other.push(a_);
  list_.remove(a_);
  expect({&b_});
  EXPECT_EQ(other.first, &b_);
  EXPECT_EQ(other.last, &a_);
}

TEST_F(IntrusiveListTest, ZeroedMemoryIsAnEmptyList) {
  alignas(List) unsigned char memory[sizeof(List)] = {};
  List list;
  std::memcpy(static_cast<void*>(&list), memory, sizeof(list));
  EXPECT_TRUE(list.empty());
  list.push(a_);
  EXPECT_EQ(list.last, &a_);
}

}  // namespace
}  // namespace pairport

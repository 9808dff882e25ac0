// SPDX-License-Identifier: MIT
#include "code_table.h"

#include <random>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

// Fixed sequences of 32-bit hashes.
class Hashes {
 public:
  explicit Hashes(std::uint32_t seed) : engine_(seed) {}
  std::uint32_t operator()() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_;
};

// A table beside a naive model of it. Every reference is used once, so it tells the entry.
class Book {
 public:
  bool add(std::uint32_t hash) {
    const std::size_t bound = table.memory_bytes() + table.growth_bytes();
    if (!table.reserve(hash)) return false;
    table.insert(hash, next_);
    EXPECT_LE(table.memory_bytes(), bound);
    entries.emplace_back(hash, next_);
    model.emplace(hash, next_++);
    return true;
  }
  void remove(std::size_t index) {
    const auto [hash, ref] = entries[index];
    table.erase(hash, ref);
    entries[index] = entries.back();
    entries.pop_back();
    for (auto [it, end] = model.equal_range(hash); it != end; ++it) {
      if (it->second == ref) {
        model.erase(it);
        break;
      }
    }
  }
  // All that the table has under `hash`.
  std::multiset<std::uint32_t> found(std::uint32_t hash) const {
    std::multiset<std::uint32_t> refs;
    EXPECT_EQ(table.find(hash,
                         [&](std::uint32_t ref) {
                           refs.insert(ref);
                           return false;
                         }),
              CodeTable::kNone);
    return refs;
  }
  std::multiset<std::uint32_t> expected(std::uint32_t hash) const {
    std::multiset<std::uint32_t> refs;
    for (auto [it, end] = model.equal_range(hash); it != end; ++it) refs.insert(it->second);
    return refs;
  }
  bool has(std::uint32_t hash, std::uint32_t ref) const {
    return table.find(hash, [ref](std::uint32_t candidate) { return candidate == ref; }) == ref;
  }
  void check_all() const {
    for (const auto& [hash, ref] : entries) ASSERT_TRUE(has(hash, ref)) << hash;
  }

  CodeTable table;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> entries;
  std::unordered_multimap<std::uint32_t, std::uint32_t> model;

 private:
  std::uint32_t next_ = 0;
};

TEST(CodeTable, AnEmptyOneFindsNothing) {
  const CodeTable table;
  for (const std::uint32_t hash : {0U, 1U, 0x80000000U, 0xffffffffU}) {
    EXPECT_EQ(table.find(hash, [](std::uint32_t) { return true; }), CodeTable::kNone);
  }
}

TEST(CodeTable, ReserveAloneAddsNothing) {
  CodeTable table;
  ASSERT_TRUE(table.reserve(5));
  EXPECT_EQ(table.find(5, [](std::uint32_t) { return true; }), CodeTable::kNone);
}

TEST(CodeTable, AgreesWithAModelOverRandomOperations) {
  Book book;
  Hashes engine(1);
  std::size_t peak = 0;
  // Waves of growth and of decay, so that segments split and merge many times.
  for (int i = 0; i < 400'000; ++i) {
    const bool growing = (i / 50'000) % 2 == 0;
    const unsigned dice = engine() % 10;
    if (book.entries.empty() || dice < (growing ? 8U : 2U)) {
      // Some hashes repeat.
      std::uint32_t hash = engine();
      if (dice == 0) hash &= 0xfff00000U;
      ASSERT_TRUE(book.add(hash));
    } else {
      book.remove(engine() % book.entries.size());
    }
    peak = std::max(peak, book.entries.size());
    if (i % 16 == 0 && !book.entries.empty()) {
      const std::uint32_t known = book.entries[engine() % book.entries.size()].first;
      ASSERT_EQ(book.found(known), book.expected(known));
      const std::uint32_t any = engine();
      ASSERT_EQ(book.found(any), book.expected(any));
    }
    if (i % 50'000 == 49'999) book.check_all();
  }
  EXPECT_GT(peak, 25'000U);
  book.check_all();
}

TEST(CodeTable, GivesMemoryBackWhenItEmpties) {
  Book book;
  Hashes engine(2);
  for (int i = 0; i < 200'000; ++i) ASSERT_TRUE(book.add(engine()));
  const std::size_t full = book.table.memory_bytes();
  EXPECT_LT(full, 200'000U * 20) << "bytes per entry";
  while (!book.entries.empty()) book.remove(engine() % book.entries.size());
  EXPECT_LT(book.table.memory_bytes(), 16U * 1024);
  // And works as before.
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(book.add(engine()));
  book.check_all();
}

TEST(CodeTable, IsNotConfusedByWrappedRunsAtTheEndOfASegment) {
  // All of them start in the last slots of a segment and run on into its first.
  Book book;
  Hashes engine(3);
  for (int i = 0; i < 20'000; ++i) {
    if (book.entries.size() < 300 && engine() % 2 == 0) {
      ASSERT_TRUE(book.add(0x3f8U | (engine() % 8) | (engine() % 2) << 31));
    } else if (!book.entries.empty()) {
      book.remove(engine() % book.entries.size());
    }
    if (i % 64 == 0) book.check_all();
  }
}

TEST(CodeTable, ManyEntriesMayShareOneHash) {
  Book book;
  for (int i = 0; i < 700; ++i) ASSERT_TRUE(book.add(0xdeadbeefU));
  EXPECT_EQ(book.found(0xdeadbeefU), book.expected(0xdeadbeefU));
  EXPECT_TRUE(book.found(0xdeadbeeeU).empty());
  while (!book.entries.empty()) book.remove(book.entries.size() / 2);
  EXPECT_TRUE(book.found(0xdeadbeefU).empty());
}

TEST(CodeTable, MoreEntriesWithOneHashThanASegmentHoldsAreRefusedNotLost) {
  // Nobody can arrange this without the seed; it must end in a refusal all the same, not in an endless split.
  Book book;
  std::size_t added = 0;
  for (; added < 2000 && book.table.reserve(7); ++added) {
    book.table.insert(7, static_cast<std::uint32_t>(added));
  }
  EXPECT_EQ(added, 768U) << "three quarters of a segment";
  EXPECT_FALSE(book.table.reserve(7));
  EXPECT_EQ(book.found(7).size(), added);
  ASSERT_TRUE(book.table.reserve(0xf0000007U)) << "others still have room";
  book.table.insert(0xf0000007U, 5000);
  EXPECT_TRUE(book.has(0xf0000007U, 5000));
  for (std::size_t i = 0; i < added; ++i) book.table.erase(7, static_cast<std::uint32_t>(i));
  EXPECT_TRUE(book.found(7).empty());
  EXPECT_TRUE(book.has(0xf0000007U, 5000));
  EXPECT_LT(book.table.memory_bytes(), 1024U * 1024) << "the directory shrinks again";
}

}  // namespace
}  // namespace pairport

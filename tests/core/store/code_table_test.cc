// SPDX-License-Identifier: MIT
#include "core/store/code_table.h"

#include <random>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

constexpr std::size_t kMany = 1'000'000;

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
  // With or without growth ahead of need: both must work, in any mixture.
  bool add(std::uint32_t hash, bool prepare = true) {
    const std::size_t bound = table.memory_bytes() + table.growth_bytes();
    if (!table.reserve(hash)) return false;
    table.insert(hash, next_);
    if (prepare) table.prepare(hash);
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

  CodeTable table{kMany};
  std::vector<std::pair<std::uint32_t, std::uint32_t>> entries;
  std::unordered_multimap<std::uint32_t, std::uint32_t> model;

 private:
  std::uint32_t next_ = 0;
};

TEST(CodeTable, AnEmptyOneFindsNothing) {
  const CodeTable table(kMany);
  ASSERT_TRUE(table);
  for (const std::uint32_t hash : {0U, 1U, 0x80000000U, 0xffffffffU}) {
    EXPECT_EQ(table.find(hash, [](std::uint32_t) { return true; }), CodeTable::kNone);
  }
}

TEST(CodeTable, ReserveAloneAddsNothing) {
  CodeTable table(kMany);
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
      if (dice == 0) hash &= 0xfffU;
      ASSERT_TRUE(book.add(hash, i % 3 != 0));
    } else {
      book.remove(engine() % book.entries.size());
    }
    if (i % 64 == 0 && book.table.trimmable()) book.table.trim();
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
  EXPECT_LT(full, 200'000U * 18) << "bytes per entry";
  while (!book.entries.empty()) book.remove(engine() % book.entries.size());
  EXPECT_EQ(book.table.memory_bytes(), full) << "erasing never takes the time to give memory back";
  std::size_t steps = 0;
  for (; book.table.trimmable(); ++steps) {
    const std::size_t before = book.table.memory_bytes();
    book.table.trim();
    ASSERT_LT(book.table.memory_bytes(), before);
    ASSERT_GE(book.table.memory_bytes() + 64 * 1024, before) << "two segments a step, not more";
  }
  EXPECT_GT(steps, 100U);
  EXPECT_LE(book.table.memory_bytes(), 20U * 1024);
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
  while (book.entries.size() < 5000 && book.add(7)) {
  }
  const std::size_t added = book.entries.size();
  EXPECT_EQ(added, 1536U) << "three quarters of a segment";
  EXPECT_FALSE(book.table.reserve(7));
  EXPECT_EQ(book.found(7).size(), added);
  EXPECT_LT(book.table.memory_bytes(), 64U * 1024) << "the splits that did not help stay few";
  ASSERT_TRUE(book.add(6)) << "others still have room";
  EXPECT_EQ(book.found(6), book.expected(6));
  while (book.table.trimmable()) book.table.trim();
  EXPECT_EQ(book.found(7), book.expected(7)) << "segments are merged only where that leaves room";
  while (!book.entries.empty()) book.remove(0);
  EXPECT_TRUE(book.found(7).empty());
  while (book.table.trimmable()) book.table.trim();
  EXPECT_LE(book.table.memory_bytes(), 20U * 1024);
}

TEST(CodeTable, ASegmentThatIsFullLeavesItsNeighboursAlone) {
  Book book;
  Hashes hashes(11);
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(book.add(hashes()));
  while (book.entries.size() < 5000 && book.add(7)) {
  }
  EXPECT_GT(book.entries.size(), 1536U);
  // Splits the full one, too, which may still have no room.
  for (int i = 0; i < 8000; ++i) book.add(hashes());
  EXPECT_GT(book.entries.size(), 8000U);
  book.check_all();
  while (book.entries.size() > 1800) book.remove(book.entries.size() - 1);
  while (book.table.trimmable()) book.table.trim();
  book.check_all();
}

// What keeps pauses short, without a clock: bytes that one insertion adds. Doubling anything would show.
TEST(CodeTable, NoInsertionGrowsMoreThanASegmentHoweverLargeTheTable) {
  Book book;
  Hashes engine(8);
  std::size_t splits = 0;
  for (std::size_t i = 0; i < kMany; ++i) {
    const std::uint32_t hash = engine();
    const std::size_t before = book.table.memory_bytes();
    ASSERT_TRUE(book.table.reserve(hash));
    ASSERT_EQ(book.table.memory_bytes(), before) << "what was prepared is there: " << i;
    book.table.insert(hash, static_cast<std::uint32_t>(i));
    book.table.prepare(hash);
    ASSERT_LE(book.table.memory_bytes(), before + 3 * 4096) << i;
    splits += book.table.memory_bytes() > before ? 1U : 0U;
  }
  EXPECT_GT(splits, kMany / 1000);
  EXPECT_LT(book.table.memory_bytes(), kMany * 18);
}

TEST(CodeTable, HoldsSomewhatMoreThanItWasMadeFor) {
  // The last segments are filled unevenly: all of what was promised must fit, wherever the hashes fall.
  for (const std::size_t promised : {std::size_t{0}, std::size_t{1}, std::size_t{511}, std::size_t{5000}}) {
    CodeTable table(promised);
    Hashes engine(11);
    for (std::size_t i = 0; i < promised + 200; ++i) {
      const std::uint32_t hash = engine();
      ASSERT_TRUE(table.reserve(hash)) << promised << " " << i;
      table.insert(hash, static_cast<std::uint32_t>(i));
    }
  }
}

TEST(CodeTable, SaysThatThereIsNoAddressSpace) {
  EXPECT_FALSE(CodeTable(std::size_t{1} << 60));
  EXPECT_FALSE(CodeTable(static_cast<std::size_t>(-1)));
}

}  // namespace
}  // namespace pairport

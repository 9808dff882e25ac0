// SPDX-License-Identifier: MIT
#include "core/store/slab.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

constexpr std::size_t kPlenty = std::size_t{1} << 40;

class SlabTest : public ::testing::Test {
 protected:
  struct Record {
    Slab::Ref ref;
    std::size_t size;
    unsigned char mark;
  };

  bool allocate(std::size_t size, std::size_t allowed = kPlenty) {
    const Slab::Ref ref = slab_.allocate(size, allowed);
    if (ref == Slab::kNone) return false;
    const std::byte* memory = slab_.at(ref);
    EXPECT_EQ(std::find_if(memory, memory + size, [](std::byte b) { return b != std::byte{0}; }), memory + size)
        << "fresh memory is zero";
    const auto mark = static_cast<unsigned char>(1 + records_.size() % 255);
    std::memset(slab_.at(ref), mark, size);
    records_.push_back({ref, size, mark});
    return true;
  }
  void check(const Record& record) {
    const std::byte* memory = slab_.at(record.ref);
    ASSERT_TRUE(std::all_of(memory, memory + record.size, [&](std::byte b) { return b == std::byte{record.mark}; }))
        << "somebody else wrote into a record";
  }
  void release(std::size_t index) {
    const Record record = records_[index];
    check(record);
    wipe(slab_.at(record.ref), record.size);
    slab_.release(record.ref, record.size);
    records_[index] = records_.back();
    records_.pop_back();
  }
  // Gives back all that may be given back.
  std::size_t trim() {
    std::size_t steps = 0;
    for (; slab_.trimmable(); ++steps) {
      const std::size_t before = slab_.mapped_bytes();
      slab_.trim();
      EXPECT_EQ(slab_.mapped_bytes(), before - Slab::kChunkSize) << "one chunk a step";
    }
    return steps;
  }

  Slab slab_{SecretLevel::kPlain};
  std::vector<Record> records_;
};

TEST_F(SlabTest, EverySizeFitsWithoutTouchingItsNeighbours) {
  for (std::size_t size = 1; size <= Slab::kMaxSize; ++size) {
    ASSERT_TRUE(allocate(size));
    ASSERT_TRUE(allocate(size));
  }
  // Pairwise apart.
  std::map<const std::byte*, std::size_t> places;
  for (const Record& record : records_) places[slab_.at(record.ref)] = record.size;
  ASSERT_EQ(places.size(), records_.size());
  const std::byte* end = nullptr;
  for (const auto& [begin, size] : places) {
    ASSERT_GE(begin, end);
    end = begin + size;
  }
  for (const Record& record : records_) check(record);
}

TEST_F(SlabTest, AgreesWithItselfOverRandomOperations) {
  std::mt19937 engine(4);
  for (int i = 0; i < 200'000; ++i) {
    const bool growing = (i / 20'000) % 2 == 0;
    if (records_.empty() || engine() % 10 < (growing ? 7U : 3U)) {
      const std::size_t size = engine() % 20 == 0 ? 1 + engine() % Slab::kMaxSize : 100 + engine() % 200;
      ASSERT_TRUE(allocate(size));
    } else {
      release(engine() % records_.size());
    }
  }
  const std::size_t full = slab_.mapped_bytes();
  while (!records_.empty()) release(records_.size() - 1);
  EXPECT_EQ(slab_.mapped_bytes(), full) << "a release never takes the time to unmap";
  EXPECT_EQ(trim(), full / Slab::kChunkSize - 1);
  EXPECT_EQ(slab_.mapped_bytes(), Slab::kChunkSize) << "one chunk stays in reserve";
}

TEST_F(SlabTest, NeverMapsMoreThanAllowed) {
  EXPECT_FALSE(allocate(100, 0));
  EXPECT_FALSE(allocate(100, Slab::kChunkSize - 1));
  EXPECT_EQ(slab_.mapped_bytes(), 0U);
  EXPECT_TRUE(allocate(100, Slab::kChunkSize));
  std::size_t count = 1;
  while (allocate(200, 3 * Slab::kChunkSize)) ++count;
  EXPECT_EQ(slab_.mapped_bytes(), 3 * Slab::kChunkSize);
  EXPECT_GT(count, 3 * Slab::kChunkSize / 250);
  EXPECT_TRUE(allocate(100, 0)) << "room that is mapped already may be used";
  EXPECT_FALSE(allocate(300, 0)) << "but not for another size: pages hold records of one size";
}

TEST_F(SlabTest, MapsAheadWhatItWouldMapNext) {
  ASSERT_TRUE(allocate(Slab::kMaxSize));
  slab_.prepare(kPlenty);
  EXPECT_EQ(slab_.mapped_bytes(), Slab::kChunkSize) << "there are pages left";
  // To the last page of the chunk.
  std::size_t mapped_by_allocate = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::size_t before = slab_.mapped_bytes();
    ASSERT_TRUE(allocate(Slab::kMaxSize));
    mapped_by_allocate += slab_.mapped_bytes() - before;
    slab_.prepare(slab_.mapped_bytes());
    EXPECT_EQ(slab_.mapped_bytes(), before) << "not beyond what is allowed";
    slab_.prepare(kPlenty);
    slab_.prepare(kPlenty);
    EXPECT_LE(slab_.mapped_bytes(), before + Slab::kChunkSize) << "one, not more";
  }
  EXPECT_EQ(mapped_by_allocate, 0U);
}

TEST_F(SlabTest, TellsMemoryThatNobodyTouchedYet) {
  std::set<std::uintptr_t> touched;
  for (int i = 0; i < 5000; ++i) {
    const std::size_t size = i % 7 == 0 ? 3000 : 200;
    ASSERT_TRUE(allocate(size));
    const auto begin = reinterpret_cast<std::uintptr_t>(slab_.at(records_.back().ref));
    bool fresh = false;
    for (std::uintptr_t page = begin / 4096; page <= (begin + size - 1) / 4096; ++page) {
      fresh = touched.insert(page).second || fresh;
    }
    ASSERT_TRUE(slab_.touched_new_memory() || !fresh) << i;
  }
  const std::size_t pages = touched.size();
  EXPECT_GT(pages, 200U);
  release(records_.size() - 1);
  ASSERT_TRUE(allocate(200));
  EXPECT_FALSE(slab_.touched_new_memory()) << "the place of another";
}

TEST_F(SlabTest, UsesAFreedRecordAgain) {
  ASSERT_TRUE(allocate(150));
  ASSERT_TRUE(allocate(150));
  const Slab::Ref first = records_[0].ref;
  release(0);
  ASSERT_TRUE(allocate(150));
  EXPECT_EQ(records_.back().ref, first);
}

TEST_F(SlabTest, ChunksComeAndGoInAnyOrder) {
  std::mt19937 engine(5);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3'000; ++i) ASSERT_TRUE(allocate(1000));
    const std::size_t full = slab_.mapped_bytes();
    EXPECT_GE(full, 12 * Slab::kChunkSize);
    std::shuffle(records_.begin(), records_.end(), engine);
    while (records_.size() > 5) release(records_.size() - 1);
    EXPECT_GT(trim(), 4U);
    EXPECT_LE(slab_.mapped_bytes(), 6 * Slab::kChunkSize);
  }
}

TEST_F(SlabTest, PaysAtMostAFifthForAnySize) {
  for (const std::size_t size : {17U, 150U, 208U, 513U, 1025U, 2000U, 3400U, 3584U}) {
    Slab slab(SecretLevel::kPlain);
    std::size_t count = 0;
    while (slab.allocate(size, Slab::kChunkSize) != Slab::kNone) ++count;
    const double wasted = 1 - static_cast<double>(count * size) / Slab::kChunkSize;
    EXPECT_LT(wasted, size < 100 ? 0.5 : 0.22) << size;
  }
}

TEST_F(SlabTest, ReportsTheLevelOfItsMemory) {
  EXPECT_EQ(slab_.level(), SecretLevel::kMemfdSecret) << "nothing worse was seen yet";
  ASSERT_TRUE(allocate(1));
  EXPECT_EQ(slab_.level(), SecretBlock::map(Slab::kChunkSize).level());
}

}  // namespace
}  // namespace pairport

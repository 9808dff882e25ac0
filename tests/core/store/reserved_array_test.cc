// SPDX-License-Identifier: MIT
#include "core/store/reserved_array.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include <gtest/gtest.h>

#include "core/store/code_table.h"

namespace pairport {
namespace {

TEST(ReservedArray, WhatIsDiscardedIsZeroAndOnlyThat) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) / sizeof(std::uint64_t);
  ReservedArray<std::uint64_t> array(4 * page);
  ASSERT_TRUE(array);
  EXPECT_EQ(array.capacity(), 4 * page);
  for (std::size_t i = 0; i < 4 * page; ++i) {
    ASSERT_EQ(array[i], 0U);
    array[i] = i + 1;
  }
  array.discard(0, 0);
  EXPECT_EQ(array[0], 1U) << "nothing is nothing";
  array.discard(page, 2 * page);
  for (std::size_t i = 0; i < 4 * page; ++i) ASSERT_EQ(array[i], i < page || i >= 3 * page ? i + 1 : 0) << i;
}

TEST(ReservedArray, ItsAddressSpaceGoesBack) {
  void* place = nullptr;
  {
    ReservedArray<std::uint64_t> array(1 << 20);
    array[0] = 1;
    place = &array[0];
    EXPECT_EQ(msync(place, 1, MS_ASYNC), 0) << "it is mapped";
  }
  EXPECT_NE(msync(place, 1, MS_ASYNC), 0) << "it is mapped no more";
}

TEST(CodeTableMemory, OfAnEmptyOneIsOnePageAndTheBookkeepingOfASegment) {
  CodeTable table(1'000'000);
  EXPECT_EQ(table.memory_bytes(), 4096U + 3);
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    ASSERT_TRUE(table.reserve(i));
    table.insert(i, i);
  }
  for (std::uint32_t i = 0; i < 5'000; ++i) table.erase(i, i);
  while (table.trimmable()) table.trim();
  EXPECT_EQ(table.memory_bytes(), 4096U + 3);
}

}  // namespace
}  // namespace pairport

// SPDX-License-Identifier: MIT
// That the time is the same is the library's promise: measured on a busy machine, it would say nothing.
#include "core/crypto/constant_time.h"

#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

#include "support/hex.h"

namespace pairport::testing {
namespace {

TEST(EqualInConstantTime, EveryBitCounts) {
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 7, 8, 9, 16, 32, 33}) {
    const std::vector<std::uint8_t> one = counting(1, size);
    std::vector<std::uint8_t> other = one;
    EXPECT_TRUE(equal_in_constant_time(one, other));
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      other[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      EXPECT_FALSE(equal_in_constant_time(one, other)) << "bit " << bit << " of " << size << " bytes";
      other = one;
    }
  }
}

TEST(EqualInConstantTime, AnotherSizeIsNotEqual) {
  const std::vector<std::uint8_t> bytes = counting(1, 32);
  EXPECT_FALSE(equal_in_constant_time(bytes, Bytes(bytes).first(31)));
  EXPECT_FALSE(equal_in_constant_time(Bytes(bytes).first(31), bytes));
  EXPECT_FALSE(equal_in_constant_time({}, bytes));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
#include "core/store/log_hash.h"

#include <bit>
#include <cstdint>
#include <limits>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <pairport/code.h>

namespace pairport::testing {
namespace {

// From Python: hmac.digest(struct.pack("<Q", seed), code, "sha256").hex()[:8].
TEST(LogHash, IsTheBeginningOfHmacSha256) {
  EXPECT_EQ(short_code_hash("aaaaaaaaaa", 0), 0x30ba9156U);
  EXPECT_EQ(short_code_hash("abcdefghij", 0x0123456789abcdef), 0x4046a816U);
  EXPECT_EQ(short_code_hash("1234567", 1), 0xfd003f33U);
  EXPECT_EQ(short_code_hash("", 1), 0x2f873816U);
  EXPECT_EQ(short_code_hash(std::string(kMaxCodeLength, 'Z'), std::numeric_limits<std::uint64_t>::max()), 0x5c706c11U);
}

TEST(LogHash, OneSeedServesAnyNumberOfCodes) {
  const LogHash hash(0x0123456789abcdef);
  for (int i = 0; i < 1000; ++i) {
    const std::string code = "code" + std::to_string(100'000 + i);
    EXPECT_EQ(hash(code), short_code_hash(code, 0x0123456789abcdef));
    EXPECT_EQ(hash("abcdefghij"), 0x4046a816U);
  }
}

// Each bit of the seed counts, and changes half of the bits of the hash: who knows one hash knows nothing of another.
TEST(LogHash, EveryBitOfTheSeedCounts) {
  std::set<std::uint32_t> hashes;
  int changed = 0;
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint32_t hash = short_code_hash("abcdefghij", std::uint64_t{1} << bit);
    hashes.insert(hash);
    changed += std::popcount(hash ^ short_code_hash("abcdefghij", 0));
  }
  EXPECT_EQ(hashes.size(), 64U);
  EXPECT_NEAR(changed, 64 * 16, 128) << "of 2048 bits; six standard deviations are 136";
}

}  // namespace
}  // namespace pairport::testing

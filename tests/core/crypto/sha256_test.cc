// SPDX-License-Identifier: MIT
#include "core/crypto/sha256.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "support/hex.h"

namespace pairport::testing {
namespace {

std::string sha256_of(std::string_view message) {
  const std::optional<Sha256Digest> digest = sha256(bytes_of(message));
  return digest ? to_hex(*digest) : "failed";
}

// FIPS 180-2 appendix B, and the digest of nothing.
TEST(Sha256, IsThatOfTheStandard) {
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_of(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// A block has 64 bytes, and the last one must have room for nine more. From Python's hashlib.
TEST(Sha256, AroundTheBordersOfBlocks) {
  EXPECT_EQ(sha256_of(std::string(55, 'b')), "eb2c86e932179f4ba13fe8715a26124b77d6bad290b9b4c1cc140cf633300c19");
  EXPECT_EQ(sha256_of(std::string(56, 'b')), "a5fc6e203a4c2b657d0d153885932414b2ffc6a93f0f8bf8b3183315e5a7212c");
  EXPECT_EQ(sha256_of(std::string(63, 'b')), "94e419fabac7f930810f9636354042f8c1426d2f834d4ab65c93dc1e69326b13");
  EXPECT_EQ(sha256_of(std::string(64, 'b')), "a0fab1377f49a759b57f63318262ebe89fabfc990e8e93ceac2984561482b9d4");
  EXPECT_EQ(sha256_of(std::string(65, 'b')), "74b128f30cf83de43ddf4aafc40c7b50a7443d3c73a89a7cfca17e15e43d51ab");
  EXPECT_EQ(sha256_of(std::string(119, 'b')), "68297a9eb141ce16bbc0847da1c0c48e2858704feaa13993bde29f87a198a6e1");
  EXPECT_EQ(sha256_of(std::string(120, 'b')), "392add47fbaa8197a874ebe770a947a26dd6f2becce5f64688cc4d18c9da93bd");
  EXPECT_EQ(sha256_of(std::string(127, 'b')), "7bdbefa63b6989e6a15abad9d52c0770bce07182a535b9a1b3d4c0e38c8b0856");
  EXPECT_EQ(sha256_of(std::string(128, 'b')), "70ae1c5307f5250d5cb9e40742ba9613fcdf9b8d9eb6dd393330443b2d5effbd");
  EXPECT_EQ(sha256_of(std::string(129, 'b')), "75c76be2aed2772327536dc2fa8759d16cbe7dc9c535954d7d1e05a11bdd3fc6");
}

}  // namespace
}  // namespace pairport::testing

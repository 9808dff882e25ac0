// SPDX-License-Identifier: MIT
#include "core/crypto/hkdf.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <mbedtls/hkdf.h>

#include "support/hex.h"

namespace pairport::testing {
namespace {

std::string extract(Bytes salt, Bytes secret) {
  SecretKey key;
  return hkdf_extract(salt, secret, key) ? to_hex(key.bytes()) : "failed";
}

std::string expand(Bytes key_bytes, Bytes info, std::size_t size) {
  SecretKey key;
  std::copy(key_bytes.begin(), key_bytes.end(), key.writable().begin());
  std::vector<std::uint8_t> out(size);
  return hkdf_expand(key, info, out) ? to_hex(out) : "failed";
}

struct Case {
  std::vector<std::uint8_t> secret;
  std::vector<std::uint8_t> salt;
  std::vector<std::uint8_t> info;
  std::string key;
  std::string derived;
};

// Appendix A.1 to A.3.
TEST(Hkdf, IsThatOfRfc5869) {
  const Case cases[] = {
      {std::vector<std::uint8_t>(22, 0x0b), counting(0, 13), counting(0xf0, 10),
       "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
      {counting(0, 80), counting(0x60, 80), counting(0xb0, 80),
       "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09"
       "b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
      {std::vector<std::uint8_t>(22, 0x0b),
       {},
       {},
       "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
  };
  for (const Case& row : cases) {
    EXPECT_EQ(extract(row.salt, row.secret), row.key);
    EXPECT_EQ(expand(from_hex(row.key), row.info, row.derived.size() / 2), row.derived);
  }
}

// The construction is ours; this one is the library's.
TEST(Hkdf, IsThatOfTheLibraryForEverySizeAroundTheBordersOfBlocks) {
  const mbedtls_md_info_t* const sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  const std::vector<std::uint8_t> key = counting(3, SecretKey::kSize);
  for (const std::size_t size : {std::size_t{1}, std::size_t{31}, std::size_t{32}, std::size_t{33}, std::size_t{64},
                                 std::size_t{65}, kMaxDerived - 1, kMaxDerived}) {
    for (const std::size_t info_size : std::initializer_list<std::size_t>{0, 1, 31, 32, 200}) {
      const std::vector<std::uint8_t> info = counting(90, info_size);
      std::vector<std::uint8_t> expected(size);
      ASSERT_EQ(mbedtls_hkdf_expand(sha256, key.data(), key.size(), info.data(), info.size(), expected.data(), size),
                0);
      EXPECT_EQ(expand(key, info, size), to_hex(expected));
    }
  }
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 32, 64, 65, 200}) {
    const std::vector<std::uint8_t> salt = counting(40, size);
    const std::vector<std::uint8_t> secret = counting(80, 200 - size);
    Sha256Digest expected;
    ASSERT_EQ(mbedtls_hkdf_extract(sha256, salt.data(), salt.size(), secret.data(), secret.size(), expected.data()), 0);
    EXPECT_EQ(extract(salt, secret), to_hex(expected));
  }
}

TEST(Hkdf, MoreThanTheStandardAllowsIsRefusedAndLeavesZeros) {
  const HmacKey key(bytes_of("key"));
  std::vector<std::uint8_t> out(kMaxDerived + 1, 0x5a);
  EXPECT_FALSE(hkdf_expand(key, bytes_of("info"), out));
  EXPECT_EQ(out, std::vector<std::uint8_t>(kMaxDerived + 1));
  EXPECT_TRUE(hkdf_expand(key, bytes_of("info"), std::span<std::uint8_t>()));
}

TEST(Hkdf, AKeyForEachPurposeAndOneForMany) {
  SecretKey root;
  ASSERT_TRUE(hkdf_extract(bytes_of("salt"), bytes_of("secret"), root));
  const HmacKey ready(root.bytes());
  SecretKey name;
  SecretKey value;
  ASSERT_TRUE(hkdf_expand(root, bytes_of("name"), name.writable()));
  ASSERT_TRUE(hkdf_expand(ready, bytes_of("value"), value.writable()));
  EXPECT_NE(to_hex(name.bytes()), to_hex(value.bytes()));
  SecretKey again;
  ASSERT_TRUE(hkdf_expand(ready, bytes_of("name"), again.writable()));
  EXPECT_EQ(to_hex(again.bytes()), to_hex(name.bytes()));
}

}  // namespace
}  // namespace pairport::testing

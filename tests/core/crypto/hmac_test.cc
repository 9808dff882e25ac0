// SPDX-License-Identifier: MIT
#include "core/crypto/hmac.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>
#include <mbedtls/md.h>

#include "support/hex.h"

namespace pairport::testing {
namespace {

static_assert(!std::is_copy_constructible_v<HmacKey> && !std::is_move_constructible_v<HmacKey>);
static_assert(!std::is_copy_assignable_v<HmacKey> && !std::is_move_assignable_v<HmacKey>);

std::string mac(Bytes key, std::string_view message) {
  const std::optional<Sha256Digest> digest = HmacKey(key).mac(bytes_of(message));
  return digest ? to_hex(*digest) : "failed";
}

TEST(Hmac, IsThatOfRfc4231) {
  const std::vector<std::uint8_t> large(131, 0xaa);
  EXPECT_EQ(mac(std::vector<std::uint8_t>(20, 0x0b), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(mac(bytes_of("Jefe"), "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(mac(std::vector<std::uint8_t>(20, 0xaa), std::string(50, '\xdd')),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(mac(counting(1, 25), std::string(50, '\xcd')),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  EXPECT_EQ(mac(std::vector<std::uint8_t>(20, 0x0c), "Test With Truncation").substr(0, 32),
            "a3b6167473100ee06e0c796c2955552b");
  EXPECT_EQ(mac(large, "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(mac(large,
                "This is a test using a larger than block-size key and a larger than block-size data. The key needs to "
                "be hashed before being used by the HMAC algorithm."),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

// The construction is ours; this one is the library's.
TEST(Hmac, IsThatOfTheLibraryForEverySizeAroundTheBordersOfBlocks) {
  const mbedtls_md_info_t* const sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  for (std::size_t key_size = 0; key_size <= 130; ++key_size) {
    const std::vector<std::uint8_t> key = counting(7, key_size);
    const HmacKey ready(key);
    for (const std::size_t size :
         std::initializer_list<std::size_t>{0, 1, 10, 54, 55, 56, 63, 64, 65, 119, 120, 128, 1000}) {
      const std::vector<std::uint8_t> message = counting(200, size);
      Sha256Digest expected;
      ASSERT_EQ(mbedtls_md_hmac(sha256, key.data(), key.size(), message.data(), message.size(), expected.data()), 0);
      EXPECT_EQ(ready.mac(message), expected) << "a key of " << key_size << " bytes, a message of " << size;
    }
  }
}

TEST(Hmac, PiecesAreOneMessage) {
  const HmacKey key(bytes_of("a key"));
  const auto whole = key.mac(bytes_of("one message"));
  ASSERT_TRUE(whole);
  EXPECT_EQ(key.mac({bytes_of("one"), bytes_of(""), Bytes(), bytes_of(" message")}), whole);
  EXPECT_EQ(key.mac({bytes_of("one message")}), whole);
  EXPECT_EQ(key.mac({}), key.mac(Bytes()));
  EXPECT_NE(key.mac({bytes_of("one")}), whole);
}

TEST(Hmac, AKeyServesAnyNumberOfMessages) {
  const HmacKey key(bytes_of("Jefe"));
  const auto first = key.mac(bytes_of("what do ya want for nothing?"));
  for (int i = 0; i < 100; ++i) {
    EXPECT_NE(key.mac(bytes_of(std::to_string(i))), first);
    EXPECT_EQ(key.mac(bytes_of("what do ya want for nothing?")), first);
  }
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
// The n-th call of mbedTLS fails, for every n. The software of Debian's packages never fails with arguments like ours;
// a build that computes in hardware may. This program's functions stand before those of the shared library: each does
// what the library's does, and then may say that it has failed.
#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include <pairport/code.h>

#include "core/crypto/aead.h"
#include "core/crypto/hkdf.h"
#include "core/crypto/hmac.h"
#include "core/crypto/sha256.h"
#include "support/hex.h"

namespace {

std::size_t calls = 0;
std::size_t fail_at = 0;  // the number of the call that fails; 0: none
constexpr int kHardwareFailed = -0x0070;

template <typename Function, typename... Arguments>
int call(const char* name, Function*, Arguments... arguments) {
  const auto function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
  const int result = function(arguments...);
  return ++calls == fail_at ? kHardwareFailed : result;
}

}  // namespace

extern "C" {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#define SHA256_FUNCTION(step) mbedtls_sha256_##step
#else
#define SHA256_FUNCTION(step) mbedtls_sha256_##step##_ret
#endif
#define NAME_OF(function) NAME_OF_EXPANDED(function)
#define NAME_OF_EXPANDED(function) #function

int SHA256_FUNCTION(starts)(mbedtls_sha256_context* context, int is224) {
  return call(NAME_OF(SHA256_FUNCTION(starts)), &SHA256_FUNCTION(starts), context, is224);
}
int SHA256_FUNCTION(update)(mbedtls_sha256_context* context, const unsigned char* input, std::size_t size) {
  return call(NAME_OF(SHA256_FUNCTION(update)), &SHA256_FUNCTION(update), context, input, size);
}
int SHA256_FUNCTION(finish)(mbedtls_sha256_context* context, unsigned char* output) {
  return call(NAME_OF(SHA256_FUNCTION(finish)), &SHA256_FUNCTION(finish), context, output);
}
int mbedtls_chachapoly_setkey(mbedtls_chachapoly_context* context, const unsigned char* key) {
  return call("mbedtls_chachapoly_setkey", &mbedtls_chachapoly_setkey, context, key);
}
int mbedtls_chachapoly_encrypt_and_tag(mbedtls_chachapoly_context* context, std::size_t size,
                                       const unsigned char* nonce, const unsigned char* associated,
                                       std::size_t associated_size, const unsigned char* input, unsigned char* output,
                                       unsigned char* tag) {
  return call("mbedtls_chachapoly_encrypt_and_tag", &mbedtls_chachapoly_encrypt_and_tag, context, size, nonce,
              associated, associated_size, input, output, tag);
}
int mbedtls_chachapoly_auth_decrypt(mbedtls_chachapoly_context* context, std::size_t size, const unsigned char* nonce,
                                    const unsigned char* associated, std::size_t associated_size,
                                    const unsigned char* tag, const unsigned char* input, unsigned char* output) {
  return call("mbedtls_chachapoly_auth_decrypt", &mbedtls_chachapoly_auth_decrypt, context, size, nonce, associated,
              associated_size, tag, input, output);
}
}

namespace pairport::testing {
namespace {

using Buffer = std::vector<std::uint8_t>;

// Runs `work` without a failure, which makes `count` calls, and with a failure at each of these. `work` returns whether
// all went well.
void fail_at_every_call(std::size_t count, const std::function<bool()>& work) {
  calls = 0;
  fail_at = 0;
  EXPECT_TRUE(work());
  EXPECT_EQ(calls, count);
  for (std::size_t n = 1; n <= count; ++n) {
    calls = 0;
    fail_at = n;
    EXPECT_FALSE(work()) << "call " << n << " has failed";
  }
  fail_at = 0;
}

TEST(FailingLibrary, NoDigest) {
  fail_at_every_call(3, [] { return sha256(bytes_of("message")).has_value(); });
}

TEST(FailingLibrary, NoCode) {
  // Two streams, each with a start and the key; then the message, the inner digest, that digest, and the outer one.
  fail_at_every_call(8, [] { return HmacKey(bytes_of("key")).mac(bytes_of("message")).has_value(); });
  // The key's digest before.
  fail_at_every_call(11, [] { return HmacKey(Buffer(100)).mac(bytes_of("message")).has_value(); });
}

TEST(FailingLibrary, AKeyThatWasNotMadeGivesNoCodeLater) {
  calls = 0;
  fail_at = 2;
  const HmacKey key(bytes_of("key"));
  fail_at = 0;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(key.mac(bytes_of("message")));
}

TEST(FailingLibrary, NoDerivedKeyButZeros) {
  fail_at_every_call(8, [] {
    SecretKey key;
    std::fill_n(key.writable().begin(), SecretKey::kSize, std::uint8_t{0x5a});
    const bool is_good = hkdf_extract(bytes_of("salt"), bytes_of("secret"), key);
    EXPECT_EQ(to_hex(key.bytes()) == std::string(64, '0'), !is_good);
    return is_good;
  });
  fail_at_every_call(4 + 5 + 6 + 6, [] {  // each block but the first has the one before in it
    Buffer derived(80, 0x5a);
    const bool is_good = hkdf_expand(HmacKey(bytes_of("key")), bytes_of("info"), derived);
    EXPECT_EQ(derived == Buffer(80), !is_good);
    return is_good;
  });
}

TEST(FailingLibrary, NothingSealedOrOpenedButZeros) {
  const SecretKey key;
  const Nonce nonce{};
  const Buffer plain = counting(1, 100);
  Buffer sealed(plain.size() + kSealOverhead);
  fail_at_every_call(2, [&] {
    Buffer out(sealed.size(), 0x5a);
    const bool is_good = seal(key, nonce, bytes_of("associated"), plain, out);
    EXPECT_EQ(out == Buffer(out.size()), !is_good);
    if (is_good) sealed = out;
    return is_good;
  });
  fail_at_every_call(2, [&] {
    Buffer out(plain.size(), 0x5a);
    const Opened opened = open(key, nonce, bytes_of("associated"), sealed, out);
    EXPECT_EQ(out, opened == Opened::kYes ? plain : Buffer(out.size()));
    EXPECT_NE(opened, Opened::kNotAuthentic) << "a fault of ours is none of the value";
    return opened == Opened::kYes;
  });
}

TEST(FailingLibrary, NoHashOfACode) {
  fail_at_every_call(8, [] { return short_code_hash("abcdefghij", 1) != 0; });
}

}  // namespace
}  // namespace pairport::testing

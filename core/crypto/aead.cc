// SPDX-License-Identifier: MIT
#include "core/crypto/aead.h"

#include <mbedtls/chachapoly.h>
#include <mbedtls/version.h>

#ifndef MBEDTLS_CHACHAPOLY_C
#error "mbedTLS must be built with MBEDTLS_CHACHAPOLY_C"
#endif

namespace pairport {
namespace {

static_assert(SecretKey::kSize == 32 && kSealOverhead == 16, "as RFC 8439 says");

// A key as the library wants it, for one operation. Wiped on destruction.
class Cipher {
 public:
  explicit Cipher(const SecretKey& key) noexcept {
    mbedtls_chachapoly_init(&context_);
    is_good_ = mbedtls_chachapoly_setkey(&context_, key.bytes().data()) == 0;
  }
  ~Cipher() { mbedtls_chachapoly_free(&context_); }
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;

  bool is_good() const noexcept { return is_good_; }
  mbedtls_chachapoly_context* get() noexcept { return &context_; }

 private:
  mbedtls_chachapoly_context context_;
  bool is_good_;
};

}  // namespace

bool seal(const SecretKey& key, const Nonce& nonce, Bytes associated, Bytes plain,
          std::span<std::uint8_t> sealed) noexcept {
  bool is_good = false;
  if (sealed.size() >= kSealOverhead && sealed.size() - kSealOverhead == plain.size()) {
    Cipher cipher(key);
    is_good = cipher.is_good() && mbedtls_chachapoly_encrypt_and_tag(cipher.get(), plain.size(), nonce.data(),
                                                                     associated.data(), associated.size(), plain.data(),
                                                                     sealed.data(), sealed.data() + plain.size()) == 0;
  }
  if (!is_good) wipe(sealed.data(), sealed.size());
  return is_good;
}

Opened open(const SecretKey& key, const Nonce& nonce, Bytes associated, Bytes sealed,
            std::span<std::uint8_t> plain) noexcept {
  Opened opened = Opened::kFailed;
  if (sealed.size() < kSealOverhead) {
    opened = Opened::kNotAuthentic;
  } else if (plain.size() == sealed.size() - kSealOverhead) {
    Cipher cipher(key);
    const int result = !cipher.is_good()
                           ? -1
                           : mbedtls_chachapoly_auth_decrypt(cipher.get(), plain.size(), nonce.data(),
                                                             associated.data(), associated.size(),
                                                             sealed.data() + plain.size(), sealed.data(), plain.data());
    if (result == 0) return Opened::kYes;
    if (result == MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED) opened = Opened::kNotAuthentic;
  }
  wipe(plain.data(), plain.size());
  return opened;
}

}  // namespace pairport

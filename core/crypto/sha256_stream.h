// SPDX-License-Identifier: MIT
// SHA-256 in pieces. For the sources of this room: it shows mbedTLS.
#ifndef PAIRPORT_SHA256_STREAM_H_
#define PAIRPORT_SHA256_STREAM_H_

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include "core/base/bytes.h"
#include "core/crypto/sha256.h"

#ifndef MBEDTLS_SHA256_C
#error "mbedTLS must be built with MBEDTLS_SHA256_C"
#endif

namespace pairport {

// Once a step has failed, all that follow fail, too. Wiped on destruction.
class Sha256Stream {
 public:
  Sha256Stream() noexcept {
    mbedtls_sha256_init(&context_);
    is_good_ = kStart(&context_, 0) == 0;
  }
  ~Sha256Stream() { mbedtls_sha256_free(&context_); }
  // Goes on behind what `other` has hashed.
  Sha256Stream(const Sha256Stream& other) noexcept : is_good_(other.is_good_) {
    mbedtls_sha256_init(&context_);
    mbedtls_sha256_clone(&context_, &other.context_);
  }
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void update(Bytes bytes) noexcept {
    if (!bytes.empty()) is_good_ = is_good_ && kUpdate(&context_, bytes.data(), bytes.size()) == 0;
  }
  // From here on every digest fails.
  void fail() noexcept { is_good_ = false; }
  // False: the digest is undefined. The stream is then at its end.
  [[nodiscard]] bool finish(Sha256Digest& digest) noexcept {
    is_good_ = is_good_ && kFinish(&context_, digest.data()) == 0;
    return is_good_;
  }

 private:
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  static constexpr auto kStart = mbedtls_sha256_starts;
  static constexpr auto kUpdate = mbedtls_sha256_update;
  static constexpr auto kFinish = mbedtls_sha256_finish;
#else  // 2.28: the names without _ret are deprecated
  static constexpr auto kStart = mbedtls_sha256_starts_ret;
  static constexpr auto kUpdate = mbedtls_sha256_update_ret;
  static constexpr auto kFinish = mbedtls_sha256_finish_ret;
#endif

  mbedtls_sha256_context context_;
  bool is_good_ = true;
};

}  // namespace pairport

#endif  // PAIRPORT_SHA256_STREAM_H_

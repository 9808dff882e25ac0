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
    is_good_ = start(&context_) == 0;
  }
  ~Sha256Stream() { mbedtls_sha256_free(&context_); }
  // Goes on behind what `other` has hashed.
  Sha256Stream(const Sha256Stream& other) noexcept : is_good_(other.is_good_) {
    mbedtls_sha256_init(&context_);
    mbedtls_sha256_clone(&context_, &other.context_);
  }
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void update(Bytes bytes) noexcept {
    if (!bytes.empty()) is_good_ = is_good_ && update(&context_, bytes.data(), bytes.size()) == 0;
  }
  // From here on every digest fails.
  void fail() noexcept { is_good_ = false; }
  // False: the digest is undefined. The stream is then at its end.
  [[nodiscard]] bool finish(Sha256Digest& digest) noexcept {
    is_good_ = is_good_ && finish(&context_, digest.data()) == 0;
    return is_good_;
  }

 private:
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  static int start(mbedtls_sha256_context* context) noexcept {
    return mbedtls_sha256_starts(context, 0);
  }
  static int update(mbedtls_sha256_context* context, const unsigned char* bytes, std::size_t size) noexcept {
    return mbedtls_sha256_update(context, bytes, size);
  }
  static int finish(mbedtls_sha256_context* context, unsigned char* digest) noexcept {
    return mbedtls_sha256_finish(context, digest);
  }
#else  // 2.28: the names without _ret are deprecated
  static int start(mbedtls_sha256_context* context) noexcept {
    return mbedtls_sha256_starts_ret(context, 0);
  }
  static int update(mbedtls_sha256_context* context, const unsigned char* bytes, std::size_t size) noexcept {
    return mbedtls_sha256_update_ret(context, bytes, size);
  }
  static int finish(mbedtls_sha256_context* context, unsigned char* digest) noexcept {
    return mbedtls_sha256_finish_ret(context, digest);
  }
#endif

  mbedtls_sha256_context context_;
  bool is_good_ = true;
};

}  // namespace pairport

#endif  // PAIRPORT_SHA256_STREAM_H_

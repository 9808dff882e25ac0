// SPDX-License-Identifier: MIT
// ChaCha20-Poly1305 (RFC 8439 section 2.8), by mbedTLS: values that only the holder of a key can read or make.
//
//   SecretKey key;  // drawn, or derived with hkdf_expand()
//   Nonce nonce;    // never used twice with one key
//   if (!key.draw(random) || !random.fill(nonce)) return false;
//   std::array<std::uint8_t, 100 + kSealOverhead> sealed;
//   if (!seal(key, nonce, associated, plain, sealed)) return false;
//   return open(key, nonce, associated, sealed, plain) == Opened::kYes;
//
// Neither function allocates; any thread. The output may begin where the input begins, and may not overlap it in any
// other way; nor may it overlap anything else that is passed.
#ifndef PAIRPORT_AEAD_H_
#define PAIRPORT_AEAD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/bytes.h"
#include "core/crypto/secret_key.h"

namespace pairport {

// Stored beside the sealed value; not secret. Two values under the same nonce and key reveal each other. Among 2^32
// random nonces two are equal with a probability of 2^-33, so seal no more than 2^32 values with one key.
using Nonce = std::array<std::uint8_t, 12>;

// Bytes that a sealed value has more than the plain one: its tag, which stands at its end.
inline constexpr std::size_t kSealOverhead = 16;

// Seals `plain`, which may be empty, into `sealed`, which has kSealOverhead bytes more. `associated`, which may be
// empty, is not in it, but open() needs the same. False, and `sealed` is zeros, when the library fails or `sealed` has
// another size.
[[nodiscard]] bool seal(const SecretKey& key, const Nonce& nonce, Bytes associated, Bytes plain,
                        std::span<std::uint8_t> sealed) noexcept;

enum class Opened {
  kYes,
  kNotAuthentic,  // not what seal() made with this key, nonce and associated data, bit for bit
  kFailed,  // the library fails, or the output has another size than the plain value: nothing is known of `sealed`
};

// Opens `sealed` into `plain`, which has kSealOverhead bytes less. `plain` is zeros unless the result is kYes.
[[nodiscard]] Opened open(const SecretKey& key, const Nonce& nonce, Bytes associated, Bytes sealed,
                          std::span<std::uint8_t> plain) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_AEAD_H_

// SPDX-License-Identifier: MIT
// HKDF-SHA-256 (RFC 5869): several keys from one secret.
//
// Neither function allocates; any thread. What they leave behind on failure is zeros.
#ifndef PAIRPORT_HKDF_H_
#define PAIRPORT_HKDF_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/bytes.h"
#include "core/crypto/hmac.h"
#include "core/crypto/secret_key.h"

namespace pairport {

// Section 2.2: concentrates `secret` into `key`. `salt` need not be secret and may be empty. False when the library
// fails.
[[nodiscard]] bool hkdf_extract(Bytes salt, Bytes secret, SecretKey& key) noexcept;

// As much as can be derived with one `info` (section 2.3).
inline constexpr std::size_t kMaxDerived = 255 * 32;

// Section 2.3: fills `out` with what follows from `key`, the result of hkdf_extract() or another uniformly random key,
// and `info`, which says what the result is for: another `info` gives a result that has nothing to do with the first.
// False when the library fails, or for more than kMaxDerived bytes. `out` may not overlap `info`.
[[nodiscard]] bool hkdf_expand(const HmacKey& key, Bytes info, std::span<std::uint8_t> out) noexcept;
// For one use of the key.
[[nodiscard]] inline bool hkdf_expand(const SecretKey& key, Bytes info, std::span<std::uint8_t> out) noexcept {
  return hkdf_expand(HmacKey(key.bytes()), info, out);
}

}  // namespace pairport

#endif  // PAIRPORT_HKDF_H_

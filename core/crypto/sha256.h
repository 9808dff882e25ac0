// SPDX-License-Identifier: MIT
// SHA-256 (FIPS 180-4), by mbedTLS.
#ifndef PAIRPORT_SHA256_H_
#define PAIRPORT_SHA256_H_

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/bytes.h"

namespace pairport {

using Sha256Digest = std::array<std::uint8_t, 32>;

// The digest of `message`, which may be empty; nothing when the library fails. Never allocates; any thread. Wipes what
// it copied of the message.
[[nodiscard]] std::optional<Sha256Digest> sha256(Bytes message) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_SHA256_H_

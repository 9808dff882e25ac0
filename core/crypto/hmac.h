// SPDX-License-Identifier: MIT
// HMAC-SHA-256 (RFC 2104, RFC 4231).
#ifndef PAIRPORT_HMAC_H_
#define PAIRPORT_HMAC_H_

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>

#include "core/base/bytes.h"
#include "core/crypto/sha256.h"

namespace pairport {

class Sha256Stream;

// A key that is ready for any number of messages: both halves of the key are hashed once, so a short message costs two
// blocks of SHA-256 in place of four. Never allocates. Wiped on destruction; not copyable, not movable, because what it
// holds is as good as the key. It does not lock the memory that it lies in. Any thread, several at once.
class HmacKey {
 public:
  // Of any length; one of more than 64 bytes is replaced by its SHA-256 (RFC 2104 section 2). `key` is not needed
  // afterwards. When the library fails, mac() gives nothing.
  explicit HmacKey(Bytes key) noexcept;
  ~HmacKey();
  HmacKey(const HmacKey&) = delete;
  HmacKey& operator=(const HmacKey&) = delete;

  // The code of `message`, or of all `pieces` one behind the other; nothing when the library fails. Compare it with
  // equal_in_constant_time() only. A shortened code is its first bytes (RFC 2104 section 5).
  [[nodiscard]] std::optional<Sha256Digest> mac(Bytes message) const noexcept { return mac({message}); }
  [[nodiscard]] std::optional<Sha256Digest> mac(std::initializer_list<Bytes> pieces) const noexcept;

 private:
  // Room for a Sha256Stream, whose definition would show mbedTLS to everybody.
  struct alignas(8) Half {
    std::array<std::byte, 120> room;
  };
  static Sha256Stream& create(Half& half) noexcept;
  static const Sha256Stream& stream(const Half& half) noexcept;

  Half inner_;
  Half outer_;
};

}  // namespace pairport

#endif  // PAIRPORT_HMAC_H_

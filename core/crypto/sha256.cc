// SPDX-License-Identifier: MIT
#include "core/crypto/sha256.h"

#include "core/crypto/sha256_stream.h"

namespace pairport {

std::optional<Sha256Digest> sha256(Bytes message) noexcept {
  Sha256Stream stream;
  stream.update(message);
  std::optional<Sha256Digest> digest(std::in_place);
  if (!stream.finish(*digest)) digest.reset();
  return digest;
}

}  // namespace pairport

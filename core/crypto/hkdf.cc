// SPDX-License-Identifier: MIT
// On our HMAC: mbedtls_hkdf_*() allocate, and a look-up in a store of sealed values derives a key.
#include "core/crypto/hkdf.h"

#include <algorithm>

#include "core/memory/secret_block.h"

namespace pairport {

bool hkdf_extract(Bytes salt, Bytes secret, SecretKey& key) noexcept {
  // An empty salt is as good as the zeros that section 2.2 asks for: HMAC fills a key up with zeros.
  std::optional<Sha256Digest> digest = HmacKey(salt).mac(secret);
  if (!digest) {
    key.wipe();
    return false;
  }
  std::copy(digest->begin(), digest->end(), key.writable().begin());
  wipe_value(*digest);
  return true;
}

bool hkdf_expand(const HmacKey& key, Bytes info, std::span<std::uint8_t> out) noexcept {
  bool is_good = out.size() <= kMaxDerived;
  Bytes previous;
  std::uint8_t counter = 0;
  for (std::size_t done = 0; is_good && done < out.size();) {
    ++counter;
    std::optional<Sha256Digest> digest = key.mac({previous, info, {&counter, 1}});
    is_good = digest.has_value();
    if (!is_good) break;
    const std::size_t count = std::min(digest->size(), out.size() - done);
    std::copy_n(digest->begin(), count, out.begin() + static_cast<std::ptrdiff_t>(done));
    wipe_value(*digest);
    // Complete unless it was the last one, which has no next.
    previous = out.subspan(done, count);
    done += count;
  }
  if (!is_good) wipe(out.data(), out.size());
  return is_good;
}

}  // namespace pairport

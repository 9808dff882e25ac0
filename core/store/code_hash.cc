// SPDX-License-Identifier: MIT
#include "core/store/code_hash.h"

#include <xxhash.h>

namespace pairport {

CodeHash::CodeHash(std::uint64_t seed) noexcept : seed_(seed) {
  const XXH128_hash_t words = XXH3_128bits_withSeed("", 0, seed);
  mask_ = words.low64;
  multiplier_ = words.high64 | 1;
}

std::uint32_t CodeHash::of_bytes(std::string_view bytes) const noexcept {
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed_) >> 32);
}

}  // namespace pairport

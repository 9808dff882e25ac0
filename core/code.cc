// SPDX-License-Identifier: MIT
// Invariants: bytes of pool_ before used_ are zero, those from used_ on are unused random bytes.
#include <pairport/code.h>

#include <algorithm>

#include <xxhash.h>

#include <pairport/ascii.h>
#include <pairport/secret_memory.h>

namespace pairport {

static_assert(kCodeAlphabet.size() == 59);

bool is_plausible_code(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxCodeLength) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

CodeGenerator::~CodeGenerator() {
  wipe(pool_.data(), pool_.size());
}

Status CodeGenerator::next(Code& code) noexcept {
  std::array<char, kMaxCodeLength> text;
  for (std::size_t i = 0; i < length_;) {
    if (used_ == pool_.size()) {
      if (!random_.fill(pool_)) {
        wipe(pool_.data(), pool_.size());
        return StatusCode::kRandomFailed;
      }
      used_ = 0;
    }
    // Six bits give 0..63; five of the 64 values are outside the alphabet and drawn again.
    const std::size_t index = pool_[used_] & 63U;
    pool_[used_++] = 0;
    if (index < kCodeAlphabet.size()) text[i++] = kCodeAlphabet[index];
  }
  code = Code({text.data(), length_});
  wipe(text.data(), text.size());
  return StatusCode::kOk;
}

std::uint32_t short_code_hash(std::string_view code, std::uint64_t seed) noexcept {
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(code.data(), code.size(), seed));
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Invariants: bytes of pool_ before used_ are zero, those from used_ on are unused random bytes.
#include <pairport/code.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <xxhash.h>

#include <pairport/secret_memory.h>

#include "core/base/ascii.h"

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

std::string_view describe_short_code(std::size_t length, std::span<char, 256> text) noexcept {
  if (length >= kDefaultCodeLength) return {};
  constexpr double kLiveCodes = 10'000;
  constexpr double kGuessesPerSecond = 65'536;
  const auto hours = [](std::size_t characters) {
    // No std::pow: a C program that links the archive would need libm for it.
    double codes = 1;
    for (std::size_t i = 0; i < characters; ++i) codes *= static_cast<double>(kCodeAlphabet.size());
    return codes / kLiveCodes / kGuessesPerSecond / 3600;
  };
  constexpr double kHoursPerYear = 24 * 365.25;
  char* out = text.data();
  char* const end = out + text.size();
  const auto put = [&out](std::string_view words) {
    std::memcpy(out, words.data(), words.size());
    out += words.size();
  };
  const auto put_number = [&out, end](double number, int digits) {
    out = std::to_chars(out, end, number, std::chars_format::fixed, digits).ptr;
  };
  put("codes of ");
  put_number(static_cast<double>(length), 0);
  put(" characters are short for a public address: with ");
  put_number(kLiveCodes, 0);
  put(" live codes and ");
  put_number(kGuessesPerSecond, 0);
  put(" guesses a second, the first one is found after ");
  put_number(hours(length), 1);
  put(" hours on average (with ");
  put_number(static_cast<double>(kDefaultCodeLength), 0);
  put(" characters: ");
  put_number(hours(kDefaultCodeLength) / kHoursPerYear, 0);
  put(" years)");
  return {text.data(), static_cast<std::size_t>(out - text.data())};
}

std::uint32_t short_code_hash(std::string_view code, std::uint64_t seed) noexcept {
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(code.data(), code.size(), seed));
}

}  // namespace pairport

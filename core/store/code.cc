// SPDX-License-Identifier: MIT
// Invariants: bytes of pool_ before used_ are zero; bytes from used_ on are unused random bytes.
#include <pairport/code.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <pairport/secret_memory.h>

#include "core/base/ascii.h"
#include "core/base/writer.h"

namespace pairport {

static_assert(kCodeAlphabet.size() == 59);

bool is_plausible_code(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxCodeLength) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

CodeGenerator::~CodeGenerator() {
  wipe(pool_.data(), pool_.size());
}

Status CodeGenerator::next(Code& code, std::size_t at_least) noexcept {
  const std::size_t length = std::max(length_, at_least);
  std::array<char, kMaxCodeLength> text;
  for (std::size_t i = 0; i < length;) {
    if (used_ == pool_.size()) {
      if (!random_.fill(pool_)) {
        wipe(pool_.data(), pool_.size());
        return StatusCode::kRandomFailed;
      }
      used_ = 0;
    }
    // Six bits give 0 to 63. Five of the 64 values are outside the alphabet: draw again.
    const std::size_t index = pool_[used_] & 63U;
    pool_[used_++] = 0;
    if (index < kCodeAlphabet.size()) text[i++] = kCodeAlphabet[index];
  }
  code = Code({text.data(), length});
  wipe(text.data(), text.size());
  return StatusCode::kOk;
}

std::string_view describe_short_code(std::size_t length, std::span<char, 256> text) noexcept {
  if (length >= kDefaultCodeLength) return {};
  constexpr double kLiveCodes = 10'000;
  constexpr double kGuessesPerSecond = 65'536;
  const auto hours = [](std::size_t characters) {
    // Not std::pow, because a C program that links the static library would need libm.
    double codes = 1;
    for (std::size_t i = 0; i < characters; ++i) codes *= static_cast<double>(kCodeAlphabet.size());
    return codes / kLiveCodes / kGuessesPerSecond / 3600;
  };
  constexpr double kHoursPerYear = 24 * 365.25;
  Writer out(text);
  out.text("codes of ").number(length).text(" characters are short for a public address: with ");
  out.number(kLiveCodes, 0).text(" live codes and ").number(kGuessesPerSecond, 0);
  out.text(" guesses a second, the first one is found after ").number(hours(length), 1);
  out.text(" hours on average (with ").number(kDefaultCodeLength).text(" characters: ");
  out.number(hours(kDefaultCodeLength) / kHoursPerYear, 0).text(" years)");
  return out.written();
}

}  // namespace pairport

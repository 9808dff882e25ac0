// SPDX-License-Identifier: MIT
// Pairing codes: short, random, easy to read aloud.
#ifndef PAIRPORT_CODE_H_
#define PAIRPORT_CODE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <pairport/export.h>
#include <pairport/secret_memory.h>
#include <pairport/status.h>

namespace pairport {

// 59 characters, without o, O and 0, which people confuse with each other. 10 characters hold 58.8 bits, 7 hold 41.2.
inline constexpr std::string_view kCodeAlphabet = "abcdefghijklmnpqrstuvwyxzABCDEFGHIJKLMNPQRSTUVWXYZ123456789";
inline constexpr std::size_t kMinCodeLength = 7;
inline constexpr std::size_t kDefaultCodeLength = 10;
inline constexpr std::size_t kMaxCodeLength = 32;

// The fewest characters of a code that lives for `life_ms`: the longer it lives, the longer it can be guessed. With the
// default limits, 100,000 clients that guess all the time find one of 100,000 live codes, within the life of a code,
// with a probability below 10^-4.
constexpr std::size_t shortest_code_for(std::uint64_t life_ms) noexcept {
  constexpr std::uint64_t kHourMs = 3'600'000;
  if (life_ms > 24 * kHourMs) return 16;
  if (life_ms > kHourMs) return 11;
  return kMinCodeLength;  // the length that the operator has chosen, by default kDefaultCodeLength
}

// A warning for the log of an operator whose codes are shorter than kDefaultCodeLength: one line, without a line break.
// It says how long guessing takes on average to find one of 10,000 live codes, at 65,536 guesses a second (65,536
// clients, each within the default limit). A view of `text`; empty when `length` needs no warning.
PAIRPORT_EXPORT std::string_view describe_short_code(std::size_t length, std::span<char, 256> text) noexcept;

// A pairing code, held by value. It is a secret: it gives access to the deposit.
class Code {
 public:
  Code() noexcept = default;
  // REQUIRES: text.size() <= kMaxCodeLength
  explicit Code(std::string_view text) noexcept : size_(static_cast<std::uint8_t>(text.size())) {
    if (!text.empty()) std::memcpy(text_.data(), text.data(), text.size());  // an empty view may be null
  }
  std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, kMaxCodeLength> text_{};
  std::uint8_t size_ = 0;
};

// Whether `text` can be a code at all: 1 to kMaxCodeLength ASCII letters and digits. This allows more than the
// alphabet, because the operator chooses the code of a static deposit ("0000000").
PAIRPORT_EXPORT bool is_plausible_code(std::string_view text) noexcept;

// Draws codes of one length or longer, each character uniform over the alphabet (rejection sampling, no modulo bias).
// Never allocates. One thread at a time.
class PAIRPORT_EXPORT CodeGenerator {
 public:
  // REQUIRES: kMinCodeLength <= length <= kMaxCodeLength; `random` outlives this object.
  CodeGenerator(RandomSource& random, std::size_t length) noexcept : random_(random), length_(length) {}
  ~CodeGenerator();
  CodeGenerator(const CodeGenerator&) = delete;
  CodeGenerator& operator=(const CodeGenerator&) = delete;

  // kOk and a new code, which has the length of this object or, if that is more, `at_least` characters; or
  // kRandomFailed, and `code` is unchanged. The caller checks whether the code is in use. REQUIRES: at_least <=
  // kMaxCodeLength
  Status next(Code& code, std::size_t at_least = 0) noexcept;

 private:
  RandomSource& random_;
  std::size_t length_;
  // Random bytes, drawn in advance: one system call is enough for more than a dozen codes. Used bytes are wiped, so
  // that this pool holds no code that was handed out.
  std::array<std::uint8_t, 192> pool_{};
  std::size_t used_ = sizeof(pool_);
};

// A hash of 32 bits for logs, which must not hold codes. It is equal for equal codes, and without the secret `seed` it
// does not help to guess a code.
PAIRPORT_EXPORT std::uint32_t short_code_hash(std::string_view code, std::uint64_t seed) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_CODE_H_

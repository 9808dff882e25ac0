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
#include <pairport/random.h>
#include <pairport/status.h>

namespace pairport {

// 59 characters: no o, O and 0, which are confused with each other. 10 of them hold 58.8 bits, 7 hold 41.2.
inline constexpr std::string_view kCodeAlphabet = "abcdefghijklmnpqrstuvwyxzABCDEFGHIJKLMNPQRSTUVWXYZ123456789";
inline constexpr std::size_t kMinCodeLength = 7;
inline constexpr std::size_t kDefaultCodeLength = 10;
inline constexpr std::size_t kMaxCodeLength = 32;

// For the log of an operator whose codes are shorter than kDefaultCodeLength: one line, without a line break, that says
// how long guessing takes on average until it finds one of 10,000 live codes, with 65,536 guesses a second in all (as
// many clients, each within the default limit). A view of `text`; empty when `length` is no reason for a warning.
PAIRPORT_EXPORT std::string_view describe_short_code(std::size_t length, std::span<char, 256> text) noexcept;

// A pairing code held by value. A secret: it opens the deposit.
class Code {
 public:
  Code() noexcept = default;
  // REQUIRES: text.size() <= kMaxCodeLength
  explicit Code(std::string_view text) noexcept : size_(static_cast<std::uint8_t>(text.size())) {
    std::memcpy(text_.data(), text.data(), text.size());
  }
  std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, kMaxCodeLength> text_{};
  std::uint8_t size_ = 0;
};

// Whether `text` can be a code at all: 1 to kMaxCodeLength ASCII letters and digits. Wider than the alphabet, because a
// static deposit's code is chosen by the operator ("0000000").
PAIRPORT_EXPORT bool is_plausible_code(std::string_view text) noexcept;

// Draws codes of one length, each character uniform over the alphabet (rejection sampling, no modulo bias). Never
// allocates. One thread at a time.
class PAIRPORT_EXPORT CodeGenerator {
 public:
  // REQUIRES: kMinCodeLength <= length <= kMaxCodeLength; `random` outlives this object.
  CodeGenerator(RandomSource& random, std::size_t length) noexcept : random_(random), length_(length) {}
  ~CodeGenerator();
  CodeGenerator(const CodeGenerator&) = delete;
  CodeGenerator& operator=(const CodeGenerator&) = delete;

  // kOk and a fresh code, or kRandomFailed and `code` is left alone. The caller checks whether the
  // code is in use.
  Status next(Code& code) noexcept;

 private:
  RandomSource& random_;
  std::size_t length_;
  // Random bytes drawn ahead: one system call serves more than a dozen codes. Used bytes are wiped, so that memory
  // holds no code that was handed out.
  std::array<std::uint8_t, 192> pool_{};
  std::size_t used_ = sizeof(pool_);
};

// A hash of 32 bits for logs, which must not hold codes: equal for equal codes, and useless for guessing a code without
// the secret `seed`.
PAIRPORT_EXPORT std::uint32_t short_code_hash(std::string_view code, std::uint64_t seed) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_CODE_H_

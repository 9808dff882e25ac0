// SPDX-License-Identifier: MIT
// The store's hash of codes.
#ifndef PAIRPORT_CORE_CODE_HASH_H_
#define PAIRPORT_CORE_CODE_HASH_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <pairport/code.h>

namespace pairport {

// A code of kDefaultCodeLength letters and digits as one word. Different codes have different words. Its first byte in
// memory is greater than kMaxCodeLength, so it differs from any length of a code.
//
// Each of the first eight characters is one of 62, so it takes six bits of its byte. The remaining two bits of the
// eight bytes hold the last two characters, which are ASCII and need seven bits each.
class CodeWord {
 public:
  static constexpr std::size_t kLength = kDefaultCodeLength;
  static_assert(kLength == sizeof(std::uint64_t) + sizeof(std::uint16_t));

  // REQUIRES: `code` has kLength characters, letters and digits.
  explicit CodeWord(const char* code) noexcept {
    std::uint64_t first = 0;
    std::uint16_t last = 0;
    std::memcpy(&first, code, sizeof(first));
    std::memcpy(&last, code + sizeof(first), sizeof(last));
    // Two bits for every byte. No character needs the lowest one: it is set, and marks the first byte of a
    // little-endian word. The first byte of a big-endian word has bits 5 and 6 of a character, of which at least one is
    // set.
    std::uint64_t spread = std::uint64_t{last} << 1 | 1;
    spread = (spread | spread << 24) & 0x000000ff'000000ffU;
    spread = (spread | spread << 12) & 0x000f000f'000f000fU;
    spread = (spread | spread << 6) & 0x03030303'03030303U;
    value_ = to_six_bits(first) | spread << 6;
  }
  std::uint64_t value() const noexcept { return value_; }
  // Whether the eight bytes at `bytes` hold this word.
  bool is_at(const char* bytes) const noexcept {
    std::uint64_t there = 0;
    std::memcpy(&there, bytes, sizeof(there));
    return there == value_;
  }
  // Writes the word in the form that is_at() compares with.
  void write(char* bytes) const noexcept { std::memcpy(bytes, &value_, sizeof(value_)); }
  // Reads the output of write().
  static CodeWord read(const char* bytes) noexcept {
    CodeWord word;
    std::memcpy(&word.value_, bytes, sizeof(word.value_));
    return word;
  }

 private:
  CodeWord() = default;
  // In each byte: 0 to 9 for digits, 10 to 35 for capitals, 36 to 61 for small letters. No byte borrows from the next.
  static constexpr std::uint64_t to_six_bits(std::uint64_t characters) noexcept {
    constexpr std::uint64_t kOnes = 0x01010101'01010101U;
    const std::uint64_t letters = characters >> 6 & kOnes;
    const std::uint64_t small = characters >> 5 & letters;
    return characters - '0' * kOnes - ('A' - '9' - 1) * letters - ('a' - 'Z' - 1) * small;
  }

  std::uint64_t value_ = 0;
};

// Hashes are evenly distributed over 32 bits, unless somebody who knows the seed has chosen the codes. Equal for equal
// codes and seeds. Not a cryptographic hash: hashes may reveal the seed, so they must not leave the process.
class CodeHash {
 public:
  explicit CodeHash(std::uint64_t seed) noexcept;

  // REQUIRES: `code` holds only letters and digits.
  std::uint32_t operator()(std::string_view code) const noexcept {
    return code.size() == CodeWord::kLength ? (*this)(CodeWord(code.data())) : of_bytes(code);
  }

  // A folded multiplication, as in wyhash (Wang Yi) and others, then a second one: without it, codes that differ in few
  // characters would form lattices. XXH3 takes ten more instructions, and leaves no fewer entries outside their home
  // block (2.1 % of ten million with either). With millions of codes each instruction counts: look-ups wait for memory,
  // and the processor overlaps as many of them as its reorder buffer holds.
  std::uint32_t operator()(CodeWord code) const noexcept {
#if defined(__SIZEOF_INT128__)
    __extension__ using Product = unsigned __int128;
    const Product product = static_cast<Product>(code.value() ^ mask_) * multiplier_;
    std::uint64_t folded = static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
    // Without this the low half of the hash, which selects the segment, would not depend on the high half of `folded`.
    // For some seeds, codes that differ in few characters would be distributed unevenly (9.5 standard deviations
    // instead of 3.5).
    folded ^= folded >> 32;
    return static_cast<std::uint32_t>((folded * multiplier_) >> 32);
#else
    const std::uint64_t value = code.value();
    return of_bytes({reinterpret_cast<const char*>(&value), sizeof(value)});
#endif
  }

 private:
  std::uint32_t of_bytes(std::string_view bytes) const noexcept;

  std::uint64_t seed_;
  std::uint64_t mask_;
  std::uint64_t multiplier_;
};

}  // namespace pairport

#endif  // PAIRPORT_CORE_CODE_HASH_H_

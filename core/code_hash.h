// SPDX-License-Identifier: MIT
// How the store hashes codes.
#ifndef PAIRPORT_CORE_CODE_HASH_H_
#define PAIRPORT_CORE_CODE_HASH_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <pairport/code.h>

namespace pairport {

// A code of kDefaultCodeLength characters as one word, in the byte order of this machine: the byte that tells its
// length, then its characters. Equal for equal codes only.
class CodeWord {
 public:
  static constexpr std::size_t kLength = kDefaultCodeLength;
  static_assert(kLength + 1 == sizeof(std::uint64_t));

  // REQUIRES: `code` has kLength characters.
  explicit CodeWord(const char* code) noexcept {
    // Two reads that overlap: there may be nothing to read on either side.
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::memcpy(&first, code, sizeof(first));
    std::memcpy(&last, code + kLength - sizeof(last), sizeof(last));
    if constexpr (std::endian::native == std::endian::little) {
      value_ = (std::uint64_t{last} << 24 | first) << 8 | kLength;
    } else {
      value_ = std::uint64_t{kLength} << 56 | std::uint64_t{first} << 24 | (last & 0xffffffU);
    }
  }
  static constexpr std::size_t size() noexcept { return kLength; }
  std::uint64_t value() const noexcept { return value_; }
  // Whether the eight bytes at `bytes` are this word.
  bool is_at(const char* bytes) const noexcept {
    std::uint64_t there = 0;
    std::memcpy(&there, bytes, sizeof(there));
    return there == value_;
  }

 private:
  std::uint64_t value_;
};

// Evenly spread over all 32 bits for codes that were not chosen by somebody who knows the seed; equal for equal codes
// and seeds. Not a cryptographic hash: whoever sees hashes may learn the seed, so they are not to leave the process.
class CodeHash {
 public:
  explicit CodeHash(std::uint64_t seed) noexcept;

  std::uint32_t operator()(std::string_view code) const noexcept {
    return code.size() == CodeWord::kLength ? (*this)(CodeWord(code.data())) : of_bytes(code);
  }

  // A folded multiplication, of which wyhash (Wang Yi) and others are made, and one more, without which codes that
  // differ in few characters would lie in lattices. XXH3 takes ten instructions more, and leaves no fewer entries
  // outside their home block (2.1 % of ten million with either). With millions of codes instructions count: look-ups
  // wait for memory, and the processor begins as many meanwhile as it has room for.
  std::uint32_t operator()(CodeWord code) const noexcept {
#if defined(__SIZEOF_INT128__)
    __extension__ using Product = unsigned __int128;
    const Product product = static_cast<Product>(code.value() ^ mask_) * multiplier_;
    const std::uint64_t folded = static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
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

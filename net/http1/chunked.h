// SPDX-License-Identifier: MIT
// The chunked transfer coding, strictly (RFC 9112 section 7.1).
#ifndef PAIRPORT_NET_CHUNKED_H_
#define PAIRPORT_NET_CHUNKED_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pairport {

// Takes the chunked coding off a body that arrives in pieces of any size. No chunk extensions, no trailers, CRLF only:
// nobody sends them in a deposit, and parsers disagree about them. A chunk size has at most 16 digits, leading zeros
// included, which is what fits 64 bits: zeros without end would keep a connection busy that never sends a body. Decoded
// here and not by llhttp, because its versions differ in what they accept, and a check in front of it would have to be
// this very decoder.
class ChunkedDecoder {
 public:
  enum class State { kIncomplete, kComplete, kMalformed, kTooLarge };

  // Consumes bytes from the front of `input` and appends decoded ones to `out` behind the `size` that are in it
  // already. Stops at the end of the body (`input` is then what follows it), at the first bad byte, or when `out` is
  // full and more data comes.
  State feed(std::string_view& input, std::span<char> out, std::size_t& size) noexcept;

 private:
  enum class Expect : std::uint8_t { kFirstDigit, kDigit, kSizeLf, kData, kDataCr, kDataLf, kEndCr, kEndLf, kDone };

  static constexpr unsigned kMaxDigits = 16;

  Expect expect_ = Expect::kFirstDigit;
  unsigned digits_ = 0;          // of the size that is being read
  std::uint64_t remaining_ = 0;  // bytes of the current chunk
};

}  // namespace pairport

#endif  // PAIRPORT_NET_CHUNKED_H_

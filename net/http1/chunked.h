// SPDX-License-Identifier: MIT
// The chunked transfer coding, strictly (RFC 9112 section 7.1).
#ifndef PAIRPORT_NET_CHUNKED_H_
#define PAIRPORT_NET_CHUNKED_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pairport {

// Decodes a chunked body that arrives in pieces of any size. Accepts no chunk extensions, no trailers, and only CRLF:
// no client sends them in a deposit, and parsers disagree about them. A chunk size has at most 16 digits, leading zeros
// included, which fit 64 bits: endless zeros would keep a connection busy that never sends a body. llhttp does not
// decode it, because its versions accept different input, and a check in front of llhttp would be this same decoder.
class ChunkedDecoder {
 public:
  enum class State { kIncomplete, kComplete, kMalformed, kTooLarge };

  // Consumes bytes from the front of `input`, and appends the decoded bytes to `out` behind the first `size` ones.
  // Stops at the end of the body (`input` then begins behind it), at the first bad byte, or when `out` is full and more
  // data arrives.
  State feed(std::string_view& input, std::span<char> out, std::size_t& size) noexcept;

 private:
  enum class Expect : std::uint8_t { kFirstDigit, kDigit, kSizeLf, kData, kDataCr, kDataLf, kEndCr, kEndLf, kDone };

  static constexpr unsigned kMaxDigits = 16;

  Expect expect_ = Expect::kFirstDigit;
  unsigned digits_ = 0;          // of the chunk size that is being read
  std::uint64_t remaining_ = 0;  // bytes of the current chunk
};

}  // namespace pairport

#endif  // PAIRPORT_NET_CHUNKED_H_

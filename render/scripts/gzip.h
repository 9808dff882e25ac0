// SPDX-License-Identifier: MIT
// A script as a gzip stream (RFC 1952) without compression per request. The static text is deflated once, at the start.
// Each request inserts the block of values uncompressed, as a stored block (RFC 1951 section 3.2.4).
#ifndef PAIRPORT_RENDER_GZIP_H_
#define PAIRPORT_RENDER_GZIP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "render/scripts/template.h"

namespace pairport {

// The static parts of one script. Views of prefix() and suffix() are valid as long as this object is neither changed
// nor moved.
class GzipParts {
 public:
  static constexpr std::size_t kBlockHeader = 5;
  static constexpr std::size_t kTrailer = 8;

  // May throw std::bad_alloc: call it at the start.
  explicit GzipParts(const Template& script);

  // Send a script with slots as prefix(), stored block, suffix(), trailer. For a script without slots, prefix() is the
  // whole stream.
  std::string_view prefix() const noexcept { return prefix_; }
  std::string_view suffix() const noexcept { return suffix_; }

  static constexpr std::size_t kStoredHead = 15;

  // Makes a stream of the `size` bytes at out + kStoredHead, without compression. The caller has written them for one
  // request, with room for kTrailer bytes behind them. Returns the size of the stream, which begins at `out`. REQUIRES:
  // size <= Template::kMaxBlock
  static std::size_t wrap_stored(std::size_t size, char* out) noexcept;

  // Writes the kBlockHeader bytes that precede a block of `size` bytes. REQUIRES: size <= Template::kMaxBlock
  static void write_block_header(std::size_t size, char* out) noexcept;
  // Writes the kTrailer bytes that end the stream around `block`.
  void write_trailer(std::string_view block, char* out) const noexcept;

 private:
  std::string prefix_;
  std::string suffix_;
  std::uint32_t prefix_crc_;
  std::uint32_t suffix_crc_;
  unsigned long combine_suffix_;  // zlib's operator that appends suffix_.size() bytes to a checksum
  std::size_t static_size_;       // of the text, not of the deflated parts
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_GZIP_H_

// SPDX-License-Identifier: MIT
// Invariants: prefix_ ends at a byte boundary, so a stored block may follow. Neither part refers to data before its own
// beginning, so the block between them may have any content and length.
#include "render/scripts/gzip.h"

#include <cassert>
#include <memory>
#include <new>

#include <zlib.h>

namespace pairport {
namespace {

constexpr std::string_view kHeader("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff", 10);  // no time, XFL 2, any system

static_assert(Template::kMaxBlock <= 0xffff, "a block of values is one stored block");

std::uint32_t checksum(std::uint32_t crc, std::string_view text) noexcept {
  if (text.empty()) return crc;  // its address may be null, and zlib returns the initial value for null
  return static_cast<std::uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

char* put_little_endian(std::uint32_t value, int bytes, char* out) noexcept {
  for (; bytes > 0; --bytes, value >>= 8) *out++ = static_cast<char>(value & 0xff);
  return out;
}

// Writes the beginning of a stored block of `size` bytes, for a byte boundary.
void put_block_header(std::size_t size, bool is_last, char* out) noexcept {
  assert(size <= Template::kMaxBlock);
  *out++ = static_cast<char>(is_last ? 1 : 0);  // BFINAL, BTYPE = 00, padded to a whole byte
  const auto length = static_cast<std::uint32_t>(size);
  out = put_little_endian(length, 2, out);
  put_little_endian(~length, 2, out);
}

// Appends `text`, deflated; `flush` is Z_SYNC_FLUSH or Z_FINISH.
void append_deflated(std::string_view text, int flush, std::string& out) {
  z_stream stream{};
  // Raw deflate with the largest window. It can only fail without memory.
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  // This also runs when there is no memory for the output.
  const std::unique_ptr<z_stream, void (*)(z_stream*)> end(&stream, [](z_stream* used) { deflateEnd(used); });
  const std::size_t begin = out.size();
  // deflateBound() is for Z_FINISH; a flush takes a few bytes more.
  out.resize(begin + deflateBound(&stream, static_cast<uLong>(text.size())) + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data() + begin);
  stream.avail_out = static_cast<uInt>(out.size() - begin);
  [[maybe_unused]] const int result = deflate(&stream, flush);
  assert(result == (flush == Z_FINISH ? Z_STREAM_END : Z_OK) && stream.avail_in == 0 && stream.avail_out != 0);
  out.resize(out.size() - stream.avail_out);
}

}  // namespace

GzipParts::GzipParts(const Template& script)
    : prefix_(kHeader),
      prefix_crc_(checksum(0, script.prefix())),
      suffix_crc_(checksum(0, script.suffix())),
      combine_suffix_(crc32_combine_gen(static_cast<z_off_t>(script.suffix().size()))),
      static_size_(script.prefix().size() + script.suffix().size()) {
  append_deflated(script.prefix(), script.has_slots() ? Z_SYNC_FLUSH : Z_FINISH, prefix_);
  if (script.has_slots()) {
    append_deflated(script.suffix(), Z_FINISH, suffix_);
  } else {
    std::string trailer(kTrailer, '\0');
    write_trailer({}, trailer.data());
    prefix_ += trailer;
  }
}

void GzipParts::write_block_header(std::size_t size, char* out) noexcept {
  put_block_header(size, false, out);
}

std::size_t GzipParts::wrap_stored(std::size_t size, char* out) noexcept {
  static_assert(kStoredHead == kHeader.size() + kBlockHeader);
  kHeader.copy(out, kHeader.size());
  put_block_header(size, true, out + kHeader.size());
  char* const text = out + kStoredHead;
  char* const trailer = put_little_endian(checksum(0, {text, size}), 4, text + size);
  put_little_endian(static_cast<std::uint32_t>(size), 4, trailer);
  return kStoredHead + size + kTrailer;
}

void GzipParts::write_trailer(std::string_view block, char* out) const noexcept {
  const std::uint32_t crc = checksum(prefix_crc_, block);
  out = put_little_endian(static_cast<std::uint32_t>(crc32_combine_op(crc, suffix_crc_, combine_suffix_)), 4, out);
  put_little_endian(static_cast<std::uint32_t>(static_size_ + block.size()), 4, out);
}

}  // namespace pairport

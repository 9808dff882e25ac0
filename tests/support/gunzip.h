// SPDX-License-Identifier: MIT
// Reads a gzip stream strictly: one member, right checksum and length, nothing behind it.
#ifndef PAIRPORT_TESTS_SUPPORT_GUNZIP_H_
#define PAIRPORT_TESTS_SUPPORT_GUNZIP_H_

#include <string>
#include <string_view>

#include <zlib.h>

namespace pairport::testing {

inline std::string gunzip(std::string_view stream) {
  z_stream state{};
  if (inflateInit2(&state, 16 + MAX_WBITS) != Z_OK) return "(no memory)";
  std::string text(std::size_t{1} << 20, '\0');
  state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(stream.data()));
  state.avail_in = static_cast<uInt>(stream.size());
  state.next_out = reinterpret_cast<Bytef*>(text.data());
  state.avail_out = static_cast<uInt>(text.size());
  const int result = inflate(&state, Z_FINISH);
  text.resize(text.size() - state.avail_out);
  const bool whole = result == Z_STREAM_END && state.avail_in == 0;
  inflateEnd(&state);
  return whole ? text : "(not a gzip stream)";
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_GUNZIP_H_

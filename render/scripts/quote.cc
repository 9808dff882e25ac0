// SPDX-License-Identifier: MIT
#include "render/scripts/quote.h"

#include <algorithm>
#include <cstring>

#include "core/base/ascii.h"
#include "core/base/base64.h"

namespace pairport {
namespace {

char* put(std::string_view text, char* out) noexcept {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// Copies `value` with each ' replaced. Most values have none, so it copies whole stretches between them.
char* put_with_quotes_replaced(std::string_view value, std::string_view replacement, char* out) noexcept {
  while (true) {
    const std::size_t quote = value.find('\'');
    out = put(value.substr(0, quote), out);
    if (quote == std::string_view::npos) return out;
    out = put(replacement, out);
    value.remove_prefix(quote + 1);
  }
}

}  // namespace

char* quote_posix(std::string_view value, char* out) noexcept {
  *out++ = '\'';
  out = put_with_quotes_replaced(value, R"('\'')", out);
  *out++ = '\'';
  return out;
}

char* quote_powershell(std::string_view value, char* out) noexcept {
  if (std::all_of(value.begin(), value.end(), [](char c) { return is_printable(c); })) {
    *out++ = '\'';
    out = put_with_quotes_replaced(value, "''", out);
    *out++ = '\'';
    return out;
  }
  out = put("([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('", out);
  out = put_base64(bytes_of(value), out);
  return put("')))", out);
}

char* quote_json(std::string_view value, char* out) noexcept {
  static constexpr char kHex[] = "0123456789abcdef";
  *out++ = '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      *out++ = '\\';
      *out++ = c;
    } else if (c == '\n') {
      out = put("\\n", out);
    } else if (is_control(c)) {
      out = put("\\u00", out);
      *out++ = kHex[byte >> 4];
      *out++ = kHex[byte & 15];
    } else {
      *out++ = c;
    }
  }
  *out++ = '"';
  return out;
}

}  // namespace pairport

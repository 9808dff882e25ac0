// SPDX-License-Identifier: MIT
// Invariants: every text is one of ours, an address or a number, so nothing has to be quoted, and the longest line
// fits.
#include "net/program/access_log.h"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace pairport {
namespace {

std::string_view to_string(Method method) noexcept {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kHead:
      return "HEAD";
    case Method::kPost:
      return "POST";
    case Method::kOptions:
      return "OPTIONS";
    case Method::kOther:
      break;
  }
  return "other";
}

class Line {
 public:
  explicit Line(AccessLine& line) noexcept : begin_(line.data()), at_(begin_), end_(begin_ + line.size()) {}

  Line& text(std::string_view text) noexcept {
    assert(text.size() <= static_cast<std::size_t>(end_ - at_));
    at_ = std::copy(text.begin(), text.end(), at_);
    return *this;
  }
  Line& number(std::uint64_t number) noexcept {
    at_ = std::to_chars(at_, end_, number).ptr;
    return *this;
  }
  Line& hex(std::uint32_t number) noexcept {
    for (int shift = 28; shift >= 0; shift -= 4) *at_++ = "0123456789abcdef"[(number >> shift) & 15];
    return *this;
  }
  std::string_view written() const noexcept { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }

 private:
  char* const begin_;
  char* at_;
  char* const end_;
};

}  // namespace

std::string_view format_access(const AccessEntry& entry, AccessFormat format, bool shorten, AccessLine& line) noexcept {
  ClientAddress::Text text;
  const ClientAddress client = shorten ? entry.client.shortened() : entry.client;
  const std::string_view address = client == ClientAddress{} ? "unix" : client.write(text);
  const bool has_code = entry.route == Route::kInstaller;
  const auto bytes = entry.bytes;
  const auto status = static_cast<std::uint64_t>(entry.status);
  Line out(line);
  if (format == AccessFormat::kJson) {
    out.text("\"method\":\"").text(to_string(entry.method)).text("\",\"route\":\"").text(to_string(entry.route));
    out.text("\",\"status\":").number(status).text(",\"bytes\":").number(bytes);
    out.text(",\"complete\":").text(entry.complete ? "true" : "false").text(",\"ms\":").number(entry.duration_ms);
    out.text(",\"client\":\"").text(address).text("\"");
    if (has_code) out.text(",\"code\":\"").hex(entry.code_hash).text("\"");
  } else {
    out.text(to_string(entry.method)).text(" ").text(to_string(entry.route)).text(" ").number(status).text(" ");
    out.number(bytes).text(entry.complete ? " bytes " : " bytes (cut off) ").number(entry.duration_ms).text(" ms ");
    out.text(address);
    if (has_code) out.text(" code ").hex(entry.code_hash);
  }
  return out.written();
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Invariants: position_ is behind the last byte looked at; every line before line_start_ has been accepted. A byte is
// judged when it is reached, a line when its LF is reached: that makes the verdict independent of how the input is cut.
#include "head_guard.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <pairport/ascii.h>

namespace pairport {
namespace {

constexpr std::array<bool, 256> table_of(std::string_view characters) {
  std::array<bool, 256> table{};
  for (const char c : characters) table[static_cast<unsigned char>(c)] = true;
  return table;
}

// RFC 9110 section 5.6.2.
constexpr std::array<bool, 256> kTokenCharacters =
    table_of("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
// RFC 9110 section 7.2; what a URI allows in host and port.
constexpr std::array<bool, 256> kHostCharacters =
    table_of("-._~%!$&'()*+,;=:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

std::size_t token_prefix(std::string_view text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && kTokenCharacters[static_cast<unsigned char>(text[size])]) ++size;
  return size;
}

// An empty one is allowed (RFC 9112 section 3.2).
bool is_host(std::string_view host) noexcept {
  return std::all_of(host.begin(), host.end(), [](char c) { return kHostCharacters[static_cast<unsigned char>(c)]; });
}

// How many bytes `text` begins with that are no control characters. Eight at a time by plain arithmetic ("Bit Twiddling
// Hacks", S. E. Anderson: a word has a byte less than n): heads are short, so that wider registers gain nothing.
std::size_t plain_prefix(std::string_view text) noexcept {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101U;
  constexpr std::uint64_t kHighs = 0x80 * kOnes;
  const char* const begin = text.data();
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= text.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, begin + i, sizeof(word));
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    const std::uint64_t is_del = word ^ 0x7f * kOnes;
    // A borrow may mark bytes behind the first control character, never one before it.
    const std::uint64_t found = (((word - 0x20 * kOnes) & ~word) | ((is_del - kOnes) & ~is_del)) & kHighs;
    if (found != 0) return i + static_cast<std::size_t>(std::countr_zero(found)) / 8;
  }
  while (i < text.size() && static_cast<unsigned char>(begin[i]) >= 0x20 && begin[i] != 0x7f) ++i;
  return i;
}

}  // namespace

HeadGuard::State HeadGuard::fail(int status, std::string_view text) noexcept {
  error_ = HeadError{status, text};
  return State::kError;
}

HeadGuard::State HeadGuard::feed(std::string_view head) noexcept {
  if (error_) return State::kError;
  const std::size_t end = std::min(head.size(), limits_.bytes);
  while (position_ < end) {
    if (position_ > line_start_ && head[position_ - 1] == '\r') {
      if (head[position_] != '\n') return fail(400, "the request head has a CR without LF");
      const std::string_view line = head.substr(line_start_, position_ - 1 - line_start_);
      const std::size_t start = line_start_;
      line_start_ = ++position_;
      if (line.empty() && lines_ > 0) return end_head() ? State::kComplete : State::kError;
      if (!end_line(line, start)) return State::kError;
      continue;
    }
    position_ += plain_prefix(head.substr(position_, end - position_));
    if (position_ == end) break;
    const char c = head[position_];
    if (c == '\n') return fail(400, "a line of the request head ends in LF without CR");
    if (c != '\r' && c != '\t') return fail(400, "the request head has a control character");
    ++position_;
  }
  if (head.size() >= limits_.bytes) return fail(431, "the request head is larger than this service takes");
  return State::kIncomplete;
}

bool HeadGuard::end_line(std::string_view line, std::size_t start) noexcept {
  if (lines_ == 0) {
    if (!end_request_line(line)) return false;
  } else if (lines_ > limits_.headers) {
    fail(431, "the request has more headers than this service takes");
    return false;
  } else if (!end_header_line(line, start)) {
    return false;
  }
  ++lines_;
  return true;
}

bool HeadGuard::end_request_line(std::string_view line) noexcept {
  static constexpr std::string_view kText =
      "the request line is not a method, a target and HTTP/1.0 or HTTP/1.1, with one space between them";
  const std::size_t first = token_prefix(line);
  const std::size_t last = line.rfind(' ');
  if (first == 0 || first == line.size() || line[first] != ' ' || first == last) {
    fail(400, kText);
    return false;
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  http_1_1_ = version == "HTTP/1.1";
  const bool visible = std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (target.empty() || !visible || (!http_1_1_ && version != "HTTP/1.0")) {
    fail(400, kText);
    return false;
  }
  method_size_ = first;
  target_size_ = target.size();
  return true;
}

bool HeadGuard::end_header_line(std::string_view line, std::size_t start) noexcept {
  const std::size_t colon = token_prefix(line);
  if (colon == 0 || colon == line.size() || line[colon] != ':') {
    fail(400, "a header line is not a name, a colon and a value");
    return false;
  }
  const std::string_view name = line.substr(0, colon);
  // By length: most names are none of these.
  switch (colon) {
    case 4:
      return !equals_ignoring_case(name, "host") || take_host(trim(line.substr(colon + 1)));
    case 6:
      if (accept_ == 0 && equals_ignoring_case(name, "accept")) {
        if (const std::string_view value = trim(line.substr(colon + 1)); !value.empty()) {
          accept_ = start + static_cast<std::size_t>(value.data() - line.data());
          accept_size_ = value.size();
        }
      }
      return true;
    case 14:
      return !equals_ignoring_case(name, "content-length") || take_length(trim(line.substr(colon + 1)));
    case 17:
      return !equals_ignoring_case(name, "transfer-encoding") || take_encoding(trim(line.substr(colon + 1)));
    default:
      return true;
  }
}

bool HeadGuard::take_host(std::string_view value) noexcept {
  if (has_host_ || !is_host(value)) {
    fail(400, "the Host header is repeated or malformed");
    return false;
  }
  has_host_ = true;
  return true;
}

bool HeadGuard::take_length(std::string_view value) noexcept {
  if (framing_.has_length || value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) {
    fail(400, "the Content-Length header is repeated or not a number");
    return false;
  }
  framing_.has_length = true;
  constexpr std::uint64_t kSaturated = std::uint64_t{1} << 60;
  for (const char c : value) {
    framing_.length = std::min(framing_.length * 10 + static_cast<std::uint64_t>(c - '0'), kSaturated);
  }
  return has_one_framing();
}

bool HeadGuard::take_encoding(std::string_view value) noexcept {
  if (framing_.chunked || !http_1_1_ || !equals_ignoring_case(value, "chunked")) {
    fail(400, "the Transfer-Encoding header is not exactly chunked, or is sent with HTTP/1.0");
    return false;
  }
  framing_.chunked = true;
  return has_one_framing();
}

bool HeadGuard::has_one_framing() noexcept {
  if (!framing_.chunked || !framing_.has_length) return true;
  fail(400, "the request has both Transfer-Encoding and Content-Length");
  return false;
}

bool HeadGuard::end_head() noexcept {
  if (http_1_1_ && !has_host_) {
    fail(400, "an HTTP/1.1 request needs a Host header");
    return false;
  }
  return true;
}

}  // namespace pairport

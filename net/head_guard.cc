// SPDX-License-Identifier: MIT
// Invariants: position_ is behind the last byte looked at; every line before line_start_ has been accepted. A byte is
// judged when it is reached, a line when its LF is reached: that makes the verdict independent of how the input is cut.
#include "head_guard.h"

#include <algorithm>
#include <array>

#include <pairport/ascii.h>

namespace pairport {
namespace {

// RFC 9110 section 5.6.2.
constexpr std::array<bool, 256> kTokenCharacters = [] {
  std::array<bool, 256> table{};
  for (const char c :
       std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

bool is_token(std::string_view text) noexcept {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return kTokenCharacters[static_cast<unsigned char>(c)]; });
}

// RFC 9110 section 7.2; what a URI allows in host and port. An empty one is allowed (RFC 9112 section 3.2).
bool is_host(std::string_view host) noexcept {
  return std::all_of(host.begin(), host.end(), [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view("-._~%!$&'()*+,;=:[]").find(c) != std::string_view::npos;
  });
}

}  // namespace

HeadGuard::State HeadGuard::fail(int status, std::string_view text) noexcept {
  error_ = HeadError{status, text};
  return State::kError;
}

HeadGuard::State HeadGuard::feed(std::string_view head) noexcept {
  if (error_) return State::kError;
  const std::size_t end = std::min(head.size(), limits_.bytes);
  for (; position_ < end; ++position_) {
    const auto c = static_cast<unsigned char>(head[position_]);
    const bool after_cr = position_ > line_start_ && head[position_ - 1] == '\r';
    if (c == '\n') {
      if (!after_cr) return fail(400, "a line of the request head ends in LF without CR");
      const std::string_view line = head.substr(line_start_, position_ - 1 - line_start_);
      const std::size_t start = line_start_;
      line_start_ = position_ + 1;
      if (line.empty() && lines_ > 0) {
        ++position_;
        return end_head() ? State::kComplete : State::kError;
      }
      if (!end_line(line, start)) return State::kError;
    } else if (after_cr) {
      return fail(400, "the request head has a CR without LF");
    } else if ((c < 0x20 && c != '\r' && c != '\t') || c == 0x7f) {
      return fail(400, "the request head has a control character");
    }
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
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    fail(400, kText);
    return false;
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  http_1_1_ = version == "HTTP/1.1";
  const bool visible = std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!is_token(line.substr(0, first)) || target.empty() || !visible || (!http_1_1_ && version != "HTTP/1.0")) {
    fail(400, kText);
    return false;
  }
  method_size_ = first;
  target_size_ = target.size();
  return true;
}

bool HeadGuard::end_header_line(std::string_view line, std::size_t start) noexcept {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    fail(400, "a header line is not a name, a colon and a value");
    return false;
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));

  if (equals_ignoring_case(name, "host")) {
    if (has_host_ || !is_host(value)) {
      fail(400, "the Host header is repeated or malformed");
      return false;
    }
    has_host_ = true;
  } else if (equals_ignoring_case(name, "content-length")) {
    if (framing_.has_length || value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) {
      fail(400, "the Content-Length header is repeated or not a number");
      return false;
    }
    framing_.has_length = true;
    constexpr std::uint64_t kSaturated = std::uint64_t{1} << 60;
    for (const char c : value) {
      framing_.length = std::min(framing_.length * 10 + static_cast<std::uint64_t>(c - '0'), kSaturated);
    }
  } else if (equals_ignoring_case(name, "transfer-encoding")) {
    if (framing_.chunked || !http_1_1_ || !equals_ignoring_case(value, "chunked")) {
      fail(400, "the Transfer-Encoding header is not exactly chunked, or is sent with HTTP/1.0");
      return false;
    }
    framing_.chunked = true;
  }
  if (accept_ == 0 && !value.empty() && equals_ignoring_case(name, "accept")) {
    accept_ = start + static_cast<std::size_t>(value.data() - line.data());
    accept_size_ = value.size();
  }
  if (framing_.chunked && framing_.has_length) {
    fail(400, "the request has both Transfer-Encoding and Content-Length");
    return false;
  }
  return true;
}

bool HeadGuard::end_head() noexcept {
  if (http_1_1_ && !has_host_) {
    fail(400, "an HTTP/1.1 request needs a Host header");
    return false;
  }
  return true;
}

}  // namespace pairport

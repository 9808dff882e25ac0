// SPDX-License-Identifier: MIT
// Invariants: position_ is behind the last checked byte; every line before line_start_ has been accepted. A byte is
// checked when it is reached, a line when its LF is reached. So the result does not depend on the pieces of the input.
#include "net/http1/head_guard.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "core/base/ascii.h"

namespace pairport {
namespace {

// RFC 9110 section 5.6.2.
constexpr CharacterSet kTokenCharacters(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
// RFC 9110 section 7.2; what a URI allows in host and port.
constexpr CharacterSet kHostCharacters(
    "-._~%!$&'()*+,;=:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

std::size_t token_prefix(std::string_view text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && kTokenCharacters.contains(text[size])) ++size;
  return size;
}

// An empty host is allowed (RFC 9112 section 3.2).
bool is_host(std::string_view host) noexcept {
  return std::all_of(host.begin(), host.end(), [](char c) { return kHostCharacters.contains(c); });
}

// The first control character of `text` at `from` or behind it, or its end.
std::size_t plain_end(std::string_view text, std::size_t from) noexcept {
  const char* const begin = text.data();
  std::size_t i = from;
#if defined(__SSE2__)
  constexpr std::size_t kBlock = sizeof(__m128i);
  const auto controls = [begin](std::size_t at) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    const __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(low, del)));
  };
  for (; i + kBlock <= text.size(); i += kBlock) {
    if (const unsigned found = controls(i); found != 0) return i + static_cast<std::size_t>(std::countr_zero(found));
  }
  if (text.size() >= kBlock && i < text.size()) {
    // The last block overlaps the one before; skip the bytes that were checked.
    const std::size_t last = text.size() - kBlock;
    const unsigned found = controls(last) >> (i - last);
    return found != 0 ? i + static_cast<std::size_t>(std::countr_zero(found)) : text.size();
  }
#endif
  while (i < text.size() && static_cast<unsigned char>(begin[i]) >= 0x20 && begin[i] != 0x7f) ++i;
  return i;
}

// Whether a header has this name. REQUIRES: `name` is a token, `lower` consists of small letters and hyphens. Setting
// the case bit turns no other token character into a letter or hyphen.
template <std::size_t kSize>
bool is_name(std::string_view name, const char (&lower)[kSize]) noexcept {
  constexpr std::size_t kLength = kSize - 1;
  static_assert(kLength >= 4);
  using Word = std::conditional_t<kLength >= 8, std::uint64_t, std::uint32_t>;
  constexpr Word kCaseBits = static_cast<Word>(0x2020'2020'2020'2020U);
  if (name.size() != kLength) return false;
  const auto differs_at = [&](std::size_t at) {
    Word ours = 0;
    Word theirs = 0;
    std::memcpy(&ours, lower + at, sizeof(Word));
    std::memcpy(&theirs, name.data() + at, sizeof(Word));
    return ours ^ (theirs | kCaseBits);
  };
  Word differs = differs_at(kLength - sizeof(Word));  // may overlap with the one before
  for (std::size_t at = 0; at + sizeof(Word) < kLength; at += sizeof(Word)) differs |= differs_at(at);
  return differs == 0;
}

}  // namespace

HeadGuard::State HeadGuard::fail(int status, std::string_view text) noexcept {
  error_ = HeadError{status, text};
  return State::kError;
}

HeadGuard::State HeadGuard::feed(std::string_view head) noexcept {
  if (error_) return State::kError;
  const std::string_view text(head.data(), std::min(head.size(), limits_.bytes));
  while (position_ < text.size()) {
    if (position_ == line_start_ || text[position_ - 1] != '\r') {
      position_ = plain_end(text, position_);
      if (position_ == text.size()) break;
      const char c = text[position_++];
      if (c == '\n') return fail(400, "a line of the request head ends in LF without CR");
      if (c != '\r' && c != '\t') return fail(400, "the request head has a control character");
      if (c != '\r' || position_ == text.size()) continue;
    }
    if (text[position_] != '\n') return fail(400, "the request head has a CR without LF");
    const std::size_t start = line_start_;
    const std::string_view line(text.data() + start, position_ - 1 - start);
    line_start_ = ++position_;
    if (line.empty() && lines_ > 0) return end_head() ? State::kComplete : State::kError;
    if (!end_line(line, start)) return State::kError;
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
  // A target holds no space, so there is only one possible place for each of the two spaces.
  static constexpr std::string_view kVersion = " HTTP/1.1";
  const std::size_t first = token_prefix(line);
  if (first == 0 || line.size() < first + 2 + kVersion.size() || line[first] != ' ') {
    fail(400, kText);
    return false;
  }
  const std::string_view version = line.substr(line.size() - kVersion.size());
  const std::string_view target = line.substr(first + 1, line.size() - kVersion.size() - first - 1);
  const bool visible = std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  http_1_1_ = version == kVersion;
  if (!visible || (!http_1_1_ && version != " HTTP/1.0")) {
    fail(400, kText);
    return false;
  }
  method_size_ = first;
  target_size_ = target.size();
  request_line_size_ = line_start_;
  return true;
}

HeadGuard::Place HeadGuard::value_behind(std::size_t colon, std::string_view line, std::size_t start) noexcept {
  const std::string_view value = trim(line.substr(colon + 1));
  if (value.empty()) return {};
  return {static_cast<std::uint16_t>(start + static_cast<std::size_t>(value.data() - line.data())),
          static_cast<std::uint16_t>(value.size())};
}

void HeadGuard::keep(HeaderName name, std::string_view line, std::size_t colon, std::size_t start) noexcept {
  Place& place = values_[static_cast<std::size_t>(name)];
  if (place.size == 0) place = value_behind(colon, line, start);
}

bool HeadGuard::end_header_line(std::string_view line, std::size_t start) noexcept {
  const std::size_t colon = token_prefix(line);
  if (colon == 0 || colon == line.size() || line[colon] != ':') {
    fail(400, "a header line is not a name, a colon and a value");
    return false;
  }
  const std::string_view name(line.data(), colon);
  const auto steers = [&] {
    if (steering_.size == 0) steering_.begin = static_cast<std::uint16_t>(start);
    steering_.size = static_cast<std::uint16_t>(line_start_ - steering_.begin);
    return true;
  };
  // By length, because most names are none of these.
  switch (colon) {
    case 4:
      if (is_name(name, "host")) return take_host(trim(line.substr(colon + 1)));
      break;
    case 6:
      if (is_name(name, "expect")) {
        const bool is_known = equals_ignoring_case(trim(line.substr(colon + 1)), "100-continue");
        (is_known ? expects_continue_ : has_unknown_expectation_) = true;
      }
      break;
    case 7:
      if (is_name(name, "upgrade")) return steers();
      break;
    case 10:
      if (is_name(name, "connection")) return steers();
      break;
    case 14:
      if (is_name(name, "content-length")) return steers() && take_length(trim(line.substr(colon + 1)));
      break;
    case 15:
      // Each proxy may add a line; the line of the nearest proxy comes last.
      if (is_name(name, "x-forwarded-for")) {
        std::shift_right(forwarded_for_.begin(), forwarded_for_.end(), 1);
        forwarded_for_[0] = value_behind(colon, line, start);
        forwarded_count_ = std::min(forwarded_count_ + 1, kMaxForwarded);
      }
      break;
    case 16:
      if (is_name(name, "proxy-connection")) return steers();
      break;
    case 17:
      if (is_name(name, "transfer-encoding")) return steers() && take_encoding(trim(line.substr(colon + 1)));
      break;
    default:
      break;
  }
    // Most other headers differ from these already in length.
#define PAIRPORT_LENGTH(member, name) | std::uint64_t{1} << (sizeof(name) - 1)
  static constexpr std::uint64_t kLengths = 0 PAIRPORT_REQUEST_HEADERS(PAIRPORT_LENGTH);
#undef PAIRPORT_LENGTH
  if (colon >= 64 || (kLengths >> colon & 1) == 0) return true;
#define PAIRPORT_KEEP(member, text)               \
  if (is_name(name, text)) {                      \
    keep(HeaderName::member, line, colon, start); \
    return true;                                  \
  }
  PAIRPORT_REQUEST_HEADERS(PAIRPORT_KEEP)
#undef PAIRPORT_KEEP
  return true;
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

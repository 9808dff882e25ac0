// SPDX-License-Identifier: MIT
// The strict check of a request head that comes before llhttp sees a byte of it.
#ifndef PAIRPORT_NET_HEAD_GUARD_H_
#define PAIRPORT_NET_HEAD_GUARD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <pairport/pairport.h>

namespace pairport {

inline constexpr std::size_t kMaxHead = 8 * 1024;
inline constexpr std::size_t kMaxHeaders = 64;

// The limits of a head; at most the constants above, because the buffers have these sizes.
struct HeadLimits {
  std::size_t bytes = kMaxHead;
  std::size_t headers = kMaxHeaders;
};

// The reason for refusing a head. `text` is a static ASCII line that holds no part of the request.
struct HeadError {
  int status;
  std::string_view text;
};

// How the body behind a head is delimited (RFC 9112 section 6).
struct Framing {
  bool chunked = false;
  bool has_length = false;
  std::uint64_t length = 0;  // saturated; anything above the limit for bodies is refused anyway
};

// Headers whose values the guard keeps: those of PAIRPORT_REQUEST_HEADERS, each with the name of its member of Request.
enum class HeaderName : std::uint8_t {
#define PAIRPORT_ENUMERATOR(member, name) member,
  PAIRPORT_REQUEST_HEADERS(PAIRPORT_ENUMERATOR)
#undef PAIRPORT_ENUMERATOR
};
#define PAIRPORT_COUNT(member, name) +1
inline constexpr std::size_t kHeaderNames = 0 PAIRPORT_REQUEST_HEADERS(PAIRPORT_COUNT);
#undef PAIRPORT_COUNT

// Reads a head that arrives in pieces of any size. Stops at the first byte that is not allowed at its place, so that
// the result does not depend on the pieces. Accepts a subset of RFC 9112:
//   request-line = token SP 1*VCHAR SP ("HTTP/1.0" / "HTTP/1.1") CRLF
//   header-line  = token ":" *(HTAB / SP / VCHAR / obs-text) CRLF
// no line folding, no bare CR or LF, no other control characters; at most as many bytes and headers as allowed; exactly
// one Host on 1.1 and at most one on 1.0; at most one Content-Length, of digits only; Transfer-Encoding at most once,
// only `chunked`, only on 1.1, and never with Content-Length. llhttp accepts more, which differs from version to
// version; such differences make request smuggling possible.
class HeadGuard {
 public:
  enum class State { kIncomplete, kComplete, kError };

  explicit HeadGuard(const HeadLimits& limits = {}) noexcept : limits_(limits) {}

  // Continues where the last call stopped. `head` holds all bytes from the first one of the head: the bytes of the last
  // call, then the bytes that have arrived since. It may extend beyond the head.
  State feed(std::string_view head) noexcept;

  // With kComplete: bytes of the head, its empty line included.
  std::size_t size() const noexcept { return position_; }
  // ... and of its request line, CRLF included.
  std::size_t request_line_size() const noexcept { return request_line_size_; }
  const Framing& framing() const noexcept { return framing_; }
  bool is_http_1_1() const noexcept { return http_1_1_; }
  std::string_view method(std::string_view head) const noexcept { return head.substr(0, method_size_); }
  std::string_view target(std::string_view head) const noexcept { return head.substr(method_size_ + 1, target_size_); }

  // The value of a header, without white space around it; empty when there is none. Of repeated headers the first value
  // that is not empty.
  std::string_view value(HeaderName name, std::string_view head) const noexcept {
    return text_of(values_[static_cast<std::size_t>(name)], head);
  }
  // The number of kept X-Forwarded-For lines: the last kMaxForwarded ones of the head.
  static constexpr std::size_t kMaxForwarded = 4;
  std::size_t forwarded_count() const noexcept { return forwarded_count_; }
  // The value of one of these lines, which may be empty. Line 0 is the last one of the head, which the nearest proxy
  // wrote. REQUIRES: i < forwarded_count()
  std::string_view forwarded_for(std::size_t i, std::string_view head) const noexcept {
    return text_of(forwarded_for_[i], head);
  }
  // The lines from the first to the last header about the connection or the end of the body (Connection,
  // Proxy-Connection, Upgrade, Content-Length, Transfer-Encoding), CRLFs included; empty when there is none.
  std::string_view steering_lines(std::string_view head) const noexcept { return text_of(steering_, head); }
  bool expects_continue() const noexcept { return expects_continue_; }
  // Whether the request expects anything but 100-continue.
  bool has_unknown_expectation() const noexcept { return has_unknown_expectation_; }

  // With kError.
  const HeadError& error() const noexcept { return *error_; }

  // Prepares for the next head.
  void reset() noexcept { *this = HeadGuard(limits_); }

 private:
  // A part of the head, as offsets, because each call of feed() may pass the head at another address.
  struct Place {
    std::uint16_t begin = 0;
    std::uint16_t size = 0;
  };
  static_assert(kMaxHead <= 0xffff);
  static std::string_view text_of(Place place, std::string_view head) noexcept {
    return {head.data() + place.begin, place.size};
  }
  static Place value_behind(std::size_t colon, std::string_view line, std::size_t start) noexcept;

  State fail(int status, std::string_view text) noexcept;
  bool end_line(std::string_view line, std::size_t start) noexcept;
  bool end_request_line(std::string_view line) noexcept;
  bool end_header_line(std::string_view line, std::size_t start) noexcept;
  void keep(HeaderName name, std::string_view line, std::size_t colon, std::size_t start) noexcept;
  bool take_host(std::string_view value) noexcept;
  bool take_length(std::string_view value) noexcept;
  bool take_encoding(std::string_view value) noexcept;
  bool has_one_framing() noexcept;
  bool end_head() noexcept;

  HeadLimits limits_;
  std::size_t position_ = 0;    // bytes that were checked
  std::size_t line_start_ = 0;  // first byte of the current line
  std::size_t lines_ = 0;
  std::size_t request_line_size_ = 0;
  std::size_t method_size_ = 0;
  std::size_t target_size_ = 0;
  std::array<Place, kHeaderNames> values_;
  std::array<Place, kMaxForwarded> forwarded_for_;
  std::size_t forwarded_count_ = 0;
  Place steering_;
  Framing framing_;
  bool http_1_1_ = false;
  bool has_host_ = false;
  bool expects_continue_ = false;
  bool has_unknown_expectation_ = false;
  std::optional<HeadError> error_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_HEAD_GUARD_H_

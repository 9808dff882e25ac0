// SPDX-License-Identifier: MIT
// A request head, as the guard has read it, when llhttp agrees.
#ifndef PAIRPORT_NET_HTTP1_H_
#define PAIRPORT_NET_HTTP1_H_

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <pairport/http.h>

#include "net/http1/head_guard.h"

namespace pairport {

// A view of a request head. Points into the bytes that it was parsed from.
struct RequestHead {
  Request request;  // without body and client
  std::array<std::string_view, HeadGuard::kMaxForwarded> forwarded_lines;
  std::size_t forwarded_count = 0;
  bool keep_alive = false;
  bool expects_continue = false;
  bool has_unknown_expectation = false;

  // The last X-Forwarded-For lines, the nearest proxy's first.
  std::span<const std::string_view> forwarded_for() const noexcept { return {forwarded_lines.data(), forwarded_count}; }
};

// Parses the complete head `head` that `guard` has accepted. False when llhttp does not accept it: refuse the request
// with 400 then. Pure; any thread. REQUIRES: `result` is newly constructed
bool parse_head(std::string_view head, const HeadGuard& guard, RequestHead& result) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_HTTP1_H_

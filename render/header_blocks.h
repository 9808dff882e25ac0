// SPDX-License-Identifier: MIT
// The headers of the service's answers.
#ifndef PAIRPORT_RENDER_HEADER_BLOCKS_H_
#define PAIRPORT_RENDER_HEADER_BLOCKS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pairport/http.h>

namespace pairport {

using Headers = std::vector<std::pair<std::string_view, std::string>>;

// `headers` behind those that every answer carries. What depends on a code or holds a credential must not be stored.
HeaderBlock block(Headers headers, std::string cache_control = "no-store");

// The same headers for a plain text error and for a problem document (RFC 9457).
struct ErrorHeaders {
  HeaderBlock text;
  HeaderBlock problem;

  explicit ErrorHeaders(const Headers& extra)
      : text(with_type(extra, "text/plain; charset=utf-8")), problem(with_type(extra, "application/problem+json")) {}

 private:
  static HeaderBlock with_type(Headers headers, const char* type) {
    headers.insert(headers.begin(), {"Content-Type", type});
    return block(std::move(headers));
  }
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_HEADER_BLOCKS_H_

// SPDX-License-Identifier: MIT
// The headers of the service's answers.
#ifndef PAIRPORT_RENDER_HEADER_BLOCKS_H_
#define PAIRPORT_RENDER_HEADER_BLOCKS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pairport/http.h>

namespace pairport {

using Headers = std::vector<std::pair<std::string_view, std::string>>;

// The pages that may read an answer in a browser (CORS, Fetch standard). Pages of every origin may read answers to
// deposits, because user interfaces have other origins. They may read no other answers: otherwise a page could make its
// visitors guess codes, and read the hits.
enum class Audience : std::uint8_t { kSameOrigin, kEveryOrigin };

// The headers of every answer, followed by `headers`. Caches must not store an answer that depends on a code or holds a
// credential.
HeaderBlock block(Headers headers, std::string cache_control = "no-store", Audience audience = Audience::kSameOrigin);

// The same headers for a plain text error and for a problem document (RFC 9457).
struct ErrorHeaders {
  HeaderBlock text;
  HeaderBlock problem;

  ErrorHeaders(const Headers& extra, Audience audience)
      : text(with_type(extra, "text/plain; charset=utf-8", audience)),
        problem(with_type(extra, "application/problem+json", audience)) {}

 private:
  static HeaderBlock with_type(Headers headers, const char* type, Audience audience) {
    headers.insert(headers.begin(), {"Content-Type", type});
    return block(std::move(headers), "no-store", audience);
  }
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_HEADER_BLOCKS_H_

// SPDX-License-Identifier: MIT
// Content negotiation, as far as the service has a choice (RFC 9110 section 12.5).
#ifndef PAIRPORT_RENDER_ACCEPT_H_
#define PAIRPORT_RENDER_ACCEPT_H_

#include <string_view>

namespace pairport {

// Whether an Accept header prefers JSON to plain text. A tie is no preference: browsers' clients send
// `application/json, text/plain, */*` and show what they get. Pure; any thread.
bool prefers_json(std::string_view accept) noexcept;

// Whether an Accept-Encoding header asks for gzip: by its name, and not less than for the identity. A mere `*` is not
// enough: what it gets may be piped to a shell. Pure; any thread.
bool prefers_gzip(std::string_view accept_encoding) noexcept;

// Whether an If-None-Match header matches the strong entity tag `etag`, given with its quotes (RFC 9110
// section 13.1.2).
bool matches_etag(std::string_view if_none_match, std::string_view etag) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_RENDER_ACCEPT_H_

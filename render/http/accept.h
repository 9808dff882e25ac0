// SPDX-License-Identifier: MIT
// Content negotiation (RFC 9110 section 12.5): JSON or text, gzip or not.
#ifndef PAIRPORT_RENDER_ACCEPT_H_
#define PAIRPORT_RENDER_ACCEPT_H_

#include <string_view>

namespace pairport {

// Whether an Accept header prefers JSON to plain text. A tie is no preference: clients in browsers send
// `application/json, text/plain, */*` and show any answer. Pure; any thread.
bool prefers_json(std::string_view accept) noexcept;

// Whether an Accept header asks for plain text and nothing else of what a deposit is answered with: it names
// text/plain, and neither JSON nor `*/*`. Pure; any thread.
bool wants_only_text(std::string_view accept) noexcept;

// Whether an Accept-Encoding header asks for gzip: it names gzip, with at least the weight of `identity`. A `*` alone
// is not enough, because the client may pipe the answer to a shell. Pure; any thread.
bool prefers_gzip(std::string_view accept_encoding) noexcept;

// Whether an If-None-Match header matches the strong entity tag `etag`, given with its quotes (RFC 9110
// section 13.1.2).
bool matches_etag(std::string_view if_none_match, std::string_view etag) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_RENDER_ACCEPT_H_

// SPDX-License-Identifier: MIT
// Answers to requests that crossed a network unencrypted.
#include <algorithm>
#include <array>
#include <string_view>

#include "core/base/writer.h"
#include "render/http/accept.h"
#include "render/service/service_impl.h"

namespace pairport {
namespace {

// Longest path and query in a Location header, so that every head fits the buffer of a connection.
constexpr std::size_t kMaxRedirectedPath = 512;

// The target without scheme and authority, which the client chooses: empty, or beginning with / or ?.
std::string_view path_and_query(std::string_view target) noexcept {
  if (target.starts_with('/')) return target;
  const std::size_t authority = target.find("://");
  if (authority == std::string_view::npos) return {};
  target.remove_prefix(authority + 3);
  return target.substr(std::min(target.find_first_of("/?"), target.size()));
}

}  // namespace

void Service::Impl::redirect(const Request& request, Response& response) noexcept {
  response.reset();
  Reply reply(response);
  const Target target(request.target);
  const bool as_problem = prefers_json(request.accept);
  const RouteRow& row = find_route(target, request.method);
  note_route(row, target, response);
  if (request.method == Method::kOptions) {
    // A preflight that fails prevents the browser from sending the credentials unencrypted.
    reply.note(Route::kPreflight);
    std::array<char, 128 + kMaxServiceUrl> text;
    return error(response, 403, deposit_errors,
                 Writer(text).text("this address is not encrypted and takes no deposits; use ").text(url).written(),
                 as_problem);
  }
  if (!is_read(request.method)) {
    std::array<char, 256 + kMaxServiceUrl> text;
    Writer out(text);
    out.text("nothing was stored: this address is not encrypted, and what was sent to it has crossed the network in ");
    out.text("clear; consider its credentials exposed, and send new ones to ").text(url);
    return error(response, 403, deposit_errors, out.written(), as_problem);
  }
  if (row.in_clear) return row.handler(*this, target, request, {}, response);
  const std::string_view path = path_and_query(request.target);
  if (target.problem() == Target::Problem::kMalformed) {
    error(response, 400, errors, kMalformedTarget, as_problem);
  } else if (path.size() > kMaxRedirectedPath) {
    error(response, 414, errors, "the request target is too long for a redirect", as_problem);
  } else {
    refuse_look_up(
        language_for(target, request), target.packed(), 308,
        "this address is not encrypted and serves nothing; follow its redirect (curl -L), or begin with https",
        as_problem, response);
    Writer out(reply.scratch());
    out.text("Location: ").text(url).text(path.starts_with('/') ? "" : "/").text(path).text("\r\n");
    reply.set_extra_headers(out.written());
  }
  if (request.method == Method::kHead) reply.drop_body();
}

}  // namespace pairport

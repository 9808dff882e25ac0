// SPDX-License-Identifier: MIT
#include "net/http1/http1.h"

#include <llhttp.h>

namespace pairport {
namespace {

// What llhttp decides about a head that the guard has read: whether it agrees, and whether the connection persists (RFC
// 9112 section 9.3).
struct Verdict {
  bool complete = false;
  bool keep_alive = false;
};

const llhttp_settings_t& settings() noexcept {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t result;
    llhttp_settings_init(&result);
    result.on_headers_complete = [](llhttp_t* parser) {
      *static_cast<Verdict*>(parser->data) = {true, llhttp_should_keep_alive(parser) != 0};
      return 0;
    };
    return result;
  }();
  return kSettings;
}

Method method_of(std::string_view text) noexcept {
  if (text == "GET") return Method::kGet;
  if (text == "POST") return Method::kPost;
  if (text == "HEAD") return Method::kHead;
  if (text == "OPTIONS") return Method::kOptions;
  return Method::kOther;
}

}  // namespace

bool parse_head(std::string_view head, const HeadGuard& guard, RequestHead& result) noexcept {
  Request& request = result.request;
  request.method = method_of(guard.method(head));
  request.target = guard.target(head);
  // Versions of llhttp differ in the other methods that they know. Such a request is refused, and its connection ends,
  // so the guard's knowledge is enough.
  if (request.method == Method::kOther) {
    request.accept = guard.value(HeaderName::accept, head);  // the error has the form that the client prefers
    return true;
  }
  Verdict verdict;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings());
  parser.data = &verdict;
  // llhttp does not use other headers, and the guard's grammar of lines is narrower than that of llhttp. So do not pass
  // them to llhttp: it takes ten instructions a character. (The fuzzer of heads passes them, too, and compares.)
  const std::string_view request_line(head.data(), guard.request_line_size());
  const std::string_view empty_line(head.data() + guard.size() - 2, 2);
  llhttp_errno_t error = HPE_OK;
  for (const std::string_view lines : {request_line, guard.steering_lines(head), empty_line}) {
    if (error == HPE_OK && !lines.empty()) error = llhttp_execute(&parser, lines.data(), lines.size());
  }
  // A server ignores an Upgrade that it does not know (RFC 9110 section 7.8): the pause is no error.
  if ((error != HPE_OK && error != HPE_PAUSED_UPGRADE) || !verdict.complete) return false;

#define PAIRPORT_TAKE_HEADER(member, name) request.member = guard.value(HeaderName::member, head);
  PAIRPORT_REQUEST_HEADERS(PAIRPORT_TAKE_HEADER)
#undef PAIRPORT_TAKE_HEADER
  result.forwarded_count = guard.forwarded_count();
  for (std::size_t i = 0; i < result.forwarded_count; ++i) result.forwarded_lines[i] = guard.forwarded_for(i, head);
  result.expects_continue = guard.expects_continue();
  result.has_unknown_expectation = guard.has_unknown_expectation();
  result.keep_alive = verdict.keep_alive;
  return true;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
#include "http1.h"

#include <algorithm>

#include <llhttp.h>

#include <pairport/ascii.h>

namespace pairport {
namespace {

// Collects what llhttp reports. llhttp may report a token in pieces; within one call they follow each other in memory,
// so a token is the range from its first to its last piece.
class Collector {
 public:
  explicit Collector(RequestHead& head) noexcept : head_(head) {}

  static void extend(std::string_view& token, const char* data, std::size_t size) noexcept {
    const char* begin = token.data() != nullptr ? token.data() : data;
    token = {begin, static_cast<std::size_t>(data + size - begin)};
  }

  void url(const char* data, std::size_t size) noexcept { extend(head_.request.target, data, size); }
  void name(const char* data, std::size_t size) noexcept {
    if (has_value_) end_header();
    extend(name_, data, size);
  }
  void value(const char* data, std::size_t size) noexcept {
    extend(value_, data, size);
    has_value_ = true;
  }

  void end_header() noexcept {
    const std::string_view value = trim(value_);
    const auto keep_first = [&](std::string_view& field) {
      // Not whether it was there at all: for a value of white space that depends on the version of llhttp.
      if (field.empty()) field = value;
    };
    switch (name_.size()) {
      case 6:
        if (equals_ignoring_case(name_, "accept")) keep_first(head_.request.accept);
        if (equals_ignoring_case(name_, "expect")) {
          (equals_ignoring_case(value, "100-continue") ? head_.expects_continue : head_.has_unknown_expectation) = true;
        }
        break;
      case 5:
        if (equals_ignoring_case(name_, "range")) keep_first(head_.request.range);
        break;
      case 8:
        if (equals_ignoring_case(name_, "if-range")) keep_first(head_.request.if_range);
        break;
      case 10:
        if (equals_ignoring_case(name_, "user-agent")) keep_first(head_.request.user_agent);
        break;
      case 12:
        if (equals_ignoring_case(name_, "content-type")) keep_first(head_.request.content_type);
        break;
      case 13:
        if (equals_ignoring_case(name_, "if-none-match")) keep_first(head_.request.if_none_match);
        break;
      case 15:
        if (equals_ignoring_case(name_, "accept-encoding")) keep_first(head_.request.accept_encoding);
        // Each proxy may write a line of its own: the nearest one's comes last.
        if (equals_ignoring_case(name_, "x-forwarded-for")) {
          std::shift_right(head_.forwarded_for.begin(), head_.forwarded_for.end(), 1);
          head_.forwarded_for[0] = value;
        }
        break;
      default:
        break;
    }
    name_ = value_ = {};
    has_value_ = false;
  }

  void end_head(const llhttp_t* parser) noexcept {
    if (has_value_) end_header();
    head_.keep_alive = llhttp_should_keep_alive(parser) != 0;
    complete_ = true;
  }

  bool complete() const noexcept { return complete_; }

 private:
  RequestHead& head_;
  std::string_view name_;
  std::string_view value_;
  bool has_value_ = false;
  bool complete_ = false;
};

Collector& collector(llhttp_t* parser) noexcept {
  return *static_cast<Collector*>(parser->data);
}

const llhttp_settings_t& settings() noexcept {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t result;
    llhttp_settings_init(&result);
    result.on_url = [](llhttp_t* parser, const char* data, std::size_t size) {
      collector(parser).url(data, size);
      return 0;
    };
    result.on_header_field = [](llhttp_t* parser, const char* data, std::size_t size) {
      collector(parser).name(data, size);
      return 0;
    };
    result.on_header_value = [](llhttp_t* parser, const char* data, std::size_t size) {
      collector(parser).value(data, size);
      return 0;
    };
    result.on_header_value_complete = [](llhttp_t* parser) {
      // An empty value is reported by this alone.
      collector(parser).end_header();
      return 0;
    };
    result.on_headers_complete = [](llhttp_t* parser) {
      collector(parser).end_head(parser);
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
  result = {};
  Request& request = result.request;
  request.method = method_of(guard.method(head));
  if (request.method == Method::kOther) {
    // Which further methods llhttp knows differs from version to version. They are refused anyway, and with them the
    // connection ends, so what the guard knows is enough.
    request.target = guard.target(head);
    request.accept = guard.accept(head);
    return true;
  }
  Collector collector(result);
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings());
  parser.data = &collector;
  const llhttp_errno_t error = llhttp_execute(&parser, head.data(), guard.size());
  // An Upgrade that we do not know is to be ignored (RFC 9110 section 7.8): the pause is no error.
  return (error == HPE_OK || error == HPE_PAUSED_UPGRADE) && collector.complete();
}

}  // namespace pairport

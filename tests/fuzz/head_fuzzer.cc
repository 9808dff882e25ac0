// SPDX-License-Identifier: MIT
// Request heads: the verdict does not depend on how they are cut, what is accepted keeps the rules of the guard's
// header, checked here in another way, and the parser reads in it what the guard has read.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <llhttp.h>

#include "core/base/ascii.h"
#include "net/http1/head_guard.h"
#include "net/http1/http1.h"

#include "input.h"

namespace pairport::fuzz {
namespace {

struct Header {
  std::string name;
  std::string_view value;
};

// A head that was accepted, taken apart by someone who trusts that it is well-formed.
struct Parts {
  std::string_view method;
  std::string_view target;
  std::string_view version;
  std::vector<Header> headers;

  std::size_t count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(headers.begin(), headers.end(), [name](const Header& header) { return header.name == name; }));
  }
  // The first one that is not empty.
  std::string_view value(std::string_view name) const {
    for (const Header& header : headers) {
      if (header.name == name && !header.value.empty()) return header.value;
    }
    return {};
  }
};

Parts take_apart(std::string_view head) {
  Parts parts;
  bool first = true;
  while (!head.starts_with("\r\n")) {
    const std::size_t end = head.find("\r\n");
    expect(end != std::string_view::npos, "an accepted head ends in an empty line");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      expect(byte == '\t' || (byte >= 0x20 && byte != 0x7f), "an accepted head has no control characters");
    }
    if (first) {
      const std::size_t space = line.find(' ');
      const std::size_t second = line.find(' ', space + 1);
      expect(space != std::string_view::npos && second != std::string_view::npos, "a request line has two spaces");
      parts.method = line.substr(0, space);
      parts.target = line.substr(space + 1, second - space - 1);
      parts.version = line.substr(second + 1);
      first = false;
      continue;
    }
    const std::size_t colon = line.find(':');
    expect(colon != std::string_view::npos && colon != 0, "a header line has a name");
    std::string name;
    for (const char c : line.substr(0, colon)) {
      expect(c > 0x20 && c < 0x7f && std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos,
             "a header's name is a token");
      name += to_lower(c);
    }
    parts.headers.push_back({name, trim(line.substr(colon + 1))});
  }
  expect(head.size() == 2, "nothing of an accepted head is behind its empty line");
  return parts;
}

void check_rules(const Parts& parts, const HeadGuard& guard) {
  const bool http_1_1 = parts.version == "HTTP/1.1";
  expect(http_1_1 || parts.version == "HTTP/1.0", "the version is 1.0 or 1.1");
  expect(guard.is_http_1_1() == http_1_1, "the guard knows the version");
  expect(!parts.method.empty() && !parts.target.empty(), "method and target are not empty");
  expect(parts.headers.size() <= kMaxHeaders, "the number of headers is bounded");
  expect(parts.count("host") <= 1 && (!http_1_1 || parts.count("host") == 1), "one Host, and on 1.1 there is one");
  const std::size_t lengths = parts.count("content-length");
  const std::size_t codings = parts.count("transfer-encoding");
  expect(lengths + codings <= 1, "the end of a body is said once");
  expect(guard.framing().has_length == (lengths == 1), "the guard has seen Content-Length");
  expect(guard.framing().chunked == (codings == 1), "the guard has seen Transfer-Encoding");
  if (codings == 1) expect(http_1_1 && equals_ignoring_case(parts.value("transfer-encoding"), "chunked"), "chunked");
  if (lengths == 1) {
    const std::string_view digits = parts.value("content-length");
    expect(!digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos, "a length is digits");
    const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size());
    if (digits.size() - first < 18) {
      expect(guard.framing().length == std::stoull("0" + std::string(digits.substr(first))), "the length is read");
    } else {
      expect(guard.framing().length > std::uint64_t{1} << 50, "a length that fits nothing stays large");
    }
  }
}

// What llhttp says of a head all of which it reads: whether it takes it, and whether the connection stays.
std::pair<bool, bool> ask_llhttp(std::string_view head) {
  std::pair<bool, bool> answer;
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_headers_complete = [](llhttp_t* parser) {
    *static_cast<std::pair<bool, bool>*>(parser->data) = {true, llhttp_should_keep_alive(parser) != 0};
    return 0;
  };
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &answer;
  const llhttp_errno_t error = llhttp_execute(&parser, head.data(), head.size());
  if (error != HPE_OK && error != HPE_PAUSED_UPGRADE) answer.first = false;
  return answer;
}

void check_parser(std::string_view head, const Parts& parts, const HeadGuard& guard) {
  RequestHead parsed;
  const bool taken = parse_head(head, guard, parsed);
  const Request& request = parsed.request;
  if (request.method != Method::kOther) {
    const auto [takes, stays] = ask_llhttp(head);
    expect(taken == takes, "what llhttp is not shown would not change its mind");
    expect(!taken || parsed.keep_alive == stays, "... nor what becomes of the connection");
  }
  if (!taken) return;  // refused with 400
  expect(request.target == parts.target, "the parser finds the same target");
  const bool known =
      parts.method == "GET" || parts.method == "HEAD" || parts.method == "POST" || parts.method == "OPTIONS";
  expect((request.method != Method::kOther) == known, "the parser finds the same method");
  expect(request.accept == parts.value("accept"), "the parser finds the same Accept header");
  if (!known) return;
  for (const auto& [name, value] : {std::pair(std::string_view("user-agent"), request.user_agent),
                                    {"accept-encoding", request.accept_encoding},
                                    {"content-type", request.content_type},
                                    {"if-none-match", request.if_none_match},
                                    {"if-range", request.if_range},
                                    {"range", request.range}}) {
    expect(value == parts.value(name), "the parser finds the same headers");
  }
  bool continues = false;
  bool unknown = false;
  for (const Header& header : parts.headers) {
    if (header.name != "expect") continue;
    (equals_ignoring_case(header.value, "100-continue") ? continues : unknown) = true;
  }
  expect(parsed.expects_continue == continues && parsed.has_unknown_expectation == unknown, "expectations are seen");
}

void run(Input input) {
  Cuts cuts(input);
  const Exact text(input.rest());
  const std::string_view whole = text.view();
  HeadGuard guard;
  const HeadGuard::State verdict = guard.feed(whole);

  HeadGuard cut;
  HeadGuard::State cut_verdict = HeadGuard::State::kIncomplete;
  for (std::size_t size = 0; size < whole.size() && cut_verdict == HeadGuard::State::kIncomplete;) {
    size += cuts.next(whole.size() - size);
    // What was passed before may have moved.
    const Exact so_far(whole.substr(0, size));
    cut_verdict = cut.feed(so_far.view());
  }
  expect(cut_verdict == verdict, "the verdict does not depend on the cuts");
  expect(cut.size() == guard.size(), "where it was reached neither");
  switch (verdict) {
    case HeadGuard::State::kIncomplete:
      expect(whole.size() < kMaxHead, "a head that is too large is refused");
      break;
    case HeadGuard::State::kError:
      expect(cut.error().status == guard.error().status && cut.error().text == guard.error().text,
             "the reason does not depend on the cuts");
      expect(guard.error().status == 400 || guard.error().status == 431, "a refusal is 400 or 431");
      break;
    case HeadGuard::State::kComplete: {
      expect(guard.size() <= kMaxHead && guard.size() <= whole.size(), "a head is bounded");
      const Exact head(whole.substr(0, guard.size()));
      const Parts parts = take_apart(head.view());
      expect(guard.method(head.view()) == parts.method && guard.target(head.view()) == parts.target,
             "the guard finds the same request line");
      expect(guard.value(HeaderName::accept, head.view()) == parts.value("accept"),
             "the guard finds the same Accept header");
      check_rules(parts, guard);
      check_parser(head.view(), parts, guard);
      break;
    }
  }
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

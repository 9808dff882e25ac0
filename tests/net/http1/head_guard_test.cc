// SPDX-License-Identifier: MIT
#include "net/http1/head_guard.h"

#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "net/http1/http1.h"

namespace pairport {
namespace {

using State = HeadGuard::State;

State whole(const std::string& head, HeadGuard& guard) {
  return guard.feed(head);
}

State bytewise(const std::string& head, HeadGuard& guard) {
  State state = State::kIncomplete;
  for (std::size_t size = 1; size <= head.size() && state == State::kIncomplete; ++size) {
    state = guard.feed(std::string_view(head).substr(0, size));
  }
  return state;
}

TEST(HeadGuard, SplitsTheRequestLine) {
  HeadGuard guard;
  const std::string head = "GET /abc?x=1 HTTP/1.1\r\nHost: example.com:80\r\n\r\nrest";
  ASSERT_EQ(whole(head, guard), State::kComplete);
  EXPECT_EQ(guard.size(), head.size() - 4);
  EXPECT_EQ(guard.method(head), "GET");
  EXPECT_EQ(guard.target(head), "/abc?x=1");
  EXPECT_TRUE(guard.is_http_1_1());
  EXPECT_FALSE(guard.framing().chunked);
  EXPECT_FALSE(guard.framing().has_length);
}

TEST(HeadGuard, ReadsTheFraming) {
  HeadGuard guard;
  ASSERT_EQ(whole("POST / HTTP/1.1\r\nhost:x\r\ncontent-length: \t 42\t\r\n\r\n", guard), State::kComplete);
  EXPECT_TRUE(guard.framing().has_length);
  EXPECT_EQ(guard.framing().length, 42U);
  guard.reset();
  ASSERT_EQ(whole("POST / HTTP/1.1\r\nhost:x\r\nTRANSFER-ENCODING: Chunked\r\n\r\n", guard), State::kComplete);
  EXPECT_TRUE(guard.framing().chunked);
}

TEST(HeadGuard, KeepsTheValuesOfHeaders) {
  const std::string head =
      "GET / HTTP/1.1\r\nHost: x\r\naccept:\r\nACCEPT: \t text/html \t\r\nAccept: image/png\r\nUser-Agent:curl/8 "
      "(x)\r\n"
      "Accept-Encoding: gzip\r\nContent-Type: a/b\r\nIf-None-Match: \"e\"\r\nIf-Range: \"f\"\r\nRange: bytes=0-\r\n"
      "User_Agent: other\r\nXser-Agent: other\r\nAccepts: no\r\n\r\n";
  for (const auto feed : {whole, bytewise}) {
    HeadGuard guard;
    ASSERT_EQ(feed(head, guard), State::kComplete);
    EXPECT_EQ(guard.value(HeaderName::accept, head), "text/html") << "the first that is not empty";
    EXPECT_EQ(guard.value(HeaderName::user_agent, head), "curl/8 (x)");
    EXPECT_EQ(guard.value(HeaderName::accept_encoding, head), "gzip");
    EXPECT_EQ(guard.value(HeaderName::content_type, head), "a/b");
    EXPECT_EQ(guard.value(HeaderName::if_none_match, head), "\"e\"");
    EXPECT_EQ(guard.value(HeaderName::if_range, head), "\"f\"");
    EXPECT_EQ(guard.value(HeaderName::range, head), "bytes=0-");
    // Values are told by their place: the head may lie elsewhere by now.
    const std::string moved = head;
    EXPECT_EQ(guard.value(HeaderName::user_agent, moved).data(), moved.data() + moved.find("curl/8"));
    guard.reset();
    ASSERT_EQ(feed("GET / HTTP/1.1\r\nHost: x\r\n\r\n", guard), State::kComplete);
    EXPECT_EQ(guard.value(HeaderName::accept, head), "") << "nothing is left of the head before";
  }
}

TEST(HeadGuard, EveryHeaderOfTheTableReachesTheRequest) {
  std::string head = "GET / HTTP/1.1\r\nHost: x\r\n";
#define LINE(member, name) head += name ": the " #member "\r\n";
  PAIRPORT_REQUEST_HEADERS(LINE)
#undef LINE
  head += "\r\n";
  for (const auto feed : {whole, bytewise}) {
    HeadGuard guard;
    ASSERT_EQ(feed(head, guard), State::kComplete);
    RequestHead parsed;
    ASSERT_TRUE(parse_head(head, guard, parsed));
#define REACHES(member, name)                                               \
  EXPECT_EQ(guard.value(HeaderName::member, head), "the " #member) << name; \
  EXPECT_EQ(parsed.request.member, "the " #member) << name;
    PAIRPORT_REQUEST_HEADERS(REACHES)
#undef REACHES
  }
}

TEST(HeadGuard, KeepsTheLastForwardedLinesTheNearestProxysFirst) {
  std::string head = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 1; i <= 6; ++i) head += "X-Forwarded-For: 10.0.0." + std::to_string(i) + "\r\n";
  head += "\r\n";
  HeadGuard guard;
  ASSERT_EQ(whole(head, guard), State::kComplete);
  EXPECT_EQ(guard.forwarded_count(), HeadGuard::kMaxForwarded);
  for (std::size_t i = 0; i < HeadGuard::kMaxForwarded; ++i) {
    EXPECT_EQ(guard.forwarded_for(i, head), "10.0.0." + std::to_string(6 - i));
  }
}

TEST(HeadGuard, TellsWhatIsExpected) {
  for (const auto& [value, continues, unknown] :
       {std::tuple("100-Continue", true, false), {"200-ok", false, true}, {"", false, true}}) {
    HeadGuard guard;
    ASSERT_EQ(whole("GET / HTTP/1.1\r\nHost: x\r\nExpect: " + std::string(value) + "\r\n\r\n", guard),
              State::kComplete);
    EXPECT_EQ(guard.expects_continue(), continues) << value;
    EXPECT_EQ(guard.has_unknown_expectation(), unknown) << value;
  }
}

TEST(HeadGuard, FindsTheLinesThatSteerTheConnection) {
  const std::string begin = "POST / HTTP/1.1\r\nHost: x\r\n";
  const std::string other = "Accept: */*\r\nConnections: 1\r\n";
  for (const std::string line : {"connection: close\r\n", "Proxy-Connection: x\r\n", "UPGRADE: h2c\r\n",
                                 "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    for (const std::string& lines : {line, "Connection: a\r\n" + other + line}) {
      const std::string head = begin + other + lines + other + "\r\n";
      HeadGuard guard;
      ASSERT_EQ(bytewise(head, guard), State::kComplete) << head;
      EXPECT_EQ(guard.request_line_size(), begin.find("Host"));
      EXPECT_EQ(guard.steering_lines(head), lines);
    }
  }
  HeadGuard guard;
  const std::string plain = begin + other + "\r\n";
  ASSERT_EQ(whole(plain, guard), State::kComplete);
  EXPECT_EQ(guard.steering_lines(plain), "");
}

TEST(HeadGuard, SaturatesALengthThatNoIntegerHolds) {
  HeadGuard guard;
  ASSERT_EQ(whole("POST / HTTP/1.1\r\nHost:x\r\nContent-Length: " + std::string(100, '9') + "\r\n\r\n", guard),
            State::kComplete);
  EXPECT_GT(guard.framing().length, std::uint64_t{1} << 40);
}

TEST(HeadGuard, StopsAtTheByteThatIsWrongHoweverItArrives) {
  for (const std::string head :
       {"GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\x01\r\n\r\n", "GET /\x7f HTTP/1.1\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n"}) {
    HeadGuard first;
    HeadGuard second;
    EXPECT_EQ(whole(head, first), State::kError) << head;
    EXPECT_EQ(bytewise(head, second), State::kError) << head;
    EXPECT_EQ(first.error().text, second.error().text) << head;
    EXPECT_EQ(first.feed(head), State::kError) << "an error stays";
  }
}

TEST(HeadGuard, TakesAHeadOfExactlyTheLimitAndNotOneByteMore) {
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
  const std::string fits = start + std::string(kMaxHead - start.size() - 4, 'a') + "\r\n\r\n";
  ASSERT_EQ(fits.size(), kMaxHead);
  const std::string too_long = start + std::string(kMaxHead - start.size() - 3, 'a') + "\r\n\r\n";
  for (const auto feed : {whole, bytewise}) {
    HeadGuard guard;
    EXPECT_EQ(feed(fits, guard), State::kComplete);
    guard.reset();
    EXPECT_EQ(feed(too_long, guard), State::kError);
    EXPECT_EQ(guard.error().status, 431);
  }
}

TEST(HeadGuard, TakesSixtyFourHeadersAndNotOneMore) {
  std::string head = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (std::size_t i = 1; i < kMaxHeaders; ++i) head += "X: y\r\n";
  HeadGuard guard;
  EXPECT_EQ(guard.feed(head + "\r\n"), State::kComplete);
  guard.reset();
  EXPECT_EQ(guard.feed(head + "X: y\r\n\r\n"), State::kError);
  EXPECT_EQ(guard.error().status, 431);
}

}  // namespace
}  // namespace pairport

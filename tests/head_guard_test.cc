// SPDX-License-Identifier: MIT
#include "head_guard.h"

#include <string>

#include <gtest/gtest.h>

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

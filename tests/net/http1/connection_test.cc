// SPDX-License-Identifier: MIT
#include <pairport/connection.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/connection_fixture.h"
#include "support/forked_child.h"
#include "support/process_memory.h"
#include "support/small_templates.h"

namespace pairport::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::string_literals;

std::size_t answers(const std::string& output) {
  std::size_t count = 0;
  for (std::size_t at = output.find("HTTP/1.1 "); at != std::string::npos; at = output.find("HTTP/1.1 ", at + 1))
    ++count;
  return count;
}

TEST(Connection, AnswersARequestAndKeepsOpen) {
  Wire wire;
  wire.feed(get("/0000000"));
  EXPECT_THAT(wire.output, StartsWith("HTTP/1.1 200 OK\r\nDate: Mon, 21 Sep 2026 14:13:20 GMT\r\n"));
  EXPECT_THAT(wire.output, HasSubstr("'foobaz'"));
  EXPECT_FALSE(wire.connection->wants_close());
  EXPECT_TRUE(wire.connection->wants_input());
  wire.output.clear();
  wire.feed(get("/nothing"));
  EXPECT_EQ(wire.status(), 404);
}

TEST(Connection, ContentLengthIsTheLengthOfTheBody) {
  for (const char* target : {"/0000000", "/0000000.ps1", "/update", "/nothing", "/a/b", "/uninstall"}) {
    Wire wire;
    wire.feed(get(target));
    const std::size_t body = wire.output.find("\r\n\r\n") + 4;
    EXPECT_THAT(wire.output, HasSubstr("Content-Length: " + std::to_string(wire.output.size() - body) + "\r\n"))
        << target;
    Wire head;
    head.feed("HEAD " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(head.output, wire.output.substr(0, body)) << "HEAD is GET without the body: " << target;
  }
}

TEST(Connection, DepositThenLookUpOnOneConnection) {
  Wire wire;
  wire.feed(post(kJsonDeposit));
  ASSERT_EQ(wire.status(), 200);
  const std::size_t at = wire.output.find("\"pairing_code\":\"") + 16;
  const std::string code = wire.output.substr(at, kDefaultCodeLength);
  wire.output.clear();
  wire.feed(get("/" + code));
  EXPECT_EQ(wire.status(), 200);
  EXPECT_THAT(wire.output, HasSubstr("'2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24'"));
}

// The law of this layer: how bytes are cut makes no difference.
class Cutting : public ::testing::TestWithParam<std::string> {};

TEST_P(Cutting, MakesNoDifference) {
  Wire whole;
  whole.feed(GetParam()).end();
  Wire bytewise;
  bytewise.feed_bytewise(GetParam()).end();
  EXPECT_EQ(bytewise.output, whole.output);
  EXPECT_EQ(bytewise.connection->wants_close(), whole.connection->wants_close());
  // Scripts of the usual size take most of the time of a service's start, and a sanitizer makes it a second.
  ServiceOptions options;
  options.templates = [](std::string_view name) { return small_template(name, 3'000); };
  Wire small(options);
  small.feed(GetParam()).end();
  for (unsigned seed = 0; seed < 20; ++seed) {
    Wire cut(options);
    cut.write_size = 1 + seed * 97;
    cut.feed_cut(GetParam(), seed).end();
    EXPECT_EQ(cut.output, small.output) << "seed " << seed;
  }
}

const std::string kChunkedDeposit =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + [] {
      std::string chunks;
      for (std::string_view rest = kJsonDeposit; !rest.empty();
           rest.remove_prefix(std::min<std::size_t>(rest.size(), 7))) {
        const std::string_view piece = rest.substr(0, 7);
        chunks += std::to_string(piece.size()) + "\r\n" + std::string(piece) + "\r\n";
      }
      return chunks + "0\r\n\r\n";
    }();

INSTANTIATE_TEST_SUITE_P(
    Inputs, Cutting,
    ::testing::Values(get("/0000000"), post(kJsonDeposit), kChunkedDeposit,
                      post(kJsonDeposit) + get("/0000000") + get("/nothing"),
                      kChunkedDeposit + kChunkedDeposit + get("/update"), get("/a") + get("/b") + get("/c") + get("/d"),
                      "GET /0000000 HTTP/1.0\r\n\r\n",
                      "GET /0000000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /x HTTP/1.0\r\n\r\n",
                      get("/0000000", "Connection: close\r\n") + get("/never"), "nonsense\r\n\r\n",
                      "GET / HTTP/1.1\r\n\r\n", post(std::string(20000, 'x')),
                      post("{", "application/json") + get("/0000000"),
                      post("a=b&c=d", "application/x-www-form-urlencoded"),
                      "BREW /0000000 HTTP/1.1\r\nHost: x\r\n\r\n" + get("/never"),
                      "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + get("/update"),
                      "GET /0000000 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + get("/update"),
                      post(kJsonDeposit).substr(0, 150), kChunkedDeposit.substr(0, 200)));

TEST(Connection, AnEmptyHeaderIsNoFirstOne) {
  for (const std::string empty : {"Accept:\r\n", "Accept: \r\n", "Accept: \t \r\n"}) {
    Wire wire;
    wire.feed(get("/a/b", empty + "Accept: application/json\r\n"));
    EXPECT_THAT(wire.output, HasSubstr("application/problem+json")) << empty;
  }
}

TEST(Connection, AnswersPipelinedRequestsInOrder) {
  Wire wire;
  wire.feed(get("/update") + post(kJsonDeposit) + get("/0000000") + "OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_EQ(answers(wire.output), 4U);
  EXPECT_LT(wire.output.find("rport-update.sh"), wire.output.find("pairing_code"));
  EXPECT_LT(wire.output.find("pairing_code"), wire.output.find("'foobaz'"));
  EXPECT_LT(wire.output.find("'foobaz'"), wire.output.find("HTTP/1.1 204"));
}

// How many answers begin in what the connection offers to send now.
std::size_t answers_in(std::span<const Fragment> output) {
  std::size_t count = 0;
  for (const Fragment& fragment : output) {
    if (std::string_view(fragment.data, fragment.size).starts_with("HTTP/1.1 ")) ++count;
  }
  return count;
}

ServiceOptions without_limits() {
  ServiceOptions options;
  options.miss_limit = {};
  return options;
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string all;
  while (count-- > 0) all += text;
  return all;
}

TEST(Connection, AnswersTogetherWhatArrivesTogether) {
  Wire wire;
  wire.writable = false;
  wire.feed(get("/ABCDEFG") + post(kJsonDeposit) + get("/uninstall") + get("/ABCDEFG").substr(0, 20));
  EXPECT_EQ(answers_in(wire.connection->output()), 3U);
  wire.writable = true;
  wire.pump();
  EXPECT_TRUE(wire.connection->wants_input());
  wire.feed(get("/ABCDEFG").substr(20));
  EXPECT_THAT(wire.output, HasSubstr("HTTP/1.1 404"));
  EXPECT_EQ(wire.output.find("HTTP/1.1 404"), 0U);
}

TEST(Connection, OffersABoundedNumberOfAnswersAndBytesAtOnce) {
  Wire wire(without_limits());
  wire.writable = false;
  wire.feed(repeated(get("/ABCDEFG"), 3 * Connection::kMaxBatch));
  EXPECT_EQ(answers_in(wire.connection->output()), Connection::kMaxBatch);
  Wire large;
  large.writable = false;
  large.feed(repeated(get("/0000000"), 20));
  const std::size_t together = answers_in(large.connection->output());
  EXPECT_GE(together, 2U);
  EXPECT_LE(together, 1 + Connection::kMaxBatchBytes / 20'000);
  for (Wire* each : {&wire, &large}) {
    each->writable = true;
    each->write_size = 1000;
    each->pump();
  }
  std::size_t answers = 0;
  for (std::size_t at = 0; (at = wire.output.find("HTTP/1.1 404", at)) != std::string::npos; ++at) ++answers;
  EXPECT_EQ(answers, 3 * Connection::kMaxBatch);
  Wire single;
  single.feed(get("/0000000"));
  EXPECT_EQ(large.output, repeated(single.output, 20));
}

TEST(Connection, AnErrorBehindGoodRequestsComesAfterTheirAnswers) {
  for (const std::string bad : {"GET / HTTP/9.9\r\n\r\n", "nonsense\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
                                "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"}) {
    Wire wire;
    wire.feed(get("/uninstall") + get("/ABCDEFG") + bad + get("/update"));
    EXPECT_EQ(wire.output.find("HTTP/1.1 200"), 0U);
    const std::size_t missed = wire.output.find("HTTP/1.1 404");
    ASSERT_NE(missed, std::string::npos);
    const std::size_t refused = wire.output.find("HTTP/1.1 ", missed + 1);
    ASSERT_NE(refused, std::string::npos) << bad;
    EXPECT_EQ(wire.output.find("HTTP/1.1 ", refused + 1), std::string::npos) << bad;
    EXPECT_TRUE(wire.shut_down);
  }
}

TEST(Connection, PipeliningPeersShareABoundedNumberOfBuffers) {
  Wire wire(without_limits());
  std::vector<std::unique_ptr<Connection>> stalled;
  const std::string requests = repeated(get("/ABCDEFG"), Connection::kMaxBatch);
  const auto together = [&] {
    stalled.push_back(std::make_unique<Connection>(*wire.context, ClientAddress{}, wire.now));
    stalled.back()->on_input(requests, wire.now);
    return answers_in(stalled.back()->output());
  };
  std::size_t queued = 0;
  for (std::size_t answers = 0; (answers = together()) != 1;) {
    queued += answers - 1;
    ASSERT_LT(stalled.size(), 1000U);
  }
  EXPECT_EQ(queued, 256U);
  EXPECT_EQ(together(), 1U);
  stalled.erase(stalled.begin());
  EXPECT_EQ(together(), Connection::kMaxBatch) << "what one gives back is there for the next";
  // Whoever got only one at a time gets all its answers nevertheless.
  std::string output;
  Connection& last = *stalled[stalled.size() - 2];
  while (!last.output().empty()) {
    const Fragment first = last.output().front();
    output.append(first.data, first.size);
    last.on_output(first.size, wire.now);
  }
  std::size_t answers = 0;
  for (std::size_t at = 0; (at = output.find("HTTP/1.1 404", at)) != std::string::npos; ++at) ++answers;
  EXPECT_EQ(answers, Connection::kMaxBatch);
}

TEST(Connection, DoesNotReadWhileItsAnswerIsNotTaken) {
  Wire wire;
  wire.writable = false;
  wire.feed(get("/0000000") + get("/update"));
  EXPECT_FALSE(wire.connection->wants_input());
  wire.writable = true;
  wire.pump();
  EXPECT_EQ(answers(wire.output), 2U) << "what came behind the first request was kept";
  EXPECT_TRUE(wire.connection->wants_input());
}

TEST(Connection, AnAnswerSurvivesTheExpiryOfItsDeposit) {
  ServiceOptions options;
  options.ttl_ms = 2000;
  Wire wire(options);
  wire.feed(post(kJsonDeposit));
  const std::string code = wire.output.substr(wire.output.find("\"pairing_code\":\"") + 16, kDefaultCodeLength);
  wire.output.clear();
  wire.writable = false;
  wire.feed(get("/" + code));
  wire.now.monotonic_ms += 3000;
  ASSERT_TRUE(wire.service->expire(wire.now, 1000));
  EXPECT_EQ(wire.service->store().stats().expiring, 0U);
  wire.writable = true;
  wire.write_size = 100;
  wire.pump();
  EXPECT_THAT(wire.output, HasSubstr("'foobaz'"));
  wire.output.clear();
  wire.feed(get("/" + code));
  EXPECT_EQ(wire.status(), 404);
}

TEST(Connection, SendsContinueOnlyWhenTheBodyIsStillToCome) {
  const std::string request = post(kJsonDeposit, "application/json", "Expect: 100-continue\r\n");
  const std::size_t body = request.find("\r\n\r\n") + 4;
  Wire waits;
  waits.feed(std::string_view(request).substr(0, body));
  EXPECT_EQ(waits.output, "HTTP/1.1 100 Continue\r\n\r\n");
  waits.feed(std::string_view(request).substr(body));
  EXPECT_THAT(waits.output, HasSubstr("\r\n\r\nHTTP/1.1 200 OK\r\n"));

  Wire impatient;
  impatient.feed(request);
  EXPECT_EQ(impatient.status(), 200);

  Wire too_large;
  too_large.feed("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n");
  EXPECT_EQ(too_large.status(), 413);
  Wire unknown;
  unknown.feed("POST / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(unknown.status(), 417);
}

TEST(Connection, ARefusedRequestEndsTheConnectionWithoutLosingTheAnswer) {
  Wire wire;
  wire.feed("GET / HTTP/3.7\r\n\r\n" + get("/0000000"));
  EXPECT_EQ(wire.status(), 400);
  EXPECT_EQ(answers(wire.output), 1U);
  EXPECT_THAT(wire.output, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(wire.shut_down) << "our side ends first, so that the peer can read the answer";
  EXPECT_FALSE(wire.connection->wants_close());
  EXPECT_TRUE(wire.connection->wants_input()) << "what still comes is read and thrown away";
  wire.feed("more");
  wire.end();
  EXPECT_TRUE(wire.connection->wants_close());
}

TEST(Connection, AnswersWhatWasAskedBeforeThePeerEndedItsSide) {
  Wire wire;
  wire.writable = false;
  wire.feed(get("/update") + get("/0000000"));
  wire.end();
  wire.writable = true;
  wire.pump();
  EXPECT_EQ(answers(wire.output), 2U);
  EXPECT_TRUE(wire.connection->wants_close());
}

TEST(Connection, ClosesAtOnceWhenAskedTo) {
  Wire wire;
  wire.feed(get("/0000000", "Connection: close\r\n"));
  EXPECT_EQ(wire.status(), 200);
  EXPECT_TRUE(wire.connection->wants_close());
  Wire old;
  old.feed("GET /0000000 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.status(), 200);
  EXPECT_TRUE(old.connection->wants_close());
}

TEST(Connection, TellsThatItWillCloseWhileThereIsStillSomethingToSend) {
  const auto tells = [](std::string_view request) {
    Wire wire;
    wire.writable = false;
    wire.feed(request);
    EXPECT_FALSE(wire.connection->output().empty()) << request;
    const bool closes = wire.connection->closes_after_output();
    wire.writable = true;
    wire.pump();
    EXPECT_EQ(wire.connection->wants_close(), closes) << request;
    EXPECT_FALSE(wire.connection->closes_after_output()) << "nothing is to be sent any more";
    return closes;
  };
  EXPECT_TRUE(tells(get("/0000000", "Connection: close\r\n")));
  EXPECT_TRUE(tells(get("/nothing", "Connection: close\r\n")));
  EXPECT_TRUE(tells("GET /0000000 HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(tells(get("/update") + get("/0000000", "Connection: close\r\n")));
  EXPECT_FALSE(tells(get("/0000000")));
  EXPECT_FALSE(tells("GET /0000000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_FALSE(tells("nonsense\r\n\r\n")) << "what the peer is sending still would reset the connection";
  EXPECT_FALSE(tells(get("/0000000", "Connection: close\r\n") + get("/never"))) << "... so would this";
}

TEST(Connection, ABodyHasAMinimumRate) {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16384\r\n\r\n";
  Wire none;
  none.feed(head).wait(Connection::kBodyGraceMs - 1);
  EXPECT_EQ(none.status(), 0);
  none.wait(1);
  EXPECT_EQ(none.status(), 408);

  for (const bool chunked : {false, true}) {
    Wire dripping;
    dripping.feed(chunked ? "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e80\r\n" : head);
    for (int i = 0; i < 2; ++i) dripping.feed("x").wait(2'500);
    EXPECT_EQ(dripping.status(), 0);
    dripping.feed("x").wait(2'500);
    EXPECT_EQ(dripping.status(), 408) << "a byte now and then does not buy time";
  }

  Wire steady;
  steady.feed(head);
  for (int i = 0; i < 199; ++i) steady.feed(std::string(79, ' ')).wait(100);
  EXPECT_EQ(steady.status(), 0) << "15,721 bytes in 19.9 s";
  steady.wait(99);
  EXPECT_EQ(steady.status(), 0);
  steady.wait(1);
  EXPECT_EQ(steady.status(), 408) << "the time for a whole body is over";

  ConnectionLimits limits;
  limits.body_timeout = 1'000;
  Wire short_of_time({}, limits);
  short_of_time.feed(head).wait(999);
  EXPECT_EQ(short_of_time.status(), 0);
  short_of_time.wait(1);
  EXPECT_EQ(short_of_time.status(), 408);
}

TEST(Connection, HasADeadlineForEverythingThatItWaitsFor) {
  Wire silent;
  silent.wait(9'999);
  EXPECT_FALSE(silent.connection->wants_close());
  silent.wait(1);
  EXPECT_TRUE(silent.connection->wants_close());
  EXPECT_EQ(silent.output, "");

  Wire slow_head;
  slow_head.feed("GET / HT");
  slow_head.wait(9'999);
  EXPECT_EQ(slow_head.status(), 0);
  slow_head.wait(1);
  EXPECT_EQ(slow_head.status(), 408);

  Wire dripping;  // a byte now and then does not buy time
  for (int i = 0; i < 9; ++i) dripping.feed("G").wait(1'200);
  EXPECT_EQ(dripping.status(), 408);

  Wire idle;
  idle.feed(get("/nothing"));
  idle.output.clear();
  idle.wait(59'999);
  EXPECT_FALSE(idle.connection->wants_close());
  idle.wait(1);
  EXPECT_TRUE(idle.connection->wants_close());
  EXPECT_EQ(idle.output, "");

  Wire stalled;
  stalled.writable = false;
  stalled.feed(get("/0000000"));
  stalled.wait(9'999);
  EXPECT_FALSE(stalled.connection->wants_close());
  stalled.wait(1);
  EXPECT_TRUE(stalled.connection->wants_close());

  Wire lingering;
  lingering.feed("nonsense\r\n\r\n");
  lingering.wait(2'000);
  EXPECT_TRUE(lingering.connection->wants_close());
}

TEST(Connection, AReaderThatGoesOnHasTimeForTheMinimumRate) {
  // Bytes for a quarter of a minute and more, of which a few are taken now and then.
  const auto begin = [](Wire& slow) {
    slow.writable = false;
    slow.feed(get("/0000000"));
    std::uint64_t bytes = 0;
    for (const Fragment& fragment : slow.connection->output()) bytes += fragment.size;
    EXPECT_GT(bytes, 16'000U);
    return 10'000 + bytes * 1000 / 1024;
  };
  Wire taking;
  const std::uint64_t end = begin(taking);
  std::uint64_t passed = 0;
  for (; passed + 9'000 < end; passed += 9'000) {
    taking.wait(9'000);
    ASSERT_FALSE(taking.connection->wants_close()) << passed;
    taking.connection->on_output(10, taking.now);
  }
  EXPECT_GT(passed, 17'000U);
  taking.wait(end - passed - 1);
  EXPECT_FALSE(taking.connection->wants_close());
  taking.connection->on_output(10, taking.now);
  taking.wait(1);
  EXPECT_TRUE(taking.connection->wants_close()) << "not more than that";

  // What the socket tells of counts in the same way.
  Wire reading;
  begin(reading);
  reading.wait(9'000);
  reading.connection->on_progress(reading.now);
  reading.wait(9'999);
  EXPECT_FALSE(reading.connection->wants_close());
  reading.wait(1);
  EXPECT_TRUE(reading.connection->wants_close());
}

TEST(Connection, FinishesWhatIsUnderWay) {
  Wire idle;
  idle.connection->finish();
  EXPECT_TRUE(idle.connection->wants_close());

  Wire half;
  half.feed("GET /0000000 HTTP/1.1\r\n");
  half.connection->finish();
  EXPECT_FALSE(half.connection->wants_close());
  half.feed("Host: x\r\n\r\n");
  EXPECT_EQ(half.status(), 200);
  EXPECT_THAT(half.output, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(half.connection->wants_close());

  Wire answering;
  answering.writable = false;
  answering.feed(get("/0000000"));
  answering.connection->finish();
  EXPECT_FALSE(answering.connection->wants_close());
  answering.writable = true;
  answering.pump();
  EXPECT_THAT(answering.output, HasSubstr("'foobaz'"));
  EXPECT_TRUE(answering.shut_down) << "the peer does not know yet and may be sending its next request";
  answering.feed(get("/0000000")).end();
  EXPECT_EQ(answers(answering.output), 1U);
  EXPECT_TRUE(answering.connection->wants_close());
}

TEST(Connection, TakesABodyOfExactlyTheLimit) {
  std::string body(kMaxBody, ' ');
  std::copy(kJsonDeposit.begin(), kJsonDeposit.end(), body.begin());
  Wire fits;
  fits.feed(post(body));
  EXPECT_EQ(fits.status(), 200);
  Wire chunked;
  chunked.feed(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n" +
      body + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.status(), 200);
  Wire too_long;
  too_long.feed(post(body + " "));
  EXPECT_EQ(too_long.status(), 413);
  Wire too_long_chunked;
  too_long_chunked.feed(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n" +
      body + "\r\n1\r\n");
  EXPECT_EQ(too_long_chunked.status(), 413);
}

TEST(Connection, NoErrorRepeatsWhatWasSent) {
  for (const std::string& request :
       {post(R"({"connect_url":"hunter2","fingerprint":"hunter2","client_id":"hun:ter2","password":""})"),
        get("/%zzhunter2"), get("/update?os=hunter2"), post("hunter2", "text/hunter2"),
        std::string("GET /hunter2 HTTP/9.9\r\n\r\n"), post("{hunter2")}) {
    Wire wire;
    wire.feed(request);
    EXPECT_GE(wire.status(), 400);
    EXPECT_THAT(wire.output, Not(HasSubstr("hunter2"))) << request;
  }
}

TEST(Connection, LimitsApplyToTheClientBehindATrustedProxy) {
  ServiceOptions options;
  options.miss_limit = {.per_second = 0.1, .burst = 2};
  TrustedProxies proxies;
  ASSERT_TRUE(proxies.add("10.0.0.0/8"));
  const auto status_for = [](Wire& wire, std::string_view forwarded_for) {
    wire.output.clear();
    wire.feed(get("/1234567", "X-Forwarded-For: " + std::string(forwarded_for) + "\r\n"));
    return wire.status();
  };
  Wire trusted(options, {}, proxies, *ClientAddress::parse("10.1.2.3"));
  EXPECT_EQ(status_for(trusted, "192.0.2.1"), 404);
  EXPECT_EQ(status_for(trusted, "203.0.113.9, 192.0.2.1"), 404);
  EXPECT_EQ(status_for(trusted, "198.51.100.1, 192.0.2.1, 10.9.9.9"), 429) << "what the client invents changes nothing";
  EXPECT_EQ(status_for(trusted, "192.0.2.2"), 404) << "another client has tokens of its own";
  EXPECT_EQ(status_for(trusted, "192.0.2.1\r\nX-Forwarded-For: 10.7.7.7"), 429) << "each proxy may write its own line";
  EXPECT_EQ(status_for(trusted, "192.0.2.9\r\nX-Forwarded-For: 10.7.7.7"), 404);
  for (const char* nothing : {"unknown", "", " ", "unknown, 10.7.7.7"}) {
    Wire behind(options, {}, proxies, *ClientAddress::parse("10.1.2.3"));
    const auto invented = [nothing](int i) { return "6.6.6." + std::to_string(i) + "\r\nX-Forwarded-For: " + nothing; };
    EXPECT_EQ(status_for(behind, invented(1)), 404);
    EXPECT_EQ(status_for(behind, invented(2)), 404);
    EXPECT_EQ(status_for(behind, invented(3)), 429) << nothing << ": no line to the left of it is believed";
  }

  Wire stranger(options, {}, proxies, *ClientAddress::parse("192.0.2.77"));
  EXPECT_EQ(status_for(stranger, "192.0.2.1"), 404);
  EXPECT_EQ(status_for(stranger, "192.0.2.2"), 404);
  EXPECT_EQ(status_for(stranger, "192.0.2.3"), 429) << "only a proxy is believed";
}

// ---- What is left on the stack

constexpr std::size_t kPainted = 12 * 1024;
constexpr unsigned char kPaint = 0x5a;

// Both are called from one frame, so that their arrays lie at the same place of the stack.
[[gnu::noinline]] void paint_the_stack() {
  std::array<unsigned char, kPainted> area;
  area.fill(kPaint);
  asm volatile("" ::"m"(area));
}
[[gnu::noinline]] std::size_t paint_left() {
  std::array<unsigned char, kPainted> area;
  asm volatile("" : "=m"(area));  // what is there is taken for its value
  return static_cast<std::size_t>(std::count(area.begin(), area.end(), kPaint));
}

TEST(Connection, TheStackIsWipedAfterEachPieceOfABody) {
  if (kSanitized) GTEST_SKIP() << "SKIPPED: a sanitizer lays out the stack";
  Wire wire;
  const auto left_after = [&wire](std::string_view piece) {
    paint_the_stack();
    wire.connection->on_input(piece, wire.now);
    return paint_left();
  };
  const std::string request = post(std::string(1000, 'x'));
  const std::size_t body = request.size() - 1000;
  EXPECT_GT(left_after(std::string_view(request).substr(0, body - 10)), kPainted / 4) << "nothing of it is secret";
  EXPECT_LT(left_after(std::string_view(request).substr(body - 10, 15)), 100U) << "the end of the head, and a piece";
  EXPECT_LT(left_after(std::string_view(request).substr(body + 5, 1)), 100U);
  EXPECT_LT(left_after(std::string_view(request).substr(body + 6, 900)), 100U);
}

TEST(Connection, AsksForAFileAndSendsWhatItIsGiven) {
  ServiceOptions options;
  options.serve_packages = true;
  Wire wire(options);
  wire.feed(get("/packages/a.tar.gz", "Range: bytes=2-6\r\n") + get("/nothing"));
  EXPECT_EQ(wire.connection->pending().file_name, "a.tar.gz");
  EXPECT_EQ(wire.output, "");
  EXPECT_FALSE(wire.connection->wants_input());
  const FileInfo info{10, 5};
  wire.resume(info);
  wire.pump();
  EXPECT_THAT(wire.output, EndsWith("Content-Range: bytes 2-6/10\r\nContent-Length: 5\r\n\r\n"));
  const std::string file = "0123456789";
  for (const std::size_t piece : {2U, 3U}) {
    const FileRange range = wire.connection->wants_data();
    ASSERT_GE(range.size, piece);
    wire.connection->on_data(std::string_view(file).substr(range.offset, piece), wire.now);
    EXPECT_EQ(wire.connection->wants_data().size, 0U) << "not while a piece is under way";
    wire.pump();
  }
  EXPECT_THAT(wire.output, HasSubstr("\r\n\r\n23456HTTP/1.1 404 "));

  Wire gone(options);
  gone.feed(get("/packages/a.tar.gz"));
  gone.resume(PendingReply::no_file());
  gone.pump();
  EXPECT_EQ(gone.status(), 404);

  Wire broken(options);
  broken.feed(get("/packages/a.tar.gz"));
  broken.resume(info);
  broken.pump();
  broken.connection->on_data({}, broken.now);
  EXPECT_TRUE(broken.connection->wants_close()) << "a length that cannot be kept ends the connection";
}

TEST(Connection, AFileAmongPipelinedRequestsIsAnsweredInItsTurn) {
  ServiceOptions options;
  options.serve_packages = true;
  Wire wire(options);
  wire.writable = false;
  wire.feed(get("/ABCDEFG") + get("/packages/a.tar.gz") + get("/uninstall"));
  EXPECT_EQ(answers_in(wire.connection->output()), 1U);
  EXPECT_EQ(wire.connection->pending().file_name, "a.tar.gz");
  wire.writable = true;
  wire.pump();
  EXPECT_FALSE(wire.connection->wants_input());
  const FileInfo info{5, 1};
  wire.resume(info);
  wire.pump();
  EXPECT_EQ(wire.connection->wants_data().size, 5U);
  wire.connection->on_data("bytes", wire.now);
  wire.pump();
  const std::size_t file = wire.output.find("\r\n\r\nbytesHTTP/1.1 200");
  EXPECT_NE(file, std::string::npos);
  EXPECT_LT(wire.output.find("HTTP/1.1 404"), file);
  EXPECT_TRUE(wire.connection->wants_input());
}

TEST(Connection, RefusalsKeepTheFormThatIsPreferredAndHeadWithoutBody) {
  for (const std::string& request :
       {std::string("PUT / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n"),
        post(std::string(20000, 'x'), "application/json", "Accept: application/json\r\n"),
        std::string(
            "POST / HTTP/1.1\r\nHost: x\r\naccept:application/json\r\nTransfer-Encoding: chunked\r\n\r\n5000\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nTransfer-Encoding: chunked\r\n\r\nxyz"),
        std::string("POST / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n")}) {
    Wire wire;
    wire.feed(request);
    EXPECT_THAT(wire.output, HasSubstr("Content-Type: application/problem+json\r\n")) << request.substr(0, 60);
  }
  for (const char* headers : {"Expect: miracles\r\n", "Content-Length: 99999\r\n"}) {
    Wire wire;
    wire.feed("HEAD /update HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n");
    EXPECT_GE(wire.status(), 400);
    EXPECT_THAT(wire.output, EndsWith("\r\n\r\n")) << "no body for HEAD";
  }
}

TEST(Connection, UpgradesAreIgnored) {
  Wire wire;
  wire.feed(get("/update",
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"));
  EXPECT_EQ(wire.status(), 200);
  wire.output.clear();
  wire.feed(get("/nothing"));
  EXPECT_EQ(wire.status(), 404);
}

// A connection over which nothing is served, because everyone on the way can read it.
class Redirecting : public Wire {
 public:
  Redirecting() : Redirecting("https://pair.example.com") {}
  explicit Redirecting(const std::string& url)
      : Wire(with_url(url), {}, {}, {}, Transport::kRedirecting, std::uint64_t{86'400}) {}

  static ServiceOptions with_url(const std::string& url) {
    ServiceOptions options;
    options.url = url;
    return options;
  }
};

TEST(Connection, ARedirectingOneSendsReadersToTheUrl) {
  Redirecting wire;
  wire.feed(get("/0000000?os=linux") + "HEAD /0000000.ps1 HTTP/1.1\r\nHost: x\r\n\r\n" + get("/"));
  EXPECT_EQ(answers(wire.output), 3U);
  EXPECT_THAT(wire.output, StartsWith("HTTP/1.1 308 Permanent Redirect\r\n"));
  EXPECT_THAT(wire.output, HasSubstr("\r\nLocation: https://pair.example.com/0000000?os=linux\r\n"));
  EXPECT_THAT(wire.output, HasSubstr("\r\nLocation: https://pair.example.com/0000000.ps1\r\n"));
  EXPECT_THAT(wire.output, HasSubstr("\r\nLocation: https://pair.example.com/\r\n"));
  EXPECT_THAT(wire.output, HasSubstr("\r\nCache-Control: no-store\r\n"));
  EXPECT_THAT(wire.output, Not(HasSubstr("foobaz")));
  EXPECT_THAT(wire.output, Not(HasSubstr("Strict-Transport-Security"))) << "RFC 6797 section 7.2";
  // Whoever pipes it to a shell without following it must see a failure.
  EXPECT_THAT(wire.output, HasSubstr(">&2\nexit 1\n"));
  EXPECT_FALSE(wire.connection->wants_close());
}

// Where it leads is for the configuration to say, not for a request: neither its Host, nor an absolute target, nor a
// path that would go on with the host of the URL.
TEST(Connection, ARedirectLeadsToTheUrlWhateverTheRequestSays) {
  for (const auto& [target, location] : {std::pair("http://evil.example/0000000", "/0000000"),
                                         {"http://evil.example", "/"},
                                         {"http://evil.example?os=linux", "/?os=linux"},
                                         {"//evil.example/x", "//evil.example/x"},
                                         {"/%0d%0aSet-Cookie:x", "/%0d%0aSet-Cookie:x"},
                                         {"/a\\b@c", "/a\\b@c"}}) {
    Redirecting wire("https://pair.example.com/sub");
    wire.feed("GET " + std::string(target) + " HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    EXPECT_EQ(wire.status(), 308) << target;
    EXPECT_THAT(wire.output, HasSubstr("\r\nLocation: https://pair.example.com/sub" + std::string(location) + "\r\n"))
        << target;
  }
  for (const char* target : {"@evil.example/", ".evil.example", "evil.example:80", "/%zz"}) {
    Redirecting wire;
    wire.feed(get(target));
    EXPECT_EQ(wire.status(), 400) << target;
    EXPECT_THAT(wire.output, Not(HasSubstr("Location"))) << target;
  }
}

TEST(Connection, TheLongestRedirectFitsItsHead) {
  const std::string url = "https://" + std::string(kMaxServiceUrl - 8, 'u');
  const std::string longest = "/" + std::string(511, 'p');
  for (const char* agent : {"curl", "PowerShell"}) {
    Redirecting wire(url);
    wire.feed(get(longest, "User-Agent: " + std::string(agent) + "\r\nConnection: close\r\n"));
    EXPECT_EQ(wire.status(), 308);
    EXPECT_THAT(wire.output, HasSubstr("\r\nLocation: " + url + longest + "\r\n"));
  }
  Redirecting longer(url);
  longer.feed(get(longest + "p"));
  EXPECT_EQ(longer.status(), 414);
}

TEST(Connection, ARedirectingOneTakesNoDeposit) {
  const std::string deposit = post(kJsonDeposit, "application/json", "Expect: 100-continue\r\n");
  const std::size_t head = deposit.find("\r\n\r\n") + 4;
  // As a client sends it that waits for 100, as one that does not, and in the form that is most easily taken for none.
  for (const std::string& bytes : {deposit.substr(0, head), deposit, post(kJsonDeposit), get("/update") + deposit,
                                   kChunkedDeposit, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"s}) {
    Redirecting wire;
    wire.feed(bytes);
    EXPECT_THAT(wire.output, HasSubstr("HTTP/1.1 403 Forbidden\r\n")) << bytes;
    EXPECT_THAT(wire.output,
                EndsWith("consider its credentials exposed, and send new ones to https://pair.example.com\n"));
    EXPECT_THAT(wire.output, HasSubstr("Access-Control-Allow-Origin: *")) << "a user interface shows the text";
    EXPECT_THAT(wire.output, Not(HasSubstr("100 Continue")));
    EXPECT_TRUE(wire.shut_down) << "what follows is not read";
    EXPECT_EQ(wire.service->store().stats().deposits, 1U) << "the static deposit alone";
  }
}

TEST(Connection, ARedirectingOneRefusesPreflights) {
  Redirecting wire;
  wire.feed("OPTIONS / HTTP/1.1\r\nHost: x\r\nAccess-Control-Request-Method: POST\r\n\r\n");
  EXPECT_EQ(wire.status(), 403) << "a browser sends the credentials when it is 2xx";
  EXPECT_THAT(wire.output, Not(HasSubstr("Access-Control-Allow-Methods")));
  EXPECT_THAT(wire.output, EndsWith("use https://pair.example.com\n"));
}

TEST(Connection, OnlyASecureOneSendsStrictTransportSecurity) {
  constexpr std::string_view kHsts = "\r\nStrict-Transport-Security: max-age=15552000\r\n";
  const auto answer = [](Transport transport, std::optional<std::uint64_t> hsts) {
    Wire wire({}, {}, {}, {}, transport, hsts);
    wire.feed(get("/0000000") + "nonsense\r\n\r\n");
    return wire.output;
  };
  const std::string secure = answer(Transport::kSecure, 15'552'000);
  EXPECT_EQ(secure.find(kHsts) < secure.find("\r\n\r\n"), true) << secure;
  EXPECT_NE(secure.find(kHsts, secure.find("HTTP/1.1 400")), std::string::npos) << "with errors, too";
  EXPECT_THAT(answer(Transport::kSecure, 0), HasSubstr("\r\nStrict-Transport-Security: max-age=0\r\n"));
  EXPECT_THAT(answer(Transport::kSecure, std::nullopt), Not(HasSubstr("Strict-Transport-Security")));
  EXPECT_THAT(answer(Transport::kPlain, 15'552'000), Not(HasSubstr("Strict-Transport-Security")));
}

TEST(Connection, TellsWhoSpeaksPlainHttpWhereItSpeaksHttps) {
  for (const auto& [url, hint] : {std::pair("https://pair.example.com", "use https://pair.example.com\n"),
                                  {"http://pair.example.com", "use an address that begins with https://\n"}}) {
    Wire wire(Redirecting::with_url(url), {}, {}, {}, Transport::kSecure, std::uint64_t{86'400});
    wire.connection->refuse_plain_http(wire.now);
    wire.pump();
    EXPECT_EQ(wire.status(), 400);
    EXPECT_THAT(wire.output, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    EXPECT_THAT(wire.output, EndsWith("this port speaks HTTPS; " + std::string(hint)));
    EXPECT_THAT(wire.output, Not(HasSubstr("Strict-Transport-Security"))) << "it goes out in clear";
    EXPECT_TRUE(wire.shut_down) << "and the connection ends";
    wire.connection->on_input("the rest of a request", wire.now);
    wire.end();
    EXPECT_TRUE(wire.connection->wants_close());
    EXPECT_FALSE(wire.connection->is_cut_short());
  }
}

TEST(Connection, TheTimeForAHeadBeginsAfterTheHandshake) {
  Wire wire({}, {}, {}, {}, Transport::kSecure);
  const std::uint64_t head_timeout = ConnectionLimits().head_timeout;
  wire.now.monotonic_ms += head_timeout - 1;
  wire.connection->start(wire.now);
  EXPECT_EQ(wire.connection->deadline(), wire.now.monotonic_ms + head_timeout);
  wire.feed(get("/0000000"));
  EXPECT_EQ(wire.status(), 200);
}

TEST(Connection, KnowsWhetherItsLastAnswerWasCutShort) {
  Wire whole;
  whole.feed(get("/0000000", "Connection: close\r\n"));
  EXPECT_TRUE(whole.connection->wants_close());
  EXPECT_FALSE(whole.connection->is_cut_short());

  Wire idle;
  idle.feed(get("/0000000")).wait(ConnectionLimits().idle_timeout);
  EXPECT_TRUE(idle.connection->wants_close());
  EXPECT_FALSE(idle.connection->is_cut_short()) << "nothing is missing";

  Wire stalled;
  stalled.writable = false;
  stalled.feed(get("/0000000"));
  EXPECT_TRUE(stalled.connection->is_cut_short()) << "if it were closed now";
  stalled.wait(3'600'000);
  EXPECT_TRUE(stalled.connection->wants_close());
  EXPECT_TRUE(stalled.connection->is_cut_short());

  ServiceOptions options;
  options.serve_packages = true;
  Wire shorter(options);
  shorter.feed(get("/packages/a"));
  const FileInfo info{10, 5};
  shorter.resume(info);
  shorter.pump();
  shorter.connection->on_data({}, shorter.now);
  EXPECT_TRUE(shorter.connection->wants_close());
  EXPECT_TRUE(shorter.connection->is_cut_short());
}

// A certificate must be had before there is HTTPS to be redirected to.
TEST(Connection, ChallengesAreAnsweredOnEveryTransport) {
  const std::string target = "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
  const FileInfo info{5, 7};
  for (const Transport transport : {Transport::kPlain, Transport::kSecure, Transport::kRedirecting}) {
    ServiceOptions options;
    options.url = "https://pair.example.com";
    options.serve_challenges = true;
    Wire wire(options, {}, {}, {}, transport);
    wire.feed(get(target, "Range: bytes=1-2\r\nIf-None-Match: *\r\n"));
    EXPECT_EQ(wire.connection->pending().file_name, "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA");
    EXPECT_EQ(wire.connection->pending().folder, FileFolder::kChallenges);
    wire.resume(info);
    wire.pump();
    wire.connection->on_data("a.key", wire.now);
    wire.pump();
    EXPECT_EQ(wire.status(), 200);
    EXPECT_THAT(wire.output, HasSubstr("\r\nContent-Type: application/octet-stream\r\n"));
    EXPECT_THAT(wire.output, EndsWith("\r\nContent-Length: 5\r\n\r\na.key"));

    wire.output.clear();
    wire.feed("HEAD " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    wire.resume(info);
    wire.pump();
    EXPECT_THAT(wire.output, EndsWith("\r\nContent-Length: 5\r\n\r\n"));

    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{4097}}) {
      wire.output.clear();
      wire.feed(get(target));
      const FileInfo large{size, 7};
      wire.resume(size == 0 ? PendingReply::no_file() : PendingReply(large));
      wire.pump();
      EXPECT_EQ(wire.status(), 404) << "not there, or too large to be one";
    }
    wire.output.clear();
    wire.feed(post("x").replace(5, 1, target));
    EXPECT_EQ(wire.status(), transport == Transport::kRedirecting ? 403 : 405);
  }
  Wire off;
  off.feed(get(target));
  EXPECT_EQ(off.status(), 404) << "not configured";
}

class CountingObserver final : public AccessObserver {
 public:
  void on_answer(const AccessEntry&) noexcept override { ++count; }
  int count = 0;
};

// The buffers of a connection are not inherited. To wipe them would end the child by a signal.
TEST(Connection, AForkedChildMayDestroyWhatItInherits) {
  const std::string pipelined = get("/0000000") + get("/update") + post(kJsonDeposit) + get("/nothing").substr(0, 20);
  const std::vector<std::pair<std::string, int>> inputs = {{"", 0},
                                                           {get("/update"), 200},
                                                           {get("/update").substr(0, 20), 0},
                                                           {post(kJsonDeposit).substr(0, 200), 0},
                                                           {pipelined, 200},
                                                           {get("/packages/a"), 0}};
  for (const auto& [bytes, status] : inputs) {
    ServiceOptions options;
    options.serve_packages = true;
    Wire wire(options);
    CountingObserver observer;
    wire.connection.reset();
    wire.context = std::make_unique<ConnectionContext>(*wire.service, ConnectionLimits{}, TrustedProxies{}, &observer);
    // The context keeps the buffers of a connection that has ended.
    wire.connection = std::make_unique<Connection>(*wire.context, ClientAddress{}, wire.now);
    wire.feed(pipelined).end();
    const int before = observer.count;
    EXPECT_EQ(before, 3);
    wire.connection = std::make_unique<Connection>(*wire.context, ClientAddress{}, wire.now);
    wire.output.clear();
    wire.writable = false;
    wire.feed(bytes);
    EXPECT_TRUE(in_a_forked_child([&] {
      wire.connection.reset();
      wire.context.reset();
      wire.service.reset();
      return observer.count == before;  // nobody has answered
    })) << bytes;
    // Nothing has changed here.
    wire.writable = true;
    wire.pump();
    EXPECT_EQ(wire.status(), status) << bytes;
  }
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
// Raw requests and the verdict on each: what malformed HTTP, and what is used to smuggle requests, must meet. The
// verdicts are the same for every version of llhttp and however the bytes are cut.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/connection_fixture.h"

namespace pairport::testing {
namespace {

struct Row {
  const char* name;
  std::string bytes;
  int status;   // of the first answer; 0: none yet
  int answers;  // how many requests these bytes may count as
  const char* reason;
};

const std::string kHost = "Host: x\r\n";
const std::string kEnd = "\r\n\r\n";

std::string get_with(const std::string& headers) {
  return "GET /update HTTP/1.1\r\n" + headers + "\r\n";
}
std::string post_with(const std::string& headers, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + headers + "\r\n" + body;
}
const std::string kSmuggled = "GET /0000000 HTTP/1.1\r\nHost: x\r\n\r\n";

std::vector<Row> rows() {
  using namespace std::string_literals;
  return {
      // The request line: RFC 9112 section 3.
      {"plain", get_with(kHost), 200, 1, "well-formed"},
      {"http 1.0", "GET /update HTTP/1.0\r\n\r\n", 200, 1, "well-formed, no Host needed"},
      {"http 0.9", "GET /update\r\n\r\n", 400, 1, "no version: HTTP/0.9 is not spoken"},
      {"http 0.9 with body", "GET /update\r\n" + kSmuggled, 400, 1, "no version"},
      {"http 2.0", "GET /update HTTP/2.0\r\nHost: x\r\n\r\n", 400, 1, "only 1.0 and 1.1"},
      {"http 1.2", "GET /update HTTP/1.2\r\nHost: x\r\n\r\n", 400, 1, "only 1.0 and 1.1"},
      {"http 1.10", "GET /update HTTP/1.10\r\nHost: x\r\n\r\n", 400, 1, "one digit each"},
      {"http 01.1", "GET /update HTTP/01.1\r\nHost: x\r\n\r\n", 400, 1, "one digit each"},
      {"lower case http", "GET /update http/1.1\r\nHost: x\r\n\r\n", 400, 1, "case-sensitive"},
      {"http2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 1, "HTTP/2 is not spoken"},
      {"no slash in version", "GET /update HTTP1.1\r\nHost: x\r\n\r\n", 400, 1, "not a version"},
      {"other protocol", "GET /update RTSP/1.0\r\nHost: x\r\n\r\n", 400, 1, "not HTTP"},
      {"icecast", "SOURCE /update ICE/1.0\r\nHost: x\r\n\r\n", 400, 1, "not HTTP"},
      {"tab after method", "GET\t/update HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "one SP"},
      {"two spaces after method", "GET  /update HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "one SP"},
      {"two spaces before version", "GET /update  HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "one SP"},
      {"space at end of line", "GET /update HTTP/1.1 \r\nHost: x\r\n\r\n", 400, 1, "nothing behind the version"},
      {"space before method", " GET /update HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "starts with a token"},
      {"empty line first", "\r\nGET /update HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "starts with a token"},
      {"space in target", "GET /up date HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "a target has no space"},
      {"no target", "GET HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "three parts"},
      {"empty target", "GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "three parts"},
      {"utf-8 in target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "visible ASCII only"},
      {"nul in target", "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n"s, 400, 1, "visible ASCII only"},
      {"delete in target", "GET /a\x7f HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "visible ASCII only"},
      {"relative target", "GET update HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "not a path"},
      {"absolute target", "GET http://example.com/update HTTP/1.1\r\nHost: x\r\n\r\n", 200, 1,
       "absolute-form must be taken"},
      {"absolute target without host", "GET http:///update HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "no authority"},
      {"connect", "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "not a path, and no proxy"},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204, 1, "well-formed"},
      {"asterisk with get", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 404, 1, "only OPTIONS asks for *"},
      {"method with brace", "G{T /update HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "not a token"},
      {"method with nul", "GE\0T /update HTTP/1.1\r\nHost: x\r\n\r\n"s, 400, 1, "not a token"},
      {"lower case method", "get /update HTTP/1.1\r\nHost: x\r\n\r\n" + kSmuggled, 405, 1,
       "another method; ends the connection"},
      {"unknown method", "QUERY /update HTTP/1.1\r\nHost: x\r\n\r\n" + kSmuggled, 405, 1, "known to one llhttp only"},
      {"long unknown method", std::string(300, 'M') + " /update HTTP/1.1\r\nHost: x\r\n\r\n", 405, 1, "a token"},
      {"long target", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 431, 1, "head over 8 KiB"},
      {"tls hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s + std::string(100, '\0'), 400, 1,
       "TLS on a plain port"},
      // Line ends: RFC 9112 section 2.2.
      {"bare lf", "GET /update HTTP/1.1\nHost: x\n\n", 400, 1, "CRLF only"},
      {"bare lf in header", "GET /update HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400, 1, "CRLF only"},
      {"bare lf at the end", "GET /update HTTP/1.1\r\nHost: x\r\n\n", 400, 1, "CRLF only"},
      {"bare cr in value", "GET /update HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400, 1, "CR only before LF"},
      {"bare cr in request line", "GET /update\r HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1, "CR only before LF"},
      {"cr cr lf", "GET /update HTTP/1.1\r\r\nHost: x\r\n\r\n", 400, 1, "CR only before LF"},
      {"unfinished", "GET /update HTTP/1.1\r\nHost: x\r\n", 0, 0, "waits for the empty line"},
      // Header lines: RFC 9112 section 5.
      {"no colon", get_with(kHost + "Nonsense\r\n"), 400, 1, "name, colon, value"},
      {"empty name", get_with(kHost + ": value\r\n"), 400, 1, "a name is a token"},
      {"space before colon", get_with(kHost + "X : y\r\n"), 400, 1, "no space before the colon"},
      {"tab before colon", get_with(kHost + "X\t: y\r\n"), 400, 1, "no space before the colon"},
      {"space before name", get_with(kHost + " X: y\r\n"), 400, 1, "no folding"},
      {"folded", get_with(kHost + "X: a\r\n b\r\n"), 400, 1, "no folding"},
      {"folded with tab", get_with(kHost + "X: a\r\n\tb\r\n"), 400, 1, "no folding"},
      {"first header folded", "GET /update HTTP/1.1\r\n Host: x\r\n\r\n", 400, 1, "no folding"},
      {"name in brackets", get_with(kHost + "X[0]: y\r\n"), 400, 1, "a name is a token"},
      {"utf-8 in name", get_with(kHost + "X\xc3\xa4: y\r\n"), 400, 1, "a name is a token"},
      {"nul in name", get_with(kHost + "X\0Y: z\r\n"s), 400, 1, "a name is a token"},
      {"nul in value", get_with(kHost + "X: a\0b\r\n"s), 400, 1, "no control characters"},
      {"control in value",
       get_with(kHost + "X: a\x08"
                        "b\r\n"),
       400, 1, "no control characters"},
      {"utf-8 in value", get_with(kHost + "X: \xc3\xa4\r\n"), 200, 1, "obs-text is allowed"},
      {"tab in value", get_with(kHost + "X: a\tb\r\n"), 200, 1, "allowed"},
      {"empty value", get_with(kHost + "X:\r\nY: \r\n"), 200, 1, "allowed"},
      {"sixty-five headers",
       get_with(kHost +
                [] {
                  std::string many;
                  for (int i = 0; i < 64; ++i) many += "X: y\r\n";
                  return many;
                }()),
       431, 1, "at most 64"},
      // Host: RFC 9112 section 3.2.
      {"no host", get_with(""), 400, 1, "1.1 needs one"},
      {"two hosts", get_with("Host: a\r\nHost: b\r\n"), 400, 1, "exactly one"},
      {"two equal hosts", get_with("Host: a\r\nHost: a\r\n"), 400, 1, "exactly one"},
      {"two hosts on 1.0", "GET /update HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, 1, "at most one"},
      {"host list", get_with("Host: a, b\r\n"), 400, 1, "not a host"},
      {"host with path", get_with("Host: a/b\r\n"), 400, 1, "not a host"},
      {"host with user", get_with("Host: me@a\r\n"), 400, 1, "not a host"},
      {"empty host", get_with("Host:\r\n"), 200, 1, "allowed by RFC 9112"},
      {"ipv6 host", get_with("Host: [::1]:80\r\n"), 200, 1, "well-formed"},
      // Content-Length: RFC 9112 section 6.3.
      {"post without length", post_with("", kSmuggled), 411, 1, "how long is the body?"},
      {"zero length", post_with("Content-Length: 0\r\n", ""), 400, 1, "an empty body is no JSON"},
      {"two lengths", post_with("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), 400, 1, "at most one"},
      {"two equal lengths", post_with("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), 400, 1, "at most one"},
      {"length list", post_with("Content-Length: 2, 2\r\n", "{}"), 400, 1, "digits only"},
      {"signed length", post_with("Content-Length: +2\r\n", "{}"), 400, 1, "digits only"},
      {"negative length", post_with("Content-Length: -2\r\n", "{}"), 400, 1, "digits only"},
      {"hex length", post_with("Content-Length: 0x2\r\n", "{}"), 400, 1, "digits only"},
      {"length with space", post_with("Content-Length: 1 2\r\n", "{}"), 400, 1, "digits only"},
      {"length without digits", post_with("Content-Length:\r\n", "{}"), 400, 1, "digits only"},
      {"length with decimal point", post_with("Content-Length: 2.0\r\n", "{}"), 400, 1, "digits only"},
      {"huge length", post_with("Content-Length: 18446744073709551618\r\n", "{}"), 413, 1,
       "over 16 KiB, whatever it wraps to"},
      {"space before colon of length", post_with("Content-Length : 2\r\n", "{}"), 400, 1, "smuggling: CVE-2024-27982"},
      {"get with body",
       "GET /update HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(kSmuggled.size()) + "\r\n\r\n" +
           kSmuggled,
       200, 1, "the body is read, not taken for a request"},
      {"unfinished body", post_with("Content-Length: 20\r\n", "{}"), 0, 0, "waits for the rest"},
      // Transfer-Encoding: RFC 9112 section 6.1.
      {"chunked", post_with("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"), 400, 1,
       "read; {} lacks all fields"},
      {"chunked and next", post_with("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n") + kSmuggled, 400, 2,
       "a request of its own behind it"},
      {"chunked and length", post_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400, 1,
       "smuggling: TE.CL"},
      {"length and chunked", post_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + kSmuggled),
       400, 1, "smuggling: CL.TE"},
      {"chunked twice", post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, 1,
       "at most once"},
      {"gzip, chunked", post_with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400, 1, "exactly chunked"},
      {"chunked, identity", post_with("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 400, 1,
       "exactly chunked"},
      {"identity", post_with("Transfer-Encoding: identity\r\n", "{}"), 400, 1, "exactly chunked"},
      {"xchunked", post_with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400, 1, "exactly chunked"},
      {"quoted chunked", post_with("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400, 1, "exactly chunked"},
      {"chunked with vertical tab",
       post_with("Transfer-Encoding: \x0b"
                 "chunked\r\n",
                 "0\r\n\r\n"),
       400, 1, "control character"},
      {"chunked with parameter", post_with("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), 400, 1,
       "exactly chunked"},
      {"space before colon of encoding", post_with("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400, 1,
       "smuggling"},
      {"folded encoding", post_with("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400, 1, "smuggling"},
      {"empty encoding", post_with("Transfer-Encoding:\r\nContent-Length: 2\r\n", "{}"), 400, 1, "exactly chunked"},
      {"chunked on 1.0",
       "POST / HTTP/1.0\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 1,
       "1.1 only"},
      {"upper case chunked", post_with("Transfer-Encoding: CHUNKED\r\n", "2\r\n{}\r\n0\r\n\r\n"), 400, 1,
       "read; {} lacks all fields"},
      // Chunks: RFC 9112 section 7.1.
      {"chunk extension", post_with("Transfer-Encoding: chunked\r\n", "2;a=b\r\n{}\r\n0\r\n\r\n") + kSmuggled, 400, 1,
       "refused: parsers disagree"},
      {"chunk size with space", post_with("Transfer-Encoding: chunked\r\n", "2 \r\n{}\r\n0\r\n\r\n") + kSmuggled, 400,
       1, "hexadecimal digits only"},
      {"chunk size with sign", post_with("Transfer-Encoding: chunked\r\n", "+2\r\n{}\r\n0\r\n\r\n") + kSmuggled, 400, 1,
       "hexadecimal digits only"},
      {"chunk size with 0x", post_with("Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n") + kSmuggled, 400, 1,
       "hexadecimal digits only"},
      {"chunk with bare lf", post_with("Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n") + kSmuggled, 400, 1,
       "CRLF only"},
      {"chunk longer than its size", post_with("Transfer-Encoding: chunked\r\n", "2\r\n{} \r\n0\r\n\r\n") + kSmuggled,
       400, 1, "CRLF behind the data"},
      {"trailer", post_with("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nX: y\r\n\r\n") + kSmuggled, 400, 1,
       "no trailers"},
      {"chunk size that overflows",
       post_with("Transfer-Encoding: chunked\r\n", "10000000000000002\r\n{}\r\n0\r\n\r\n") + kSmuggled, 413, 1,
       "over 16 KiB"},
      // What is left of a connection.
      {"garbage behind a request", get_with(kHost) + "\x01\x02", 200, 2, "answered, then refused"},
      {"upgrade", get_with(kHost + "Connection: Upgrade\r\nUpgrade: websocket\r\n") + kSmuggled, 200, 2, "ignored"},
  };
}

int count_answers(const std::string& output) {
  int count = 0;
  for (std::size_t at = output.find("HTTP/1.1 "); at != std::string::npos; at = output.find("HTTP/1.1 ", at + 1)) {
    if (at == 0 || output[at - 1] == '\n') ++count;
  }
  return count;
}

TEST(Conformance, EveryRowWholeAndByteByByte) {
  ASSERT_GE(rows().size(), 80U);
  for (const Row& row : rows()) {
    Wire whole;
    whole.feed(row.bytes);
    EXPECT_EQ(whole.status(), row.status) << row.name << ": " << row.reason << "\n" << whole.output.substr(0, 400);
    EXPECT_EQ(count_answers(whole.output), row.answers) << row.name << ": " << row.reason;
    if (row.status == 400 && row.answers == 1 && whole.output.find("input validation failed") == std::string::npos &&
        whole.output.find("request target") == std::string::npos) {
      EXPECT_NE(whole.output.find("Connection: close\r\n"), std::string::npos)
          << row.name << ": a refused request ends the connection";
    }
    Wire bytewise;
    bytewise.feed_bytewise(row.bytes);
    EXPECT_EQ(bytewise.output, whole.output) << row.name;
  }
}

}  // namespace
}  // namespace pairport::testing

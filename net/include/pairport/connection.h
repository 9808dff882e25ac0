// SPDX-License-Identifier: MIT
// One HTTP/1 connection without any I/O: bytes in, fragments out. Level two of embedding, for a proxy with a loop of
// its own.
#ifndef PAIRPORT_CONNECTION_H_
#define PAIRPORT_CONNECTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <pairport/access.h>
#include <pairport/client_address.h>
#include <pairport/export.h>
#include <pairport/http.h>
#include <pairport/secret_memory.h>
#include <pairport/service.h>

namespace pairport {

struct RequestHead;

// Any time-out of a server, in milliseconds.
inline constexpr std::uint64_t kMaxTimeout = std::uint64_t{24} * 3600 * 1000;
constexpr bool is_timeout(std::uint64_t ms) noexcept {
  return ms >= 1 && ms <= kMaxTimeout;
}
// Its form in a configuration, which completes the sentence "expected ...".
inline constexpr std::string_view kTimeoutExpected =
    "a duration from \"1ms\" to \"24h\", such as \"500ms\", \"30s\" or \"1m30s\"";

// Milliseconds, unless said otherwise.
struct ConnectionLimits {
  // Sizes of a request; the defaults are also the most, because buffers are made for them.
  std::size_t max_head_bytes = 8 * 1024;  // request line, headers and the empty line; beyond it 431
  std::size_t max_headers = 64;           // beyond it 431
  std::size_t max_body_bytes = kMaxBody;  // beyond it 413
  std::uint64_t head_timeout =
      10'000;  // from the first byte of a request (or the start of the connection) to the end of its head
  // From the end of the head to the end of the body; beyond it 408. A body is refused earlier, with 408, too, when
  // after kBodyGraceMs it is behind the minimum rate.
  std::uint64_t body_timeout = 20'000;
  std::uint64_t idle_timeout = 60'000;  // between two requests
  // An answer may take this long plus the time of its bytes at the minimum rate. It ends earlier when the peer takes
  // nothing of it for this long.
  std::uint64_t answer_timeout = 10'000;
  std::uint64_t min_bytes_per_second = 1024;  // of bodies, too
  // How long to wait for the end of the peer after an answer to a request that was not read completely.
  std::uint64_t linger_timeout = 2'000;
};

// How the bytes of a connection travel, which decides what may be served over it.
enum class Transport : std::uint8_t {
  kPlain,
  kSecure,       // encrypted: answers carry Strict-Transport-Security, where that is configured
  kRedirecting,  // in clear, over a network: clients are sent to Service::url() and nothing is served
};

// What the connections of one thread share: the service, limits and buffers. Outlives its connections.
class PAIRPORT_EXPORT ConnectionContext {
 public:
  // REQUIRES: `service`, and `observer` where there is one, outlive this object; sizes in `limits` are at most the
  // defaults. `hsts_seconds`: the max-age of Strict-Transport-Security (RFC 6797); none: no such header.
  ConnectionContext(Service& service, const ConnectionLimits& limits, TrustedProxies trusted_proxies = {},
                    AccessObserver* observer = nullptr,
                    std::optional<std::uint64_t> hsts_seconds = std::nullopt) noexcept;
  ~ConnectionContext();
  ConnectionContext(const ConnectionContext&) = delete;
  ConnectionContext& operator=(const ConnectionContext&) = delete;

  // Whether a request with X-Forwarded-For has come from a peer that is no trusted proxy: clients behind it share one
  // address and its limits.
  bool has_seen_untrusted_proxy() const noexcept { return has_seen_untrusted_proxy_; }

 private:
  friend class Connection;
  struct PAIRPORT_LOCAL Exchange;  // an answer and its head
  struct PAIRPORT_LOCAL Head;      // a request head that is not complete yet, or waits for its body
  struct PAIRPORT_LOCAL Body;      // what has come of a body
  struct PAIRPORT_LOCAL Rest;      // what has come behind the request that is being answered

  // Answers that connections may keep waiting behind their first one, all together: a bound on the memory that
  // pipelining peers can claim.
  static constexpr std::size_t kMaxQueued = 256;

  static constexpr std::string_view kOkLine = "HTTP/1.1 200 OK\r\n";

  // The Date header line, formatted once a second.
  PAIRPORT_LOCAL std::string_view date_line(const Now& now) noexcept;
  // The same behind kOkLine, which is how nearly all answers begin.
  PAIRPORT_LOCAL std::string_view ok_and_date(const Now& now) noexcept;

  Service& service_;
  const ConnectionLimits limits_;
  const TrustedProxies trusted_proxies_;
  AccessObserver* const observer_;
  SecretPool<Exchange> exchanges_;
  SecretPool<Head> heads_;
  SecretPool<Body> bodies_;
  SecretPool<Rest> rests_;
  std::size_t queued_ = 0;
  bool has_seen_untrusted_proxy_ = false;
  std::int64_t date_seconds_ = std::numeric_limits<std::int64_t>::min();
  std::array<char, kOkLine.size() + 37> ok_and_date_{};
  std::array<char, 64> hsts_text_;
  std::string_view hsts_line_;
};

// The state machine of one connection. No callback ever leaves it. After each call its owner looks at output(),
// wants_input(), wants_shutdown(), wants_close() and deadline(), and does what they say:
//
//   while (!(fragments = connection.output()).empty()) { n = writev(fragments); connection.on_output(n, now); }
//   if (connection.wants_close()) close(); else if (connection.wants_shutdown()) shutdown(SHUT_WR);
//
// Requests that have arrived together (RFC 9112 section 9.3.2) are answered together, so that one vectored write takes
// several answers.
//
// Lifetimes: the service outlives the context, the context its connections, and a connection the write of its output():
// while an asynchronous write is under way nothing that is not const is called but on_deadline() and finish(). If the
// connection then wants to be closed, what was being written is gone: close the socket at once, which cancels the
// write.
//
// An idle connection holds no buffer; one that waits for the rest of a head 8 KiB, of a body 16 KiB more, one that
// answers 20 KiB and, when the peer pipelines, 16 KiB and up to kMaxBatch - 1 times 20 KiB, of which all connections of
// a context together have at most 5 MiB. All of it is memory of at least Service::minimum_level(), wiped when it is
// released. One thread at a time.
class PAIRPORT_EXPORT Connection {
 public:
  static constexpr std::uint64_t kNoDeadline = std::numeric_limits<std::uint64_t>::max();
  // Most bytes that one call of on_input() takes.
  static constexpr std::size_t kMaxInput = 16 * 1024;
  // What a body may take before the minimum rate counts, for a packet that is lost and sent again; milliseconds.
  static constexpr std::uint64_t kBodyGraceMs = 5'000;
  // Most answers, and about the most bytes, that output() offers at once.
  static constexpr std::size_t kMaxBatch = 8;
  static constexpr std::uint64_t kMaxBatchBytes = 64 * 1024;

  // REQUIRES: `context` outlives this object; with kRedirecting Service::url() begins with https://.
  Connection(ConnectionContext& context, const ClientAddress& peer, const Now& now,
             Transport transport = Transport::kPlain) noexcept;
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The time for the first request begins now, not when the connection was made: for after a handshake.
  // REQUIRES: nothing was fed yet
  void start(const Now& now) noexcept;
  // The peer speaks plain HTTP where it should have begun a handshake: answers 400 in clear, and closes. What it has
  // sent need not be fed. REQUIRES: nothing was fed yet
  void refuse_plain_http(const Now& now) noexcept;

  // Bytes have arrived. They are copied as far as they are needed later.
  // REQUIRES: wants_input(); input.size() <= kMaxInput
  void on_input(std::string_view input, const Now& now) noexcept;
  // The peer will send nothing more. What it has asked for is still answered.
  void on_input_end(const Now& now) noexcept;

  // What to send now, in this order; at most kMaxBatch * (1 + Response::kMaxFragments). Valid until the next call that
  // is not const.
  std::span<const Fragment> output() const noexcept { return {next_fragment_, fragment_count_}; }
  // The first `sent` bytes of output() are on their way (or copied): any number up to all of them.
  void on_output(std::size_t sent, const Now& now) noexcept;

  // The peer goes on taking bytes: the socket has fewer bytes left to send than before (SIOCOUTQ of tcp(7) and
  // unix(7)). Without this call only on_output() counts as progress, and the buffer of the kernel hides for a while
  // that a slow peer reads.
  void on_progress(const Now& now) noexcept;

  // Whether on_input() may be called; false while output is pending, so that a peer that does not read cannot make us
  // buffer.
  bool wants_input() const noexcept {
    return state_ == State::kLingering || ((state_ == State::kHead || state_ == State::kBody) && output().empty());
  }
  // Whether the connection wants to be closed as soon as output() is sent. Its end can go with the last bytes then, in
  // one segment: by MSG_MORE with the last write and, when that has taken everything, shutdown(SHUT_WR) before close().
  bool closes_after_output() const noexcept {
    return state_ == State::kAnswering && !keep_alive_ && !lingers_ && file_rest_.size == 0 && wants_file().empty();
  }
  // Whether it waits for a request to begin or for the rest of its head, so that closing it now loses nothing that has
  // been answered or deposited.
  bool waits_for_request() const noexcept { return state_ == State::kHead && output().empty(); }
  // The file that the current answer needs, or empty: open it, then call on_file(). Only with
  // ServiceOptions::serve_packages and serve_challenges.
  std::string_view wants_file() const noexcept;
  // The folder that it is in. REQUIRES: wants_file() is not empty
  FileFolder wants_file_of() const noexcept;
  // `file`: what was found, or null. The owner keeps it open until the answer has been sent or the connection closes.
  void on_file(const FileInfo* file, const Now& now) noexcept;
  // The piece of that file to read next, or a first part of it; of size 0 when none is needed now.
  FileRange wants_data() const noexcept {
    return state_ == State::kAnswering && output().empty() ? file_rest_ : FileRange{};
  }
  // It exists, but cannot be opened or read now: answers 503 instead.
  void on_file_unavailable(const Now& now) noexcept;
  // `data`: that piece, from its beginning. It goes out as it is and must stay valid until it has been sent. Empty: it
  // could not be read, and the connection closes, because the length has been promised already. REQUIRES: data.size()
  // <= wants_data().size
  void on_data(std::string_view data, const Now& now) noexcept;

  // Whether to end our side of the connection (and go on reading): everything is sent, but the peer may be sending
  // still, and closing now would destroy the answer on its way (RFC 9112 section 9.6).
  bool wants_shutdown() const noexcept { return state_ == State::kLingering; }
  // Whether to close the connection now.
  bool wants_close() const noexcept { return state_ == State::kClosed; }
  // Whether closing now leaves an answer unfinished, or has done so: a deadline was missed, a file became shorter. Then
  // the peer must not be told that the connection has come to a proper end.
  bool is_cut_short() const noexcept { return cut_short_ || exchange_ != nullptr; }

  // When to call on_deadline(), in milliseconds of Now::monotonic_ms; may move in either direction with every call.
  std::uint64_t deadline() const noexcept { return deadline_; }
  // Does nothing before the deadline, so it may be called too early.
  void on_deadline(const Now& now) noexcept;

  // Ends the connection after the request that is under way, at once when there is none.
  void finish() noexcept;

 private:
  enum class State : std::uint8_t { kHead, kBody, kAnswering, kLingering, kClosed };
  struct PAIRPORT_LOCAL Parser;

  PAIRPORT_LOCAL void process(std::string_view& input, const Now& now) noexcept;
  PAIRPORT_LOCAL void read_head(std::string_view& input, const Now& now) noexcept;
  PAIRPORT_LOCAL void begin_request(std::string_view head, std::string_view& input, const Now& now) noexcept;
  PAIRPORT_LOCAL bool may_read_ahead() const noexcept;
  PAIRPORT_LOCAL bool read_ahead(std::string_view& input, const Now& now) noexcept;
  PAIRPORT_LOCAL void read_body(std::string_view& input, const Now& now) noexcept;
  PAIRPORT_LOCAL void dispatch(RequestHead& parsed, std::string_view body, const Now& now) noexcept;
  PAIRPORT_LOCAL void refuse(int status, std::string_view text, std::string_view accept, Method method,
                             const Now& now) noexcept;
  PAIRPORT_LOCAL void refuse_too_large(std::string_view accept, Method method, const Now& now) noexcept;
  PAIRPORT_LOCAL void refuse_body(int status, std::string_view text, const Now& now) noexcept;
  PAIRPORT_LOCAL bool add_exchange() noexcept;
  PAIRPORT_LOCAL void describe_request(Method method, const ClientAddress& client, const Now& now) noexcept;
  PAIRPORT_LOCAL void report_answers() noexcept;
  PAIRPORT_LOCAL void release_exchanges() noexcept;
  PAIRPORT_LOCAL void start_answer(const Now& now) noexcept;
  PAIRPORT_LOCAL void end_answers(const Now& now) noexcept;
  PAIRPORT_LOCAL void set_output(Fragment fragment) noexcept;
  PAIRPORT_LOCAL void move_body_deadline() noexcept;
  PAIRPORT_LOCAL void expect_to_send(std::uint64_t bytes, const Now& now) noexcept;
  PAIRPORT_LOCAL void close() noexcept;

  ConnectionContext& context_;
  const ClientAddress peer_;
  Transport transport_;
  State state_ = State::kHead;
  bool head_started_ = false;  // a byte of the next request has arrived
  bool keep_alive_ = true;     // after the current answer
  bool lingers_ = false;       // the request was not read to its end
  bool http_1_0_ = false;      // of the current request
  bool finishing_ = false;
  bool peer_ended_ = false;
  bool cut_short_ = false;
  FileRange file_rest_;       // of the last answer, not handed to output() yet
  Fragment single_fragment_;  // for output that is not an answer's head and body
  Fragment* next_fragment_ = nullptr;
  std::size_t fragment_count_ = 0;  // from next_fragment_ on
  std::size_t exchange_count_ = 0;
  std::uint64_t output_bytes_ = 0;  // of all answers that are under way together
  std::uint64_t sent_bytes_ = 0;    // of these
  std::uint64_t sent_at_ms_ = 0;    // the last of them
  std::uint64_t deadline_;
  std::uint64_t answer_end_ms_ = 0;    // in kAnswering: what deadline_ is at most
  std::uint64_t body_started_ms_ = 0;  // in kBody
  std::unique_ptr<Parser> parser_;
  SecretPool<ConnectionContext::Exchange>::Pointer exchange_;  // the first of those that are under way
  ConnectionContext::Exchange* last_exchange_ = nullptr;
  SecretPool<ConnectionContext::Head>::Pointer head_;
  SecretPool<ConnectionContext::Body>::Pointer body_;
  SecretPool<ConnectionContext::Rest>::Pointer rest_;
};

}  // namespace pairport

#endif  // PAIRPORT_CONNECTION_H_

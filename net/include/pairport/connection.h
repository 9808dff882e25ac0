// SPDX-License-Identifier: MIT
// One HTTP/1 connection without any I/O: bytes in, fragments out. Level two of embedding, for a program that has its
// own loop.
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

#include <pairport/client_address.h>
#include <pairport/export.h>
#include <pairport/http.h>
#include <pairport/secret_memory.h>
#include <pairport/service.h>

namespace pairport {

struct RequestHead;

// The longest time-out of a server, in milliseconds: a day.
inline constexpr std::uint64_t kMaxTimeout = std::uint64_t{24} * 3600 * 1000;
constexpr bool is_timeout(std::uint64_t ms) noexcept {
  return ms >= 1 && ms <= kMaxTimeout;
}
// How a configuration writes it; completes the sentence "expected ...".
inline constexpr std::string_view kTimeoutExpected =
    "a duration from \"1ms\" to \"24h\", such as \"500ms\", \"30s\" or \"1m30s\"";

// Times are in milliseconds.
struct ConnectionLimits {
  // Limits of a request. The defaults are also the maxima, because the buffers have these sizes.
  std::size_t max_head_bytes = 8 * 1024;  // request line, headers and the empty line; beyond it 431
  std::size_t max_headers = 64;           // beyond it 431
  std::size_t max_body_bytes = kMaxBody;  // beyond it 413
  std::uint64_t head_timeout =
      10'000;  // from the first byte of a request (or the start of the connection) to the end of its head
  // From the end of the head to the end of the body; beyond it 408. After kBodyGraceMs a body that is slower than the
  // minimum rate gets 408, too.
  std::uint64_t body_timeout = 20'000;
  std::uint64_t idle_timeout = 60'000;  // between two requests
  // An answer may take this long plus the time that its bytes take at the minimum rate. It also ends when the peer
  // takes no byte of it for this long.
  std::uint64_t answer_timeout = 10'000;
  std::uint64_t min_bytes_per_second = 1024;  // for request bodies, too
  // How long to wait for the peer to close after an answer to a request that was not read completely.
  std::uint64_t linger_timeout = 2'000;
};

// The bounds of each limit, as COUNT(member, at least, at most) or TIME(member): see is_timeout(). Smaller sizes would
// refuse every request. The member is also the name of the setting.
#define PAIRPORT_CONNECTION_BOUNDS(COUNT, TIME) \
  COUNT(max_head_bytes, 1024, 8192)             \
  COUNT(max_headers, 8, 64)                     \
  COUNT(max_body_bytes, 1024, 16384)            \
  TIME(head_timeout)                            \
  TIME(body_timeout)                            \
  TIME(idle_timeout)                            \
  TIME(answer_timeout)                          \
  COUNT(min_bytes_per_second, 1, 1000000000)    \
  TIME(linger_timeout)

// How a connection carries its bytes. This decides what may be served over it.
enum class Transport : std::uint8_t {
  kPlain,
  kSecure,       // encrypted: answers carry Strict-Transport-Security if it is configured
  kRedirecting,  // not encrypted, over a network: redirects clients to Service::url() and serves nothing
};

// One answer. It holds the client's method and address, and nothing else that a client sent.
struct AccessEntry {
  Route route = Route::kOther;
  Method method = Method::kOther;
  int status = 0;
  bool complete = false;          // whether all of it was sent
  std::uint64_t bytes = 0;        // sent, head included
  std::uint64_t duration_ms = 0;  // from the complete request to the last byte sent
  ClientAddress client;           // the one behind trusted proxies; all zero: no address, on a Unix socket
  std::uint32_t code_hash = 0;    // with Route::kInstaller and ServiceOptions::hash_codes: see short_code_hash()
};

class PAIRPORT_EXPORT AccessObserver {
 public:
  virtual ~AccessObserver() = default;
  // Called once for each answer, when it has been sent or its connection has ended. Must not call the connection or the
  // server.
  virtual void on_answer(const AccessEntry& entry) noexcept = 0;
};

// The state that the connections of one thread share: the service, limits and buffers. Outlives its connections.
class PAIRPORT_EXPORT ConnectionContext {
 public:
  // REQUIRES: `service` and `observer` (may be null) outlive this object; sizes in `limits` are at most the defaults.
  // `hsts_seconds`: the max-age of Strict-Transport-Security (RFC 6797); none: no such header.
  ConnectionContext(Service& service, const ConnectionLimits& limits, TrustedProxies trusted_proxies = {},
                    AccessObserver* observer = nullptr,
                    std::optional<std::uint64_t> hsts_seconds = std::nullopt) noexcept;
  ~ConnectionContext();
  ConnectionContext(const ConnectionContext&) = delete;
  ConnectionContext& operator=(const ConnectionContext&) = delete;

  // Whether a request with X-Forwarded-For has come from a peer that is no trusted proxy. Clients behind such a peer
  // share its address and its limits.
  bool has_seen_untrusted_proxy() const noexcept { return has_seen_untrusted_proxy_; }

 private:
  friend class Connection;
  struct PAIRPORT_LOCAL Exchange;  // an answer and its head
  struct PAIRPORT_LOCAL Head;      // a request head that is not complete yet, or waits for its body
  struct PAIRPORT_LOCAL Body;      // the part of a body that has arrived
  struct PAIRPORT_LOCAL Rest;      // bytes that have arrived behind the request that is being answered

  // All connections together may have this many answers waiting behind their first ones. This bounds the memory that
  // pipelining peers can claim.
  static constexpr std::size_t kMaxQueued = 256;

  static constexpr std::string_view kOkLine = "HTTP/1.1 200 OK\r\n";

  // The Date header line, formatted once a second.
  PAIRPORT_LOCAL std::string_view date_line(const Now& now) noexcept;
  // kOkLine and the Date header line: nearly all answers begin with them.
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

// The state machine of one connection. It never calls its owner back. After each call the owner checks output(),
// wants_input(), wants_shutdown(), wants_close() and deadline(), and acts on them:
//
//   while (!(fragments = connection.output()).empty()) { n = writev(fragments); connection.on_output(n, now); }
//   if (connection.wants_close()) close(); else if (connection.wants_shutdown()) shutdown(SHUT_WR);
//
// Requests that have arrived together (RFC 9112 section 9.3.2) are answered together, so that one vectored write takes
// several answers.
//
// Lifetimes: the service outlives the context, the context its connections, and a connection the write of its output().
// While an asynchronous write is under way, call no non-const function but on_deadline() and finish(). If one of them
// makes the connection want to close, the bytes of the write are no longer valid: close the socket at once, which
// cancels the write.
//
// Memory: an idle connection holds no buffer. While it waits for the rest of a head it holds 8 KiB, for the rest of a
// body 16 KiB more. While it answers it holds 20 KiB. For a peer that pipelines it also holds 16 KiB and up to
// kMaxBatch - 1 times 20 KiB; all connections of a context together hold at most 5 MiB of these additional 20 KiB. All
// buffers have at least the protection Service::minimum_level() and are wiped when they are released.
//
// Forked children (fork(2)): a child does not inherit the buffers. It may destroy a connection and its context, which
// frees what the child has of them and reports no answer. Every other call for them in a child ends it (SIGSEGV): a
// look at the process in each call would cost every request. Service::is_inherited() tells.
//
// One thread at a time.
class PAIRPORT_EXPORT Connection {
 public:
  static constexpr std::uint64_t kNoDeadline = std::numeric_limits<std::uint64_t>::max();
  // Bytes that one call of on_input() takes at most.
  static constexpr std::size_t kMaxInput = 16 * 1024;
  // Milliseconds before the minimum rate applies to a body, so that a lost packet can be sent again.
  static constexpr std::uint64_t kBodyGraceMs = 5'000;
  // Answers that output() offers at once at most, and about how many bytes at most.
  static constexpr std::size_t kMaxBatch = 8;
  static constexpr std::uint64_t kMaxBatchBytes = 64 * 1024;

  // REQUIRES: `context` outlives this object; with kRedirecting Service::url() begins with https://.
  Connection(ConnectionContext& context, const ClientAddress& peer, const Now& now,
             Transport transport = Transport::kPlain) noexcept;
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Starts the time for the first request now, instead of at construction. Call it after a handshake.
  // REQUIRES: nothing was fed yet
  void start(const Now& now) noexcept;
  // The peer has sent plain HTTP instead of a handshake: answers 400 unencrypted, and closes. on_input() does not need
  // its bytes. REQUIRES: nothing was fed yet
  void refuse_plain_http(const Now& now) noexcept;

  // Bytes have arrived. The connection copies those that it needs later.
  // REQUIRES: wants_input(); input.size() <= kMaxInput
  void on_input(std::string_view input, const Now& now) noexcept;
  // The peer will send nothing more. Its complete requests still get their answers.
  void on_input_end(const Now& now) noexcept;

  // The fragments to send now, in this order; at most kMaxBatch * (1 + Response::kMaxFragments). Valid until the next
  // non-const call.
  std::span<const Fragment> output() const noexcept { return {next_fragment_, fragment_count_}; }
  // The first `sent` bytes of output() have been written or copied; `sent` is at most all of them.
  void on_output(std::size_t sent, const Now& now) noexcept;

  // The peer still takes bytes: the send buffer of the socket holds fewer bytes than before (SIOCOUTQ of tcp(7) and
  // unix(7)). Without this call only on_output() counts as progress, so a peer that slowly empties a full send buffer
  // seems to take nothing.
  void on_progress(const Now& now) noexcept;

  // Whether on_input() may be called. False while output is pending, so that a peer that does not read cannot make the
  // connection buffer.
  bool wants_input() const noexcept {
    return state_ == State::kLingering || ((state_ == State::kHead || state_ == State::kBody) && output().empty());
  }
  // Whether the connection wants to be closed as soon as output() is sent. Then the FIN can share a segment with the
  // last bytes: write them with MSG_MORE and, when the write has taken all of them, call shutdown(SHUT_WR) before
  // close().
  bool closes_after_output() const noexcept {
    return state_ == State::kAnswering && !keep_alive_ && !lingers_ && file_rest_.size == 0 && !is_pending();
  }
  // Whether the connection waits for a request to begin or for the rest of its head. Closing it now loses no answer and
  // no deposit.
  bool waits_for_request() const noexcept { return state_ == State::kHead && output().empty(); }
  // What the current answer waits for; Pending::Kind::kNothing when it does not. Carry it out and call resume(). Files:
  // only with ServiceOptions::serve_packages or serve_challenges; keep the file open until the answer has been sent or
  // the connection closes. A store: only when the service was given one that answers later. Valid until the next call
  // that is not const.
  const Pending& pending() const noexcept;
  // Tells one Pending of this connection from the next. Never 0 while there is one.
  std::uint32_t pending_id() const noexcept { return pending_id_; }
  // Goes on with the answer that waits. Does nothing, and returns false, when `id` is not pending_id() or nothing is
  // pending any more: the reply has come too late. Without a reply the answer is 503, when answer_timeout is over.
  bool resume(std::uint32_t id, const PendingReply& reply, const Now& now) noexcept;
  // The piece of that file that the answer needs next. The owner may read a first part of it. Size 0: no data is needed
  // now.
  FileRange wants_data() const noexcept {
    return state_ == State::kAnswering && output().empty() ? file_rest_ : FileRange{};
  }
  // `data` is that piece, or a first part of it. It is sent without copying and must stay valid until it has been sent.
  // Empty: the file could not be read; the connection closes, because the answer's head has already stated the length.
  // REQUIRES: data.size() <= wants_data().size
  void on_data(std::string_view data, const Now& now) noexcept;

  // Whether to end our side of the connection and continue to read. Everything is sent, but the peer may still be
  // sending; closing now could destroy the answer before the peer reads it (RFC 9112 section 9.6).
  bool wants_shutdown() const noexcept { return state_ == State::kLingering; }
  // Whether to close the connection now.
  bool wants_close() const noexcept { return state_ == State::kClosed; }
  // Whether closing now cuts an answer short, or has cut one short: a deadline was missed, or a file became shorter.
  // Then do not tell the peer that the connection has ended properly.
  bool is_cut_short() const noexcept { return cut_short_ || exchange_ != nullptr; }

  // When to call on_deadline(), in milliseconds of Now::monotonic_ms. Every call may move it, in either direction.
  std::uint64_t deadline() const noexcept { return deadline_; }
  // Does nothing before the deadline, so an early call is harmless.
  void on_deadline(const Now& now) noexcept;

  // Ends the connection after the current request; at once when there is none.
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
  bool is_pending() const noexcept { return pending_id_ != 0; }
  PAIRPORT_LOCAL void forget_request() noexcept;
  PAIRPORT_LOCAL void wait_for_reply(std::uint64_t until_ms) noexcept;
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
  std::size_t fragment_count_ = 0;  // counted from next_fragment_
  std::size_t exchange_count_ = 0;
  std::uint64_t output_bytes_ = 0;  // of all unfinished answers together
  std::uint64_t sent_bytes_ = 0;    // of output_bytes_
  std::uint64_t sent_at_ms_ = 0;    // when the last of these were sent
  std::uint64_t deadline_;
  std::uint64_t pending_until_ms_ = 0;
  std::uint32_t pending_id_ = 0;  // 0: nothing is pending
  std::uint32_t last_pending_id_ = 0;
  std::uint64_t answer_end_ms_ = 0;    // in kAnswering: the latest that deadline_ may be
  std::uint64_t body_started_ms_ = 0;  // in kBody
  std::unique_ptr<Parser> parser_;
  SecretPool<ConnectionContext::Exchange>::Pointer exchange_;  // the first of the unfinished ones
  ConnectionContext::Exchange* last_exchange_ = nullptr;
  SecretPool<ConnectionContext::Head>::Pointer head_;
  SecretPool<ConnectionContext::Body>::Pointer body_;
  SecretPool<ConnectionContext::Rest>::Pointer rest_;
};

}  // namespace pairport

#endif  // PAIRPORT_CONNECTION_H_

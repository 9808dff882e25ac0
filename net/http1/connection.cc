// SPDX-License-Identifier: MIT
// Invariants: exchange_ is set exactly in kAnswering; head_ while a head is incomplete or waits for its body, body_
// exactly in kBody, rest_ when bytes have arrived behind the requests that are being answered. In kHead and kBody the
// only possible output is the interim answer 100. Exchanges form a list in the order of their requests; only the last
// one may wait for a file or a piece of it, and then no exchange is added behind it.
#include <pairport/connection.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "core/base/check.h"
#include "net/http1/chunked.h"
#include "net/http1/connection_context.h"
#include "net/http1/head_guard.h"
#include "net/http1/http1.h"

namespace pairport {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::uint64_t after(const Now& now, std::uint64_t ms) noexcept {
  return now.monotonic_ms + ms;
}

}  // namespace

// Separate from the connection, so that the public header knows nothing of the parser.
struct Connection::Parser {
  explicit Parser(const ConnectionLimits& limits) noexcept
      : guard(HeadLimits{limits.max_head_bytes, limits.max_headers}) {}

  HeadGuard guard;
  ChunkedDecoder chunked;
};

Connection::Connection(ConnectionContext& context, const ClientAddress& peer, const Now& now,
                       Transport transport) noexcept
    : context_(context),
      peer_(peer),
      transport_(transport),
      deadline_(after(now, context.limits_.head_timeout)),
      parser_(new (std::nothrow) Parser(context.limits_)),
      exchange_(nullptr, {&context.exchanges_}),
      head_(nullptr, {&context.heads_}),
      body_(nullptr, {&context.bodies_}),
      rest_(nullptr, {&context.rests_}) {
  assert(transport != Transport::kRedirecting || context.service_.url().starts_with("https://"));
  if (parser_ == nullptr) state_ = State::kClosed;
}

Connection::~Connection() {
  if (context_.service_.is_inherited()) {
    // The buffers are in the memory of the parent process.
    static_cast<void>(exchange_.release());
    static_cast<void>(head_.release());
    static_cast<void>(body_.release());
    static_cast<void>(rest_.release());
    return;
  }
  release_exchanges();
}

void Connection::start(const Now& now) noexcept {
  if (state_ == State::kHead) deadline_ = after(now, context_.limits_.head_timeout);
}

void Connection::refuse_plain_http(const Now& now) noexcept {
  if (state_ != State::kHead) return;
  assert(!head_started_);
  transport_ = Transport::kPlain;
  Buffer<64 + kMaxServiceUrl> text;
  text.append("this port speaks HTTPS; use ");
  const std::string_view url = context_.service_.url();
  text.append(url.starts_with("https://") ? url : "an address that begins with https://");
  refuse(400, text.view(), {}, Method::kOther, now);
}

void Connection::close() noexcept {
  cut_short_ = is_cut_short();
  state_ = State::kClosed;
  deadline_ = kNoDeadline;
  release_exchanges();
  file_rest_ = {};
  head_.reset();
  body_.reset();
  rest_.reset();
  pending_id_ = 0;
}

void Connection::on_input(std::string_view input, const Now& now) noexcept {
  PAIRPORT_CHECK(input.size() <= kMaxInput);
  if (state_ == State::kLingering || state_ == State::kClosed) return;
  assert(wants_input());
  process(input, now);
  // The call has copied a piece of a body, so the stack may hold a part of a credential. The service wipes the stack
  // after a complete body.
  if (state_ == State::kBody) wipe_stack();
  if (input.empty() || state_ != State::kAnswering) return;
  if (!keep_alive_) {
    lingers_ = true;  // bytes have arrived that nobody will read
  } else if (acquire(rest_, context_.rests_)) {
    rest_->append(input);
  } else {
    close();
  }
}

void Connection::on_input_end(const Now& now) noexcept {
  (void)now;
  peer_ended_ = true;
  if (state_ != State::kAnswering) close();
}

void Connection::process(std::string_view& input, const Now& now) noexcept {
  while (!input.empty()) {
    if (state_ == State::kHead && output().empty()) {
      read_head(input, now);
    } else if (state_ == State::kBody && output().empty()) {
      read_body(input, now);
    } else if (!may_read_ahead() || !read_ahead(input, now)) {
      break;
    }
  }
}

bool Connection::may_read_ahead() const noexcept {
  return state_ == State::kAnswering && keep_alive_ && !finishing_ && exchange_count_ < kMaxBatch &&
         output_bytes_ < kMaxBatchBytes && !is_pending();
}

// Answers the next request together with the previous ones if it is complete and valid. Otherwise it is parsed again
// when the previous answers are sent.
bool Connection::read_ahead(std::string_view& input, const Now& now) noexcept {
  HeadGuard& guard = parser_->guard;
  RequestHead parsed;
  const auto is_whole = [&] {
    if (guard.feed(input) != HeadGuard::State::kComplete || !parse_head(input, guard, parsed)) return false;
    const Framing& framing = guard.framing();
    const Method method = parsed.request.method;
    return !framing.chunked && framing.length <= input.size() - guard.size() &&
           framing.length <= context_.limits_.max_body_bytes && !parsed.has_unknown_expectation &&
           method != Method::kOther && (method != Method::kPost || framing.has_length);
  };
  if (!is_whole() || !add_exchange()) {
    guard.reset();
    return false;
  }
  const auto length = static_cast<std::size_t>(guard.framing().length);
  const std::string_view body = input.substr(guard.size(), length);
  input.remove_prefix(guard.size() + length);
  http_1_0_ = !guard.is_http_1_1();
  dispatch(parsed, body, now);
  return true;
}

void Connection::read_head(std::string_view& input, const Now& now) noexcept {
  if (!head_started_) {
    head_started_ = true;
    deadline_ = after(now, context_.limits_.head_timeout);
  }
  HeadGuard& guard = parser_->guard;
  const std::size_t buffered = head_ == nullptr ? 0 : head_->size;
  std::string_view head = input;
  if (buffered != 0) {
    // The start of the head is in the buffer: join the rest to it.
    head_->append(input.substr(0, kMaxHead - buffered));
    head = head_->view();
  }
  switch (guard.feed(head)) {
    case HeadGuard::State::kError:
      refuse(guard.error().status, guard.error().text, {}, Method::kOther, now);
      break;
    case HeadGuard::State::kComplete:
      input.remove_prefix(guard.size() - buffered);
      if (buffered != 0) head_->truncate(guard.size());
      begin_request(head.substr(0, guard.size()), input, now);
      break;
    case HeadGuard::State::kIncomplete:
      if (buffered != 0) {
        input.remove_prefix(head.size() - buffered);
      } else if (acquire(head_, context_.heads_)) {
        head_->append(input);
        input = {};
      } else {
        close();
      }
      break;
  }
}

void Connection::begin_request(std::string_view head, std::string_view& input, const Now& now) noexcept {
  const Framing& framing = parser_->guard.framing();
  http_1_0_ = !parser_->guard.is_http_1_1();
  RequestHead parsed_head;
  const bool parsed = parse_head(head, parser_->guard, parsed_head);
  const std::string_view accept = parser_->guard.value(HeaderName::accept, head);
  const Method method = parsed_head.request.method;
  // llhttp calls a length that overflows its integer malformed; here it is a large body like any other.
  if (framing.length > context_.limits_.max_body_bytes) return refuse_too_large(accept, method, now);
  if (!parsed) return refuse(400, "the request is not valid HTTP", accept, method, now);
  if (transport_ == Transport::kRedirecting && method != Method::kGet && method != Method::kHead) {
    // Refuse it without its body, so that the client does not send the body at all.
    return add_exchange() ? dispatch(parsed_head, {}, now) : close();
  }
  if (parsed_head.has_unknown_expectation) {
    return refuse(417, "the only expectation that is met is 100-continue", accept, method, now);
  }
  if (method == Method::kPost && !framing.chunked && !framing.has_length) {
    return refuse(411, "a POST request needs a Content-Length or Transfer-Encoding: chunked", accept, method, now);
  }
  if (!framing.chunked && framing.length <= input.size()) {
    const std::string_view body = input.substr(0, static_cast<std::size_t>(framing.length));
    input.remove_prefix(body.size());
    return add_exchange() ? dispatch(parsed_head, body, now) : close();
  }

  // The body has not arrived completely: keep the head until then.
  if (!acquire(head_, context_.heads_) || !acquire(body_, context_.bodies_)) return close();
  if (head_->size == 0) head_->append(head);
  parser_->chunked = ChunkedDecoder();
  state_ = State::kBody;
  body_started_ms_ = now.monotonic_ms;
  move_body_deadline();
  if (parsed_head.expects_continue && !http_1_0_ && input.empty()) {
    set_output({kContinue.data(), kContinue.size()});
  }
}

void Connection::read_body(std::string_view& input, const Now& now) noexcept {
  const Framing& framing = parser_->guard.framing();
  auto& body = *body_;
  if (framing.chunked) {
    switch (parser_->chunked.feed(input, std::span(body.bytes).first(context_.limits_.max_body_bytes), body.size)) {
      case ChunkedDecoder::State::kIncomplete:
        return move_body_deadline();
      case ChunkedDecoder::State::kMalformed:
        return refuse_body(400, "the chunked body is malformed, or has chunk extensions or trailers", now);
      case ChunkedDecoder::State::kTooLarge:
        return refuse_too_large(parser_->guard.value(HeaderName::accept, head_->view()), Method::kOther, now);
      case ChunkedDecoder::State::kComplete:
        break;
    }
  } else {
    const std::size_t missing = static_cast<std::size_t>(framing.length) - body.size;
    body.append(input.substr(0, missing));
    input.remove_prefix(std::min(missing, input.size()));
    if (body.size < framing.length) return move_body_deadline();
  }
  RequestHead parsed;
  if (!parse_head(head_->view(), parser_->guard, parsed)) return close();  // cannot happen: it was accepted before
  if (!add_exchange()) return close();
  dispatch(parsed, body.view(), now);
}

// Each byte that arrives extends the deadline, up to the time for a whole body. Without a minimum rate, a peer could
// keep its place for all of that time with a byte now and then.
void Connection::move_body_deadline() noexcept {
  const ConnectionLimits& limits = context_.limits_;
  const std::uint64_t rate = std::max<std::uint64_t>(limits.min_bytes_per_second, 1);
  deadline_ = body_started_ms_ + std::min(limits.body_timeout, kBodyGraceMs + body_->size * 1000 / rate);
}

// Adds an answer. False when it must wait, or when there is no memory for it.
bool Connection::add_exchange() noexcept {
  if (exchange_ != nullptr && context_.queued_ == ConnectionContext::kMaxQueued) return false;
  auto exchange = context_.exchanges_.acquire();
  if (exchange == nullptr) return false;
  ConnectionContext::Exchange* const added = exchange.get();
  if (exchange_ == nullptr) {
    exchange_ = std::move(exchange);
    next_fragment_ = added->fragments();
  } else {
    last_exchange_->next = std::move(exchange);
    ++context_.queued_;
  }
  last_exchange_ = added;
  ++exchange_count_;
  return true;
}

void Connection::describe_request(Method method, const ClientAddress& client, const Now& now) noexcept {
  if (context_.observer_ == nullptr) return;
  last_exchange_->describe_request(method, client, now);
}

// Answers go out in their order, so the bytes that were sent belong to the first ones.
void Connection::report_answers() noexcept {
  std::uint64_t sent = sent_bytes_;
  for (ConnectionContext::Exchange* exchange = exchange_.get(); exchange != nullptr; exchange = exchange->next.get()) {
    if (exchange->response.status() == 0) continue;  // no answer: the connection ended while it was pending
    const std::uint64_t count = std::min(sent, exchange->bytes);
    exchange->describe_answer(count, sent_at_ms_);
    sent -= count;
    context_.observer_->on_answer(exchange->entry);
  }
}

void Connection::release_exchanges() noexcept {
  if (context_.observer_ != nullptr) report_answers();
  if (exchange_count_ > 1) context_.queued_ -= exchange_count_ - 1;
  exchange_.reset();
  last_exchange_ = nullptr;
  next_fragment_ = nullptr;
  fragment_count_ = exchange_count_ = 0;
  output_bytes_ = sent_bytes_ = 0;
}

void Connection::set_output(Fragment fragment) noexcept {
  single_fragment_ = fragment;
  next_fragment_ = &single_fragment_;
  fragment_count_ = 1;
}

void Connection::dispatch(RequestHead& parsed, std::string_view body, const Now& now) noexcept {
  Request& request = parsed.request;
  const bool reads = request.method == Method::kGet || request.method == Method::kHead;
  const bool redirects = transport_ == Transport::kRedirecting;
  lingers_ = request.method == Method::kOther || (redirects && !reads);
  keep_alive_ = parsed.keep_alive && !finishing_ && !lingers_;
  const auto lines = parsed.forwarded_for();
  ClientAddress client = peer_;
  if (!lines.empty()) {
    if (!context_.trusted_proxies_.trusts(peer_)) context_.has_seen_untrusted_proxy_ = true;
    client = context_.trusted_proxies_.client_of(peer_, lines);
  }
  request.body = body;
  request.client = client.key();
  if (redirects) {
    context_.service_.redirect(request, last_exchange_->response);
  } else {
    context_.service_.handle(request, now, last_exchange_->response);
  }
  describe_request(request.method, client, now);
  if (last_exchange_->response.is_pending()) return wait_for_reply(after(now, context_.limits_.answer_timeout));
  start_answer(now);
}

// The answer holds a copy of the request, or does not need it.
[[gnu::always_inline]] inline void Connection::forget_request() noexcept {
  parser_->guard.reset();
  head_started_ = false;
  head_.reset();
  body_.reset();
}

void Connection::wait_for_reply(std::uint64_t until_ms) noexcept {
  if (++last_pending_id_ == 0) ++last_pending_id_;
  pending_id_ = last_pending_id_;
  pending_until_ms_ = until_ms;
  forget_request();
  state_ = State::kAnswering;
  deadline_ = output().empty() ? until_ms : std::min(deadline_, until_ms);
}

void Connection::refuse_too_large(std::string_view accept, Method method, const Now& now) noexcept {
  Buffer<64> text;
  text.append("the body is larger than ");
  text.append(std::uint64_t{context_.limits_.max_body_bytes});
  text.append(" bytes");
  refuse(413, text.view(), accept, method, now);
}

// head_ is still set, so its Accept header decides the form of the error.
void Connection::refuse_body(int status, std::string_view text, const Now& now) noexcept {
  refuse(status, text, parser_->guard.value(HeaderName::accept, head_->view()), Method::kOther, now);
}

void Connection::refuse(int status, std::string_view text, std::string_view accept, Method method,
                        const Now& now) noexcept {
  if (!add_exchange()) return close();
  keep_alive_ = false;
  lingers_ = true;
  context_.service_.refuse(status, text, accept, method, last_exchange_->response);
  describe_request(method, peer_, now);
  start_answer(now);
}

void Connection::start_answer(const Now& now) noexcept {
  const Response& response = last_exchange_->response;
  last_exchange_->write_head(
      context_, {.secure = transport_ == Transport::kSecure, .keep_alive = keep_alive_, .http_1_0 = http_1_0_}, now);
  const auto& head = last_exchange_->head;

  // Start a new output when the previous one was sent before the file was there.
  if (fragment_count_ == 0) next_fragment_ = exchange_->fragments();
  const auto add = [&](Fragment fragment) {
    std::construct_at(next_fragment_ + fragment_count_++, fragment);
    output_bytes_ += fragment.size;
  };
  add({head.bytes.data(), head.size});
  for (const Fragment& fragment : response.body()) add(fragment);
  file_rest_ = response.file_range();
  last_exchange_->bytes = head.size + file_rest_.size;
  for (const Fragment& fragment : response.body()) last_exchange_->bytes += fragment.size;

  forget_request();
  state_ = State::kAnswering;
  expect_to_send(output_bytes_, now);
}

// Each piece of a file has a deadline of its own. With one deadline for a whole file, a peer that has stopped reading
// could stay for hours.
void Connection::expect_to_send(std::uint64_t bytes, const Now& now) noexcept {
  const std::uint64_t rate = std::max<std::uint64_t>(context_.limits_.min_bytes_per_second, 1);
  deadline_ = after(now, context_.limits_.answer_timeout);
  answer_end_ms_ = deadline_ + bytes * 1000 / rate;
}

void Connection::on_progress(const Now& now) noexcept {
  if (state_ != State::kAnswering || output().empty()) return;
  deadline_ = std::min(after(now, context_.limits_.answer_timeout), answer_end_ms_);
  if (is_pending()) deadline_ = std::min(deadline_, pending_until_ms_);
}

void Connection::on_output(std::size_t sent, const Now& now) noexcept {
  if (sent != 0 && state_ == State::kAnswering) {
    sent_bytes_ += sent;
    sent_at_ms_ = now.monotonic_ms;
    if (sent_bytes_ == output_bytes_) {
      // The common case: all answers are sent.
      next_fragment_ += fragment_count_;
      sent = fragment_count_ = 0;
    }
  }
  while (sent != 0) {
    PAIRPORT_CHECK(fragment_count_ != 0);
    Fragment& fragment = *next_fragment_;
    const std::size_t count = std::min(sent, fragment.size);
    fragment.data += count;
    fragment.size -= count;
    sent -= count;
    if (fragment.size != 0) {
      on_progress(now);
      break;
    }
    ++next_fragment_;
    --fragment_count_;
  }
  assert(sent == 0);
  if (fragment_count_ != 0 || state_ != State::kAnswering || file_rest_.size != 0) return;
  if (is_pending()) {
    deadline_ = pending_until_ms_;
  } else {
    end_answers(now);
  }
}

void Connection::end_answers(const Now& now) noexcept {
  release_exchanges();
  if (!keep_alive_ || finishing_) {
    // finish() was called on a connection with keep-alive: the peer may be sending its next request.
    const bool may_be_sending = lingers_ || (finishing_ && keep_alive_);
    if (!may_be_sending || peer_ended_) return close();
    state_ = State::kLingering;
    deadline_ = after(now, context_.limits_.linger_timeout);
    rest_.reset();
    return;
  }
  state_ = State::kHead;
  deadline_ = after(now, context_.limits_.idle_timeout);
  if (rest_ != nullptr) {
    std::string_view rest = rest_->view();
    process(rest, now);
    if (rest_ != nullptr) rest_->keep_last(rest.size());
    if (rest_ != nullptr && rest_->size == 0) rest_.reset();
  }
  if (peer_ended_ && state_ != State::kAnswering) close();
}

void Connection::on_deadline(const Now& now) noexcept {
  if (now.monotonic_ms < deadline_) return;
  if (is_pending() && now.monotonic_ms >= pending_until_ms_) {
    resume(pending_id_, PendingReply::unavailable(), now);
    return;
  }
  if (state_ == State::kHead && head_started_) {
    refuse(408, "the request head took too long to arrive", {}, Method::kOther, now);
  } else if (state_ == State::kBody && output().empty()) {
    refuse_body(408, "the request body took too long to arrive", now);
  } else {
    close();
  }
}

void Connection::finish() noexcept {
  finishing_ = true;
  if (state_ == State::kHead && !head_started_) close();
}

}  // namespace pairport

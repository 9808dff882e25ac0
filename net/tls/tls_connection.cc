// SPDX-License-Identifier: MIT
// Invariants: session_ exists from the first computed step of a handshake until the connection drains. source_ is the
// ciphertext that has arrived and that mbedTLS has not read yet: a view of input_, or, during on_input(), of its
// argument. input_ exists exactly while ciphertext is kept. In kOpen, in_flight_ bytes of the connection's output are
// in the records of output_. The connection learns that they are sent when the last byte of these records is sent;
// until then its deadline for a peer that does not read keeps running. output_ is empty whenever a record is encrypted,
// so that mbedTLS never has to repeat a write, and whenever a handshake is computed.
#include <pairport/tls.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include <mbedtls/ssl.h>

#include "core/base/check.h"
#include "core/memory/secret_block.h"
#include "net/tls/mbedtls_bridge.h"
#include "net/tls/tls_context.h"
#include "net/tls/tls_credentials.h"

namespace pairport {
namespace {

constexpr unsigned kChangeCipherSpec = 20;
constexpr unsigned kApplicationData = 23;
constexpr unsigned char kHandshake = 22;

// A fatal alert unexpected_message, for input that is not even a record. Sending it needs no session.
constexpr std::string_view kUnexpectedMessage{"\x15\x03\x03\x00\x02\x02\x0a", 7};

}  // namespace

// The state of mbedTLS.
struct TlsConnection::Session {
  explicit Session(TlsConnection& owner) noexcept : connection(owner) { mbedtls_ssl_init(&ssl); }
  ~Session() { mbedtls_ssl_free(&ssl); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  static int receive(void* self, unsigned char* out, std::size_t size) noexcept {
    std::string_view& source = static_cast<Session*>(self)->connection.source_;
    if (source.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
    const std::size_t count = std::min(size, source.size());
    std::memcpy(out, source.data(), count);
    source.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int send(void* self, const unsigned char* data, std::size_t size) noexcept {
    Output* output = static_cast<Session*>(self)->connection.output_.get();
    if (output == nullptr || output->room() == 0) return MBEDTLS_ERR_SSL_WANT_WRITE;
    const std::size_t count = std::min(size, output->room());
    std::memcpy(output->bytes.data() + output->size, data, count);
    output->size += count;
    return static_cast<int>(count);
  }

  TlsConnection& connection;
  mbedtls_ssl_context ssl;
  int result = MBEDTLS_ERR_SSL_WANT_READ;  // of the last step of the handshake
};

TlsConnection::TlsConnection(TlsContext& context, Connection& connection, const Now& now) noexcept
    : context_(*context.impl_),
      connection_(connection),
      deadline_(now.monotonic_ms + context_.options.handshake_timeout),
      credentials_(context_.credentials) {
  assert(credentials_ != nullptr);
}

TlsConnection::~TlsConnection() {
  context_.give_back(std::move(output_));
}

void TlsConnection::close() noexcept {
  state_ = State::kClosed;
  ready_ = false;
  source_ = {};
  input_.reset();
  session_.reset();
  context_.give_back(std::move(output_));
}

bool TlsConnection::is_sending() const noexcept {
  return output_ != nullptr && !output_->empty();
}

std::span<const Fragment> TlsConnection::output() const noexcept {
  if (state_ == State::kPlain) return connection_.output();
  // While a thread computes a handshake, it owns the output.
  if (state_ == State::kComputing || !is_sending()) return {};
  return {&fragment_, 1};
}

bool TlsConnection::wants_input() const noexcept {
  switch (state_) {
    case State::kHandshake:
      return !ready_ && !is_sending();
    case State::kPlain:
      return connection_.wants_input();
    case State::kOpen:
      return !is_sending() && source_.empty() && !peer_ended_ && connection_.wants_input();
    case State::kDraining:
      return true;
    default:
      return false;
  }
}

bool TlsConnection::waits_for_request() const noexcept {
  switch (state_) {
    case State::kHandshake:
      return session_ == nullptr && !ready_ && !is_sending();
    case State::kPlain:
      return connection_.waits_for_request();
    case State::kOpen:
      return !is_sending() && connection_.waits_for_request();
    default:
      return false;
  }
}

std::uint64_t TlsConnection::deadline() const noexcept {
  if (state_ == State::kClosed) return Connection::kNoDeadline;
  return state_ == State::kOpen || state_ == State::kPlain ? connection_.deadline() : deadline_;
}

void TlsConnection::on_input(std::string_view input, const Now& now) noexcept {
  PAIRPORT_CHECK(input.size() <= kMaxInput);
  assert(wants_input());
  if (input.empty()) return;
  switch (state_) {
    case State::kHandshake:
      if (session_ == nullptr && input_ == nullptr && static_cast<unsigned char>(input.front()) != kHandshake) {
        return refuse(input, now);
      }
      source_ = input;
      keep_source();
      find_records(now);
      return;
    case State::kPlain:
      return connection_.on_input(input, now);
    case State::kOpen:
      source_ = input;
      pump(now);
      return keep_source();
    default:
      return;  // ignore input behind the end
  }
}

// For input that does not begin like a handshake record. A plain HTTP request gets an answer that its sender can read.
void TlsConnection::refuse(std::string_view input, const Now& now) noexcept {
  if (input.front() >= 'A' && input.front() <= 'Z') {
    state_ = State::kPlain;
    connection_.refuse_plain_http(now);
    return;
  }
  refuse_record(now);
}

void TlsConnection::refuse_record(const Now& now) noexcept {
  if (output_ == nullptr) output_ = context_.take_output();
  if (output_ == nullptr) return close();
  std::memcpy(output_->bytes.data(), kUnexpectedMessage.data(), kUnexpectedMessage.size());
  output_->size = kUnexpectedMessage.size();
  end(false, now);
}

// Appends unread input to input_, because its memory belongs to the caller.
void TlsConnection::keep_source() noexcept {
  if (state_ != State::kHandshake && state_ != State::kOpen) return;
  if (source_.empty()) return;
  if (input_ == nullptr) input_.reset(new (std::nothrow) Input);
  if (input_ == nullptr) return close();
  PAIRPORT_CHECK(source_.size() <= input_->bytes.size() - input_->size);
  std::memcpy(input_->bytes.data() + input_->size, source_.data(), source_.size());
  input_->size += source_.size();
  source_ = {input_->bytes.data(), input_->size};
}

// A step of the handshake needs a complete record. Bytes that cannot be a record header are refused here, after all
// records before them have been read: mbedTLS 2.28 accepts any version above 3 in the first header, and this code and
// mbedTLS must agree on the length in a header.
void TlsConnection::find_records(const Now& now) noexcept {
  if (state_ != State::kHandshake) return;
  usable_ = 0;
  while (source_.size() - usable_ >= kRecordHeader) {
    const auto* header = reinterpret_cast<const unsigned char*>(source_.data()) + usable_;
    const std::size_t length = std::size_t{header[3]} << 8 | header[4];
    if (header[0] < kChangeCipherSpec || header[0] > kApplicationData || header[1] != 3 || length == 0 ||
        kRecordHeader + length > kMaxRecord) {
      if (usable_ == 0 && !is_sending()) return refuse_record(now);
      break;
    }
    if (source_.size() - usable_ < kRecordHeader + length) break;
    usable_ += kRecordHeader + length;
  }
  ready_ = usable_ != 0 && !is_sending();
}

void TlsConnection::begin_handshake(std::size_t lane) noexcept {
  PAIRPORT_CHECK((!lane_ || *lane_ == lane) && lane < context_.options.lanes);
  assert(wants_handshake());
  lane_ = lane;
  if (output_ == nullptr) output_ = context_.take_output();
  if (output_ != nullptr) output_->begin = output_->size = 0;
  state_ = State::kComputing;
}

void TlsConnection::handshake() noexcept {
  assert(is_computing());
  if (output_ == nullptr) return;  // no memory: on_handshake() closes
  if (session_ == nullptr) {
    session_.reset(new (std::nothrow) Session(*this));
    if (session_ == nullptr) return;
    mbedtls_ssl_set_bio(&session_->ssl, session_.get(), Session::send, Session::receive, nullptr);
    session_->result = mbedtls_ssl_setup(&session_->ssl, &credentials_->impl_->config(*lane_));
    if (session_->result != 0) return;
  }
  // Pass only complete records, so that a peer cannot cause a step with every byte.
  const std::string_view behind = source_.substr(usable_);
  source_ = source_.substr(0, usable_);
  session_->result = mbedtls_ssl_handshake(&session_->ssl);
  source_ = {source_.data(), source_.size() + behind.size()};
}

void TlsConnection::on_handshake(const Now& now) noexcept {
  assert(is_computing());
  state_ = State::kHandshake;
  ready_ = false;
  if (output_ == nullptr || session_ == nullptr) return close();
  fragment_ = {output_->bytes.data(), output_->size};
  if (!is_sending()) context_.give_back(std::move(output_));
  switch (session_->result) {
    case 0:
      state_ = State::kOpen;
      connection_.start(now);
      compact_input();
      return pump(now);
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
      compact_input();
      // The peer must send more first, or the output must be sent first.
      if (session_->result == MBEDTLS_ERR_SSL_WANT_READ) find_records(now);
      return;
    default:
      explain(session_->result);
      return end(false, now);
  }
}

// Sends an alert for a record that mbedTLS cannot read; mbedTLS sends none. The peer should learn why the connection
// ends (RFC 8446 section 6).
void TlsConnection::explain(int error) noexcept {
  if (is_sending() || peer_ended_ || error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) return;
  if (output_ == nullptr) output_ = context_.take_output();
  if (output_ == nullptr) return;
  mbedtls_ssl_send_alert_message(&session_->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR);
  // Before mbedTLS has read a hello it knows no version, and 2.28 writes version 0.0, which no client accepts.
  if (is_sending() && output_->begin == 0 && output_->bytes[1] == 0) output_->bytes[1] = output_->bytes[2] = 3;
}

// Removes the part of input_ that has been read.
void TlsConnection::compact_input() noexcept {
  if (input_ == nullptr) return;
  if (source_.empty()) return input_.reset();
  std::memmove(input_->bytes.data(), source_.data(), source_.size());
  input_->size = source_.size();
  source_ = {input_->bytes.data(), input_->size};
}

void TlsConnection::on_input_end(const Now& now) noexcept {
  peer_ended_ = peer_closed_ = true;
  switch (state_) {
    case State::kPlain:
      return connection_.on_input_end(now);
    case State::kOpen:
      return pump(now);
    case State::kEnding:
      return;
    default:
      return close();
  }
}

void TlsConnection::on_output(std::size_t sent, const Now& now) noexcept {
  if (state_ == State::kPlain) return connection_.on_output(sent, now);
  if (sent == 0 || output_ == nullptr) return;
  PAIRPORT_CHECK(sent <= output_->size - output_->begin);
  output_->begin += sent;
  fragment_ = {output_->bytes.data() + output_->begin, output_->size - output_->begin};
  if (is_sending()) return;
  context_.give_back(std::move(output_));
  switch (state_) {
    case State::kHandshake:
      find_records(now);
      if (state_ != State::kHandshake) return;
      ready_ = ready_ || session_->result == MBEDTLS_ERR_SSL_WANT_WRITE;
      return;
    case State::kOpen:
      return pump(now);
    case State::kEnding:
      return end_if_sent();
    default:
      return;
  }
}

void TlsConnection::on_answer(const Now& now) noexcept {
  if (state_ == State::kOpen) pump(now);
}

void TlsConnection::on_deadline(const Now& now) noexcept {
  if (state_ == State::kPlain || state_ == State::kOpen) {
    connection_.on_deadline(now);
    if (state_ == State::kOpen) pump(now);
  } else if (now.monotonic_ms >= deadline_ && state_ != State::kComputing) {
    close();
  }
}

void TlsConnection::finish(const Now& now) noexcept {
  if (state_ == State::kHandshake) return close();
  connection_.finish();
  if (state_ == State::kOpen) pump(now);
}

// Moves data between the connection and mbedTLS until there is output to send or nothing to do.
void TlsConnection::pump(const Now& now) noexcept {
  assert(state_ == State::kOpen);
  while (state_ == State::kOpen) {
    if (connection_.wants_close() && connection_.is_cut_short()) return close();
    if (is_sending()) return;
    if (in_flight_ != 0) {
      connection_.on_output(std::exchange(in_flight_, 0), now);
    } else if (connection_.wants_close() || connection_.wants_shutdown()) {
      return end(true, now);
    } else if (!connection_.output().empty()) {
      encrypt();
    } else if (!connection_.wants_input() || !decrypt(now)) {
      break;
    }
  }
  if (source_.empty()) input_.reset();
}

// Encrypts as much of the connection's output as the buffer holds.
void TlsConnection::encrypt() noexcept {
  output_ = context_.take_output();
  if (output_ == nullptr) return close();
  for (Fragment fragment : connection_.output()) {
    while (fragment.size != 0) {
      if (output_->room() <= kOverhead) break;
      const std::size_t size = std::min({fragment.size, kMaxPlaintext, output_->room() - kOverhead});
      // The buffer has room for the record, so the call never waits.
      const int written =
          mbedtls_ssl_write(&session_->ssl, reinterpret_cast<const unsigned char*>(fragment.data), size);
      if (written <= 0) return close();
      // In TLS 1.3, mbedTLS 3.6 takes one byte less than a record holds.
      const auto taken = static_cast<std::size_t>(written);
      in_flight_ += taken;
      fragment.data += taken;
      fragment.size -= taken;
    }
    if (fragment.size != 0) break;
  }
  wipe_vector_registers();  // they may hold plaintext
  fragment_ = {output_->bytes.data(), output_->size};
}

// Gives the connection the plaintext of one record. False when nothing more can be read.
bool TlsConnection::decrypt(const Now& now) noexcept {
  auto* plaintext = reinterpret_cast<unsigned char*>(context_.plaintext.data());
  // The answer to an alert may need output.
  if (output_ == nullptr) output_ = context_.take_output();
  if (output_ == nullptr) {
    close();
    return false;
  }
  const int count = mbedtls_ssl_read(&session_->ssl, plaintext, kMaxPlaintext);
  fragment_ = {output_->bytes.data(), output_->size};
  if (!is_sending()) context_.give_back(std::move(output_));
  if (count > 0) {
    const auto size = static_cast<std::size_t>(count);
    connection_.on_input({reinterpret_cast<const char*>(plaintext), size}, now);
    wipe(plaintext, size);
    return true;
  }
  if (count == MBEDTLS_ERR_SSL_WANT_READ) {
    if (!peer_ended_ || end_told_) return false;
  } else if (count == 0 || count == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
    peer_ended_ = true;  // ignore input behind the alert
    source_ = {};
    if (end_told_) return false;
  } else {
    explain(count);
    end(false, now);
    return false;
  }
  end_told_ = true;
  connection_.on_input_end(now);
  return true;
}

// Sends the rest of the output, then a close_notify when `tell`, and then waits for the peer to end. If we closed the
// socket at once, data that arrives later would reset the connection and destroy output that the peer has not received
// yet.
void TlsConnection::end(bool tell, const Now& now) noexcept {
  state_ = State::kEnding;
  ready_ = false;
  source_ = {};
  input_.reset();
  deadline_ = now.monotonic_ms + context_.options.linger_timeout;
  if (tell) {
    if (output_ == nullptr) output_ = context_.take_output();
    if (output_ == nullptr) return close();
    mbedtls_ssl_close_notify(&session_->ssl);
  }
  if (output_ != nullptr) fragment_ = {output_->bytes.data() + output_->begin, output_->size - output_->begin};
  session_.reset();
  end_if_sent();
}

void TlsConnection::end_if_sent() noexcept {
  if (is_sending()) return;
  if (peer_closed_) return close();
  context_.give_back(std::move(output_));
  state_ = State::kDraining;
}

std::string_view TlsConnection::version() const noexcept {
  if (session_ == nullptr || state_ != State::kOpen) return {};
  return mbedtls_ssl_get_version(&session_->ssl);
}

std::string_view TlsConnection::cipher_suite() const noexcept {
  if (session_ == nullptr || state_ != State::kOpen) return {};
  return mbedtls_ssl_get_ciphersuite(&session_->ssl);
}

}  // namespace pairport

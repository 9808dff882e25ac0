// SPDX-License-Identifier: MIT
// TLS without any I/O, by mbedTLS: a filter between the bytes of the network and a Connection.
#ifndef PAIRPORT_TLS_H_
#define PAIRPORT_TLS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <pairport/code.h>
#include <pairport/connection.h>
#include <pairport/export.h>
#include <pairport/http.h>
#include <pairport/secret_memory.h>
#include <pairport/status.h>

namespace pairport {

// A certificate with the chain that leads to its issuer, the leaf first, and the private key of the leaf; both PEM. A
// view; `name` is what messages call it.
struct TlsCertificate {
  std::string_view name;
  std::string_view chain;
  std::string_view key;
};

enum class TlsVersion : std::uint8_t { kTls12, kTls13 };

struct TlsOptions {
  // 1.3 only where the library has it: see TlsContext::has_tls13().
  TlsVersion min_version = TlsVersion::kTls12;
  // Handshakes that may be computed at the same time, each on a lane of its own. A key is used on one lane only, so
  // that no lock of the library makes lanes wait for each other.
  std::size_t lanes = 1;
  std::uint64_t handshake_timeout = 10'000;  // milliseconds from the start of the connection
  // How long to wait for the end of the peer after our own, in milliseconds.
  std::uint64_t linger_timeout = 2'000;
  // Seconds for which a ticket resumes a session (RFC 5077, RFC 8446 section 4.6.1); its keys are replaced as often,
  // and kept for twice as long. 0: no tickets.
  std::uint32_t ticket_lifetime = 3'600;
};

// Certificates and keys, made ready for handshakes on every lane. Never changes; kept alive by whoever uses it: a
// connection keeps that with which its handshake began. Destroyed on any thread; keys are wiped then.
class PAIRPORT_EXPORT TlsCredentials {
 public:
  class PAIRPORT_LOCAL Impl;
  explicit TlsCredentials(std::unique_ptr<Impl> impl) noexcept;
  ~TlsCredentials();

  // When the first of the certificates expires, in seconds since 1970.
  std::int64_t not_after() const noexcept { return not_after_; }
  // The TlsCertificate::name of that one.
  const std::string& first_to_expire() const noexcept { return first_to_expire_; }
  // The TlsCertificate::name of one with an RSA key for whose names there is none with an ECDSA key, or empty. Windows
  // Server 2012 R2 and Windows 8.1 know no cipher suite of ours for it: they lack ECDHE_RSA with AES-GCM.
  const std::string& only_rsa() const noexcept { return only_rsa_; }

 private:
  friend class TlsContext;
  friend class TlsConnection;
  std::unique_ptr<Impl> impl_;
  std::int64_t not_after_ = 0;
  std::string first_to_expire_;
  std::string only_rsa_;
};

// What the TLS connections of one thread share. Outlives them.
class PAIRPORT_EXPORT TlsContext {
 public:
  // kInvalidArgument: an option that the library cannot meet; kOutOfMemory, kRandomFailed, kMemoryNotLocked. `random`
  // outlives the context and is called from every thread that computes handshakes. Buffers for plaintext get memory of
  // at least `minimum_level`. May throw std::bad_alloc.
  static Result<std::unique_ptr<TlsContext>> create(const TlsOptions& options, RandomSource& random,
                                                    SecretLevel minimum_level = SecretLevel::kPlain);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Parses and checks certificates; changes nothing. The first one is for clients that name no server, or none that is
  // among the DNS names of a certificate (RFC 6066 section 3). kInvalidArgument: which one is wrong, and why; no part
  // of a key is ever in the message. Takes milliseconds with RSA keys, so it may be called on any thread. May throw
  // std::bad_alloc.
  Result<std::shared_ptr<const TlsCredentials>> load(std::span<const TlsCertificate> certificates) const;
  // Handshakes that begin from here on use these.
  void use(std::shared_ptr<const TlsCredentials> credentials) noexcept;
  // Null before the first use().
  const TlsCredentials* credentials() const noexcept;

  std::size_t lanes() const noexcept;

  // Whether the library has TLS 1.3 (mbedTLS 3.6 has, 2.28 has not).
  static bool has_tls13() noexcept;
  // "mbed TLS 2.28.3".
  static std::string library_version();

 private:
  friend class TlsConnection;
  class PAIRPORT_LOCAL Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// One TLS connection: ciphertext in, ciphertext out, a Connection behind it. Its owner does the same as with a
// Connection, and in addition computes handshakes when it is asked to:
//
//   if (tls.wants_handshake()) { tls.begin_handshake(lane); <on any thread:> tls.handshake(); <here:>
//   tls.on_handshake(now); }
//
// Every step of a handshake is one such piece of work, of up to some milliseconds. Records after the handshake are
// encrypted and decrypted in on_input() and on_output(), about 3 microseconds for each KiB.
//
// A close_notify alert tells the peer that we end the connection (RFC 8446 section 6.1). It is not sent when the last
// answer could not be sent whole, so that the peer recognises the truncation.
//
// A connection that has sent nothing yet costs nothing but this object; from its first whole record to its end it holds
// about 40 KiB, and 35 KiB more each while output or input waits. What mbedTLS allocates is wiped, but not locked in
// memory. One thread at a time, but for handshake().
class PAIRPORT_EXPORT TlsConnection {
 public:
  // Most bytes that one call of on_input() takes.
  static constexpr std::size_t kMaxInput = Connection::kMaxInput;

  // REQUIRES: `context` and `connection` outlive this object; context.use() has been called.
  TlsConnection(TlsContext& context, Connection& connection, const Now& now) noexcept;
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  // Bytes have arrived. REQUIRES: wants_input(); input.size() <= kMaxInput
  void on_input(std::string_view input, const Now& now) noexcept;
  // The peer will send nothing more.
  void on_input_end(const Now& now) noexcept;
  bool wants_input() const noexcept;

  // What to send now. Valid until the next call that is not const.
  std::span<const Fragment> output() const noexcept;
  void on_output(std::size_t sent, const Now& now) noexcept;

  // To be called after a direct call of the Connection: on_file(), on_data(), finish().
  void on_answer(const Now& now) noexcept;

  // Whether a step of the handshake can be computed.
  bool wants_handshake() const noexcept { return state_ == State::kHandshake && ready_; }
  // The lane on which it has to be computed; nothing before the first step: then any.
  std::optional<std::size_t> lane() const noexcept { return lane_; }
  // REQUIRES: wants_handshake(); lane() is `lane` or nothing, and no other connection of the context computes on
  // `lane`.
  void begin_handshake(std::size_t lane) noexcept;
  // Computes. Between begin_handshake() and on_handshake() this is the only function that may be called, once, but for
  // is_computing(), which then is true.
  void handshake() noexcept;
  void on_handshake(const Now& now) noexcept;
  bool is_computing() const noexcept { return state_ == State::kComputing; }

  // Whether it waits for its first whole record, or for a request: not during a handshake, whose work would be lost.
  bool waits_for_request() const noexcept;
  bool wants_shutdown() const noexcept {
    return state_ == State::kDraining || (state_ == State::kPlain && connection_.wants_shutdown());
  }
  bool wants_close() const noexcept {
    return state_ == State::kClosed || (state_ == State::kPlain && connection_.wants_close());
  }
  // As with a Connection.
  std::uint64_t deadline() const noexcept;
  void on_deadline(const Now& now) noexcept;
  void finish(const Now& now) noexcept;

  // Whether the handshake is complete and neither end has been told.
  bool is_open() const noexcept { return state_ == State::kOpen; }
  // "TLSv1.2" or "TLSv1.3", empty when it is not open; a static string.
  std::string_view version() const noexcept;
  // For instance "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256", empty when it is not open; a static string.
  std::string_view cipher_suite() const noexcept;

 private:
  friend class TlsContext;  // keeps buffers for its connections
  enum class State : std::uint8_t {
    kHandshake,  // collects records until ready_
    kComputing,  // handshake() is called somewhere
    kPlain,      // not TLS: bytes pass through to the connection, which says so
    kOpen,
    kEnding,    // sends what is left to send, then
    kDraining,  // waits for the peer's end
    kClosed,
  };
  struct PAIRPORT_LOCAL Session;
  struct PAIRPORT_LOCAL Input;
  struct PAIRPORT_LOCAL Output;

  PAIRPORT_LOCAL bool is_sending() const noexcept;
  PAIRPORT_LOCAL void refuse(std::string_view input, const Now& now) noexcept;
  PAIRPORT_LOCAL void keep_source() noexcept;
  PAIRPORT_LOCAL void compact_input() noexcept;
  PAIRPORT_LOCAL void refuse_record(const Now& now) noexcept;
  PAIRPORT_LOCAL void find_records(const Now& now) noexcept;
  PAIRPORT_LOCAL void pump(const Now& now) noexcept;
  PAIRPORT_LOCAL void encrypt() noexcept;
  PAIRPORT_LOCAL bool decrypt(const Now& now) noexcept;
  PAIRPORT_LOCAL void explain(int error) noexcept;
  PAIRPORT_LOCAL void end(bool tell, const Now& now) noexcept;
  PAIRPORT_LOCAL void end_if_sent() noexcept;
  PAIRPORT_LOCAL void close() noexcept;

  TlsContext::Impl& context_;
  Connection& connection_;
  State state_ = State::kHandshake;
  bool ready_ = false;        // a step of the handshake can be computed
  bool peer_ended_ = false;   // the peer will send nothing more: it has said so by close_notify, or
  bool peer_closed_ = false;  // its end of the connection is closed
  bool end_told_ = false;     // to the connection
  std::optional<std::size_t> lane_;
  std::string_view source_;
  std::size_t usable_ = 0;      // of source_: whole records
  std::size_t in_flight_ = 0;   // plaintext of the records that are being sent
  std::uint64_t deadline_ = 0;  // where it is not the connection's
  Fragment fragment_;           // of output_: what is still to be sent
  std::shared_ptr<const TlsCredentials> credentials_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Input> input_;
  std::unique_ptr<Output> output_;
};

}  // namespace pairport

#endif  // PAIRPORT_TLS_H_

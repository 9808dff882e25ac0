// SPDX-License-Identifier: MIT
// TLS without any I/O, with mbedTLS: a filter between the network and a Connection.
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

// A view of a certificate with the chain that leads to its issuer, the leaf first, and of the private key of the leaf;
// both PEM. Messages call it by `name`.
struct TlsCertificate {
  std::string_view name;
  std::string_view chain;
  std::string_view key;
};

enum class TlsVersion : std::uint8_t { kTls12, kTls13 };

struct TlsOptions {
  // kTls13 only when the library has it: see TlsContext::has_tls13().
  TlsVersion min_version = TlsVersion::kTls12;
  // Handshakes that may be computed at the same time, each on a lane of its own. A key is used on one lane only, so
  // that no lock of the library makes lanes wait for each other.
  std::size_t lanes = 1;
  std::uint64_t handshake_timeout = 10'000;  // milliseconds from the start of the connection
  // How long to wait for the peer to end the connection after we have, in milliseconds.
  std::uint64_t linger_timeout = 2'000;
  // Seconds for which a ticket resumes a session (RFC 5077, RFC 8446 section 4.6.1); 0: no tickets. The ticket keys are
  // replaced after this time and kept for twice this time.
  std::uint32_t ticket_lifetime = 3'600;
};

// Certificates and keys, prepared for handshakes on every lane. Immutable. Its users share ownership: a connection
// keeps the credentials with which its handshake began. Any thread may destroy it; the destructor wipes the keys.
class PAIRPORT_EXPORT TlsCredentials {
 public:
  class PAIRPORT_LOCAL Impl;
  explicit TlsCredentials(std::unique_ptr<Impl> impl) noexcept;
  ~TlsCredentials();

  // When the first of the certificates expires, in seconds since 1970.
  std::int64_t not_after() const noexcept { return not_after_; }
  // The TlsCertificate::name of that certificate.
  const std::string& first_to_expire() const noexcept { return first_to_expire_; }
  // The TlsCertificate::name of a certificate with an RSA key for whose names no certificate has an ECDSA key; empty:
  // there is none. Windows Server 2012 R2 and Windows 8.1 share no cipher suite with us for such a certificate: they
  // lack ECDHE_RSA with AES-GCM.
  const std::string& only_rsa() const noexcept { return only_rsa_; }

 private:
  friend class TlsContext;
  friend class TlsConnection;
  std::unique_ptr<Impl> impl_;
  std::int64_t not_after_ = 0;
  std::string first_to_expire_;
  std::string only_rsa_;
};

// The state that the TLS connections of one thread share. Outlives them. In a forked child it and its connections may
// be destroyed, and nothing else: see Connection.
class PAIRPORT_EXPORT TlsContext {
 public:
  // Errors: kInvalidArgument (an option that the library does not support), kOutOfMemory, kRandomFailed,
  // kMemoryNotLocked. `random` outlives the context; every thread that computes handshakes calls it. Buffers for
  // plaintext get memory of at least `minimum_level`. May throw std::bad_alloc.
  static Result<std::unique_ptr<TlsContext>> create(const TlsOptions& options, RandomSource& random,
                                                    SecretLevel minimum_level = SecretLevel::kPlain);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Parses and checks certificates; changes nothing. The first one is for clients that send no server name, or a name
  // that no certificate has among its DNS names (RFC 6066 section 3). kInvalidArgument: the message says which one is
  // wrong and why, and never holds a part of a key. Takes milliseconds with RSA keys, so it may be called on any
  // thread. May throw std::bad_alloc.
  Result<std::shared_ptr<const TlsCredentials>> load(std::span<const TlsCertificate> certificates) const;
  // Sets the credentials for handshakes that begin later.
  void use(std::shared_ptr<const TlsCredentials> credentials) noexcept;
  // Null before the first use().
  const TlsCredentials* credentials() const noexcept;

  std::size_t lanes() const noexcept;

  // Whether the library has TLS 1.3: mbedTLS 3.6 has it, 2.28 lacks it.
  static bool has_tls13() noexcept;
  // "mbed TLS 2.28.3".
  static std::string library_version();

 private:
  friend class TlsConnection;
  class PAIRPORT_LOCAL Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// One TLS connection: ciphertext in, ciphertext out, a Connection behind it. Its owner uses it like a Connection, and
// in addition computes its handshake steps:
//
//   if (tls.wants_handshake()) { tls.begin_handshake(lane); <on any thread:> tls.handshake(); <here:>
//   tls.on_handshake(now); }
//
// Each step of a handshake takes up to some milliseconds. Records after the handshake are encrypted and decrypted in
// on_input() and on_output(), about 3 microseconds for each KiB.
//
// A close_notify alert tells the peer that we end the connection (RFC 8446 section 6.1). We omit it when the last
// answer was not sent completely, so that the peer recognises the truncation.
//
// Memory: before the peer's first byte a connection holds nothing but this object. From its first complete record to
// its end it holds about 40 KiB, and 35 KiB more each while output or input waits. Memory that mbedTLS allocates is
// wiped, but not locked. One thread at a time; any thread for handshake().
class PAIRPORT_EXPORT TlsConnection {
 public:
  // Bytes that one call of on_input() takes at most.
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

  // The fragments to send now. Valid until the next non-const call.
  std::span<const Fragment> output() const noexcept;
  void on_output(std::size_t sent, const Now& now) noexcept;

  // Call this after a direct call of the Connection: resume(), on_data(), finish().
  void on_answer(const Now& now) noexcept;

  // Whether a step of the handshake can be computed.
  bool wants_handshake() const noexcept { return state_ == State::kHandshake && ready_; }
  // The lane that must compute the next step; none before the first step, which any lane may compute.
  std::optional<std::size_t> lane() const noexcept { return lane_; }
  // REQUIRES: wants_handshake(); lane() is `lane` or nothing, and no other connection of the context computes on
  // `lane`.
  void begin_handshake(std::size_t lane) noexcept;
  // Computes a step; any thread. Between begin_handshake() and on_handshake() call this function once, and no other but
  // is_computing(), which is true then.
  void handshake() noexcept;
  void on_handshake(const Now& now) noexcept;
  bool is_computing() const noexcept { return state_ == State::kComputing; }

  // Whether it waits for its first complete record, or for a request. False during a handshake, because closing now
  // would waste its work.
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

  // Whether the handshake is complete and neither side has ended the connection.
  bool is_open() const noexcept { return state_ == State::kOpen; }
  // "TLSv1.2" or "TLSv1.3", empty when it is not open; a static string.
  std::string_view version() const noexcept;
  // For instance "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256", empty when it is not open; a static string.
  std::string_view cipher_suite() const noexcept;

 private:
  friend class TlsContext;  // keeps buffers for its connections
  enum class State : std::uint8_t {
    kHandshake,  // collects records until ready_
    kComputing,  // between begin_handshake() and on_handshake()
    kPlain,      // not TLS: bytes of the connection, which answers 400, pass through
    kOpen,
    kEnding,    // sends the rest of its output
    kDraining,  // waits for the peer to end
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
  bool peer_ended_ = false;   // the peer will send nothing more: close_notify, or ...
  bool peer_closed_ = false;  // ... end of input
  bool end_told_ = false;     // the connection knows of the peer's end
  std::optional<std::size_t> lane_;
  std::string_view source_;
  std::size_t usable_ = 0;      // of source_: complete records
  std::size_t in_flight_ = 0;   // bytes of plaintext in the records that are being sent
  std::uint64_t deadline_ = 0;  // while it is not the connection's
  Fragment fragment_;           // of output_: the bytes that are still to be sent
  std::shared_ptr<const TlsCredentials> credentials_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Input> input_;
  std::unique_ptr<Output> output_;
};

}  // namespace pairport

#endif  // PAIRPORT_TLS_H_

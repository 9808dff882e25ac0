// SPDX-License-Identifier: MIT
// A pairing service on a libuv loop. Level three of embedding.
#ifndef PAIRPORT_SERVER_H_
#define PAIRPORT_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <pairport/access.h>
#include <pairport/connection.h>
#include <pairport/export.h>
#include <pairport/listener.h>
#include <pairport/service.h>
#include <pairport/status.h>
#include <pairport/tls.h>

struct uv_loop_s;

namespace pairport {

// What an operator should know and no answer shows.
enum class ServerEvent {
  kDepositsRefused,  // there is no room for more
  kAcceptPaused,     // no file descriptor or memory for a new connection: errno
  kMemoryFell,       // the protection of memory for credentials is less than it was: see Store::level()
  // More handshakes of TLS wait than max_handshakes: of the client with most of them the oldest one is closed.
  kHandshakesDropped,
  // Requests were answered with 429: how many since this was told last.
  kDepositsLimited,
  kLookUpsLimited,
  // X-Forwarded-For has come from a peer that is no trusted proxy. Told once.
  kUntrustedProxy,
  // Look-ups of codes that do not exist, of all clients together: how many since this was told last.
  kMisses,
  // Connections beyond max_connections_per_address were refused: how many since this was told last.
  kAddressesLimited,
  // Connections were closed to make room for others within max_connections, or refused: how many since this was told
  // last.
  kConnectionsLimited,
};

struct ServerOptions {
  ConnectionLimits connection;
  TrustedProxies trusted_proxies;
  // Folder whose regular files are served under /packages/; empty: none. Goes with ServiceOptions::serve_packages.
  std::string package_folder;
  // Folder whose .well-known/acme-challenge is served (RFC 8555 section 8.3), on every listener; empty: none. Goes with
  // ServiceOptions::serve_challenges.
  std::string acme_webroot;
  // At least 1. Beyond it one of the client that holds most places makes room for a new one (IPv4 address or IPv6 /48
  // network; see Victims), so that a client without a connection always gets one. A connection of a trusted proxy or on
  // a Unix socket counts as a client of its own.
  std::size_t max_connections = 8'000;
  // The same for one client, that is a peer's IPv4 address or IPv6 /64 network; 0: no limit. Peers on Unix sockets and
  // trusted proxies, which connect for many clients, are not counted. Beyond it a new one gets 503 (with TLS an alert)
  // and is closed.
  std::uint32_t max_connections_per_address = 512;
  // Strict-Transport-Security for encrypted connections; none: not sent.
  std::optional<std::uint64_t> hsts_seconds;
  std::uint64_t hash_seed = 0;  // of the table that counts them; secret, different in each process
  // For listeners with TLS; may be null, else outlives the server, has certificates and is used by this server alone.
  // Handshakes are computed in libuv's thread pool, at most TlsContext::lanes() at a time: the pool should have more
  // threads than that, because files are read there, too.
  TlsContext* tls = nullptr;
  // Handshakes that may wait for a thread to begin; 0: as many as there may be connections. Beyond it the connection is
  // closed that has waited longest of the client with most of them. A client that begins more than two a second, beyond
  // the first 20, waits until others have had their turn.
  std::size_t max_handshakes = 0;
  // Threads that compute handshakes ask the kernel for SCHED_BATCH (sched(7)), once and for good: when they are woken
  // they preempt nobody, so that the loop and others on its core go on. For a process whose pool does nothing urgent.
  bool batch_handshakes = false;
  // Called for every answer; may be null, else outlives the server.
  AccessObserver* observer = nullptr;
  // Called from the loop with an event and its detail, for each event at most once a minute; may be empty, must not
  // throw or call back.
  std::function<void(ServerEvent event, int detail)> on_event;
  // How long stop() waits for answers that are under way, in milliseconds.
  std::uint64_t drain_timeout = 10'000;
};

// One setting of ServerOptions: as OptionRule of options.h, and in the table [limits] of the configuration file.
struct ServerOptionRule {
  std::string_view name;  // as users write it: "max_connections", "head_timeout"
  OptionKind kind;
  OptionMember<ServerOptions> member;
  std::string_view expected;  // completes the sentence "expected ..."
  bool (*holds)(const ServerOptions& options);
};

// The numbers and times. Static storage.
PAIRPORT_EXPORT std::span<const ServerOptionRule> server_option_rules() noexcept;

// All of these rules. kInvalidArgument names each setting that breaks one and what is expected of it.
// Server::attach() calls it.
PAIRPORT_EXPORT Status check_options(const ServerOptions& options);

// How the connections of a listener, or an adopted one, are served.
struct ListenOptions {
  // Serve nothing, because everything crosses the network in clear: GET and HEAD are sent to the service's URL (308),
  // which must be https; deposits are refused (403).
  bool redirect_to_https = false;
  // Speak TLS, with ServerOptions::tls.
  bool tls = false;
};

// Milliseconds of CLOCK_BOOTTIME, which goes on while the machine is suspended, and the time of day. Any thread.
PAIRPORT_EXPORT Now current_time() noexcept;

// Serves a Service on a loop that somebody else runs: never runs, stops or closes the loop. Every function must be
// called on the loop's thread, and none from inside a callback of this class but on_stopped.
//
// Its time is current_time(), not the loop's, which stands still while the machine is suspended. Whoever calls the
// Service besides, or creates it, passes current_time(), too.
//
// REQUIRES: the process ignores SIGPIPE, as every user of libuv must: libuv writes with writev(2), and a peer that
// vanishes would end the process. A library does not change signal handling behind its user's back.
//
// Lifetime: `service` and the loop outlive the server; the server may be destroyed only when stop() has called
// on_stopped. Destroying it in there is allowed.
class PAIRPORT_EXPORT Server {
 public:
  // kInvalidArgument (see check_options()), kOutOfMemory, kMemoryNotLocked. Starts nothing yet. May throw
  // std::bad_alloc.
  static Result<std::unique_ptr<Server>> attach(uv_loop_s* loop, Service& service, const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts connections on `listener`, which is closed when the server stops. kInvalidArgument (options), kSystem (also
  // when it is stopping), and `listener` is closed. May throw std::bad_alloc.
  Status listen(Listener listener, const ListenOptions& options = {});

  // Serves a connected stream socket (TCP or Unix) that somebody else has accepted, and owns `fd` from here on, also on
  // failure. A TCP socket gets TCP_NODELAY and TCP_NOTSENT_LOWAT. kInvalidArgument (options), kSystem, kOutOfMemory.
  Status adopt(int fd, const ListenOptions& options = {});

  // Stops listening, lets answers that are under way finish (at most drain_timeout), closes everything and then calls
  // `on_stopped` once from the loop. No handle of the server is left in the loop then. Only the first call counts.
  void stop(std::function<void()> on_stopped);

  // Open connections.
  std::size_t connections() const noexcept;

 private:
  class PAIRPORT_LOCAL Impl;
  explicit Server(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pairport

#endif  // PAIRPORT_SERVER_H_

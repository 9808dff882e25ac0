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
#include <utility>

#include <pairport/client_address.h>
#include <pairport/connection.h>
#include <pairport/counters.h>
#include <pairport/export.h>
#include <pairport/service.h>
#include <pairport/status.h>
#include <pairport/tls.h>

struct uv_loop_s;

namespace pairport {

// Carries out the operations of a store that answers later (Service::create()), on the loop of a server.
class PAIRPORT_EXPORT StoreClient {
 public:
  // Where a reply goes.
  class Waiter {
   public:
    // What `reply` shows is not used any more when the function returns. May begin and cancel other operations. In a
    // forked child it does nothing.
    virtual void on_reply(const StoreReply& reply) noexcept = 0;

   protected:
    ~Waiter() = default;
  };

  virtual ~StoreClient();
  // Begins `operation`, a view that is valid during this call; it holds a code and may hold credentials. Calls
  // waiter.on_reply() once, later, on the loop's thread and never inside this call. False: it cannot be asked now; then
  // it calls nothing, and the request gets 503. The server itself ends the wait after answer_timeout.
  virtual bool start(const StoreOperation& operation, Waiter& waiter) noexcept = 0;
  // `waiter` no longer wants a reply, and may be destroyed after this call: its peer has gone, its time is over, or the
  // server stops. The operation may still be carried out.
  virtual void cancel(Waiter& waiter) noexcept = 0;
};

struct ServerOptions {
  ConnectionLimits connection;
  TrustedProxies trusted_proxies;
  // Folder whose regular files are served under /packages/; empty: none. Needs ServiceOptions::serve_packages.
  std::string package_folder;
  // Folder whose .well-known/acme-challenge is served (RFC 8555 section 8.3), on every listener; empty: none. Needs
  // ServiceOptions::serve_challenges.
  std::string acme_webroot;
  // At least 1. Beyond it a new connection evicts one of the client (IPv4 address or IPv6 /48 network) that holds most,
  // so that a client without a connection always gets one (see Victims). Each connection of a trusted proxy or on a
  // Unix socket counts as a client of its own.
  std::size_t max_connections = 8'000;
  // Connections of one client (a peer's IPv4 address or IPv6 /64 network); 0: no limit. Beyond it a new one gets 503
  // (with TLS an alert) and is closed. The limit does not apply to peers on Unix sockets and to trusted proxies, which
  // connect for many clients.
  std::uint32_t max_connections_per_address = 512;
  // The max-age of Strict-Transport-Security on encrypted connections; none: no such header.
  std::optional<std::uint64_t> hsts_seconds;
  std::uint64_t hash_seed = 0;  // of the table that counts connections per client; secret, different in each process
  // For listeners with TLS; may be null. Else it outlives the server, has certificates, and no other server uses it.
  // libuv's thread pool computes handshakes, at most TlsContext::lanes() at a time. The pool should have more threads
  // than that, because it reads files, too.
  TlsContext* tls = nullptr;
  // Handshakes that may wait to begin; 0: as many as max_connections. Beyond it the server closes a connection of the
  // client with most of them: the one that has waited longest. A client that begins more than two handshakes a second,
  // after the first 20, waits until other clients have had their turn.
  std::size_t max_handshakes = 0;
  // Threads that compute handshakes request SCHED_BATCH (sched(7)) and keep it. A woken SCHED_BATCH thread preempts no
  // other, so the loop and other threads on its core keep running. Only for a process whose pool has no urgent work.
  bool batch_handshakes = false;
  // For a service whose store answers later; may be null, else outlives the server.
  StoreClient* store = nullptr;
  // Called for every answer; may be null. Else it outlives the server.
  AccessObserver* observer = nullptr;
  // Called from the loop with an event and its detail, for each event at most once a minute. May be empty. Must not
  // throw, and must not call the server.
  std::function<void(Event event, int detail)> on_event;
  // How long stop() waits for unfinished answers, in milliseconds.
  std::uint64_t drain_timeout = 10'000;
};

// One setting of ServerOptions, like OptionRule in options.h; in the table [limits] of the configuration file.
struct ServerOptionRule {
  std::string_view name;  // as users write it: "max_connections", "head_timeout"
  OptionKind kind;
  OptionMember<ServerOptions> member;
  std::string_view expected;  // completes the sentence "expected ..."
  bool (*holds)(const ServerOptions& options);
};

// The numbers and times. Static storage.
PAIRPORT_EXPORT std::span<const ServerOptionRule> server_option_rules() noexcept;

// Checks all of these rules. kInvalidArgument names each setting that breaks one and the expected value.
// Server::attach() calls it.
PAIRPORT_EXPORT Status check_options(const ServerOptions& options);

struct SocketAddress;

// The file of a Unix socket. A client needs the right to write the file and the right to enter its folder.
struct SocketFile {
  unsigned mode = 0666;           // permissions (chmod(2))
  std::optional<unsigned> group;  // a group ID; none: the group of the process, or of the folder (S_ISGID)
};

// A listening socket: bound, and listen(2) has been called. Owns the file descriptor, and the socket file of a Unix
// socket that it has made. One thread at a time.
class PAIRPORT_EXPORT Listener {
 public:
  // `address` is `host:port`, `[IPv6]:port`, `:port` (all interfaces, IPv4 and IPv6; only IPv4 when the kernel has no
  // IPv6) or `unix:/path`. Port 0 lets the kernel choose. Replaces a socket file on which no process listens; `file`
  // sets who may connect to the new one. A TCP connection stays in the backlog until its client has sent a byte or
  // ended its side, or for about a second (TCP_DEFER_ACCEPT); while the kernel answers with SYN cookies it can be
  // accepted at once. kInvalidArgument: not an address, or no such host; kSystem: cannot be bound, or no name server
  // answers. The message names the address, the cause and the remedy. Resolves host names, so it may block: call it at
  // the start of a program.
  static Result<Listener> open(std::string_view address, const SocketFile& file = {});

  // Takes a socket that another program has bound and on which it has called listen(2): socket activation by systemd
  // (sd_listen_fds(3)), or a supervisor. An IPv4, IPv6 or Unix stream socket. The library owns `fd` from this call on,
  // and closes it on failure, too. It never removes the socket file, because it has not made it, and does not change
  // who may connect.
  //
  // The socket gets what open() sets: FD_CLOEXEC, O_NONBLOCK, and for TCP a bounded send buffer, TCP_NODELAY,
  // TCP_NOTSENT_LOWAT and TCP_DEFER_ACCEPT. All but the first apply to every process that shares the socket. A process
  // that keeps a copy of the descriptor, as systemd does, also keeps the backlog: clients that connect after the server
  // has stopped wait there for the next one.
  //
  // kSystem: not such a socket; the message says what the descriptor is instead. May throw std::bad_alloc; `fd` is
  // closed then, too.
  static Result<Listener> adopt(int fd);

  // Checks whether `address` has one of these forms: kOk, or kInvalidArgument with a message. Opens and resolves
  // nothing.
  static Status check(std::string_view address);

  ~Listener();
  Listener(Listener&& other) noexcept { *this = std::move(other); }
  Listener& operator=(Listener&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(url_, other.url_);
    std::swap(path_, other.path_);
    std::swap(any_, other.any_);
    std::swap(loopback_, other.loopback_);
    return *this;
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const noexcept { return fd_; }
  bool is_unix() const noexcept { return url_.starts_with("unix:"); }
  // Whether it is bound to all interfaces.
  bool is_any() const noexcept { return any_; }
  // Whether only this machine reaches it: a Unix socket, or an address of the loopback interface.
  bool is_local() const noexcept { return is_unix() || loopback_; }
  // `http://host:port` with the actual port, or `unix:/path`. An adopted socket may have an abstract name (unix(7)):
  // `unix:@name`, where `@` stands for each zero byte.
  const std::string& url() const noexcept { return url_; }

 private:
  Listener() noexcept = default;
  PAIRPORT_LOCAL static Result<Listener> open_unix(const std::string& path, const SocketFile& file);
  PAIRPORT_LOCAL Status describe(const SocketAddress& bound);

  int fd_ = -1;
  bool any_ = false;
  bool loopback_ = false;
  std::string url_;
  std::string path_;  // of the socket file to remove; empty: none
};

// How the connections of a listener, or an adopted one, are served.
struct ListenOptions {
  // Serve nothing but challenges, because the connection is not encrypted. GET and HEAD are redirected to the service's
  // URL (308), which must be https; deposits are refused (403).
  bool redirect_to_https = false;
  // Use TLS, with ServerOptions::tls.
  bool tls = false;
};

// What the caller of Server::adopt() has learned of a connection.
struct Handover {
  // A view of bytes that the caller has read from the socket, at most Connection::kMaxInput; with TLS they are
  // ciphertext. They come before all that the server reads. The server copies what it needs during the call. They may
  // hold a credential: wipe your buffer afterwards (see wipe() in secret_memory.h).
  std::string_view initial = {};
  // The address of the peer; none: the one that the socket has. For a caller that knows it from a proxy in front, such
  // as from the header of the PROXY protocol. Limits and access log use it, and ServerOptions::trusted_proxies decides
  // by it whether X-Forwarded-For counts. All zero: like a peer on a Unix socket.
  std::optional<ClientAddress> peer = std::nullopt;
};

// Milliseconds of CLOCK_BOOTTIME, which also runs while the machine is suspended, and the time of day. Any thread.
PAIRPORT_EXPORT Now current_time() noexcept;

// Serves a Service on a loop that the caller runs; never runs, stops or closes the loop. Call every function on the
// loop's thread, and none from a callback of this class but on_stopped.
//
// The server uses current_time() and not the time of the loop, which stands still while the machine is suspended. Pass
// current_time(), too, when you create or call the Service yourself.
//
// REQUIRES: the process ignores SIGPIPE, as every program with libuv must. libuv writes with writev(2), so otherwise a
// peer that disconnects ends the process. The library does not change signal handling by itself.
//
// Lifetime: `service` and the loop outlive the server; the server may be destroyed only when stop() has called
// on_stopped, or in that call.
//
// Forked children (fork(2)): a child does not inherit secret memory, so it cannot serve. There listen() and adopt()
// fail with kInvalidArgument, stop() does nothing, connections() is 0, and the server may be destroyed at any time,
// which frees nothing. Do not run the loop in the child: its callbacks belong to the server.
class PAIRPORT_EXPORT Server {
 public:
  // kInvalidArgument (see check_options()), kOutOfMemory, kMemoryNotLocked. Starts nothing yet. May throw
  // std::bad_alloc.
  static Result<std::unique_ptr<Server>> attach(uv_loop_s* loop, Service& service, const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts connections on `listener`, and closes it when the server stops. Errors: kInvalidArgument (options), kSystem
  // (also when the server is stopping); `listener` is closed then. May throw std::bad_alloc.
  Status listen(Listener listener, const ListenOptions& options = {});

  // Serves a connected stream socket (TCP or Unix) that the caller has accepted. The server owns `fd` from this call
  // on, also on failure: it closes `fd` then, or, when there is no place for the connection, after it has told the peer
  // so. No other part of the program may read, write or poll `fd` any more. It gets O_NONBLOCK and FD_CLOEXEC, a TCP
  // socket also TCP_NODELAY and TCP_NOTSENT_LOWAT.
  //
  // kOk: the server serves the connection. A whole request that has arrived may be answered during the call, and the
  // connection closed; ServerOptions::observer and store then get their calls during this one. kInvalidArgument:
  // options, or more initial bytes than fit. kSystem: not such a socket (the message says what it is), or its peer has
  // gone; no place; the server is stopping. kOutOfMemory. May throw std::bad_alloc; `fd` is closed then, too.
  Status adopt(int fd, const ListenOptions& options = {}, const Handover& handover = {});

  // Stops listening, lets unfinished answers finish (for at most drain_timeout) and closes everything. Then it calls
  // `on_stopped` once, from the loop; no handle of the server is left in the loop then. Only the first call has an
  // effect.
  void stop(std::function<void()> on_stopped);

  // Open connections.
  std::size_t connections() const noexcept;
  // Counts since attach().
  const ServerCounters& counters() const noexcept;

 private:
  class PAIRPORT_LOCAL Impl;
  explicit Server(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pairport

#endif  // PAIRPORT_SERVER_H_

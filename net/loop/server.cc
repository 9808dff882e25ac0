// SPDX-License-Identifier: MIT
// Invariants: a handle's memory is freed in its close callback and nowhere else. A peer is in peers_ from its
// creation to its close callback, and its index is its timer id; what is counted of it (its place among those of its
// address, and among victims_) is given back when it closes. A peer without a handle is in newcomers_, and exists
// no longer than the batch that it was accepted in. The write request of a peer is in use exactly while
// `writing`, and then its connection's output is untouched. handles_ counts handles that are not closed; the server is
// stopped when it is zero.
//
// One timer drives everything that depends on time: every tick it brings the wall clock, the deadlines of connections
// and the expiry of deposits up to date. It runs only while there is something to wait for, so an idle server does not
// wake up.
//
// Handshakes of TLS are computed in libuv's thread pool, one for each lane of the TlsContext at a time. A peer that is
// `computing` is touched by nobody else: it is not read from, not written to, and not deleted before the work is done.
// One that is_waiting() is in the queue of its lane, or in fresh_ before it has one.
#include <pairport/server.h>

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <climits>
#include <cstring>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "core/limits/address_counter.h"
#include "core/limits/fair_queue.h"
#include "core/limits/rate_limiter.h"
#include "core/limits/victims.h"
#include "core/memory/secret_block.h"
#include "core/store/timer_wheel.h"
#include "net/base/clock.h"
#include "net/base/file_descriptor.h"
#include "net/loop/refusals.h"
#include "net/loop/transmitter.h"

namespace pairport {
namespace {

constexpr std::uint64_t kTickMs = 1U << 7;
// Deposits wiped per loop iteration: well below 100 microseconds.
constexpr std::size_t kExpiryBatch = 256;
// Deadlines of connections met per loop iteration: each may be an answer and a close.
constexpr std::size_t kDeadlineBatch = 32;
// What a uv_write_t holds without an allocation of its own.
constexpr std::size_t kWriteBuffers = 4;
// What one peer may be sent in a row, before others have their turn: requests that it has pipelined would be answered
// on and on as long as it reads. Encryption takes some 3 microseconds for each KiB, and any script fits.
constexpr std::size_t kBurst = 512 * 1024;
constexpr std::size_t kTlsBurst = 96 * 1024;
// Connections accepted per loop iteration, so that a burst of them does not delay those that are open: some 25
// microseconds each with its first answer.
constexpr std::size_t kAcceptBatch = 8;
// So many of them take a while: some 20 microseconds each.
constexpr std::size_t kCrowd = 4;
// While they come one by one, one iteration in so many looks whether there are more.
constexpr unsigned kLookForMore = 16;
// Handshakes that a client may begin before it is late: a machine begins one or two, a fleet behind one address many.
constexpr double kHandshakesPerSecond = 2;
constexpr double kHandshakeBurst = 20;
constexpr std::size_t kHandshakeKeys = std::size_t{1} << 14;
// The same event is not told more often.
constexpr std::uint64_t kEventMs = 60'000;

// Without Content-Length: the body ends with the connection.
constexpr std::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: Retry-After, ETag\r\n"
    "Cache-Control: no-store\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Retry-After: 10\r\n"
    "Connection: close\r\n"
    "\r\n"
    "the service has no room for one more connection yet\n";
// A fatal alert internal_error (RFC 8446 section 6.2), in clear as all that comes before a handshake.
constexpr std::string_view kTooManyConnectionsAlert{"\x15\x03\x03\x00\x02\x02\x50", 7};

ClientAddress address_of(const sockaddr_storage& storage) noexcept {
  ClientAddress address;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(&address.bytes[12], &v4.sin_addr, 4);
  } else if (storage.ss_family == AF_INET6) {
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, 16);
  }
  return address;
}

// Once is enough for a thread. A kernel that refuses loses nothing but time.
void prefer_batch_scheduling() noexcept {
  thread_local bool asked = false;
  if (std::exchange(asked, true)) return;
  const sched_param no_priority{};
  sched_setscheduler(0, SCHED_BATCH, &no_priority);
}

// What a connection is by its listener's options.
Transport transport_of(const ListenOptions& options) noexcept {
  if (options.tls) return Transport::kSecure;
  return options.redirect_to_https ? Transport::kRedirecting : Transport::kPlain;
}

}  // namespace

class Server::Impl {
 public:
  Impl(uv_loop_t* loop, Service& service, const ServerOptions& options)
      : loop_(loop),
        service_(service),
        options_(options),
        context_(service, options.connection, options.trusted_proxies, options.observer, options.hsts_seconds),
        transmitter_(service.static_parts(), uv_hrtime),
        wheel_(*this, boot_time_ms()),
        fresh_(options.max_handshakes != 0 ? options.max_handshakes : std::max<std::size_t>(options.max_connections, 1),
               options.hash_seed),
        level_(service.store().level()) {}

  Status start();
  Status listen(Listener listener, const ListenOptions& options);
  Status adopt(int fd, const ListenOptions& options);
  void stop(std::function<void()> on_stopped);
  std::size_t connections() const noexcept { return connections_; }

  // What TimerWheel asks for.
  TimerLinks& links(TimerId id) noexcept;
  std::uint64_t deadline(TimerId id) noexcept;

 private:
  struct Peer;
  struct Acceptor;
  struct Transfer;
  struct Lane;
  union StreamHandle {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };

  Now now() noexcept;
  void handle_closed() noexcept;
  static void on_own_handle_closed(uv_handle_t* handle);

  void on_tick() noexcept;
  bool work_off(const Now& time) noexcept;
  bool tell(ServerEvent event, int detail) noexcept;
  void tell_limit(ServerEvent event, std::uint64_t limited, std::uint64_t& told) noexcept;
  void tell_of_limits() noexcept;
  void on_idle() noexcept;
  void keep_ticking() noexcept;

  void watch(Acceptor& acceptor) noexcept;
  void pause(Acceptor& acceptor) noexcept;
  void watch_paused() noexcept;
  void accept_from(Acceptor& acceptor) noexcept;
  void accept_batch(Acceptor& acceptor) noexcept;
  bool attach(Peer& peer) noexcept;
  void settle_newcomers() noexcept;
  void remove(Peer& peer) noexcept;
  Status check(const ListenOptions& options) const;
  Status add_peer(int fd, const sockaddr_storage& address, Transport transport) noexcept;
  bool has_room() const noexcept { return connections_ - closing_ < options_.max_connections; }
  bool make_room(const ClientKey* newcomer) noexcept;
  void refuse(int fd, Transport transport) noexcept;

  static std::uint64_t left_to_send(const Peer& peer) noexcept;
  void receive(Peer& peer) noexcept;
  void on_written(Peer& peer, int status) noexcept;
  void flush(Peer& peer) noexcept;
  void write_rest(Peer& peer) noexcept;
  void open_file(Peer& peer, std::string_view name) noexcept;
  void on_file_opened(Transfer& transfer) noexcept;
  void read_file(Peer& peer, const FileRange& range) noexcept;
  void on_file_read(Transfer& transfer) noexcept;
  void end_transfer(Peer& peer) noexcept;
  void queue_handshake(Peer& peer) noexcept;
  void leave_queue(Peer& peer) noexcept;
  void compute_handshakes() noexcept;
  void compute_handshake(Peer& peer, std::size_t lane) noexcept;
  void on_handshake(Peer& peer) noexcept;
  void read_on(Peer& peer, bool wanted) noexcept;
  void arm(Peer& peer) noexcept;
  void close(Peer& peer) noexcept;

  uv_loop_t* const loop_;
  Service& service_;
  const ServerOptions options_;
  ConnectionContext context_;
  Transmitter transmitter_;
  TimerWheel<Impl> wheel_;
  std::unique_ptr<AddressCounter> places_;
  std::unique_ptr<Victims> victims_;
  std::unique_ptr<RateLimiter> handshake_budgets_;
  Refusals refusals_;
  std::vector<Peer*> peers_;
  std::vector<TimerId> free_ids_;
  std::vector<Acceptor*> acceptors_;
  FairQueue fresh_;  // peers that wait for the first step of their handshake
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::size_t connections_ = 0;
  std::size_t closing_ = 0;  // of them, those whose socket is closed already
  std::array<Peer*, kAcceptBatch> newcomers_{};
  std::size_t newcomer_count_ = 0;
  std::size_t handles_ = 0;
  SecretBlock read_buffer_;
  uv_timer_t tick_;
  uv_idle_t idle_;
  uv_prepare_t before_poll_;
  // By ServerEvent.
  std::array<std::uint64_t, static_cast<std::size_t>(ServerEvent::kConnectionsLimited) + 1> tell_again_at_{};
  std::uint64_t deposits_limited_ = 0;
  std::uint64_t look_ups_limited_ = 0;
  bool untrusted_proxy_told_ = false;
  std::uint64_t misses_told_ = 0;
  std::uint64_t beyond_address_ = 0;  // connections that were refused
  std::uint64_t beyond_address_told_ = 0;
  std::uint64_t beyond_all_ = 0;  // connections that were closed for others, or refused
  std::uint64_t beyond_all_told_ = 0;
  std::uint64_t deposits_refused_ = 0;
  SecretLevel level_;
  bool started_ = false;
  bool ticking_ = false;
  bool any_paused_ = false;
  bool work_pending_ = false;
  bool tick_worked_ = false;  // in this iteration, which is enough for it
  bool stopping_ = false;
  std::uint64_t stop_at_ = 0;
  std::uint64_t boot_ms_ = 0;
  std::uint64_t wall_read_at_ = 0;
  std::int64_t unix_ms_ = 0;
  bool time_known_ = false;
  bool wall_known_ = false;
  std::function<void()> on_stopped_;
};

// One lane of the TlsContext.
struct Server::Impl::Lane {
  explicit Lane(std::uint64_t seed) noexcept : begun(std::numeric_limits<std::size_t>::max(), seed) {}

  FairQueue begun;  // peers that wait for a further step; as many as have made the first one
  bool busy = false;
};

struct Server::Impl::Peer : FairQueue::Waiter, Victims::Candidate {
  Peer(Impl& owner, TimerId peer_id, const ClientAddress& address, AddressCounter::Place&& its_place, const Now& now,
       Transport transport) noexcept
      : server(owner),
        id(peer_id),
        client(address.widest_key()),
        place(std::move(its_place)),
        connection(owner.context_, address, now, transport) {}

  // What the socket talks to: the connection, or TLS in front of it.
  std::span<const Fragment> output() const noexcept { return tls ? tls->output() : connection.output(); }
  void on_output(std::size_t sent, const Now& now) noexcept {
    tls ? tls->on_output(sent, now) : connection.on_output(sent, now);
  }
  bool wants_input() const noexcept { return tls ? tls->wants_input() : connection.wants_input(); }
  void on_input(std::string_view input, const Now& now) noexcept {
    tls ? tls->on_input(input, now) : connection.on_input(input, now);
  }
  void on_input_end(const Now& now) noexcept { tls ? tls->on_input_end(now) : connection.on_input_end(now); }
  bool wants_shutdown() const noexcept { return tls ? tls->wants_shutdown() : connection.wants_shutdown(); }
  bool wants_close() const noexcept { return tls ? tls->wants_close() : connection.wants_close(); }
  bool waits_for_request() const noexcept { return tls ? tls->waits_for_request() : connection.waits_for_request(); }
  std::uint64_t deadline() const noexcept { return tls ? tls->deadline() : connection.deadline(); }
  void on_deadline(const Now& now) noexcept { tls ? tls->on_deadline(now) : connection.on_deadline(now); }
  void finish(const Now& now) noexcept { tls ? tls->finish(now) : connection.finish(); }
  // After the connection has been told something that TLS does not know.
  void on_answer(const Now& now) noexcept {
    if (tls) tls->on_answer(now);
  }

  StreamHandle handle;
  uv_write_t write;
  std::size_t write_size = 0;      // bytes that `write` was given
  std::uint64_t left_to_send = 0;  // when that was looked at last; while `writing`
  uv_os_fd_t fd = -1;
  uv_shutdown_t shutdown;
  Impl& server;
  TimerId id;
  ClientKey client;
  AddressCounter::Place place;  // empty for a peer that is not counted
  TimerLinks links;
  std::uint64_t armed_deadline = Connection::kNoDeadline;
  Connection connection;
  std::unique_ptr<TlsConnection> tls;  // null: plain
  uv_work_t work;
  Transfer* transfer = nullptr;
  bool is_unix = false;
  bool attached = false;  // whether `handle` is one
  bool armed = false;
  bool reading = false;
  bool writing = false;
  bool shut_down = false;
  bool closing = false;
  bool computing = false;
  bool closed = false;  // and forgotten, but for a computation that has to end
};

// A listening socket, polled for readability: uv_listen would accept without a bound.
struct Server::Impl::Acceptor {
  uv_poll_t poll;
  Impl* server;
  Listener listener;
  Transport transport;
  bool paused = false;
  bool crowded = false;     // the last iteration that looked for more found some
  unsigned one_by_one = 0;  // iterations since
};

// A file on its way to a peer. Read in libuv's thread pool, so that a slow disk holds up nobody else. Outlives its peer
// while a request is under way, and then ends itself.
struct Server::Impl::Transfer {
  explicit Transfer(Impl& owner, Peer& receiver) noexcept : server(owner), peer(&receiver) { request.data = this; }

  uv_fs_t request;
  Impl& server;
  Peer* peer;  // null when it is gone
  FileDescriptor fd;
  bool opening = true;
  bool busy = false;
  std::array<char, 64 * 1024> buffer;
};

TimerLinks& Server::Impl::links(TimerId id) noexcept {
  return peers_[id]->links;
}
std::uint64_t Server::Impl::deadline(TimerId id) noexcept {
  return peers_[id]->armed_deadline;
}

Now Server::Impl::now() noexcept {
  // Read once after each return from the kernel, where the machine may have been suspended: the loop's time stood still
  // meanwhile. The wall clock is read once a tick, and advanced by this one in between.
  if (!std::exchange(time_known_, true)) {
    boot_ms_ = boot_time_ms();
    if (!wall_known_ || boot_ms_ - wall_read_at_ >= kTickMs) {
      unix_ms_ = wall_time_ms();
      wall_read_at_ = boot_ms_;
      wall_known_ = true;
    }
  }
  return {boot_ms_, (unix_ms_ + static_cast<std::int64_t>(boot_ms_ - wall_read_at_)) / 1000};
}

void Server::Impl::handle_closed() noexcept {
  assert(handles_ > 0);
  --handles_;
  // The clock is the last to go: until then it bounds the wait for answers that are under way.
  if (stopping_ && handles_ == 2 && !uv_is_closing(reinterpret_cast<uv_handle_t*>(&tick_))) {
    uv_close(reinterpret_cast<uv_handle_t*>(&tick_), on_own_handle_closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&before_poll_), on_own_handle_closed);
  }
  if (handles_ != 0) return;
  // The callback may destroy the server.
  const std::function<void()> on_stopped = std::move(on_stopped_);
  if (on_stopped) on_stopped();
}

void Server::Impl::on_own_handle_closed(uv_handle_t* handle) {
  static_cast<Impl*>(handle->data)->handle_closed();
}

Status Server::Impl::start() {
  read_buffer_ = SecretBlock::map(Connection::kMaxInput, service_.minimum_level());
  if (!read_buffer_) {
    return service_.minimum_level() == SecretLevel::kPlain ? StatusCode::kOutOfMemory : StatusCode::kMemoryNotLocked;
  }
  // A newcomer is counted before somebody makes room for it.
  Result<std::unique_ptr<AddressCounter>> places =
      AddressCounter::create({options_.max_connections_per_address, options_.max_connections + 1, options_.hash_seed});
  if (!places.ok()) return places.status();
  places_ = std::move(places).value();
  Result<std::unique_ptr<Victims>> victims = Victims::create(options_.max_connections, options_.hash_seed);
  if (!victims.ok()) return victims.status();
  victims_ = std::move(victims).value();
  if (options_.tls != nullptr) {
    Result<std::unique_ptr<RateLimiter>> budgets =
        RateLimiter::create({kHandshakesPerSecond, kHandshakeBurst, kHandshakeKeys, options_.hash_seed});
    if (!budgets.ok()) return budgets.status();
    handshake_budgets_ = std::move(budgets).value();
  }
  for (std::size_t i = 0; options_.tls != nullptr && i < options_.tls->lanes(); ++i) {
    lanes_.push_back(std::make_unique<Lane>(options_.hash_seed));
  }
  uv_timer_init(loop_, &tick_);
  tick_.data = this;
  uv_idle_init(loop_, &idle_);
  idle_.data = this;
  uv_prepare_init(loop_, &before_poll_);
  before_poll_.data = this;
  handles_ += 3;
  uv_prepare_start(&before_poll_,
                   [](uv_prepare_t* prepare) { static_cast<Impl*>(prepare->data)->time_known_ = false; });
  // What must go on is held by sockets: the clock alone keeps no loop alive.
  uv_unref(reinterpret_cast<uv_handle_t*>(&tick_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&before_poll_));
  started_ = true;
  keep_ticking();
  return StatusCode::kOk;
}

void Server::Impl::keep_ticking() noexcept {
  if (ticking_ || !started_) return;
  ticking_ = true;
  uv_timer_start(
      &tick_, [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->on_tick(); }, kTickMs, kTickMs);
}

// A bounded part of what is due; returns whether that was all.
bool Server::Impl::work_off(const Now& time) noexcept {
  const bool all_met = wheel_.advance(time.monotonic_ms, kDeadlineBatch, [&](TimerId id) {
    Peer& peer = *peers_[id];
    peer.armed = false;
    if (peer.computing) return;  // looked at when that is done
    if (peer.writing) {
      const std::uint64_t left = left_to_send(peer);
      if (left < peer.left_to_send) peer.connection.on_progress(time);
      peer.left_to_send = left;
    }
    // The deadline may have moved since it was armed: moving an armed timer with every request would cost more.
    peer.on_deadline(time);
    flush(peer);
  });
  return service_.expire(time, kExpiryBatch) && all_met;
}

void Server::Impl::on_tick() noexcept {
  const Now time = now();
  if (stopping_ && time.monotonic_ms >= stop_at_) {
    for (Peer* peer : peers_) {
      if (peer != nullptr) close(*peer);
    }
  }
  watch_paused();
  refusals_.tick(time.monotonic_ms);
  tell_of_limits();
  // While it is stopping there is no idle handle; then the next tick goes on. What is pending is the idle handle's,
  // which has its turn in this iteration, too: one portion for each.
  if ((!work_pending_ || stopping_) && !work_off(time) && !stopping_) {
    work_pending_ = true;
    tick_worked_ = true;
    uv_idle_start(&idle_, [](uv_idle_t* idle) { static_cast<Impl*>(idle->data)->on_idle(); });
  }
  if (connections_ == 0 && service_.store().expiring() == 0 && refusals_.empty() && !stopping_) {
    uv_timer_stop(&tick_);
    ticking_ = false;
  }
}

bool Server::Impl::tell(ServerEvent event, int detail) noexcept {
  std::uint64_t& again_at = tell_again_at_[static_cast<std::size_t>(event)];
  if (!options_.on_event || now().monotonic_ms < again_at) return false;
  again_at = now().monotonic_ms + kEventMs;
  options_.on_event(event, detail);
  return true;
}

// `told`: how many of the `limited` have been told of.
void Server::Impl::tell_limit(ServerEvent event, std::uint64_t limited, std::uint64_t& told) noexcept {
  const std::uint64_t more = std::min<std::uint64_t>(limited - told, std::numeric_limits<int>::max());
  if (more != 0 && tell(event, static_cast<int>(more))) told = limited;
}

void Server::Impl::tell_of_limits() noexcept {
  if (service_.deposits_refused() != deposits_refused_) {
    deposits_refused_ = service_.deposits_refused();
    tell(ServerEvent::kDepositsRefused, 0);
  }
  if (service_.store().level() < level_) {
    level_ = service_.store().level();
    tell(ServerEvent::kMemoryFell, 0);
  }
  tell_limit(ServerEvent::kDepositsLimited, service_.deposits_limited(), deposits_limited_);
  tell_limit(ServerEvent::kLookUpsLimited, service_.look_ups_limited(), look_ups_limited_);
  tell_limit(ServerEvent::kMisses, service_.counters().misses, misses_told_);
  tell_limit(ServerEvent::kAddressesLimited, beyond_address_, beyond_address_told_);
  tell_limit(ServerEvent::kConnectionsLimited, beyond_all_, beyond_all_told_);
  if (context_.has_seen_untrusted_proxy() && !untrusted_proxy_told_) {
    untrusted_proxy_told_ = tell(ServerEvent::kUntrustedProxy, 0);
  }
}

void Server::Impl::on_idle() noexcept {
  if (std::exchange(tick_worked_, false)) return;
  if (!work_off(now())) return;
  work_pending_ = false;
  uv_idle_stop(&idle_);
}

Status Server::Impl::check(const ListenOptions& options) const {
  if (options.redirect_to_https && !service_.url().starts_with("https://")) {
    return {StatusCode::kInvalidArgument, "redirect_to_https needs a service whose url begins with https://"};
  }
  if (options.tls && (options_.tls == nullptr || options_.tls->credentials() == nullptr)) {
    return {StatusCode::kInvalidArgument, "tls needs ServerOptions::tls, with certificates"};
  }
  if (options.tls && options.redirect_to_https) {
    return {StatusCode::kInvalidArgument, "tls and redirect_to_https exclude each other"};
  }
  return StatusCode::kOk;
}

Status Server::Impl::listen(Listener listener, const ListenOptions& options) {
  if (Status status = check(options); !status.ok()) return status;
  if (stopping_) return {StatusCode::kSystem, "the server is stopping"};
  acceptors_.reserve(acceptors_.size() + 1);  // what may throw comes before there is a handle
  auto acceptor = std::make_unique<Acceptor>(Acceptor{{}, this, std::move(listener), transport_of(options)});
  if (const int error = uv_poll_init(loop_, &acceptor->poll, acceptor->listener.fd()); error != 0) {
    return {StatusCode::kSystem, std::string("cannot watch a listening socket: ") + uv_strerror(error)};
  }
  acceptor->poll.data = acceptor.get();
  ++handles_;
  acceptors_.push_back(acceptor.get());
  watch(*acceptor.release());
  return StatusCode::kOk;
}

void Server::Impl::watch(Acceptor& acceptor) noexcept {
  uv_poll_start(&acceptor.poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto& self = *static_cast<Acceptor*>(poll->data);
    self.server->accept_from(self);
  });
}

// Leaves newcomers in the backlog, until the next tick or call of watch_paused().
void Server::Impl::pause(Acceptor& acceptor) noexcept {
  uv_poll_stop(&acceptor.poll);
  acceptor.paused = true;
  any_paused_ = true;
  keep_ticking();
}

void Server::Impl::watch_paused() noexcept {
  if (!std::exchange(any_paused_, false)) return;
  for (Acceptor* acceptor : acceptors_) {
    if (std::exchange(acceptor->paused, false)) watch(*acceptor);
  }
}

void Server::Impl::accept_from(Acceptor& acceptor) noexcept {
  accept_batch(acceptor);
  settle_newcomers();
}

void Server::Impl::accept_batch(Acceptor& acceptor) noexcept {
  // What is left after the batch makes the socket readable again in the next iteration. To find nobody there costs more
  // than to find somebody: the kernel makes a socket and a file first, and then looks.
  const bool looks_for_more = acceptor.crowded || ++acceptor.one_by_one == kLookForMore;
  if (looks_for_more) acceptor.one_by_one = 0;
  acceptor.crowded = false;
  const std::size_t limit = looks_for_more ? kAcceptBatch : 1;
  for (std::size_t i = 0; i < limit; ++i) {
    // All places belong to clients whose handshakes wait for us: one more would take the place of one that is about to
    // be served, and then lose it to the next. The backlog keeps it, until a handshake is done.
    if (acceptor.transport == Transport::kSecure && !has_room() && victims_->all_are_queued(now().monotonic_ms)) {
      return pause(acceptor);
    }
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    const int fd =
        accept4(acceptor.listener.fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      const int error = errno;
      if (error == EMFILE || error == ENFILE) {
        // The kernel says so before it looks whether anybody is there: nobody makes room for no one.
        pollfd backlog{acceptor.listener.fd(), POLLIN, 0};
        if (poll(&backlog, 1, 0) == 0) return;
        if (!refusals_.empty()) {
          refusals_.close_all();
          continue;
        }
        if (make_room(nullptr)) continue;
      }
      if (error != EAGAIN) {
        // No file descriptor or no memory: the connection stays in the backlog, and polling for it would spin. The next
        // tick tries again; until then those that are open go on, and may end.
        tell(ServerEvent::kAcceptPaused, error);
        pause(acceptor);
      }
      return;
    }
    acceptor.crowded = i > 0;
    if (Status status = add_peer(fd, address, acceptor.transport); !status.ok()) continue;
  }
}

// Closes a connection for the one of a newcomer. Whoever holds many cannot keep others out, whatever it does with them.
bool Server::Impl::make_room(const ClientKey* newcomer) noexcept {
  Victims::Candidate* const victim = victims_->choose(newcomer, now().monotonic_ms);
  if (victim == nullptr) return false;
  close(static_cast<Peer&>(*victim));
  return true;
}

void Server::Impl::refuse(int fd, Transport transport) noexcept {
  const bool is_secure = transport == Transport::kSecure;
  refusals_.add(FileDescriptor(fd), is_secure ? kTooManyConnectionsAlert : kTooManyConnections,
                now().monotonic_ms + options_.connection.linger_timeout);
  keep_ticking();
}

// Gives the peer to libuv. Closes it when that fails.
bool Server::Impl::attach(Peer& peer) noexcept {
  if (peer.attached) return true;
  int error = 0;
  if (peer.is_unix) {
    uv_pipe_init(loop_, &peer.handle.pipe, 0);
    error = uv_pipe_open(&peer.handle.pipe, peer.fd);
  } else {
    uv_tcp_init(loop_, &peer.handle.tcp);
    error = uv_tcp_open(&peer.handle.tcp, peer.fd);
  }
  peer.handle.handle.data = &peer;
  peer.attached = true;
  if (error == 0) return true;
  ::close(peer.fd);
  close(peer);
  return false;
}

Status Server::Impl::add_peer(int fd, const sockaddr_storage& address, Transport transport) noexcept {
  const bool is_unix = address.ss_family == AF_UNIX;
  const ClientAddress client = address_of(address);
  const ClientKey widest_key = client.widest_key();
  const ClientKey* key = nullptr;  // a proxy connects for many clients: each of its connections stands for one
  AddressCounter::Place place;
  if (!is_unix && !options_.trusted_proxies.trusts(client)) {
    key = &widest_key;
    place = places_->take(client.key());
    if (!place) {
      ++beyond_address_;
      refuse(fd, transport);
      return {StatusCode::kSystem, "the peer has as many connections as it may"};
    }
  }
  if (!has_room()) {
    ++beyond_all_;
    if (!make_room(key)) {
      refuse(fd, transport);
      return {StatusCode::kSystem, "the server has as many connections as it may"};
    }
  }

  TimerId id = 0;
  try {
    if (free_ids_.empty()) {
      peers_.push_back(nullptr);
      free_ids_.reserve(peers_.capacity());  // giving an id back must not fail
      free_ids_.push_back(static_cast<TimerId>(peers_.size() - 1));
    }
  } catch (const std::bad_alloc&) {
    ::close(fd);
    return StatusCode::kOutOfMemory;
  }
  id = free_ids_.back();
  auto* peer = new (std::nothrow) Peer(*this, id, client, std::move(place), now(), transport);
  if (peer != nullptr && transport == Transport::kSecure) {
    peer->tls.reset(new (std::nothrow) TlsConnection(*options_.tls, peer->connection, now()));
  }
  if (peer == nullptr || (transport == Transport::kSecure && peer->tls == nullptr) ||
      !victims_->add(*peer, key, now().monotonic_ms)) {
    delete peer;
    ::close(fd);
    return StatusCode::kOutOfMemory;
  }
  free_ids_.pop_back();
  peers_[id] = peer;
  ++connections_;
  ++handles_;
  peer->fd = fd;
  peer->is_unix = is_unix;
  newcomers_[newcomer_count_++] = peer;
  keep_ticking();
  // The request has often come with the connection: then a short conversation is over before anything was polled for.
  receive(*peer);
  return StatusCode::kOk;
}

// Whoever is served and gone by now, because it or its peer wanted no more than one answer, never was a handle of
// libuv's: that saves setting it up, adding it to what is polled for and taking it out, 6 % of what a connection with
// one GET costs. The others become one now.
void Server::Impl::settle_newcomers() noexcept {
  // Only a crowd takes as long as a peer needs to have gone, or to have sent more.
  const bool took_time = newcomer_count_ >= kCrowd;
  for (std::size_t i = 0; i < newcomer_count_; ++i) {
    Peer& peer = *newcomers_[i];
    if (took_time && !peer.closing && !peer.attached && peer.wants_input()) receive(peer);
    if (peer.closing && !peer.attached) {
      remove(peer);
    } else if (!peer.closing && attach(peer)) {
      read_on(peer, !peer.writing && peer.wants_input());
    }
  }
  newcomer_count_ = 0;
}

Status Server::Impl::adopt(int fd, const ListenOptions& options) {
  if (Status status = check(options); !status.ok()) {
    ::close(fd);
    return status;
  }
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  // It may be one that blocks, and is written to before libuv sees it.
  if (stopping_ || getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
    ::close(fd);
    return {StatusCode::kSystem, "not a connected socket, or the server is stopping"};
  }
  if (address.ss_family != AF_UNIX) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  const Status status = add_peer(fd, address, transport_of(options));
  settle_newcomers();
  return status;
}

void Server::Impl::read_on(Peer& peer, bool wanted) noexcept {
  if (peer.reading == wanted || !peer.attached) return;
  peer.reading = wanted;
  if (!wanted) {
    uv_read_stop(&peer.handle.stream);
    return;
  }
  // libuv, which has no buffer to read into, tells that there is something to read, and recv(2) reads it: on its way to
  // a socket that is shorter than libuv's read(2), by 0.7 % of what a GET costs.
  const auto no_buffer = [](uv_handle_t*, std::size_t, uv_buf_t* buffer) { *buffer = uv_buf_init(nullptr, 0); };
  const auto on_readable = [](uv_stream_t* stream, ssize_t, const uv_buf_t*) {
    Peer& self = *static_cast<Peer*>(stream->data);
    self.server.receive(self);
  };
  if (uv_read_start(&peer.handle.stream, no_buffer, on_readable) != 0) close(peer);
}

// What libuv and the kernel have of it: libuv tells of a write when all of it is done, and the kernel wants more only
// when a third of its buffer is empty, which at a low rate takes long.
std::uint64_t Server::Impl::left_to_send(const Peer& peer) noexcept {
  int queued = 0;
  if (ioctl(peer.fd, SIOCOUTQ, &queued) != 0) queued = 0;
  return uv_stream_get_write_queue_size(&peer.handle.stream) + static_cast<std::uint64_t>(std::max(queued, 0));
}

// Reads once. What is left, libuv tells of again.
void Server::Impl::receive(Peer& peer) noexcept {
  if (peer.closing) return;
  const ssize_t size = recv(peer.fd, read_buffer_.data(), Connection::kMaxInput, MSG_DONTWAIT);
  if (size < 0 && errno != EAGAIN && errno != EINTR) return close(peer);
  if (size == 0) {
    read_on(peer, false);
    peer.on_input_end(now());
  } else if (size > 0) {
    const auto count = static_cast<std::size_t>(size);
    peer.bytes += count;
    peer.on_input({reinterpret_cast<const char*>(read_buffer_.data()), count}, now());
    // The buffer is everybody's: what was a credential is gone before the next one reads.
    wipe(read_buffer_.data(), count);
  }
  flush(peer);
}

// Sends what there is to send, then does what the connection wants.
void Server::Impl::flush(Peer& peer) noexcept {
  if (peer.closing || peer.computing) return;
  // Before anything else: with a deadline missed, what a write request points to is gone, and closing cancels it.
  if (peer.wants_close()) return close(peer);
  if (peer.writing) return arm(peer);
  const std::size_t burst = peer.tls ? kTlsBurst : kBurst;
  std::size_t sent_in_a_row = 0;
  while (!peer.output().empty()) {
    // libuv tells of a write in the next iteration of the loop.
    if (sent_in_a_row >= burst) return write_rest(peer);
    const std::span<const Fragment> output = peer.output();
    std::size_t wanted = 0;
    for (const Fragment& fragment : output) wanted += fragment.size;
    // With TLS something more is sent before the end.
    const bool then_ended = !peer.tls && peer.connection.closes_after_output();
    const ssize_t sent = transmitter_.send(peer.fd, output, then_ended);
    if (sent < 0 && sent != -EAGAIN) return close(peer);
    const auto taken = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    peer.bytes += taken;
    peer.on_output(taken, now());
    sent_in_a_row += taken;
    // The end of the connection takes along what waits for it. Not close(2) alone: if the peer has sent something
    // behind its request that nobody will read, that resets the connection, and drops what has not left yet.
    if (then_ended && taken == wanted) ::shutdown(peer.fd, SHUT_WR);
    if (taken == wanted) continue;
    write_rest(peer);
    return;
  }

  if (peer.wants_close()) return close(peer);
  if (const std::string_view name = peer.connection.wants_file(); !name.empty()) {
    open_file(peer, name);
  } else if (const FileRange range = peer.connection.wants_data(); range.size != 0) {
    read_file(peer, range);
  } else {
    end_transfer(peer);
  }
  if (peer.wants_shutdown() && !peer.shut_down) {
    if (!attach(peer)) return;
    peer.shut_down = true;
    if (uv_shutdown(&peer.shutdown, &peer.handle.stream, [](uv_shutdown_t*, int) {}) != 0) return close(peer);
  }
  read_on(peer, peer.wants_input());
  if (peer.closing) return;
  victims_->set_waiting(peer, peer.waits_for_request());
  arm(peer);
  if (peer.tls && peer.tls->wants_handshake()) queue_handshake(peer);
}

// The socket is full: libuv sends what comes next when there is room.
void Server::Impl::write_rest(Peer& peer) noexcept {
  if (!attach(peer)) return;
  std::array<uv_buf_t, kWriteBuffers> buffers;
  unsigned count = 0;
  peer.write_size = 0;
  for (const Fragment& fragment : peer.output()) {
    if (count == buffers.size()) break;
    // uv_buf_t is not const, but nothing writes through it.
    buffers[count++] = uv_buf_init(const_cast<char*>(fragment.data), static_cast<unsigned>(fragment.size));
    peer.write_size += fragment.size;
  }
  victims_->set_waiting(peer, false);
  peer.write.data = &peer;
  peer.writing = true;
  read_on(peer, false);
  const int error =
      uv_write(&peer.write, &peer.handle.stream, buffers.data(), count, [](uv_write_t* write, int status) {
        Peer& self = *static_cast<Peer*>(write->data);
        self.server.on_written(self, status);
      });
  if (error != 0) {
    peer.writing = false;
    return close(peer);
  }
  peer.left_to_send = left_to_send(peer);
  arm(peer);
}

void Server::Impl::open_file(Peer& peer, std::string_view name) noexcept {
  if (peer.transfer != nullptr && peer.transfer->opening) return;
  end_transfer(peer);  // that of the answer before
  peer.transfer = new (std::nothrow) Transfer(*this, peer);
  if (peer.transfer == nullptr) return close(peer);
  std::array<char, PATH_MAX> path;
  const bool is_challenge = peer.connection.wants_file_of() == FileFolder::kChallenges;
  const std::string_view folder = is_challenge ? options_.acme_webroot : options_.package_folder;
  const std::string_view below = is_challenge ? "/.well-known/acme-challenge/" : "/";
  if (folder.size() + below.size() + name.size() + 1 > path.size()) return close(peer);
  char* end = path.data();
  for (const std::string_view part : {folder, below, name}) end = std::copy(part.begin(), part.end(), end);
  *end = '\0';
  // The name has no slash and no leading dot; a symbolic link could still lead out of the folder. O_NONBLOCK: a FIFO
  // must not hold the thread.
  peer.transfer->busy = true;
  ++handles_;
  const int error = uv_fs_open(loop_, &peer.transfer->request, path.data(),
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, [](uv_fs_t* request) {
                                 auto& self = *static_cast<Transfer*>(request->data);
                                 self.server.on_file_opened(self);
                               });
  if (error < 0) {
    --handles_;
    peer.transfer->busy = false;
    close(peer);
  }
}

void Server::Impl::on_file_opened(Transfer& transfer) noexcept {
  const ssize_t result = transfer.request.result;
  uv_fs_req_cleanup(&transfer.request);
  transfer.busy = transfer.opening = false;
  if (result >= 0) transfer.fd = FileDescriptor(static_cast<int>(result));
  if (transfer.peer == nullptr) {
    delete &transfer;
    return handle_closed();
  }
  Peer& peer = *transfer.peer;
  struct stat status {};
  // What is no file here is as good as nothing; anything else (no descriptor, no permission) is our trouble.
  const bool nothing = result == UV_ENOENT || result == UV_ELOOP || result == UV_ENXIO || result == UV_EISDIR;
  if (!transfer.fd ? nothing : fstat(transfer.fd.get(), &status) == 0 && !S_ISREG(status.st_mode)) {
    peer.connection.on_file(nullptr, now());
  } else if (!transfer.fd || !S_ISREG(status.st_mode)) {
    peer.connection.on_file_unavailable(now());
  } else {
    // Unsigned: only told apart from others, and a date may lie anywhere.
    const auto modified = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                          static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
    const FileInfo info{static_cast<std::uint64_t>(status.st_size), modified};
    peer.connection.on_file(&info, now());
  }
  peer.on_answer(now());
  flush(peer);
  handle_closed();
}

void Server::Impl::read_file(Peer& peer, const FileRange& range) noexcept {
  Transfer& transfer = *peer.transfer;
  if (transfer.busy) return;
  transfer.busy = true;
  ++handles_;
  const auto size = static_cast<unsigned>(std::min<std::uint64_t>(range.size, transfer.buffer.size()));
  const uv_buf_t buffer = uv_buf_init(transfer.buffer.data(), size);
  const int error = uv_fs_read(loop_, &transfer.request, transfer.fd.get(), &buffer, 1,
                               static_cast<std::int64_t>(range.offset), [](uv_fs_t* request) {
                                 auto& self = *static_cast<Transfer*>(request->data);
                                 self.server.on_file_read(self);
                               });
  if (error < 0) {
    --handles_;
    transfer.busy = false;
    close(peer);
  }
}

void Server::Impl::on_file_read(Transfer& transfer) noexcept {
  const ssize_t result = transfer.request.result;
  uv_fs_req_cleanup(&transfer.request);
  transfer.busy = false;
  if (transfer.peer == nullptr) {
    delete &transfer;
    return handle_closed();
  }
  // 0 is a file that has become shorter: the connection ends, and with it the promise of a length.
  transfer.peer->connection.on_data({transfer.buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(result, 0))},
                                    now());
  transfer.peer->on_answer(now());
  flush(*transfer.peer);
  handle_closed();
}

void Server::Impl::end_transfer(Peer& peer) noexcept {
  if (peer.transfer == nullptr) return;
  peer.transfer->peer = nullptr;
  if (!peer.transfer->busy) delete peer.transfer;
  peer.transfer = nullptr;
}

void Server::Impl::on_written(Peer& peer, int status) noexcept {
  peer.writing = false;
  if (peer.closing) return;
  if (status != 0) return close(peer);
  peer.bytes += peer.write_size;
  peer.on_output(peer.write_size, now());
  flush(peer);
}

// Timers are set anew only when they would fire too late; one that fires too early is set again then.
void Server::Impl::arm(Peer& peer) noexcept {
  const std::uint64_t wanted = peer.deadline();
  if (peer.closing || (peer.armed && peer.armed_deadline <= wanted)) return;
  if (peer.armed) wheel_.cancel(peer.id);
  peer.armed = wanted != Connection::kNoDeadline;
  peer.armed_deadline = wanted;
  if (peer.armed) wheel_.arm(peer.id);
}

// Lets a peer wait for its turn to have the next step of its handshake computed.
void Server::Impl::queue_handshake(Peer& peer) noexcept {
  if (peer.is_waiting()) return;
  // What has been begun is finished first: else the work that it took is lost when its time is over.
  const std::optional<std::size_t> lane = peer.tls->lane();
  FairQueue& queue = lane ? lanes_[*lane]->begun : fresh_;
  const bool is_late = !lane && handshake_budgets_->wait_ms(peer.client, now().monotonic_ms) != 0;
  if (!lane) handshake_budgets_->take(peer.client, now().monotonic_ms);
  victims_->set_queued(peer, true, now().monotonic_ms);
  if (FairQueue::Waiter* dropped = queue.push(peer, peer.client, is_late); dropped != nullptr) {
    tell(ServerEvent::kHandshakesDropped, 0);
    close(static_cast<Peer&>(*dropped));
  }
  compute_handshakes();
}

void Server::Impl::leave_queue(Peer& peer) noexcept {
  if (!peer.is_waiting()) return;
  const std::optional<std::size_t> lane = peer.tls->lane();
  (lane ? lanes_[*lane]->begun : fresh_).remove(peer);
}

// Gives each lane that is free something to do.
void Server::Impl::compute_handshakes() noexcept {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[i];
    while (!lane.busy) {
      FairQueue::Waiter* next = lane.begun.pop();
      if (next == nullptr) next = fresh_.pop();
      if (next == nullptr) break;
      compute_handshake(static_cast<Peer&>(*next), i);
    }
  }
}

void Server::Impl::compute_handshake(Peer& peer, std::size_t lane) noexcept {
  read_on(peer, false);
  peer.tls->begin_handshake(lane);
  peer.computing = true;
  peer.work.data = &peer;
  const auto work = [](uv_work_t* request) {
    Peer& self = *static_cast<Peer*>(request->data);
    if (self.server.options_.batch_handshakes) prefer_batch_scheduling();
    self.tls->handshake();
  };
  const auto on_done = [](uv_work_t* request, int) {
    Peer& self = *static_cast<Peer*>(request->data);
    self.server.on_handshake(self);
  };
  if (uv_queue_work(loop_, &peer.work, work, on_done) != 0) {
    peer.computing = false;
    return close(peer);
  }
  lanes_[lane]->busy = true;
  ++handles_;
}

void Server::Impl::on_handshake(Peer& peer) noexcept {
  lanes_[*peer.tls->lane()]->busy = false;
  peer.computing = false;
  if (peer.closed) {
    delete &peer;
  } else if (!peer.closing) {
    victims_->set_queued(peer, false, now().monotonic_ms);
    peer.tls->on_handshake(now());
    flush(peer);
  }
  compute_handshakes();
  watch_paused();
  handle_closed();
}

void Server::Impl::close(Peer& peer) noexcept {
  if (peer.closing) return;
  peer.closing = true;
  leave_queue(peer);
  ++closing_;
  victims_->remove(peer);
  peer.place = {};
  if (peer.armed) wheel_.cancel(peer.id);
  peer.armed = false;
  if (peer.attached) {
    uv_close(&peer.handle.handle, [](uv_handle_t* handle) {
      auto& self = *static_cast<Peer*>(handle->data);
      self.server.remove(self);
    });
  } else {
    ::close(peer.fd);  // the peer itself goes with its batch
  }
}

// Forgets a peer whose socket is closed and which libuv does not know, or knows no longer.
void Server::Impl::remove(Peer& peer) noexcept {
  end_transfer(peer);
  peers_[peer.id] = nullptr;
  free_ids_.push_back(peer.id);
  --connections_;
  --closing_;
  peer.closed = true;
  if (!peer.computing) delete &peer;
  handle_closed();
}

void Server::Impl::stop(std::function<void()> on_stopped) {
  if (stopping_) return;
  stopping_ = true;
  on_stopped_ = std::move(on_stopped);
  // What came after the last tick, or within a minute of the last line, would be lost.
  tell_again_at_.fill(0);
  tell_of_limits();
  stop_at_ = now().monotonic_ms + options_.drain_timeout;
  for (Acceptor* acceptor : acceptors_) {
    uv_close(reinterpret_cast<uv_handle_t*>(&acceptor->poll), [](uv_handle_t* handle) {
      auto* self = static_cast<Acceptor*>(handle->data);
      Impl* server = self->server;
      delete self;
      server->handle_closed();
    });
  }
  acceptors_.clear();
  refusals_.close_all();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] == nullptr || peers_[i]->closing) continue;
    if (peers_[i]->computing) {
      close(*peers_[i]);
      continue;
    }
    peers_[i]->finish(now());
    flush(*peers_[i]);
  }
  keep_ticking();
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), on_own_handle_closed);
}

Now current_time() noexcept {
  return {boot_time_ms(), wall_time_ms() / 1000};
}

Server::Server(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::attach(uv_loop_t* loop, Service& service, const ServerOptions& options) {
  if (Status status = check_options(options); !status.ok()) return status;
  if (service.is_inherited()) {
    return Status(StatusCode::kInvalidArgument, "the service is that of a parent process");
  }
  auto impl = std::make_unique<Impl>(loop, service, options);
  if (Status status = impl->start(); !status.ok()) return status;
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Status Server::listen(Listener listener, const ListenOptions& options) {
  return impl_->listen(std::move(listener), options);
}
Status Server::adopt(int fd, const ListenOptions& options) {
  return impl_->adopt(fd, options);
}
void Server::stop(std::function<void()> on_stopped) {
  impl_->stop(std::move(on_stopped));
}
std::size_t Server::connections() const noexcept {
  return impl_->connections();
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Invariants: HandleCount counts handles that are not closed and unfinished requests; the server has stopped when there
// are none.
//
// One timer drives everything that depends on time: with every tick it updates the wall clock, handles deadlines of
// connections and expires deposits. It runs only while there is something to wait for, so an idle server does not wake
// up.
#include <pairport/server.h>

#include <sys/socket.h>
#include <uv.h>

#include <cstddef>
#include <string>
#include <utility>

#include "net/base/clock.h"
#include "net/base/file_descriptor.h"
#include "net/loop/acceptors.h"
#include "net/loop/given_socket.h"
#include "net/loop/loop_context.h"
#include "net/loop/peers.h"
#include "net/loop/socket_options.h"

namespace pairport {
namespace {

// Deposits that one loop iteration wipes: this takes well below 100 microseconds.
constexpr std::size_t kExpiryBatch = 256;
// The server's own handles that close last: tick_ and before_poll_.
constexpr std::size_t kClockHandles = 2;

// The transport of a connection, from the options of its listener.
Transport transport_of(const ListenOptions& options) noexcept {
  if (options.tls) return Transport::kSecure;
  return options.redirect_to_https ? Transport::kRedirecting : Transport::kPlain;
}

Status inherited() {
  return {StatusCode::kInvalidArgument, "the server is that of a parent process"};
}

}  // namespace

class Server::Impl {
 public:
  Impl(uv_loop_t* loop, Service& service, const ServerOptions& options)
      : options_(options),
        connections_(service, options.connection, options.trusted_proxies, options.observer, options.hsts_seconds),
        context_{loop,
                 service,
                 options_,
                 {},
                 Events(options.on_event, service, context_.counters, connections_),
                 HandleCount([this](std::size_t left) { on_handle_removed(left); }),
                 [this] {
                   keep_ticking();
                   uv_ref(reinterpret_cast<uv_handle_t*>(&tick_));  // until there are no peers
                 },
                 {}} {}

  Status start();
  Status listen(Listener listener, const ListenOptions& options);
  Status adopt(int fd, const ListenOptions& options, const Handover& handover);
  void stop(std::function<void()> on_stopped);
  std::size_t connections() const noexcept { return peers_->size(); }
  const ServerCounters& counters() const noexcept { return context_.counters; }
  // Whether this is a forked child of the process that attached the server. Most of its memory is not here then.
  bool is_inherited() const noexcept { return context_.service.is_inherited(); }

 private:
  void on_handle_removed(std::size_t left) noexcept;
  void close(uv_handle_t* handle) noexcept;

  void keep_ticking() noexcept;
  void on_before_poll() noexcept;
  void on_tick() noexcept;
  void on_idle() noexcept;
  bool work_off(const Now& time) noexcept;
  Status check(const ListenOptions& options) const;

  const ServerOptions options_;
  ConnectionContext connections_;
  LoopContext context_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<Acceptors> acceptors_;
  uv_timer_t tick_;
  uv_idle_t idle_;
  uv_prepare_t before_poll_;
  bool started_ = false;
  bool ticking_ = false;
  bool work_pending_ = false;
  bool tick_worked_ = false;  // on_tick() has done this iteration's share of the work
  bool stopping_ = false;
  std::uint64_t stop_at_ = 0;
  std::function<void()> on_stopped_;
};

Status Server::Impl::start() {
  Result<std::unique_ptr<Peers>> peers = Peers::create(context_, connections_, [this] { acceptors_->resume(); });
  if (!peers.ok()) return peers.status();
  peers_ = std::move(peers).value();
  acceptors_ = std::make_unique<Acceptors>(context_, *peers_);
  uv_timer_init(context_.loop, &tick_);
  tick_.data = this;
  uv_idle_init(context_.loop, &idle_);
  idle_.data = this;
  uv_prepare_init(context_.loop, &before_poll_);
  before_poll_.data = this;
  context_.handles.add(kClockHandles + 1);
  uv_prepare_start(&before_poll_, [](uv_prepare_t* prepare) { static_cast<Impl*>(prepare->data)->on_before_poll(); });
  // The clock alone must not keep the loop alive. A connection does, by the clock: while it waits for the store its
  // socket may be inactive.
  uv_unref(reinterpret_cast<uv_handle_t*>(&tick_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&before_poll_));
  started_ = true;
  keep_ticking();
  return StatusCode::kOk;
}

void Server::Impl::on_handle_removed(std::size_t left) noexcept {
  // The clock closes last: until then it limits the wait for unfinished answers.
  if (stopping_ && left == kClockHandles && !uv_is_closing(reinterpret_cast<uv_handle_t*>(&tick_))) {
    close(reinterpret_cast<uv_handle_t*>(&tick_));
    close(reinterpret_cast<uv_handle_t*>(&before_poll_));
  }
  if (left != 0) return;
  // The callback may destroy the server.
  const std::function<void()> on_stopped = std::move(on_stopped_);
  if (on_stopped) on_stopped();
}

// Closes one of the server's own handles.
void Server::Impl::close(uv_handle_t* handle) noexcept {
  uv_close(handle, [](uv_handle_t* closed) { static_cast<Impl*>(closed->data)->context_.handles.remove(); });
}

void Server::Impl::on_before_poll() noexcept {
  context_.clock.forget();
  // The owner of the service can make deposits without this server.
  if (!ticking_ && context_.service.store().stats().expiring != 0) keep_ticking();
}

void Server::Impl::keep_ticking() noexcept {
  if (ticking_ || !started_) return;
  ticking_ = true;
  uv_timer_start(
      &tick_, [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->on_tick(); }, LoopClock::kTickMs,
      LoopClock::kTickMs);
}

// Does a bounded part of the due work; returns whether that was all.
bool Server::Impl::work_off(const Now& time) noexcept {
  const bool all_met = peers_->advance(time);
  return context_.service.expire(time, kExpiryBatch) && all_met;
}

void Server::Impl::on_tick() noexcept {
  const Now time = context_.now();
  if (stopping_ && time.monotonic_ms >= stop_at_) peers_->close_all();
  acceptors_->resume();
  peers_->refusals().tick(time.monotonic_ms);
  context_.events.tell_counts(time.monotonic_ms);
  // A stopping server has no idle handle, so the next tick continues. Otherwise the idle handle continues pending work;
  // it runs in this iteration, too, and each iteration does one part.
  if ((!work_pending_ || stopping_) && !work_off(time) && !stopping_) {
    work_pending_ = true;
    tick_worked_ = true;
    uv_idle_start(&idle_, [](uv_idle_t* idle) { static_cast<Impl*>(idle->data)->on_idle(); });
  }
  if (peers_->size() != 0 || !peers_->refusals().empty()) return;
  uv_unref(reinterpret_cast<uv_handle_t*>(&tick_));
  if (context_.service.store().stats().expiring == 0 && !stopping_) {
    uv_timer_stop(&tick_);
    ticking_ = false;
  }
}

void Server::Impl::on_idle() noexcept {
  if (std::exchange(tick_worked_, false)) return;
  if (!work_off(context_.now())) return;
  work_pending_ = false;
  uv_idle_stop(&idle_);
}

Status Server::Impl::check(const ListenOptions& options) const {
  if (options.redirect_to_https && !context_.service.url().starts_with("https://")) {
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
  return acceptors_->listen(std::move(listener), transport_of(options));
}

Status Server::Impl::adopt(int fd, const ListenOptions& options, const Handover& handover) {
  FileDescriptor given(fd);
  const Result<SocketAddress> address = take_socket(given, SocketRole::kConnected);
  if (!address.ok()) return address.status();
  if (Status status = check(options); !status.ok()) return status;
  if (handover.initial.size() > Connection::kMaxInput) {
    return {StatusCode::kInvalidArgument,
            "at most " + std::to_string(Connection::kMaxInput) + " bytes of a connection may have been read already"};
  }
  if (stopping_) return {StatusCode::kSystem, "the server is stopping"};
  const sockaddr_storage& peer = address.value().storage;
  if (peer.ss_family != AF_UNIX) set_tcp_options(fd);
  const Peers::Admission admission = peers_->add(given.release(), peer, transport_of(options), handover);
  peers_->settle_newcomers();
  switch (admission) {
    case Peers::Admission::kAddressHasMost:
      return {StatusCode::kSystem, "the peer has as many connections as it may (max_connections_per_address)"};
    case Peers::Admission::kNoRoom:
      return {StatusCode::kSystem, "the server has as many connections as it may (max_connections)"};
    case Peers::Admission::kNoMemory:
      return StatusCode::kOutOfMemory;
    case Peers::Admission::kAdmitted:
      break;
  }
  return StatusCode::kOk;
}

void Server::Impl::stop(std::function<void()> on_stopped) {
  if (stopping_) return;
  stopping_ = true;
  on_stopped_ = std::move(on_stopped);
  context_.events.tell_last_counts(context_.clock.ms());
  stop_at_ = context_.clock.ms() + options_.drain_timeout;
  acceptors_->close_all();
  peers_->refusals().close_all();
  peers_->finish();
  keep_ticking();
  close(reinterpret_cast<uv_handle_t*>(&idle_));
}

StoreClient::~StoreClient() = default;

Now current_time() noexcept {
  return {boot_time_ms(), wall_time_ms() / 1000};
}

Server::Server(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Server::~Server() {
  if (impl_->is_inherited()) static_cast<void>(impl_.release());
}

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
  if (impl_->is_inherited()) return inherited();
  return impl_->listen(std::move(listener), options);
}
Status Server::adopt(int fd, const ListenOptions& options, const Handover& handover) {
  if (impl_->is_inherited()) {
    const FileDescriptor given(fd);
    return inherited();
  }
  return impl_->adopt(fd, options, handover);
}
void Server::stop(std::function<void()> on_stopped) {
  if (!impl_->is_inherited()) impl_->stop(std::move(on_stopped));
}
std::size_t Server::connections() const noexcept {
  return impl_->is_inherited() ? 0 : impl_->connections();
}

const ServerCounters& Server::counters() const noexcept {
  return impl_->counters();
}

}  // namespace pairport

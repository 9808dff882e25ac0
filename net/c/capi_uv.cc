// SPDX-License-Identifier: MIT
// Invariants: every function checks its arguments before anything changes, and no exception leaves one. A server is
// freed only when it has stopped, because libuv holds pointers into it until then.
#include <pairport/pairport_uv.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <pairport/server.h>
#include <pairport/status.h>
#include <pairport/tls.h>

#include "net/base/file_descriptor.h"
#include "net/c/conversions.h"
#include "render/c/interop.h"
#include "render/c/pending.h"

namespace pairport {
namespace {

#define PAIRPORT_SAME_EVENT(name, c_name, number) static_assert((c_name) == static_cast<int>(Event::name));
PAIRPORT_EVENT_TABLE(PAIRPORT_SAME_EVENT)
#undef PAIRPORT_SAME_EVENT
static_assert(PAIRPORT_TLS_1_2 == static_cast<int>(TlsVersion::kTls12));
static_assert(PAIRPORT_TLS_1_3 == static_cast<int>(TlsVersion::kTls13));

// The store of a program in C, which knows a waiter as an opaque pointer.
class CallersStore final : public StoreClient {
 public:
  explicit CallersStore(const pairport_server_options& options) noexcept
      : start_(options.store_start), cancel_(options.store_cancel), user_(options.store_user) {}

  bool start(const StoreOperation& operation, Waiter& waiter) noexcept override {
    pairport_pending pending{};
    pending.size = sizeof(pending);
    Pending asked;
    asked.kind = Pending::Kind::kStore;
    asked.operation = operation;
    write_pending(asked, &pending);
    return start_(user_, &pending, reinterpret_cast<pairport_waiter*>(&waiter)) != 0;
  }
  void cancel(Waiter& waiter) noexcept override { cancel_(user_, reinterpret_cast<pairport_waiter*>(&waiter)); }

 private:
  pairport_store_start start_;
  pairport_store_cancel cancel_;
  void* user_;
};

// The sizes of the structures in their first version. They never change; see render/c/handles.h.
constexpr std::size_t kFirstOptions =
    offsetof(pairport_server_options, event_user) + sizeof(pairport_server_options::event_user);
constexpr std::size_t kFirstListenOptions =
    offsetof(pairport_listen_options, redirect_to_https) + sizeof(pairport_listen_options::redirect_to_https);
constexpr std::size_t kFirstStats =
    offsetof(pairport_server_stats, handshakes_dropped) + sizeof(pairport_server_stats::handshakes_dropped);
constexpr std::size_t kFirstAdoptOptions =
    offsetof(pairport_adopt_options, address) + sizeof(pairport_adopt_options::address);
static_assert(PAIRPORT_MAX_INITIAL == Connection::kMaxInput);
constexpr std::size_t kMostLanes = 64;
constexpr unsigned kMostPermissions = 0777;

// Calls `use(member of the C structure, member of ServerOptions)` for each number and time.
template <typename C, typename Use>
void for_each_limit(C& c, ServerOptions& options, Use&& use) {
  for (const ServerOptionRule& row : server_option_rules()) {
#define PAIRPORT_USE(limit)                                                  \
  if (row.name == #limit) {                                                  \
    using Value = std::remove_cvref_t<decltype(c.limit)>;                    \
    use(c.limit, std::get<Value& (*)(ServerOptions&)>(row.member)(options)); \
  }
    PAIRPORT_SERVER_LIMITS(PAIRPORT_USE)
#undef PAIRPORT_USE
  }
}

// May throw std::bad_alloc.
pairport_server_options default_options() {
  ServerOptions defaults;
  pairport_server_options options{};
  options.size = sizeof(options);
  for_each_limit(options, defaults, [](auto& c, const auto& cpp) { c = cpp; });
  const TlsOptions tls;
  options.min_tls_version = static_cast<int>(tls.min_version);
  options.ticket_lifetime = tls.ticket_lifetime;
  options.handshake_lanes = tls.lanes;
  options.handshake_timeout = tls.handshake_timeout;
  return options;
}

// May throw std::bad_alloc.
Status convert(const pairport_server_options& from, ServerOptions& to) {
  for_each_limit(from, to, [](const auto& c, auto& cpp) { cpp = c; });
  to.batch_handshakes = from.batch_handshakes != 0;
  if (from.send_hsts != 0) to.hsts_seconds = from.hsts_seconds;
  if (Status status = check_options(to); !status.ok()) return status;
  if (!is_timeout(from.handshake_timeout)) {
    return {StatusCode::kInvalidArgument, "handshake_timeout: expected " + std::string(kTimeoutExpected)};
  }
  if ((from.store_start == nullptr) != (from.store_cancel == nullptr)) {
    return {StatusCode::kInvalidArgument, "store_start and store_cancel: expected both, or neither"};
  }
  if (!is_string(from.package_folder)) {
    return {StatusCode::kInvalidArgument, "an option is a NULL pointer with a length"};
  }
  to.package_folder = view(from.package_folder);
  if (Status status = add_trusted_proxies(from, to.trusted_proxies); !status.ok()) return status;
  if (from.on_event != nullptr) {
    to.on_event = [callback = from.on_event, user = from.event_user](Event event, int detail) {
      callback(user, static_cast<int>(event), detail);
    };
  }
  return StatusCode::kOk;
}

// Reads `count` certificates and hands them to new handshakes. May throw std::bad_alloc.
Status use_certificates(TlsContext& tls, const pairport_certificate* certificates, std::size_t count) {
  std::vector<TlsCertificate> views;
  for (const pairport_certificate& given : std::span(certificates, count)) {
    if (!is_string(given.name) || !is_string(given.chain) || !is_string(given.key)) {
      return {StatusCode::kInvalidArgument, "a certificate is a NULL pointer with a length"};
    }
    views.push_back({view(given.name), view(given.chain), view(given.key)});
  }
  auto loaded = tls.load(views);
  if (!loaded.ok()) return loaded.status();
  tls.use(std::move(loaded).value());
  return StatusCode::kOk;
}

// Null when there are no certificates. May throw std::bad_alloc.
Result<std::unique_ptr<TlsContext>> create_tls(const pairport_server_options& from, pairport_service& service) {
  if (from.certificates == nullptr && from.certificate_count != 0) {
    return Status(StatusCode::kInvalidArgument, "certificates is NULL, but certificate_count is not 0");
  }
  if (from.certificate_count == 0) return std::unique_ptr<TlsContext>();
  if (from.min_tls_version < PAIRPORT_TLS_1_2 || from.min_tls_version > PAIRPORT_TLS_1_3 || from.handshake_lanes == 0 ||
      from.handshake_lanes > kMostLanes) {
    return Status(StatusCode::kInvalidArgument, "min_tls_version is unknown, or handshake_lanes not between 1 and 64");
  }
  TlsOptions options;
  options.min_version = static_cast<TlsVersion>(from.min_tls_version);
  options.lanes = from.handshake_lanes;
  options.handshake_timeout = from.handshake_timeout;
  options.linger_timeout = from.linger_timeout;
  options.ticket_lifetime = from.ticket_lifetime;
  auto created = TlsContext::create(options, random_of(service), service_of(service).minimum_level());
  if (!created.ok()) return created.status();
  if (Status status = use_certificates(*created.value(), from.certificates, from.certificate_count); !status.ok()) {
    return status;
  }
  return std::move(created).value();
}

// False: an unknown size, or invalid permissions. `file` is for a new listener, and may be null.
bool read_listen_options(const pairport_listen_options* given, ListenOptions& options, SocketFile* file) noexcept {
  if (given == nullptr) return true;
  pairport_listen_options known{};
  if (!read_sized(given, kFirstListenOptions, known)) return false;
  options.tls = known.tls != 0;
  options.redirect_to_https = known.redirect_to_https != 0;
  if (known.set_socket_mode != 0 && known.socket_mode > kMostPermissions) return false;
  if (file == nullptr) return true;
  if (known.set_socket_mode != 0) file->mode = known.socket_mode;
  if (known.set_socket_group != 0) file->group = known.socket_group;
  return true;
}

// Whether they say something about a socket file. REQUIRES: read_listen_options() has accepted them
bool sets_socket_file(const pairport_listen_options* given) noexcept {
  pairport_listen_options known{};
  return read_sized(given, kFirstListenOptions, known) && (known.set_socket_mode != 0 || known.set_socket_group != 0);
}

// False: an unknown size, or a null pointer with a length.
bool read_adopt_options(const pairport_adopt_options* given, ListenOptions& options, Handover& handover) noexcept {
  if (given == nullptr) return true;
  pairport_adopt_options known{};
  if (!read_sized(given, kFirstAdoptOptions, known) || !is_string(known.initial)) return false;
  options.tls = known.tls != 0;
  options.redirect_to_https = known.redirect_to_https != 0;
  handover.initial = view(known.initial);
  if (known.address != nullptr) {
    handover.peer.emplace();
    std::memcpy(handover.peer->bytes.data(), known.address, handover.peer->bytes.size());
  }
  return true;
}

}  // namespace
}  // namespace pairport

using pairport::StatusCode;

struct pairport_server {
  // Whether this is the process that attached the server, not a forked child.
  bool is_usable() const noexcept { return !pairport::is_inherited(*service); }

  pairport_service* service = nullptr;  // outlives the server
  // All three outlive the server.
  std::unique_ptr<pairport::CallersObserver> observer;
  std::unique_ptr<pairport::CallersStore> store;
  std::unique_ptr<pairport::TlsContext> tls;
  std::unique_ptr<pairport::Server> server;
  void (*on_stopped)(void* user) = nullptr;
  void* user = nullptr;
  bool stopping = false;
  bool stopped = false;
};

extern "C" {

int pairport_server_options_init(pairport_server_options* options, size_t size) noexcept {
  return pairport::init_options(options, size, pairport::kFirstOptions, pairport::default_options);
}

int pairport_server_attach(uv_loop_s* loop, pairport_service* service, const pairport_server_options* options,
                           pairport_server** server, char* message, size_t message_size) noexcept {
  if (server != nullptr) *server = nullptr;
  if (loop == nullptr || service == nullptr || server == nullptr || pairport::is_inherited(*service)) {
    return pairport::fail(StatusCode::kInvalidArgument,
                          "loop, service and server must not be NULL, nor the service that of a parent process",
                          message, message_size);
  }
  try {
    pairport_server_options known = pairport::default_options();
    if (options != nullptr && !pairport::read_sized(options, pairport::kFirstOptions, known)) {
      return pairport::fail(StatusCode::kInvalidArgument,
                            "the size of the options is not that of any version, or they set what this version does "
                            "not know: call pairport_server_options_init() first, or use the library that the program "
                            "was compiled for",
                            message, message_size);
    }
    pairport::ServerOptions converted;
    if (const pairport::Status status = pairport::convert(known, converted); !status.ok()) {
      return pairport::fail(status, message, message_size);
    }
    std::array<std::uint8_t, sizeof(converted.hash_seed)> seed;
    if (!pairport::random_of(*service).fill(seed)) {
      return pairport::fail(pairport::Status(StatusCode::kRandomFailed), message, message_size);
    }
    std::memcpy(&converted.hash_seed, seed.data(), seed.size());
    auto created = std::make_unique<pairport_server>();
    auto tls = pairport::create_tls(known, *service);
    if (!tls.ok()) return pairport::fail(tls.status(), message, message_size);
    created->service = service;
    created->tls = std::move(tls).value();
    converted.tls = created->tls.get();
    if (known.on_answer != nullptr) {
      created->observer = std::make_unique<pairport::CallersObserver>(known.on_answer, known.answer_user);
      converted.observer = created->observer.get();
    }
    if (known.store_start != nullptr) {
      created->store = std::make_unique<pairport::CallersStore>(known);
      converted.store = created->store.get();
    }
    auto attached = pairport::Server::attach(loop, pairport::service_of(*service), converted);
    if (!attached.ok()) return pairport::fail(attached.status(), message, message_size);
    created->server = std::move(attached).value();
    *server = created.release();
    return pairport::fail(pairport::Status(), message, message_size);
  } catch (...) {
    return pairport::fail(pairport::Status(StatusCode::kOutOfMemory), message, message_size);
  }
}

int pairport_server_listen(pairport_server* server, pairport_string address, const pairport_listen_options* options,
                           char* url, size_t url_size, char* message, size_t message_size) noexcept {
  pairport::copy_text("", url, url_size);
  pairport::ListenOptions converted;
  pairport::SocketFile file;
  if (server == nullptr || !server->is_usable() || !pairport::is_string(address) ||
      !pairport::read_listen_options(options, converted, &file)) {
    return pairport::fail(StatusCode::kInvalidArgument,
                          "server must not be NULL or that of a parent process, nor an address NULL with a length, and "
                          "options have a known size and permissions up to 0777",
                          message, message_size);
  }
  try {
    auto opened = pairport::Listener::open(pairport::view(address), file);
    if (!opened.ok()) return pairport::fail(opened.status(), message, message_size);
    const std::string reached = opened.value().url();
    const pairport::Status status = server->server->listen(std::move(opened).value(), converted);
    if (status.ok()) pairport::copy_text(reached, url, url_size);
    return pairport::fail(status, message, message_size);
  } catch (...) {
    return pairport::fail(pairport::Status(StatusCode::kOutOfMemory), message, message_size);
  }
}

int pairport_server_listen_fd(pairport_server* server, int fd, const pairport_listen_options* options, char* url,
                              size_t url_size, char* message, size_t message_size) noexcept {
  pairport::copy_text("", url, url_size);
  pairport::FileDescriptor given(fd);
  pairport::ListenOptions converted;
  if (server == nullptr || fd < 0 || !server->is_usable() ||
      !pairport::read_listen_options(options, converted, nullptr)) {
    return pairport::fail(StatusCode::kInvalidArgument,
                          "server must not be NULL or that of a parent process, nor fd negative, and options have a "
                          "known size and permissions up to 0777",
                          message, message_size);
  }
  if (pairport::sets_socket_file(options)) {
    return pairport::fail(StatusCode::kInvalidArgument,
                          "socket_mode and socket_group are for socket files that the library makes; who has made this "
                          "socket sets them",
                          message, message_size);
  }
  try {
    auto adopted = pairport::Listener::adopt(given.release());
    if (!adopted.ok()) return pairport::fail(adopted.status(), message, message_size);
    const std::string reached = adopted.value().url();
    const pairport::Status status = server->server->listen(std::move(adopted).value(), converted);
    if (status.ok()) pairport::copy_text(reached, url, url_size);
    return pairport::fail(status, message, message_size);
  } catch (...) {
    return pairport::fail(pairport::Status(StatusCode::kOutOfMemory), message, message_size);
  }
}

int pairport_server_adopt(pairport_server* server, int fd, const pairport_listen_options* options) noexcept {
  pairport::ListenOptions converted;
  if (server == nullptr || fd < 0 || !server->is_usable() ||
      !pairport::read_listen_options(options, converted, nullptr)) {
    if (fd >= 0) ::close(fd);
    return PAIRPORT_INVALID_ARGUMENT;
  }
  try {
    return static_cast<int>(server->server->adopt(fd, converted).code());
  } catch (...) {
    return PAIRPORT_OUT_OF_MEMORY;
  }
}

int pairport_server_adopt_with(pairport_server* server, int fd, const pairport_adopt_options* options, char* message,
                               size_t message_size) noexcept {
  pairport::FileDescriptor given(fd);
  pairport::ListenOptions converted;
  pairport::Handover handover;
  if (server == nullptr || fd < 0 || !server->is_usable() ||
      !pairport::read_adopt_options(options, converted, handover)) {
    return pairport::fail(StatusCode::kInvalidArgument,
                          "server must not be NULL or that of a parent process, nor fd negative, and options have a "
                          "known size and no NULL with a length",
                          message, message_size);
  }
  try {
    return pairport::fail(server->server->adopt(given.release(), converted, handover), message, message_size);
  } catch (...) {
    return pairport::fail(pairport::Status(StatusCode::kOutOfMemory), message, message_size);
  }
}

int pairport_server_use_certificates(pairport_server* server, const pairport_certificate* certificates, size_t count,
                                     char* message, size_t message_size) noexcept {
  if (server == nullptr || !server->is_usable() || server->tls == nullptr || certificates == nullptr || count == 0) {
    return pairport::fail(StatusCode::kInvalidArgument,
                          "server and certificates must not be NULL, and the server must have had certificates",
                          message, message_size);
  }
  try {
    return pairport::fail(pairport::use_certificates(*server->tls, certificates, count), message, message_size);
  } catch (...) {
    return pairport::fail(pairport::Status(StatusCode::kOutOfMemory), message, message_size);
  }
}

size_t pairport_server_connections(const pairport_server* server) noexcept {
  return server == nullptr || server->stopped || !server->is_usable() ? 0 : server->server->connections();
}

int pairport_server_get_stats(const pairport_server* server, pairport_server_stats* stats) noexcept {
  if (server == nullptr || !server->is_usable() || stats == nullptr || stats->size < pairport::kFirstStats) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  pairport_server_stats known{};
  const pairport::ServerCounters& counters = server->server->counters();
#define PAIRPORT_GIVE_COUNTER(member, text) known.member = counters.member;
  PAIRPORT_SERVER_COUNTERS(PAIRPORT_GIVE_COUNTER)
#undef PAIRPORT_GIVE_COUNTER
  pairport::write_sized(known, stats);
  return PAIRPORT_OK;
}

int pairport_waiter_reply(pairport_waiter* waiter, const pairport_reply* reply) noexcept {
  pairport::ReceivedReply received;
  if (waiter == nullptr || !received.read(reply)) return PAIRPORT_INVALID_ARGUMENT;
  reinterpret_cast<pairport::StoreClient::Waiter*>(waiter)->on_reply(received.of_store());
  return PAIRPORT_OK;
}

int pairport_server_stop(pairport_server* server, void (*on_stopped)(void* user), void* user) noexcept {
  if (server == nullptr || server->stopping || !server->is_usable()) return PAIRPORT_INVALID_ARGUMENT;
  server->stopping = true;
  server->on_stopped = on_stopped;
  server->user = user;
  // The capture is one pointer, so std::function does not allocate.
  server->server->stop([server] {
    server->stopped = true;
    // The callback may destroy the server.
    if (server->on_stopped != nullptr) server->on_stopped(server->user);
  });
  return PAIRPORT_OK;
}

int pairport_server_destroy(pairport_server* server) noexcept {
  if (server != nullptr && (!server->stopped || !server->is_usable())) return PAIRPORT_INVALID_ARGUMENT;
  delete server;
  return PAIRPORT_OK;
}

}  // extern "C"

// SPDX-License-Identifier: MIT
// Invariants: every function checks its arguments before anything changes, and no exception leaves one. In a forked
// child nothing of a connection is touched, because its buffers are in secret memory.
#include <pairport/pairport_http.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include <pairport/client_address.h>
#include <pairport/connection.h>
#include <pairport/http.h>
#include <pairport/service.h>
#include <pairport/status.h>

#include "net/c/conversions.h"
#include "net/http1/limit_rules.h"
#include "render/c/interop.h"
#include "render/c/pending.h"

namespace pairport {
namespace {

static_assert(PAIRPORT_TRANSPORT_PLAIN == static_cast<int>(Transport::kPlain));
static_assert(PAIRPORT_TRANSPORT_SECURE == static_cast<int>(Transport::kSecure));
static_assert(PAIRPORT_TRANSPORT_REDIRECTING == static_cast<int>(Transport::kRedirecting));
static_assert(PAIRPORT_MAX_INPUT == Connection::kMaxInput);
static_assert(PAIRPORT_MAX_OUTPUT == Connection::kMaxBatch * (1 + Response::kMaxFragments));
static_assert(PAIRPORT_NO_DEADLINE == Connection::kNoDeadline);

// The size of the structure in its first version. It never changes; see render/c/handles.h.
constexpr std::size_t kFirstOptions =
    offsetof(pairport_connections_options, answer_user) + sizeof(pairport_connections_options::answer_user);

using Rule = LimitRule<ConnectionLimits>;
constexpr auto kRules = LimitRows<Rule, ConnectionLimits>::connection<>();

// Calls `use(member of the C structure, member of ConnectionLimits)` for each number and time.
template <typename C, typename Use>
void for_each_limit(C& c, ConnectionLimits& limits, Use&& use) {
#define PAIRPORT_USE(limit) use(c.limit, limits.limit);
  PAIRPORT_CONNECTION_LIMITS(PAIRPORT_USE)
#undef PAIRPORT_USE
}

pairport_connections_options default_options() noexcept {
  ConnectionLimits defaults;
  pairport_connections_options options{};
  options.size = sizeof(options);
  for_each_limit(options, defaults, [](auto& c, const auto& cpp) { c = cpp; });
  return options;
}

Now time_of(const pairport_now& now) noexcept {
  return {now.monotonic_ms, now.unix_seconds};
}

}  // namespace
}  // namespace pairport

using namespace pairport;  // NOLINT: the functions below belong to C, everything that they call is ours

struct pairport_connections {
  pairport_connections(pairport_service* served, const ConnectionLimits& limits, TrustedProxies proxies,
                       std::unique_ptr<CallersObserver> reporter, std::optional<std::uint64_t> hsts_seconds) noexcept
      : service(served),
        observer(std::move(reporter)),
        context(service_of(*served), limits, std::move(proxies), observer.get(), hsts_seconds) {}

  pairport_service* service;                  // outlives the context
  std::unique_ptr<CallersObserver> observer;  // null: none
  ConnectionContext context;
  std::size_t count = 0;  // of connections
};

struct pairport_connection {
  pairport_connection(pairport_connections* all, const ClientAddress& peer, const Now& now,
                      Transport transport) noexcept
      : owner(all), connection(all->context, peer, now, transport) {
    ++owner->count;
  }
  ~pairport_connection() { --owner->count; }
  pairport_connection(const pairport_connection&) = delete;
  pairport_connection& operator=(const pairport_connection&) = delete;

  pairport_connections* owner;
  Connection connection;
};

namespace {

// Whether it was created by this process, not by its parent.
bool is_usable(const pairport_connections* connections) noexcept {
  return connections != nullptr && !is_inherited(*connections->service);
}
bool is_usable(const pairport_connection* connection) noexcept {
  return connection != nullptr && is_usable(connection->owner);
}
bool is_usable(const pairport_connection* connection, const pairport_now* now) noexcept {
  return is_usable(connection) && now != nullptr;
}

}  // namespace

extern "C" {

int pairport_connections_options_init(pairport_connections_options* options, size_t size) noexcept {
  return init_options(
      options, size, kFirstOptions, +[] { return default_options(); });
}

int pairport_connections_create(pairport_service* service, const pairport_connections_options* options,
                                pairport_connections** connections, char* message, size_t message_size) noexcept {
  if (connections != nullptr) *connections = nullptr;
  if (service == nullptr || connections == nullptr || is_inherited(*service)) {
    return fail(StatusCode::kInvalidArgument,
                "service and connections must not be NULL, nor the service that of a parent process", message,
                message_size);
  }
  try {
    pairport_connections_options known = default_options();
    if (options != nullptr && !read_sized(options, kFirstOptions, known)) {
      return fail(StatusCode::kInvalidArgument,
                  "the size of the options is not that of any version, or they set what this version does not know: "
                  "call pairport_connections_options_init() first, or use the library that the program was compiled "
                  "for",
                  message, message_size);
    }
    ConnectionLimits limits;
    for_each_limit(known, limits, [](const auto& c, auto& cpp) { cpp = c; });
    if (const Status status = check_rules(std::span<const Rule>(kRules), limits); !status.ok()) {
      return fail(status, message, message_size);
    }
    TrustedProxies proxies;
    if (const Status status = add_trusted_proxies(known, proxies); !status.ok()) {
      return fail(status, message, message_size);
    }
    std::unique_ptr<CallersObserver> observer;
    if (known.on_answer != nullptr) {
      observer = std::make_unique<CallersObserver>(known.on_answer, known.answer_user);
    }
    std::optional<std::uint64_t> hsts_seconds;
    if (known.send_hsts != 0) hsts_seconds = known.hsts_seconds;
    *connections =
        std::make_unique<pairport_connections>(service, limits, std::move(proxies), std::move(observer), hsts_seconds)
            .release();
    return fail(Status(), message, message_size);
  } catch (...) {
    return fail(Status(StatusCode::kOutOfMemory), message, message_size);
  }
}

int pairport_connections_destroy(pairport_connections* connections) noexcept {
  if (connections != nullptr && (!is_usable(connections) || connections->count != 0)) return PAIRPORT_INVALID_ARGUMENT;
  delete connections;
  return PAIRPORT_OK;
}

int pairport_connections_saw_untrusted_proxy(const pairport_connections* connections) noexcept {
  return is_usable(connections) && connections->context.has_seen_untrusted_proxy() ? 1 : 0;
}

int pairport_connection_create(pairport_connections* connections, const uint8_t address[16], int transport,
                               const pairport_now* now, pairport_connection** connection) noexcept {
  if (connection != nullptr) *connection = nullptr;
  if (!is_usable(connections) || now == nullptr || connection == nullptr || transport < PAIRPORT_TRANSPORT_PLAIN ||
      transport > PAIRPORT_TRANSPORT_REDIRECTING) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  if (transport == PAIRPORT_TRANSPORT_REDIRECTING && !service_of(*connections->service).url().starts_with("https://")) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  ClientAddress peer;
  if (address != nullptr) std::memcpy(peer.bytes.data(), address, peer.bytes.size());
  std::unique_ptr<pairport_connection> created(
      new (std::nothrow) pairport_connection(connections, peer, time_of(*now), static_cast<Transport>(transport)));
  // Without memory for its parser a connection is closed from the start.
  if (created == nullptr || created->connection.wants_close()) return PAIRPORT_OUT_OF_MEMORY;
  *connection = created.release();
  return PAIRPORT_OK;
}

void pairport_connection_destroy(pairport_connection* connection) noexcept {
  if (is_usable(connection)) delete connection;
}

int pairport_connection_start(pairport_connection* connection, const pairport_now* now) noexcept {
  if (!is_usable(connection, now)) return PAIRPORT_INVALID_ARGUMENT;
  connection->connection.start(time_of(*now));
  return PAIRPORT_OK;
}

unsigned pairport_connection_wants(const pairport_connection* connection) noexcept {
  if (!is_usable(connection)) return 0;
  const Connection& it = connection->connection;
  const auto bit = [](bool is_set, unsigned value) { return is_set ? value : 0U; };
  return bit(it.wants_input(), PAIRPORT_WANTS_INPUT) | bit(it.wants_shutdown(), PAIRPORT_WANTS_SHUTDOWN) |
         bit(it.wants_close(), PAIRPORT_WANTS_CLOSE) | bit(it.pending_id() != 0, PAIRPORT_WANTS_REPLY) |
         bit(it.wants_data().size != 0, PAIRPORT_WANTS_DATA) |
         bit(it.closes_after_output(), PAIRPORT_CLOSES_AFTER_OUTPUT) |
         bit(it.waits_for_request(), PAIRPORT_WAITS_FOR_REQUEST) | bit(it.is_cut_short(), PAIRPORT_WOULD_CUT_ANSWER);
}

int pairport_connection_on_input(pairport_connection* connection, pairport_string input,
                                 const pairport_now* now) noexcept {
  if (!is_usable(connection, now) || !is_string(input) || input.size > PAIRPORT_MAX_INPUT ||
      !connection->connection.wants_input()) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  connection->connection.on_input(view(input), time_of(*now));
  return PAIRPORT_OK;
}

int pairport_connection_on_input_end(pairport_connection* connection, const pairport_now* now) noexcept {
  if (!is_usable(connection, now)) return PAIRPORT_INVALID_ARGUMENT;
  connection->connection.on_input_end(time_of(*now));
  return PAIRPORT_OK;
}

size_t pairport_connection_output(const pairport_connection* connection, pairport_string* fragments,
                                  size_t capacity) noexcept {
  if (!is_usable(connection) || fragments == nullptr) return 0;
  const auto output = connection->connection.output();
  const std::size_t count = std::min(capacity, output.size());
  for (std::size_t i = 0; i < count; ++i) fragments[i] = {output[i].data, output[i].size};
  return count;
}

int pairport_connection_on_output(pairport_connection* connection, size_t sent, const pairport_now* now) noexcept {
  if (!is_usable(connection, now)) return PAIRPORT_INVALID_ARGUMENT;
  std::size_t offered = 0;
  for (const Fragment& fragment : connection->connection.output()) offered += fragment.size;
  if (sent > offered) return PAIRPORT_INVALID_ARGUMENT;
  connection->connection.on_output(sent, time_of(*now));
  return PAIRPORT_OK;
}

int pairport_connection_on_progress(pairport_connection* connection, const pairport_now* now) noexcept {
  if (!is_usable(connection, now)) return PAIRPORT_INVALID_ARGUMENT;
  connection->connection.on_progress(time_of(*now));
  return PAIRPORT_OK;
}

uint64_t pairport_connection_deadline(const pairport_connection* connection) noexcept {
  return is_usable(connection) ? connection->connection.deadline() : PAIRPORT_NO_DEADLINE;
}

int pairport_connection_on_deadline(pairport_connection* connection, const pairport_now* now) noexcept {
  if (!is_usable(connection, now)) return PAIRPORT_INVALID_ARGUMENT;
  connection->connection.on_deadline(time_of(*now));
  return PAIRPORT_OK;
}

int pairport_connection_finish(pairport_connection* connection) noexcept {
  if (!is_usable(connection)) return PAIRPORT_INVALID_ARGUMENT;
  connection->connection.finish();
  return PAIRPORT_OK;
}

int pairport_connection_pending(const pairport_connection* connection, pairport_pending* pending,
                                uint32_t* id) noexcept {
  if (!is_usable(connection) || id == nullptr || !write_pending(connection->connection.pending(), pending)) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  *id = connection->connection.pending_id();
  return PAIRPORT_OK;
}

int pairport_connection_resume(pairport_connection* connection, uint32_t id, const pairport_reply* reply,
                               const pairport_now* now) noexcept {
  ReceivedReply received;
  if (!is_usable(connection, now) || !received.read(reply)) return PAIRPORT_INVALID_ARGUMENT;
  Connection& it = connection->connection;
  return it.resume(id, received.meaning_for(it.pending()), time_of(*now)) ? PAIRPORT_OK : PAIRPORT_NOT_FOUND;
}

void pairport_connection_file_range(const pairport_connection* connection, uint64_t* offset, uint64_t* size) noexcept {
  const FileRange range = is_usable(connection) ? connection->connection.wants_data() : FileRange{};
  if (offset != nullptr) *offset = range.offset;
  if (size != nullptr) *size = range.size;
}

int pairport_connection_on_data(pairport_connection* connection, pairport_string data,
                                const pairport_now* now) noexcept {
  if (!is_usable(connection, now) || !is_string(data)) return PAIRPORT_INVALID_ARGUMENT;
  const std::uint64_t wanted = connection->connection.wants_data().size;
  if (wanted == 0 || data.size > wanted) return PAIRPORT_INVALID_ARGUMENT;
  connection->connection.on_data(view(data), time_of(*now));
  return PAIRPORT_OK;
}

}  // extern "C"

// SPDX-License-Identifier: MIT
// Counters and events as plain data. The rooms above fill them; statistics, logs and metrics read them.
#ifndef PAIRPORT_COUNTERS_H_
#define PAIRPORT_COUNTERS_H_

#include <cstdint>

namespace pairport {

// What a service counts since Service::create(), as X(member, what it counts).
#define PAIRPORT_SERVICE_COUNTERS(X)                                           \
  X(deposits_made, "deposits that were stored")                                \
  X(deposits_refused, "deposits that found no room, memory or store: 503")     \
  X(deposits_limited, "deposits beyond the limit of a client or network: 429") \
  X(deposits_revoked, "deposits that their owner took back")                   \
  X(look_ups_answered, "installers that were handed out, HEAD included")       \
  X(look_ups_limited, "look-ups beyond the limit of a client or network: 429") \
  X(look_ups_failed, "look-ups whose store could not be asked: 503")           \
  X(misses, "look-ups of codes that do not exist, of all clients together")    \
  X(store_failures, "deposits and look-ups whose store could not be asked: 503")

struct ServiceCounters {
#define PAIRPORT_COUNTER(member, text) std::uint64_t member = 0;
  PAIRPORT_SERVICE_COUNTERS(PAIRPORT_COUNTER)
#undef PAIRPORT_COUNTER
};

// What a server counts since Server::attach(), in the same form.
#define PAIRPORT_SERVER_COUNTERS(X)                                                                              \
  X(connections_accepted, "connections that were accepted or adopted, refused ones included")                    \
  X(addresses_limited, "connections that were refused because of max_connections_per_address")                   \
  X(connections_limited, "connections that were closed for another one, or refused, because of max_connections") \
  X(handshakes_dropped, "connections that were closed because of max_handshakes")

struct ServerCounters {
#define PAIRPORT_COUNTER(member, text) std::uint64_t member = 0;
  PAIRPORT_SERVER_COUNTERS(PAIRPORT_COUNTER)
#undef PAIRPORT_COUNTER
};

// Conditions that an operator should know about and that no answer shows. Numbers never change: the C interface passes
// them as they are. X(enumerator, constant of the C interface, number). Each has a detail, an int; unless said
// otherwise it is 0.
#define PAIRPORT_EVENT_TABLE(X)                                                                                   \
  /* The store has no room or memory for more. */                                                                 \
  X(kDepositsRefused, PAIRPORT_EVENT_DEPOSITS_REFUSED, 0)                                                         \
  /* No descriptor or memory for a new connection; detail: errno. */                                              \
  X(kAcceptPaused, PAIRPORT_EVENT_ACCEPT_PAUSED, 1)                                                               \
  /* Memory for credentials is protected less than before: see StoreStats::level. */                              \
  X(kMemoryFell, PAIRPORT_EVENT_MEMORY_FELL, 2)                                                                   \
  /* More TLS handshakes wait than max_handshakes: the oldest one of the client with most of them is closed. */   \
  X(kHandshakesDropped, PAIRPORT_EVENT_HANDSHAKES_DROPPED, 3)                                                     \
  /* Requests were answered with 429; detail: how many since the last such event. */                              \
  X(kDepositsLimited, PAIRPORT_EVENT_DEPOSITS_LIMITED, 4)                                                         \
  X(kLookUpsLimited, PAIRPORT_EVENT_LOOK_UPS_LIMITED, 5)                                                          \
  /* X-Forwarded-For has come from a peer that is no trusted proxy. Reported once. */                             \
  X(kUntrustedProxy, PAIRPORT_EVENT_UNTRUSTED_PROXY, 6)                                                           \
  /* Look-ups of codes that do not exist, of all clients together; detail: how many since the last such event. */ \
  X(kMisses, PAIRPORT_EVENT_MISSES, 7)                                                                            \
  /* Connections beyond max_connections_per_address were refused; detail: as above. */                            \
  X(kAddressesLimited, PAIRPORT_EVENT_ADDRESSES_LIMITED, 8)                                                       \
  /* Connections were closed to stay within max_connections, or refused; detail: as above. */                     \
  X(kConnectionsLimited, PAIRPORT_EVENT_CONNECTIONS_LIMITED, 9)                                                   \
  /* Requests got 503 because the store could not be asked or did not answer in time; detail: as above. */        \
  X(kStoreFailed, PAIRPORT_EVENT_STORE_FAILED, 10)

enum class Event : int {
#define PAIRPORT_EVENT(name, c_name, number) name = number,
  PAIRPORT_EVENT_TABLE(PAIRPORT_EVENT)
#undef PAIRPORT_EVENT
};

inline constexpr int kEventCount = 0
#define PAIRPORT_EVENT(name, c_name, number) +1
    PAIRPORT_EVENT_TABLE(PAIRPORT_EVENT)
#undef PAIRPORT_EVENT
    ;

}  // namespace pairport

#endif  // PAIRPORT_COUNTERS_H_

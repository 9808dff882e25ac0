/* SPDX-License-Identifier: MIT
 * pairport on a libuv loop, in C: serves a pairport_service on a loop that somebody else runs. C11 and C++; needs no
 * header of libuv. What pairport.h says of errors, strings, structures with a size and secrets holds here, too.
 *
 * The loop stays the caller's: nothing here runs, stops or closes it. While a server listens, or has connections, it
 * keeps the loop alive.
 *
 * Lifetimes: loop and service outlive the server. A server goes in two steps: pairport_server_stop() closes what it has
 * in the loop and calls back from there; pairport_server_destroy() frees it, in that call or later. Then the service
 * may be destroyed, or served again.
 *
 * Forked children: as pairport.h says; PAIRPORT_INVALID_ARGUMENT, or 0 connections.
 *
 * Threads: every function is called on the loop's thread, and none but pairport_server_destroy() from a callback of
 * this header; callbacks are called on it.
 *
 * REQUIRES: the process ignores SIGPIPE, as every user of libuv must: it writes with writev(2), and a peer that
 * vanishes would end the process. A library does not change signal handling behind its user's back.
 */
#ifndef PAIRPORT_PAIRPORT_UV_H_
#define PAIRPORT_PAIRPORT_UV_H_

#include <stddef.h>
#include <stdint.h>

#include <pairport/export.h>
#include <pairport/pairport.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* libuv's uv_loop_t */

/* What an operator should know and no answer shows. */
enum {
  PAIRPORT_EVENT_DEPOSITS_REFUSED = 0,   /* there is no room for more */
  PAIRPORT_EVENT_ACCEPT_PAUSED = 1,      /* no descriptor or memory for a new connection; `detail` is the errno */
  PAIRPORT_EVENT_MEMORY_FELL = 2,        /* credentials are protected less than before: see pairport_service_stats() */
  PAIRPORT_EVENT_HANDSHAKES_DROPPED = 3, /* too many clients wait for a handshake of TLS; some were closed */
  PAIRPORT_EVENT_DEPOSITS_LIMITED = 4,   /* deposits got 429; `detail`: how many since this was told last */
  PAIRPORT_EVENT_LOOK_UPS_LIMITED = 5,   /* the same for look-ups */
  PAIRPORT_EVENT_UNTRUSTED_PROXY = 6,    /* X-Forwarded-For from a peer that is no trusted proxy; told once */
  PAIRPORT_EVENT_MISSES = 7,             /* look-ups of codes that do not exist; `detail`: how many since told last */
  PAIRPORT_EVENT_ADDRESSES_LIMITED = 8,  /* refused beyond max_connections_per_address; `detail`: how many since then */
  PAIRPORT_EVENT_CONNECTIONS_LIMITED = 9 /* closed to make room within max_connections, or refused; `detail`: as 8 */
};

/* Told of an event, of each at most once a minute. */
typedef void (*pairport_event_callback)(void* user, int event, int detail);

/* One answer, for an access log. Holds nothing that a client has sent but its method and address. */
typedef struct pairport_answer {
  size_t size;          /* of this structure, as the library knows it */
  const char* route;    /* as of pairport_response_route() */
  int method;           /* PAIRPORT_METHOD_... */
  int status;           /* 200, 404, ... */
  int complete;         /* nonzero: all of it was sent */
  uint32_t code_hash;   /* as of pairport_response_code_hash() */
  uint64_t bytes;       /* sent, head included */
  uint64_t duration_ms; /* from the complete request to the last byte sent */
  uint8_t address[16];  /* the client's, behind trusted proxies; as in pairport_request */
} pairport_answer;

/* Told of each answer, when it has been sent or its connection has ended. `answer` is valid during the call. */
typedef void (*pairport_answer_callback)(void* user, const pairport_answer* answer);

/* A certificate with the chain that leads to its issuer, the leaf first, and the private key of the leaf; both PEM.
 * `name` is what messages call it, such as its file. */
typedef struct pairport_certificate {
  pairport_string name;
  pairport_string chain;
  pairport_string key;
} pairport_certificate;

enum { PAIRPORT_TLS_1_2 = 0, PAIRPORT_TLS_1_3 = 1 };

/* Every setting of a server. To be filled by pairport_server_options_init() first. Times are milliseconds, from 1 to
 * those of a day. A configuration file of the program takes the same values. */
typedef struct pairport_server_options {
  size_t size;

  /* Sizes of a request. They can be lowered to 1024, 8 and 1024, but not raised: buffers have these sizes. */
  size_t max_head_bytes; /* beyond it 431 */
  size_t max_headers;    /* beyond it 431 */
  size_t max_body_bytes; /* beyond it 413 */

  uint64_t head_timeout;         /* from the first byte, or the start of the connection, to the end of the head */
  uint64_t body_timeout;         /* from the end of the head to the end of the body; 408 also when after 5 seconds */
                                 /* the body is behind min_bytes_per_second */
  uint64_t idle_timeout;         /* between two requests */
  uint64_t answer_timeout;       /* an answer may take this long and, on top, ... */
  uint64_t min_bytes_per_second; /* ... as long as its bytes take at this rate; 1 to 1e9. Who takes nothing for ... */
                                 /* ... answer_timeout is cut off, too */
  uint64_t linger_timeout;       /* for the peer's end, after an answer to a request that was not read to its end */
  uint64_t drain_timeout;        /* for answers that are under way when the server is stopped */

  /* Connections, up to a million. Beyond it one of the client (IPv4 address, IPv6 /48 network) that holds most makes
   * room, so that a client without a connection always gets one. */
  size_t max_connections;
  /* The same for one client (an IPv4 address, an IPv6 /64 network); 0: no limit. Peers on Unix sockets and trusted
   * proxies are not counted. */
  uint32_t max_connections_per_address;

  /* For listeners with TLS; read during the call only. None: there are none. The first one is for clients that name no
   * server, or one that no certificate has. Handshakes are computed in libuv's thread pool, at most handshake_lanes at
   * a time; the pool should have more threads than that, because files are read there, too. pairport_options.random is
   * then called from these threads. */
  const pairport_certificate* certificates;
  size_t certificate_count;
  int min_tls_version;      /* PAIRPORT_TLS_1_3 only where mbedTLS has it: 3.6 has, 2.28 has not */
  uint32_t ticket_lifetime; /* seconds for which a session can be resumed; 0: it cannot */
  size_t handshake_lanes;   /* 1 to 64 */
  size_t max_handshakes;    /* that wait to begin, up to a million; 0: as many as max_connections */
  /* Nonzero: the threads of the pool that compute handshakes ask for SCHED_BATCH (sched(7)), once and for good: when
   * they are woken they preempt nobody, so that the loop goes on. For a process whose pool does nothing urgent. */
  int batch_handshakes;
  uint64_t handshake_timeout; /* from the start of the connection to the end of the handshake */

  /* Nonzero: hsts_seconds is sent as Strict-Transport-Security on encrypted connections. */
  int send_hsts;
  uint64_t hsts_seconds;

  /* Proxies whose X-Forwarded-For is believed: addresses, networks ("10.0.0.0/8"), or "unix" for every peer on a Unix
   * socket. */
  const pairport_string* trusted_proxies;
  size_t trusted_proxy_count;

  /* Folder whose regular files are served under /packages/; empty: none. Goes with pairport_options.serve_packages. */
  pairport_string package_folder;

  pairport_answer_callback on_answer; /* may be NULL */
  void* answer_user;
  pairport_event_callback on_event; /* may be NULL */
  void* event_user;
} pairport_server_options;

/* The numbers and times among them, as X(member), whose names are those in messages and in [limits] of a configuration
 * file. */
#define PAIRPORT_SERVER_LIMITS(X) \
  X(max_connections)              \
  X(max_connections_per_address)  \
  X(max_head_bytes)               \
  X(max_headers)                  \
  X(max_body_bytes)               \
  X(head_timeout)                 \
  X(body_timeout)                 \
  X(idle_timeout)                 \
  X(answer_timeout)               \
  X(min_bytes_per_second)         \
  X(linger_timeout)               \
  X(drain_timeout)                \
  X(max_handshakes)

/* Writes the defaults to `options`, whose `size` bytes are sizeof(pairport_server_options) of the caller.
 * PAIRPORT_INVALID_ARGUMENT: NULL, or a size that no version has had; PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_server_options_init(pairport_server_options* options, size_t size) PAIRPORT_NOEXCEPT;

/* A server on a loop. */
typedef struct pairport_server pairport_server;

/* Puts a server on `loop`; it serves nothing yet. `options` may be NULL: the defaults; they are copied. On success
 * *server is the caller's, to be stopped and destroyed; on failure it is NULL, nothing is left in the loop, and what is
 * wrong is written to `message` (with a NUL, cut to message_size; may be NULL with 0). PAIRPORT_INVALID_ARGUMENT,
 * PAIRPORT_OUT_OF_MEMORY, PAIRPORT_MEMORY_NOT_LOCKED, PAIRPORT_RANDOM_FAILED. */
PAIRPORT_EXPORT int pairport_server_attach(struct uv_loop_s* loop, pairport_service* service,
                                           const pairport_server_options* options, pairport_server** server,
                                           char* message, size_t message_size) PAIRPORT_NOEXCEPT;

/* What becomes of the connections of a listener, or of one that is adopted. All zero but for its size: the defaults. */
typedef struct pairport_listen_options {
  size_t size;
  /* Nonzero: speak TLS, with the certificates of the server. */
  int tls;
  /* Nonzero: serve nothing, because everything crosses the network in clear: GET and HEAD are sent to the service's URL
   * (308), which must be https; deposits are refused (403). */
  int redirect_to_https;
  /* Nonzero: a new file of a Unix socket has socket_mode as its permissions (chmod(2)), up to 0777; else 0666. A client
   * needs the right to write the file, and the right to enter its folder. */
  int set_socket_mode;
  unsigned socket_mode;
  /* Nonzero: it belongs to the group with the number socket_group, of which the process is a member. */
  int set_socket_group;
  unsigned socket_group;
} pairport_listen_options;

/* Accepts connections on `address`: "host:port", "[IPv6]:port", ":port" (all interfaces) or "unix:/path"; port 0 lets
 * the kernel choose. May be called for several. `options` may be NULL. Resolves host names, so it may block. Writes
 * "http://host:port" with the port that it got, or "unix:/path", to `url` (with a NUL, cut to url_size; may be NULL
 * with 0). PAIRPORT_INVALID_ARGUMENT, PAIRPORT_SYSTEM (cannot be bound, or the server is stopping),
 * PAIRPORT_OUT_OF_MEMORY: nothing has changed, and `message` says why. */
PAIRPORT_EXPORT int pairport_server_listen(pairport_server* server, pairport_string address,
                                           const pairport_listen_options* options, char* url, size_t url_size,
                                           char* message, size_t message_size) PAIRPORT_NOEXCEPT;

/* Serves a connected stream socket (TCP or Unix) that somebody else has accepted. `fd` is the library's from here on,
 * whatever the result: on every failure it is closed, so the caller never closes it. `options` may be NULL.
 * PAIRPORT_INVALID_ARGUMENT, PAIRPORT_SYSTEM (no such socket, the server is full or stopping),
 * PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_server_adopt(pairport_server* server, int fd,
                                          const pairport_listen_options* options) PAIRPORT_NOEXCEPT;

/* Handshakes that begin from here on use these certificates, for which the server must have had some at first; checking
 * them takes milliseconds. On failure those before stay in use, and `message` says which one is wrong and why, without
 * any part of a key. PAIRPORT_INVALID_ARGUMENT, PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_server_use_certificates(pairport_server* server, const pairport_certificate* certificates,
                                                     size_t count, char* message,
                                                     size_t message_size) PAIRPORT_NOEXCEPT;

/* Open connections. */
PAIRPORT_EXPORT size_t pairport_server_connections(const pairport_server* server) PAIRPORT_NOEXCEPT;

/* Stops listening, lets answers that are under way finish (at most drain_timeout), closes everything and then calls
 * `on_stopped` (may be NULL) once, from the loop. Nothing of the server is in the loop then. PAIRPORT_INVALID_ARGUMENT:
 * NULL, or stopped before, and `on_stopped` is not called. */
PAIRPORT_EXPORT int pairport_server_stop(pairport_server* server, void (*on_stopped)(void* user),
                                         void* user) PAIRPORT_NOEXCEPT;

/* Frees a server that has stopped; NULL is fine. PAIRPORT_INVALID_ARGUMENT: it has not stopped, and lives on. */
PAIRPORT_EXPORT int pairport_server_destroy(pairport_server* server) PAIRPORT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* PAIRPORT_PAIRPORT_UV_H_ */

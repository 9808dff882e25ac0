/* SPDX-License-Identifier: MIT
 * pairport on a libuv loop, in C: serves a pairport_service on a loop that the caller runs. C11 and C++; needs no
 * header of libuv. The rules of pairport.h for errors, strings, structures with a size and secrets apply here, too.
 *
 * The caller owns the loop: the library never runs, stops or closes it. A server keeps the loop alive while it listens
 * or has connections.
 *
 * Lifetimes: loop and service outlive the server. A server ends in two steps. pairport_server_stop() closes its handles
 * in the loop, and calls back from the loop when they are closed. pairport_server_destroy() frees the server, in that
 * callback or later. After that you may destroy the service or serve it again.
 *
 * Time: a server uses CLOCK_BOOTTIME and the time of day. Use them, too, for what you call for its service. It calls
 * pairport_service_expire() itself.
 *
 * Forked children: as in pairport.h; functions fail with PAIRPORT_INVALID_ARGUMENT, or give 0 connections.
 *
 * Threads: call every function on the loop's thread. Callbacks of this header run on that thread, too; from them call
 * no function but pairport_server_destroy().
 *
 * REQUIRES: the process ignores SIGPIPE, as every program with libuv must. libuv writes with writev(2), so otherwise a
 * peer that disconnects ends the process. The library does not change signal handling by itself.
 */
#ifndef PAIRPORT_PAIRPORT_UV_H_
#define PAIRPORT_PAIRPORT_UV_H_

#include <stddef.h>
#include <stdint.h>

#include <pairport/export.h>
#include <pairport/pairport.h>
#include <pairport/pairport_deposits.h>
#include <pairport/pairport_http.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* libuv's uv_loop_t */

/* Conditions that an operator should know about and that no answer shows. */
enum {
  PAIRPORT_EVENT_DEPOSITS_REFUSED = 0,    /* the store has no room or memory for more */
  PAIRPORT_EVENT_ACCEPT_PAUSED = 1,       /* no descriptor or memory for a new connection; `detail` is the errno */
  PAIRPORT_EVENT_MEMORY_FELL = 2,         /* memory for credentials is protected less: see pairport_service_stats() */
  PAIRPORT_EVENT_HANDSHAKES_DROPPED = 3,  /* too many connections waited for a TLS handshake; some were closed */
  PAIRPORT_EVENT_DEPOSITS_LIMITED = 4,    /* deposits got 429; `detail`: how many since the last such event */
  PAIRPORT_EVENT_LOOK_UPS_LIMITED = 5,    /* the same for look-ups */
  PAIRPORT_EVENT_UNTRUSTED_PROXY = 6,     /* X-Forwarded-For from a peer that is no trusted proxy; only once */
  PAIRPORT_EVENT_MISSES = 7,              /* look-ups of codes that do not exist; `detail`: how many since the last */
  PAIRPORT_EVENT_ADDRESSES_LIMITED = 8,   /* refused beyond max_connections_per_address; `detail`: how many since */
  PAIRPORT_EVENT_CONNECTIONS_LIMITED = 9, /* closed to stay within max_connections, or refused; `detail`: as for 8 */
  PAIRPORT_EVENT_STORE_FAILED = 10 /* got 503, because the store could not be asked in time; `detail`: as for 8 */
};

/* Called with an event, each at most once a minute. */
typedef void (*pairport_event_callback)(void* user, int event, int detail);

/* Whoever waits for a store's answer to one operation. */
typedef struct pairport_waiter pairport_waiter;

/* Begins an operation of a store that is elsewhere: `pending`, whose kind is PAIRPORT_PENDING_STORE. It is a view that
 * is valid during this call; it holds a code and may hold credentials. Call pairport_waiter_reply() with `waiter` once,
 * later, on the loop's thread and never during this call. Zero: the store cannot be asked now; then do nothing with
 * `waiter`, and the request gets 503. The server itself ends the wait after answer_timeout. */
typedef int (*pairport_store_start)(void* user, const pairport_pending* pending, pairport_waiter* waiter);
/* `waiter` no longer wants a reply, and is not valid after this call: its peer has gone, its time is over, or the
 * server stops. The operation may still be carried out. */
typedef void (*pairport_store_cancel)(void* user, pairport_waiter* waiter);

/* Answers the operation for which `waiter` waits; `waiter` is not valid afterwards. `reply` is copied, and the copy
 * wiped. During the call the next operation may begin. In a forked child it does nothing. PAIRPORT_INVALID_ARGUMENT:
 * NULL, or a size that no version has had; `waiter` goes on waiting. */
PAIRPORT_EXPORT int pairport_waiter_reply(pairport_waiter* waiter, const pairport_reply* reply) PAIRPORT_NOEXCEPT;

/* A certificate with the chain that leads to its issuer, the leaf first, and the private key of the leaf; both PEM.
 * Messages call it by `name`, such as its file name. */
typedef struct pairport_certificate {
  pairport_string name;
  pairport_string chain;
  pairport_string key;
} pairport_certificate;

enum { PAIRPORT_TLS_1_2 = 0, PAIRPORT_TLS_1_3 = 1 };

/* Every setting of a server. Call pairport_server_options_init() first to fill it. Times are in milliseconds, from 1 to
 * 86400000 (a day). The configuration file of the program takes the same values. */
typedef struct pairport_server_options {
  size_t size;

  /* Limits of a request. You can lower them to 1024, 8 and 1024, but not raise them: the buffers have the default
   * sizes. */
  size_t max_head_bytes; /* beyond it 431 */
  size_t max_headers;    /* beyond it 431 */
  size_t max_body_bytes; /* beyond it 413 */

  uint64_t head_timeout;         /* from the first byte, or the start of the connection, to the end of the head */
  uint64_t body_timeout;         /* from the end of the head to the end of the body; beyond it 408. After 5 seconds a */
                                 /* body that is slower than min_bytes_per_second gets 408, too */
  uint64_t idle_timeout;         /* between two requests */
  uint64_t answer_timeout;       /* an answer may take this long, plus the time that its bytes take at */
  uint64_t min_bytes_per_second; /* min_bytes_per_second (1 to 1e9). It also ends when the client takes */
                                 /* no byte of it for answer_timeout */
  uint64_t linger_timeout;       /* after an answer to a request that was not read to its end: for the peer to close */
  uint64_t drain_timeout;        /* for unfinished answers when the server is stopped */

  /* Connections, up to a million. Beyond it the server closes a connection of the client (IPv4 address, IPv6 /48
   * network) that holds most, so that a client without a connection always gets one. */
  size_t max_connections;
  /* Connections of one client (an IPv4 address, an IPv6 /64 network); 0: no limit. It does not apply to peers on Unix
   * sockets and to trusted proxies. */
  uint32_t max_connections_per_address;

  /* Certificates for listeners with TLS; none: the server has no TLS. They are read only during the call. The first one
   * is for clients that send no server name, or a name that no certificate has. libuv's thread pool computes
   * handshakes, at most handshake_lanes at a time. The pool should have more threads than that, because it reads files,
   * too. These threads then call pairport_options.random. */
  const pairport_certificate* certificates;
  size_t certificate_count;
  int min_tls_version;      /* PAIRPORT_TLS_1_3 needs mbedTLS 3.6; 2.28 lacks it */
  uint32_t ticket_lifetime; /* seconds for which a session can be resumed; 0: no resumption */
  size_t handshake_lanes;   /* 1 to 64 */
  size_t max_handshakes;    /* handshakes that wait to begin, up to a million; 0: as max_connections */
  /* Nonzero: the pool threads that compute handshakes request SCHED_BATCH (sched(7)) and keep it. A woken SCHED_BATCH
   * thread preempts no other, so the loop keeps running. Only for a process whose pool has no urgent work. */
  int batch_handshakes;
  uint64_t handshake_timeout; /* from the start of the connection to the end of the handshake */

  /* Nonzero: answers on encrypted connections carry Strict-Transport-Security with a max-age of hsts_seconds. */
  int send_hsts;
  uint64_t hsts_seconds;

  /* Proxies whose X-Forwarded-For header is trusted: addresses, networks ("10.0.0.0/8"), or "unix" for every peer on a
   * Unix socket. */
  const pairport_string* trusted_proxies;
  size_t trusted_proxy_count;

  /* Folder whose regular files are served under /packages/; empty: none. Needs pairport_options.serve_packages. */
  pairport_string package_folder;

  pairport_answer_callback on_answer; /* may be NULL */
  void* answer_user;
  pairport_event_callback on_event; /* may be NULL */
  void* event_user;

  /* For a service with pairport_options.store_elsewhere: both, or neither, and then a request that needs the store gets
   * 503. */
  pairport_store_start store_start;
  pairport_store_cancel store_cancel;
  void* store_user;
} pairport_server_options;

/* The numbers and times of these settings, as X(member). Messages, and [limits] of a configuration file, use the same
 * names. */
#define PAIRPORT_SERVER_LIMITS(X) \
  X(max_connections)              \
  X(max_connections_per_address)  \
  PAIRPORT_CONNECTION_LIMITS(X)   \
  X(drain_timeout)                \
  X(max_handshakes)

/* Writes the defaults to `options`. `size` is the caller's sizeof(pairport_server_options). PAIRPORT_INVALID_ARGUMENT:
 * NULL, or a size that no version has had; PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_server_options_init(pairport_server_options* options, size_t size) PAIRPORT_NOEXCEPT;

/* A server on a loop. */
typedef struct pairport_server pairport_server;

/* Attaches a server to `loop`; it serves nothing yet. `options` is copied; NULL: the defaults. On success the caller
 * owns *server and must stop and destroy it. On failure *server is NULL, no handle is left in the loop, and `message`
 * names the cause (with a NUL, cut to message_size; may be NULL with 0). PAIRPORT_INVALID_ARGUMENT,
 * PAIRPORT_OUT_OF_MEMORY, PAIRPORT_MEMORY_NOT_LOCKED, PAIRPORT_RANDOM_FAILED. */
PAIRPORT_EXPORT int pairport_server_attach(struct uv_loop_s* loop, pairport_service* service,
                                           const pairport_server_options* options, pairport_server** server,
                                           char* message, size_t message_size) PAIRPORT_NOEXCEPT;

/* How to serve an adopted connection, or those of a listener. Zero in every member but `size`: the defaults. */
typedef struct pairport_listen_options {
  size_t size;
  /* Nonzero: use TLS, with the certificates of the server. */
  int tls;
  /* Nonzero: serve nothing, because the connection is not encrypted. GET and HEAD are redirected to the service's URL
   * (308), which must be https; deposits are refused (403). */
  int redirect_to_https;
  /* Nonzero: the file of a new Unix socket gets the permissions socket_mode (chmod(2)), up to 0777; else 0666. A client
   * needs the right to write the file and the right to enter its folder. */
  int set_socket_mode;
  unsigned socket_mode;
  /* Nonzero: the file gets the group ID socket_group. The process must be a member of that group. */
  int set_socket_group;
  unsigned socket_group;
} pairport_listen_options;

/* Accepts connections on `address`: "host:port", "[IPv6]:port", ":port" (all interfaces) or "unix:/path"; port 0 lets
 * the kernel choose. Call it once for each address. `options` may be NULL. Resolves host names, so it may block. Writes
 * "http://host:port" with the actual port, or "unix:/path", to `url` (with a NUL, cut to url_size; may be NULL with 0).
 * PAIRPORT_INVALID_ARGUMENT, PAIRPORT_SYSTEM (cannot be bound, or the server is stopping), PAIRPORT_OUT_OF_MEMORY:
 * nothing has changed, and `message` says why. */
PAIRPORT_EXPORT int pairport_server_listen(pairport_server* server, pairport_string address,
                                           const pairport_listen_options* options, char* url, size_t url_size,
                                           char* message, size_t message_size) PAIRPORT_NOEXCEPT;

/* The same with a socket that another program has bound and on which it has called listen(2): socket activation by
 * systemd (sd_listen_fds(3)), or a supervisor. An IPv4, IPv6 or Unix stream socket. The library takes `fd`, whatever
 * the result: it closes `fd` on every failure, so the caller must never close it. It does not remove the file of a Unix
 * socket, and `options` must not set socket_mode and socket_group. The socket gets FD_CLOEXEC, O_NONBLOCK, and for TCP
 * a bounded send buffer, TCP_NODELAY, TCP_NOTSENT_LOWAT and TCP_DEFER_ACCEPT; all but the first apply to every process
 * that shares the socket. An abstract name is written as "unix:@name". PAIRPORT_INVALID_ARGUMENT, PAIRPORT_SYSTEM (not
 * such a socket, or the server is stopping), PAIRPORT_OUT_OF_MEMORY: `message` says why, and what `fd` is instead. */
PAIRPORT_EXPORT int pairport_server_listen_fd(pairport_server* server, int fd, const pairport_listen_options* options,
                                              char* url, size_t url_size, char* message,
                                              size_t message_size) PAIRPORT_NOEXCEPT;

/* Serves a connected stream socket (TCP or Unix) that the caller has accepted. The library takes `fd`, whatever the
 * result: it closes `fd` on every failure, so the caller must never close it. A whole request that has arrived may be
 * answered during the call, and the connection closed; on_answer is called during this call then. `options` may be
 * NULL. PAIRPORT_INVALID_ARGUMENT, PAIRPORT_SYSTEM (not such a socket, or the server is full or stopping),
 * PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_server_adopt(pairport_server* server, int fd,
                                          const pairport_listen_options* options) PAIRPORT_NOEXCEPT;

/* How to serve an adopted connection, and what the caller has learned of it. Zero in every member but `size`: as
 * pairport_server_adopt() does with NULL. */
typedef struct pairport_adopt_options {
  size_t size;
  /* As in pairport_listen_options. */
  int tls;
  int redirect_to_https;
  /* Bytes that the caller has read from the socket, at most PAIRPORT_MAX_INITIAL; with TLS they are ciphertext. They
   * come before all that the library reads. It copies what it needs during the call. They may hold a credential: wipe
   * your buffer afterwards (pairport_wipe()). */
  pairport_string initial;
  /* The address of the peer, 16 bytes as in pairport_request (see pairport_parse_address()); NULL: the one that the
   * socket has. For a caller that knows it from a proxy in front, such as from the header of the PROXY protocol. Limits
   * and on_answer use it, and trusted_proxies decides by it whether X-Forwarded-For counts. All zero: like a peer on a
   * Unix socket. Read only during the call. */
  const uint8_t* address;
} pairport_adopt_options;

/* Bytes in pairport_adopt_options.initial, at most. */
#define PAIRPORT_MAX_INITIAL 16384

/* The same as pairport_server_adopt(), for a caller that knows more of the connection. `options` may be NULL. `message`
 * says why the call failed, and what `fd` is if it is not such a socket (with a NUL, cut to message_size; may be NULL
 * with 0). PAIRPORT_INVALID_ARGUMENT (also: too many bytes), PAIRPORT_SYSTEM (also: the peer has gone),
 * PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_server_adopt_with(pairport_server* server, int fd, const pairport_adopt_options* options,
                                               char* message, size_t message_size) PAIRPORT_NOEXCEPT;

/* Replaces the certificates for handshakes that begin later. The server must have been attached with certificates. The
 * check takes milliseconds. On failure the old certificates stay in use, and `message` says which one is wrong and why,
 * without any part of a key. PAIRPORT_INVALID_ARGUMENT, PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_server_use_certificates(pairport_server* server, const pairport_certificate* certificates,
                                                     size_t count, char* message,
                                                     size_t message_size) PAIRPORT_NOEXCEPT;

/* Open connections. */
PAIRPORT_EXPORT size_t pairport_server_connections(const pairport_server* server) PAIRPORT_NOEXCEPT;

/* Counts since pairport_server_attach(). */
typedef struct pairport_server_stats {
  size_t size;
  uint64_t connections_accepted; /* or adopted, refused ones included */
  uint64_t addresses_limited;    /* refused because of max_connections_per_address */
  uint64_t connections_limited;  /* closed for another one, or refused, because of max_connections */
  uint64_t handshakes_dropped;   /* connections that were closed because of max_handshakes */
} pairport_server_stats;

/* Fills *stats; set its `size` before. PAIRPORT_INVALID_ARGUMENT: NULL, or a size that no version has had. */
PAIRPORT_EXPORT int pairport_server_get_stats(const pairport_server* server,
                                              pairport_server_stats* stats) PAIRPORT_NOEXCEPT;

/* Stops listening, lets unfinished answers finish (for at most drain_timeout) and closes everything. Then it calls
 * `on_stopped` (may be NULL) once, from the loop; no handle of the server is left in the loop then.
 * PAIRPORT_INVALID_ARGUMENT: NULL, or already stopped; `on_stopped` is not called. */
PAIRPORT_EXPORT int pairport_server_stop(pairport_server* server, void (*on_stopped)(void* user),
                                         void* user) PAIRPORT_NOEXCEPT;

/* Frees a server that has stopped; NULL is allowed. PAIRPORT_INVALID_ARGUMENT: it has not stopped; nothing is freed. */
PAIRPORT_EXPORT int pairport_server_destroy(pairport_server* server) PAIRPORT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* PAIRPORT_PAIRPORT_UV_H_ */

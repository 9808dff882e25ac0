/* SPDX-License-Identifier: MIT
 * HTTP/1 connections without any I/O, in C: bytes in, fragments out, for a program that has sockets and a loop of its
 * own. C11 and C++. The rules of pairport.h for errors, strings, structures with a size and secrets apply here, too.
 *
 *   pairport_connections_create(service, NULL, &all, message, sizeof message);
 *   pairport_connection_create(all, address, PAIRPORT_TRANSPORT_PLAIN, &now, &connection);
 *
 *   on each event of the socket:
 *     wants = pairport_connection_wants(connection);
 *     if (readable && (wants & PAIRPORT_WANTS_INPUT)) pairport_connection_on_input(connection, bytes_read, &now);
 *     while ((count = pairport_connection_output(connection, fragments, PAIRPORT_MAX_OUTPUT)) > 0) {
 *       sent = writev(fragments, count);
 *       pairport_connection_on_output(connection, sent, &now);
 *     }
 *     wants = pairport_connection_wants(connection);
 *     if (wants & PAIRPORT_WANTS_CLOSE) pairport_connection_destroy(connection) and close(2) the socket;
 *     else if (wants & PAIRPORT_WANTS_SHUTDOWN) shutdown(2) the socket for writing, once;
 *   when the clock has reached pairport_connection_deadline(connection):
 *     pairport_connection_on_deadline(connection, &now), then as above
 *
 * A connection never calls its owner back, except for the report of an answer. After each call look at the output, at
 * pairport_connection_wants() and at the deadline.
 *
 * Lifetimes: the service outlives the connections' context, the context its connections, and a connection the write of
 * its output. While an asynchronous write is under way, call nothing for the connection but
 * pairport_connection_on_deadline(), pairport_connection_finish() and the functions that take a const connection. If
 * one of the two makes the connection want to close, the bytes of the write are no longer valid: close the socket at
 * once, which cancels the write.
 *
 * Time: as in pairport.h. These functions expire nothing: call pairport_service_expire() about every 100 ms.
 *
 * Threads: a service, its contexts and their connections belong to one thread at a time.
 *
 * Forked children: as in pairport.h. In a child every function with a code fails with PAIRPORT_INVALID_ARGUMENT, there
 * is no output, a connection wants nothing, and its deadline is PAIRPORT_NO_DEADLINE.
 */
#ifndef PAIRPORT_PAIRPORT_HTTP_H_
#define PAIRPORT_PAIRPORT_HTTP_H_

#include <stddef.h>
#include <stdint.h>

#include <pairport/export.h>
#include <pairport/pairport.h>
#include <pairport/pairport_deposits.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One answer, for an access log. It holds the client's method and address, and nothing else that a client sent. */
typedef struct pairport_answer {
  size_t size;          /* of this structure, as the library knows it */
  const char* route;    /* as from pairport_response_route() */
  int method;           /* PAIRPORT_METHOD_... */
  int status;           /* 200, 404, ... */
  int complete;         /* nonzero: all of it was sent */
  uint32_t code_hash;   /* as from pairport_response_code_hash() */
  uint64_t bytes;       /* sent, head included */
  uint64_t duration_ms; /* from the complete request to the last byte sent */
  uint8_t address[16];  /* the client's, behind trusted proxies; as in pairport_request */
} pairport_answer;

/* Called for each answer, when it has been sent or its connection has ended. `answer` is valid during the call. Must
 * call no function of this library. */
typedef void (*pairport_answer_callback)(void* user, const pairport_answer* answer);

/* ---------------------------------------------------------------------------------------------------------------- */

/* Every setting of connections. Call pairport_connections_options_init() first to fill it. Times are in milliseconds,
 * from 1 to 86400000 (a day). */
typedef struct pairport_connections_options {
  size_t size;

  /* Limits of a request. You can lower them to 1024, 8 and 1024, but not raise them: the buffers have the default
   * sizes. */
  size_t max_head_bytes; /* beyond it 431 */
  size_t max_headers;    /* beyond it 431 */
  size_t max_body_bytes; /* beyond it 413 */

  /* From the first byte of a request, or the start of the connection, to the end of the head. */
  uint64_t head_timeout;
  /* From the end of the head to the end of the body; beyond it 408. After 5 seconds a body that is slower than
   * min_bytes_per_second gets 408, too. */
  uint64_t body_timeout;
  /* Between two requests. */
  uint64_t idle_timeout;
  /* An answer may take this long, plus the time that its bytes take at min_bytes_per_second (1 to 1e9). It also ends
   * when the client takes no byte of it for this long, and becomes 503 when a reply that it waits for takes longer. */
  uint64_t answer_timeout;
  uint64_t min_bytes_per_second;
  /* After an answer to a request that was not read to its end: for the peer to close. */
  uint64_t linger_timeout;

  /* Nonzero: answers over PAIRPORT_TRANSPORT_SECURE carry Strict-Transport-Security with a max-age of hsts_seconds. */
  int send_hsts;
  uint64_t hsts_seconds;

  /* Proxies whose X-Forwarded-For header is trusted: addresses, networks ("10.0.0.0/8"), or "unix" for every peer
   * without an address. */
  const pairport_string* trusted_proxies;
  size_t trusted_proxy_count;

  pairport_answer_callback on_answer; /* may be NULL */
  void* answer_user;
} pairport_connections_options;

/* The numbers and times of these settings, as X(member). */
#define PAIRPORT_CONNECTION_LIMITS(X) \
  X(max_head_bytes)                   \
  X(max_headers)                      \
  X(max_body_bytes)                   \
  X(head_timeout)                     \
  X(body_timeout)                     \
  X(idle_timeout)                     \
  X(answer_timeout)                   \
  X(min_bytes_per_second)             \
  X(linger_timeout)

/* Writes the defaults to `options`. `size` is the caller's sizeof(pairport_connections_options).
 * PAIRPORT_INVALID_ARGUMENT: NULL, or a size that no version has had; PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_connections_options_init(pairport_connections_options* options,
                                                      size_t size) PAIRPORT_NOEXCEPT;

/* The state that the connections of one service share: limits and buffers. */
typedef struct pairport_connections pairport_connections;

/* `options` is copied; NULL: the defaults. On success the caller owns *connections and must destroy it. On failure
 * *connections is NULL, and `message` names the cause (with a NUL, cut to message_size; may be NULL with 0).
 * PAIRPORT_INVALID_ARGUMENT, PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_connections_create(pairport_service* service, const pairport_connections_options* options,
                                                pairport_connections** connections, char* message,
                                                size_t message_size) PAIRPORT_NOEXCEPT;

/* Frees it; NULL is allowed. PAIRPORT_INVALID_ARGUMENT: it still has connections; nothing is freed. */
PAIRPORT_EXPORT int pairport_connections_destroy(pairport_connections* connections) PAIRPORT_NOEXCEPT;

/* Nonzero: a request with X-Forwarded-For has come from a peer that is no trusted proxy. Clients behind such a peer
 * share its address and its limits. */
PAIRPORT_EXPORT int pairport_connections_saw_untrusted_proxy(const pairport_connections* connections) PAIRPORT_NOEXCEPT;

/* ---------------------------------------------------------------------------------------------------------------- */

/* How a connection carries its bytes. This decides what may be served over it. */
enum {
  PAIRPORT_TRANSPORT_PLAIN = 0,
  PAIRPORT_TRANSPORT_SECURE = 1, /* encrypted, by the caller */
  /* Not encrypted, over a network. GET and HEAD are redirected to the service's URL (308), which must be https;
   * deposits are refused (403). */
  PAIRPORT_TRANSPORT_REDIRECTING = 2
};

/* One connection. */
typedef struct pairport_connection pairport_connection;

/* `address` is the peer's, as in pairport_request; NULL: a peer without an address. The time for the first request
 * begins. On success the caller owns *connection and must destroy it. On failure *connection is NULL:
 * PAIRPORT_OUT_OF_MEMORY; PAIRPORT_INVALID_ARGUMENT (NULL, an unknown transport, or a URL that is not https). */
PAIRPORT_EXPORT int pairport_connection_create(pairport_connections* connections, const uint8_t address[16],
                                               int transport, const pairport_now* now,
                                               pairport_connection** connection) PAIRPORT_NOEXCEPT;

/* Reports an unfinished answer, wipes what the connection holds and frees it. NULL is allowed. */
PAIRPORT_EXPORT void pairport_connection_destroy(pairport_connection* connection) PAIRPORT_NOEXCEPT;

/* Starts the time for the first request now, instead of at creation: after a handshake. PAIRPORT_INVALID_ARGUMENT. */
PAIRPORT_EXPORT int pairport_connection_start(pairport_connection* connection,
                                              const pairport_now* now) PAIRPORT_NOEXCEPT;

/* Bits of pairport_connection_wants(). */
enum {
  /* pairport_connection_on_input() may be called. Not while there is output, so that a peer that does not read cannot
   * make the connection buffer. */
  PAIRPORT_WANTS_INPUT = 1,
  /* End our side of the socket (SHUT_WR) and continue to read: closing now could destroy the answer before the peer
   * reads it (RFC 9112 section 9.6). */
  PAIRPORT_WANTS_SHUTDOWN = 2,
  /* Destroy the connection and close the socket now. */
  PAIRPORT_WANTS_CLOSE = 4,
  /* An answer waits: see pairport_connection_pending(). */
  PAIRPORT_WANTS_REPLY = 8,
  /* An answer needs a piece of its file: see pairport_connection_file_range(). */
  PAIRPORT_WANTS_DATA = 16,
  /* It will want to be closed as soon as its output is sent, so that the end (FIN) can share a segment with the last
   * bytes (MSG_MORE). */
  PAIRPORT_CLOSES_AFTER_OUTPUT = 32,
  /* Closing now loses no answer and no deposit. */
  PAIRPORT_WAITS_FOR_REQUEST = 64,
  /* Closing now cuts an answer short, or has cut one short: do not tell the peer that the connection has ended properly
   * (such as by a TLS close_notify). */
  PAIRPORT_WOULD_CUT_ANSWER = 128
};

/* What the connection wants now, a set of these bits. */
PAIRPORT_EXPORT unsigned pairport_connection_wants(const pairport_connection* connection) PAIRPORT_NOEXCEPT;

/* Bytes that one call of pairport_connection_on_input() takes at most. */
#define PAIRPORT_MAX_INPUT 16384

/* Bytes have arrived. The connection copies those that it needs; they may hold a credential, so wipe your buffer
 * afterwards. PAIRPORT_INVALID_ARGUMENT, and nothing has changed: NULL, more than PAIRPORT_MAX_INPUT bytes, or the
 * connection does not want input. */
PAIRPORT_EXPORT int pairport_connection_on_input(pairport_connection* connection, pairport_string input,
                                                 const pairport_now* now) PAIRPORT_NOEXCEPT;
/* The peer will send nothing more. Its complete requests still get their answers. PAIRPORT_INVALID_ARGUMENT: NULL. */
PAIRPORT_EXPORT int pairport_connection_on_input_end(pairport_connection* connection,
                                                     const pairport_now* now) PAIRPORT_NOEXCEPT;

/* Output has at most this many fragments. */
#define PAIRPORT_MAX_OUTPUT 40
/* Writes the first `capacity` fragments of the output to `fragments`, in the order in which they are to be sent, none
 * of them empty. Returns how many it has written. They are valid until the next call that changes the connection. */
PAIRPORT_EXPORT size_t pairport_connection_output(const pairport_connection* connection, pairport_string* fragments,
                                                  size_t capacity) PAIRPORT_NOEXCEPT;
/* The first `sent` bytes of the output have been written or copied. PAIRPORT_INVALID_ARGUMENT, and nothing has changed:
 * NULL, or more bytes than there are. */
PAIRPORT_EXPORT int pairport_connection_on_output(pairport_connection* connection, size_t sent,
                                                  const pairport_now* now) PAIRPORT_NOEXCEPT;
/* The peer still takes bytes: the send buffer of the socket holds fewer than before (SIOCOUTQ of tcp(7) and unix(7)).
 * Without this call only pairport_connection_on_output() counts as progress. PAIRPORT_INVALID_ARGUMENT: NULL. */
PAIRPORT_EXPORT int pairport_connection_on_progress(pairport_connection* connection,
                                                    const pairport_now* now) PAIRPORT_NOEXCEPT;

#define PAIRPORT_NO_DEADLINE UINT64_MAX
/* When to call pairport_connection_on_deadline(), on the clock of pairport_now.monotonic_ms. Every call may move it, in
 * either direction. PAIRPORT_NO_DEADLINE: never. */
PAIRPORT_EXPORT uint64_t pairport_connection_deadline(const pairport_connection* connection) PAIRPORT_NOEXCEPT;
/* Does nothing before the deadline, so an early call is harmless. PAIRPORT_INVALID_ARGUMENT: NULL. */
PAIRPORT_EXPORT int pairport_connection_on_deadline(pairport_connection* connection,
                                                    const pairport_now* now) PAIRPORT_NOEXCEPT;

/* Ends the connection after the current request; at once when there is none. PAIRPORT_INVALID_ARGUMENT: NULL. */
PAIRPORT_EXPORT int pairport_connection_finish(pairport_connection* connection) PAIRPORT_NOEXCEPT;

/* ---------------------------------------------------------------------------------------------------------------- */

/* Fills *pending, whose `size` the caller has set, with what the current answer waits for, and *id with a number that
 * tells it from what the connection waits for later. `id` is 0, and the kind PAIRPORT_PENDING_NOTHING, when there is
 * none. Files need pairport_options.serve_packages, a store pairport_options.store_elsewhere. Valid until the next call
 * that changes the connection. PAIRPORT_INVALID_ARGUMENT: NULL, or a size that no version has had. */
PAIRPORT_EXPORT int pairport_connection_pending(const pairport_connection* connection, pairport_pending* pending,
                                                uint32_t* id) PAIRPORT_NOEXCEPT;
/* Goes on with the answer that waits; `reply` as for pairport_resume(). Without a reply the answer is 503 when
 * answer_timeout is over. PAIRPORT_NOT_FOUND, and nothing has changed: `id` is not what the connection waits for (any
 * more); the reply has come too late. PAIRPORT_INVALID_ARGUMENT: NULL, or a size that no version has had. */
PAIRPORT_EXPORT int pairport_connection_resume(pairport_connection* connection, uint32_t id,
                                               const pairport_reply* reply, const pairport_now* now) PAIRPORT_NOEXCEPT;

/* The piece of its file that the answer needs next. A size of 0: no data is needed now. Keep the file open until the
 * answer has been sent or the connection wants to close. Both pointers may be NULL. */
PAIRPORT_EXPORT void pairport_connection_file_range(const pairport_connection* connection, uint64_t* offset,
                                                    uint64_t* size) PAIRPORT_NOEXCEPT;
/* `data` is that piece, or a first part of it. It is sent without copying and must stay valid until it has been sent.
 * Empty: the file could not be read; the connection closes, because the answer's head has stated the length.
 * PAIRPORT_INVALID_ARGUMENT, and nothing has changed: NULL, no data is needed, or more than is needed. */
PAIRPORT_EXPORT int pairport_connection_on_data(pairport_connection* connection, pairport_string data,
                                                const pairport_now* now) PAIRPORT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* PAIRPORT_PAIRPORT_HTTP_H_ */

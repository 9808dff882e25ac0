/* SPDX-License-Identifier: MIT
 * pairport in C: the pairing service without any I/O. Requests go in, answers come out. It is for programs that already
 * have an HTTP server: it has no socket, no loop, no thread, no clock and no log. C11 and C++.
 *
 *   pairport_options_init(&options, sizeof options);
 *   options.url = text("https://pairing.example.com");
 *   if (pairport_service_create(&options, &now, &service, message, sizeof message) != PAIRPORT_OK) fail(message);
 *   pairport_response_create(service, &response);
 *
 *   request.size = sizeof request;
 *   request.method = PAIRPORT_METHOD_GET;
 *   request.target = text("/");
 *   pairport_handle(service, &request, &now, response);
 *   count = pairport_response_body(response, fragments);
 *
 * Errors: functions that can fail return 0 or one of the negative codes below, which are never renumbered. A failed
 * call changes nothing unless it says so. Nothing throws, prints or ends the process. Later versions may add codes:
 * treat any negative number as a failure.
 *
 * Lifetimes:
 * - A string is a view: pointer and length, not NUL-terminated, and NULL only with length 0. The library reads its
 *   arguments during the call and does not keep them. Each function says how long its result is valid.
 * - The parts of an answer point into its pairport_response or into its pairport_service, never into the request or the
 *   store: a deposit may expire while its answer is still being sent. So keep a response until its last byte is sent,
 *   and until then do not reset it or handle another request with it. Destroy the service after all its responses and
 *   buffers.
 * - Responses and buffers hold credentials. Their memory is protected as that of the service is, and it is wiped on
 *   reset, reuse and destruction. The service keeps the memory of some destroyed ones for the next that is created. A
 *   caller that copies their content must wipe the copy.
 *
 * Time: the caller has the clock. Use CLOCK_BOOTTIME for pairport_now.monotonic_ms: with a clock that stands still
 * while the machine is suspended, a code lives longer by that time. All calls for one service use the same clock. A
 * deposit is never found after its end; pairport_service_expire() only wipes it and gives its memory back. At level one
 * and two the caller calls it, a pairport_server (pairport_uv.h) does it itself.
 *
 * Threads: a service, with its responses and buffers, belongs to one thread at a time. Services share nothing: each
 * thread may have one, but only the service that created a code knows it.
 *
 * Forked children: secret memory is not inherited by fork(2), so create the service in the process that uses it. In a
 * child of that process every function that gets the service, or a response or buffer of it, changes nothing and fails
 * with PAIRPORT_INVALID_ARGUMENT (a function that returns no code gives 0, an empty string or NULL). The functions that
 * destroy an object do nothing there; its memory stays until the child ends or calls execve(2).
 *
 * Structures begin with their own size, so that they can grow. A program that was compiled with a shorter structure
 * gets the defaults for the members that it does not know. A program that was compiled with a longer one must leave the
 * members that this library does not know at zero, else PAIRPORT_INVALID_ARGUMENT.
 */
#ifndef PAIRPORT_PAIRPORT_H_
#define PAIRPORT_PAIRPORT_H_

#include <stddef.h>
#include <stdint.h>

#include <pairport/export.h>

#ifdef __cplusplus
#define PAIRPORT_NOEXCEPT noexcept
extern "C" {
#else
#define PAIRPORT_NOEXCEPT
#endif

enum {
  PAIRPORT_OK = 0,
  PAIRPORT_OUT_OF_MEMORY = -1,
  PAIRPORT_STORE_FULL = -2,
  PAIRPORT_ALREADY_EXISTS = -3,
  PAIRPORT_RANDOM_FAILED = -4,
  PAIRPORT_INVALID_ARGUMENT = -5,
  PAIRPORT_BAD_TEMPLATE = -6,
  PAIRPORT_BAD_CONFIGURATION = -7,
  PAIRPORT_MEMORY_NOT_LOCKED = -8,
  PAIRPORT_SYSTEM = -9,
  PAIRPORT_NOT_FOUND = -10,  /* no live deposit has this code */
  PAIRPORT_LATER = -11,      /* the answer comes from a store that is elsewhere */
  PAIRPORT_UNAVAILABLE = -12 /* that store cannot be asked now */
};

/* The meaning of a code; a static string with a NUL at its end, for unknown codes too. */
PAIRPORT_EXPORT const char* pairport_status_text(int code) PAIRPORT_NOEXCEPT;

/* The version of the library that is linked, "1.2.3"; a static string with a NUL at its end. */
PAIRPORT_EXPORT const char* pairport_version(void) PAIRPORT_NOEXCEPT;

/* A view of text. */
typedef struct pairport_string {
  const char* data;
  size_t size;
} pairport_string;

/* How well memory for credentials is protected. */
enum {
  PAIRPORT_MEMORY_PLAIN = 0,       /* swappable; only excluded from core dumps and forked children */
  PAIRPORT_MEMORY_LOCKED = 1,      /* mlock(2) */
  PAIRPORT_MEMORY_MEMFD_SECRET = 2 /* memfd_secret(2) */
};

/* The time of a call. Times of successive calls for one service must not go back. */
typedef struct pairport_now {
  uint64_t monotonic_ms; /* for expiry; of a clock that also runs during suspend, such as CLOCK_BOOTTIME */
  int64_t unix_seconds;  /* only written into answers */
} pairport_now;

/* ---------------------------------------------------------------------------------------------------------------- */

/* The name of a file and the SHA-256 digest that the operator trusts, as 64 hexadecimal digits. */
typedef struct pairport_digest {
  pairport_string file;
  pairport_string sha256;
} pairport_digest;

/* Fills `out` with `size` unpredictable, uniformly distributed bytes. Returns 0, or any other number on failure. */
typedef int (*pairport_random)(void* user, uint8_t* out, size_t size);

/* Loads the text of the template `name` ("linux/installer.sh"). Nonzero: `text` is set, and stays valid until the next
 * call or the end of pairport_service_create(). 0: there is none; the service uses the built-in one. */
typedef int (*pairport_template_loader)(void* user, pairport_string name, pairport_string* text);

/* The answer to a path that is not the service's. The body is `body` and then `fixed_body`. */
typedef struct pairport_path_answer {
  size_t size;                  /* of this structure, as the library knows it */
  int status;                   /* 200 to 599; 200 unless it is changed */
  pairport_string content_type; /* at most 256 bytes, no control characters; text/plain unless it is changed */
  pairport_string body;         /* at most 8192 bytes; copied when the callback has returned */
  pairport_string fixed_body;   /* not copied: stays valid as long as the service */
} pairport_path_answer;

struct pairport_request;

/* Answers a request whose path is not the service's: not called for what may be a pairing code. `request` is valid
 * during the call; its address is that of the client, or of its /64 network of IPv6. Nonzero: *answer is filled; an
 * answer that breaks the rules above becomes 500. 0: there is nothing at this path either, and the answer is 404. Must
 * not call the service. */
typedef int (*pairport_path_handler)(void* user, const struct pairport_request* request, pairport_path_answer* answer);

/* Every setting of a service. Call pairport_options_init() first to fill it. */
typedef struct pairport_options {
  size_t size;

  pairport_string url; /* how clients reach the service: http or https, no slash at the end, at most 512 bytes */
  uint64_t ttl_ms;     /* how long a code works: whole seconds, up to a day; beyond an hour codes are longer */
  size_t code_length;  /* 7 to 32, at least; 10 by default, see pairport_describe_short_code() */
  size_t max_deposits; /* limits of the store: beyond them a deposit is refused with 503 */
  size_t max_memory;   /* bytes */
  int minimum_memory;  /* PAIRPORT_MEMORY_...: creation and deposits fail rather than use less */

  /* Token buckets per client address; a rate or a burst of 0 switches one off. */
  double deposits_per_second;
  double deposit_burst;
  double misses_per_second; /* look-ups of codes that do not exist */
  double miss_burst;

  /* A deposit that never expires, for testing the scripts. There is none unless static_code is set; then all five
   * members are required. */
  pairport_string static_code;
  pairport_string static_connect_url;
  pairport_string static_fingerprint;
  pairport_string static_client_id;
  pairport_string static_password;

  /* The places from which client machines download the client; they are written into the scripts. The scripts fill in
   * {version}, {os}, {arch} and {channel} on the client machine; the service replaces {pairing_url} by `url`. */
  pairport_string version;
  pairport_string unstable_version;
  pairport_string linux_url;
  pairport_string windows_url;
  pairport_string checksums_url;
  pairport_string deb_repo;
  pairport_string rpm_repo;
  pairport_string repo_keys;
  pairport_string tacoscript_url;
  int use_repositories; /* 0: always use the archive */
  const pairport_digest* digests;
  size_t digest_count;

  /* Nonzero: GET /packages/<file> is served. The caller opens the files: see pairport_response_file(). */
  int serve_packages;
  /* Nonzero: answers have a pairport_response_code_hash(). */
  int hash_codes;

  pairport_template_loader load_template; /* NULL: only the built-in templates. Not called after creation */
  void* template_user;
  pairport_random random; /* NULL: getrandom(2). Else it must stay callable as long as the service lives */
  void* random_user;

  /* Nonzero: the scripts refuse packages whose SHA-256 is unknown. This includes packages of repositories. */
  int strict_checksums;

  /* The rate limits of the IPv6 networks around a client, "64:1 56:4 48:16": prefix lengths from the narrowest network
   * to the widest, each with the factor by which the limit of the network exceeds that of one client. */
  pairport_string ipv6_budgets;
  /* While the store is more than half full: the share of it that deposits of one network (IPv4 /24, IPv6 /48) may fill
   * within ttl_ms, but at least 16 deposits; 0: no limit. Peers without an address have no limit. */
  double network_share;

  /* Nonzero: deposits live elsewhere. A response that needs the store is pending: see pairport_deposits.h. The
   * static deposit, limits and scripts stay with the service. */
  int store_elsewhere;

  pairport_path_handler on_other_path; /* NULL: paths that are not the service's are not found */
  void* other_path_user;
} pairport_options;

/* Most of these settings, as X(kind, member, name): code that reads settings, from a file for example, can loop over
 * them. `name` is the name of the setting in messages. The kinds are text (pairport_string), flag (int), count and
 * bytes (size_t), milliseconds (uint64_t) and number (double). */
#define PAIRPORT_OPTIONS(X)                             \
  X(text, url, "url")                                   \
  X(milliseconds, ttl_ms, "ttl")                        \
  X(count, code_length, "code_length")                  \
  X(count, max_deposits, "max_deposits")                \
  X(bytes, max_memory, "max_memory")                    \
  X(number, deposits_per_second, "deposits_per_second") \
  X(number, deposit_burst, "deposit_burst")             \
  X(number, misses_per_second, "misses_per_second")     \
  X(number, miss_burst, "miss_burst")                   \
  X(text, ipv6_budgets, "ipv6_budgets")                 \
  X(number, network_share, "network_share")             \
  X(text, version, "version")                           \
  X(text, unstable_version, "unstable_version")         \
  X(text, linux_url, "linux_url")                       \
  X(text, windows_url, "windows_url")                   \
  X(text, checksums_url, "checksums_url")               \
  X(text, deb_repo, "deb_repo")                         \
  X(text, rpm_repo, "rpm_repo")                         \
  X(text, repo_keys, "repo_keys")                       \
  X(text, tacoscript_url, "tacoscript_url")             \
  X(flag, use_repositories, "use_repositories")         \
  X(flag, strict_checksums, "strict_checksums")

/* The members of the static deposit, as X(member). */
#define PAIRPORT_STATIC_DEPOSIT(X) \
  X(static_code)                   \
  X(static_connect_url)            \
  X(static_fingerprint)            \
  X(static_client_id)              \
  X(static_password)

/* Writes the defaults to `options`. `size` is the caller's sizeof(pairport_options). PAIRPORT_INVALID_ARGUMENT: NULL,
 * or a size that no version has had; PAIRPORT_OUT_OF_MEMORY. */
PAIRPORT_EXPORT int pairport_options_init(pairport_options* options, size_t size) PAIRPORT_NOEXCEPT;

/* All state of a pairing service. */
typedef struct pairport_service pairport_service;

/* Compiles the templates and maps the first memory. On success the caller owns *service and must destroy it. On failure
 * *service is NULL, and `message` names the cause and the remedy (with a NUL, cut to message_size; may be NULL with 0;
 * never holds a credential or a code). PAIRPORT_INVALID_ARGUMENT, PAIRPORT_BAD_TEMPLATE, PAIRPORT_OUT_OF_MEMORY,
 * PAIRPORT_MEMORY_NOT_LOCKED, PAIRPORT_RANDOM_FAILED. */
PAIRPORT_EXPORT int pairport_service_create(const pairport_options* options, const pairport_now* now,
                                            pairport_service** service, char* message,
                                            size_t message_size) PAIRPORT_NOEXCEPT;

/* Wipes every deposit and frees the service. Destroy all its responses and buffers first. NULL is allowed. */
PAIRPORT_EXPORT void pairport_service_destroy(pairport_service* service) PAIRPORT_NOEXCEPT;

/* Wipes expired deposits, at most about `max_work` of them (each costs less than a microsecond). 0: no expired deposit
 * is left; 1: call again soon. Call it about every 100 ms. No answer depends on it: an expired deposit is never found,
 * wiped or not. PAIRPORT_INVALID_ARGUMENT: NULL. */
PAIRPORT_EXPORT int pairport_service_expire(pairport_service* service, const pairport_now* now,
                                            size_t max_work) PAIRPORT_NOEXCEPT;

typedef struct pairport_stats {
  size_t size;
  uint64_t deposits;         /* held, including expired ones that are not wiped yet */
  uint64_t expiring;         /* the ones of these that will expire */
  uint64_t memory_bytes;     /* of the records and the hash table */
  uint64_t deposits_refused; /* for lack of room or memory, since creation */
  int memory_level;          /* PAIRPORT_MEMORY_...: the weakest that the memory of any deposit has had */
  /* Since creation: */
  uint64_t deposits_limited; /* deposits that the limit of a client or network refused */
  uint64_t look_ups_limited; /* the same for look-ups */
  uint64_t misses;           /* look-ups of codes that do not exist, of all clients together */
  uint64_t look_ups_failed;  /* because the store could not be asked */
  uint64_t deposits_revoked;
  uint64_t deposits_made;
  uint64_t look_ups_answered; /* installers that were handed out, HEAD included */
  uint64_t store_failures;    /* deposits and look-ups whose store could not be asked */
} pairport_stats;

/* Fills *stats; set its `size` before. PAIRPORT_INVALID_ARGUMENT: NULL, or a size that no version has had. */
PAIRPORT_EXPORT int pairport_service_stats(const pairport_service* service, pairport_stats* stats) PAIRPORT_NOEXCEPT;

/* Writes a warning for the log of an operator (one line, with a NUL, cut to text_size): how soon guessing finds a code
 * of `code_length` characters. Returns its length. 0: codes of that length need no warning, and `text` is empty. */
PAIRPORT_EXPORT size_t pairport_describe_short_code(size_t code_length, char* text, size_t text_size) PAIRPORT_NOEXCEPT;

/* All text that fragments of answers point to when they do not point into a response. It is the same memory for every
 * answer and valid as long as the service lives, so that a transport can prepare it for sending. Writes at most
 * `capacity` texts to `parts` (which may be NULL with 0) and returns how many there are. */
PAIRPORT_EXPORT size_t pairport_service_static_parts(const pairport_service* service, pairport_string* parts,
                                                     size_t capacity) PAIRPORT_NOEXCEPT;

/* ---------------------------------------------------------------------------------------------------------------- */

enum {
  PAIRPORT_METHOD_GET = 0,
  PAIRPORT_METHOD_HEAD = 1,
  PAIRPORT_METHOD_POST = 2,
  PAIRPORT_METHOD_OPTIONS = 3,
  PAIRPORT_METHOD_OTHER = 4
};

/* Bytes of a request body at most. The caller refuses a longer one with 413. */
#define PAIRPORT_MAX_BODY 16384

/* The request headers that the service reads, as X(member of pairport_request, name in lower case): code that collects
 * headers can loop over them. */
#define PAIRPORT_REQUEST_HEADERS(X)     \
  X(user_agent, "user-agent")           \
  X(accept, "accept")                   \
  X(accept_encoding, "accept-encoding") \
  X(content_type, "content-type")       \
  X(if_none_match, "if-none-match")     \
  X(if_range, "if-range")               \
  X(range, "range")

/* A view of a request. Members that are zero mean: GET, an empty target, no headers, no address. Header values have no
 * white space around them and are empty when the header is missing. */
typedef struct pairport_request {
  size_t size;
  int method;             /* PAIRPORT_METHOD_GET, ... */
  pairport_string target; /* origin-form, absolute-form or `*`, still percent-encoded (RFC 9112 section 3.2) */
  pairport_string user_agent;
  pairport_string accept;
  pairport_string accept_encoding;
  pairport_string content_type;
  pairport_string if_none_match;
  pairport_string if_range;
  pairport_string range;
  pairport_string body;
  /* The address of the client, whose limits apply: IPv6, or IPv4 as ::ffff:a.b.c.d, in network order; all zero: a peer
   * without an address. */
  uint8_t address[16];
} pairport_request;

/* Parses `text` (a.b.c.d, or IPv6 without brackets and zone) into the form of pairport_request.address.
 * PAIRPORT_INVALID_ARGUMENT: not such an address. */
PAIRPORT_EXPORT int pairport_parse_address(pairport_string text, uint8_t address[16]) PAIRPORT_NOEXCEPT;

/* An answer, and the room for the credentials in it. */
typedef struct pairport_response pairport_response;

/* Creates an empty response for answers of `service`. The caller owns it and must destroy it. In a steady flow of
 * requests neither this function nor the destruction allocates. On failure *response is NULL: PAIRPORT_OUT_OF_MEMORY,
 * PAIRPORT_MEMORY_NOT_LOCKED, PAIRPORT_INVALID_ARGUMENT (NULL). */
PAIRPORT_EXPORT int pairport_response_create(pairport_service* service, pairport_response** response) PAIRPORT_NOEXCEPT;

/* Wipes the response and returns it to the service. NULL is allowed. */
PAIRPORT_EXPORT void pairport_response_destroy(pairport_response* response) PAIRPORT_NOEXCEPT;

/* Wipes the response and forgets the answer. Results of its accessors are no longer valid. */
PAIRPORT_EXPORT void pairport_response_reset(pairport_response* response) PAIRPORT_NOEXCEPT;

/* Answers `request` in `response`, and wipes the answer that was in it. Every valid request gets an answer, which may
 * be a refusal. GET and HEAD never allocate. PAIRPORT_INVALID_ARGUMENT: NULL, a response of another service, a
 * structure size that no version has had, an unknown method, or a body longer than PAIRPORT_MAX_BODY; `response` is
 * reset then, too, unless it is NULL. */
PAIRPORT_EXPORT int pairport_handle(pairport_service* service, const pairport_request* request, const pairport_now* now,
                                    pairport_response* response) PAIRPORT_NOEXCEPT;

/* Makes the answer to a request that must be refused before it can be handled: status 400, 408, 411, 413, 417, 431,
 * 500, 501, 503 or 505, with `text`, one line of ASCII that holds no value of the request. `accept` is the Accept
 * header, if it is known. PAIRPORT_INVALID_ARGUMENT: as above, another status, or a text of more than 1024 bytes. */
PAIRPORT_EXPORT int pairport_refuse(pairport_service* service, int status, pairport_string text, pairport_string accept,
                                    int method, pairport_response* response) PAIRPORT_NOEXCEPT;

/* Accessors. Their results are valid until the response gets the next answer, or is reset or destroyed. */

/* 200, 404, ...; 0: the response holds no answer (yet). */
PAIRPORT_EXPORT int pairport_response_status(const pairport_response* response) PAIRPORT_NOEXCEPT;

/* The phrase for a status (RFC 9110 section 15), for an HTTP/1 status line; a static string with a NUL at its end. */
PAIRPORT_EXPORT const char* pairport_reason_phrase(int status) PAIRPORT_NOEXCEPT;

/* What the request asked for, whatever the answer is. For logs: they must not hold paths, because paths hold codes.
 * "deposit", "installer", ... or "other", as in the access log: doc/operating.md lists them. Later versions may add
 * some. A static string with a NUL at its end. */
PAIRPORT_EXPORT const char* pairport_response_route(const pairport_response* response) PAIRPORT_NOEXCEPT;

/* With the route "installer" and pairport_options.hash_codes: 32 bits that are equal for equal codes and reveal nothing
 * about a code. Each service has a key of its own for them. */
PAIRPORT_EXPORT uint32_t pairport_response_code_hash(const pairport_response* response) PAIRPORT_NOEXCEPT;

typedef struct pairport_header {
  pairport_string name;
  pairport_string value;
} pairport_header;

/* All headers, with Content-Type and Content-Encoding, but without Date, Content-Length, Connection and Retry-After,
 * which the transport adds. */
PAIRPORT_EXPORT size_t pairport_response_header_count(const pairport_response* response) PAIRPORT_NOEXCEPT;
/* PAIRPORT_INVALID_ARGUMENT: there is no such header. */
PAIRPORT_EXPORT int pairport_response_header(const pairport_response* response, size_t index,
                                             pairport_header* header) PAIRPORT_NOEXCEPT;
/* The same as bytes of an HTTP/1 header section ("Name: value\r\n" each), in two parts, either of which may be empty.
 */
PAIRPORT_EXPORT void pairport_response_header_bytes(const pairport_response* response,
                                                    pairport_string parts[2]) PAIRPORT_NOEXCEPT;

/* Seconds for a Retry-After header; 0: none. */
PAIRPORT_EXPORT uint32_t pairport_response_retry_after(const pairport_response* response) PAIRPORT_NOEXCEPT;

/* Bytes of the body, for Content-Length; for HEAD the bytes that GET would send. */
PAIRPORT_EXPORT uint64_t pairport_response_content_length(const pairport_response* response) PAIRPORT_NOEXCEPT;
/* 0: the status allows no Content-Length (204 and 304, RFC 9110 section 8.6). */
PAIRPORT_EXPORT int pairport_response_has_content_length(const pairport_response* response) PAIRPORT_NOEXCEPT;

/* A body has at most this many fragments. */
#define PAIRPORT_MAX_FRAGMENTS 4
/* Writes the fragments to send to `fragments`, none of them empty. Returns how many; 0 for HEAD, for a file, and when
 * there is no body. Send them without copying: the long ones are the same for every answer. */
PAIRPORT_EXPORT size_t pairport_response_body(const pairport_response* response,
                                              pairport_string fragments[PAIRPORT_MAX_FRAGMENTS]) PAIRPORT_NOEXCEPT;

/* ---------------------------------------------------------------------------------------------------------------- */

/* With pairport_options.serve_packages: the name of the requested file; letters, digits and ._+~-, not starting with a
 * dot. When it is not empty, there is no answer yet: look for the file and call pairport_answer_file(). */
PAIRPORT_EXPORT pairport_string pairport_response_file(const pairport_response* response) PAIRPORT_NOEXCEPT;

typedef struct pairport_file_info {
  uint64_t size;     /* bytes of the file */
  uint64_t modified; /* any number that changes with the file's content, such as its time of change */
} pairport_file_info;

/* Completes a response that asks for a file. `info` describes the file with that name; NULL: there is none. Answers
 * 200, 206, 304, 404 or 416. PAIRPORT_INVALID_ARGUMENT: another argument is NULL, a response of another service, or a
 * response that asks for no file. */
PAIRPORT_EXPORT int pairport_answer_file(pairport_service* service, const pairport_file_info* info,
                                         pairport_response* response) PAIRPORT_NOEXCEPT;

/* After pairport_answer_file(): the piece of the file that is the body. A size of 0: no part of the file;
 * pairport_response_body() has the body, if there is one. */
PAIRPORT_EXPORT void pairport_response_file_range(const pairport_response* response, uint64_t* offset,
                                                  uint64_t* size) PAIRPORT_NOEXCEPT;

/* ---------------------------------------------------------------------------------------------------------------- */

/* Room for the body of one request, in memory that is protected as the service's is. */
typedef struct pairport_buffer pairport_buffer;

/* Creates a buffer. The caller owns it and must destroy it. On failure *buffer is NULL: PAIRPORT_OUT_OF_MEMORY,
 * PAIRPORT_MEMORY_NOT_LOCKED, PAIRPORT_INVALID_ARGUMENT (NULL). */
PAIRPORT_EXPORT int pairport_buffer_create(pairport_service* service, pairport_buffer** buffer) PAIRPORT_NOEXCEPT;
/* PAIRPORT_MAX_BODY bytes to write to; valid until the buffer is destroyed. */
PAIRPORT_EXPORT char* pairport_buffer_data(pairport_buffer* buffer) PAIRPORT_NOEXCEPT;
/* Wipes the buffer and returns it to the service. NULL is allowed. */
PAIRPORT_EXPORT void pairport_buffer_destroy(pairport_buffer* buffer) PAIRPORT_NOEXCEPT;

/* Overwrites `size` bytes with zeros; the compiler never removes the write. Use it for copies of what these objects
 * held. */
PAIRPORT_EXPORT void pairport_wipe(void* data, size_t size) PAIRPORT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* PAIRPORT_PAIRPORT_H_ */

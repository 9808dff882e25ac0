/* SPDX-License-Identifier: MIT
 * pairport in C: deposits without HTTP, and stores that are elsewhere. For the owner of a service: it makes deposits,
 * looks them up, takes them back, and carries out what a response waits for. C11 and C++. What pairport.h says of
 * errors, lifetimes, threads, forked children and structures with a size holds here, too.
 *
 *   deposit.size = sizeof deposit;
 *   deposit.connect_url = text("https://rport.example.com");
 *   deposit.fingerprint = text("2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24");
 *   deposit.client_id = text("client1");
 *   deposit.password = text("secret");
 *   made.size = sizeof made;
 *   if (pairport_deposit(service, &deposit, &now, &made, message, sizeof message) != PAIRPORT_OK) fail(message);
 *   hand_over(made.code);
 *   pairport_wipe(made.code, sizeof made.code);
 *
 * Who expires deposits: pairport_service_expire(), which the owner calls; a server on a loop does it itself. A deposit
 * is found until its end in any case. The clock is that of pairport_now.monotonic_ms.
 */
#ifndef PAIRPORT_PAIRPORT_DEPOSITS_H_
#define PAIRPORT_PAIRPORT_DEPOSITS_H_

#include <stddef.h>
#include <stdint.h>

#include <pairport/export.h>
#include <pairport/pairport.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the values of a deposit at most; none of them is empty or holds a NUL. */
#define PAIRPORT_MAX_CODE 32
#define PAIRPORT_MAX_CONNECT_URL 2048
#define PAIRPORT_MAX_CLIENT_ID 256
#define PAIRPORT_MAX_PASSWORD 1024

/* The texts of a deposit, as X(member, bytes at most): code that copies values can loop over them. Each structure below
 * that holds the values of a deposit has these members. */
#define PAIRPORT_DEPOSIT_TEXTS(X)          \
  X(connect_url, PAIRPORT_MAX_CONNECT_URL) \
  X(client_id, PAIRPORT_MAX_CLIENT_ID)     \
  X(password, PAIRPORT_MAX_PASSWORD)

/* The verbs without HTTP, for the owner of a service: limits of clients do not apply. With
 * pairport_options.store_elsewhere they answer PAIRPORT_LATER and have done nothing: ask that store. */

/* A deposit as it is made: four texts by the rules for deposits, the fingerprint as 16 hexadecimal pairs joined by ':'.
 */
typedef struct pairport_new_deposit {
  size_t size;
  pairport_string connect_url;
  pairport_string fingerprint;
  pairport_string client_id;
  pairport_string password;
  uint64_t ttl_ms;   /* whole seconds, from one second to 30 days; 0: pairport_options.ttl_ms. Codes have 11 */
                     /* characters or more beyond an hour, 16 or more beyond a day */
  uint32_t max_uses; /* how often it is handed out; 0: no limit */
} pairport_new_deposit;

typedef struct pairport_deposited {
  size_t size;
  char code[PAIRPORT_MAX_CODE + 1]; /* a secret, with a NUL */
  uint64_t expires_ms;              /* on the clock of pairport_now.monotonic_ms */
  int64_t expires_unix;             /* the same for people, in seconds since 1970 */
} pairport_deposited;

/* Makes a deposit and fills *made, whose `size` the caller has set. On failure nothing has changed, and `message` says
 * why (with a NUL, cut to message_size; may be NULL with 0). PAIRPORT_INVALID_ARGUMENT (it names every field that is
 * wrong), PAIRPORT_STORE_FULL, PAIRPORT_OUT_OF_MEMORY, PAIRPORT_MEMORY_NOT_LOCKED, PAIRPORT_RANDOM_FAILED,
 * PAIRPORT_LATER. */
PAIRPORT_EXPORT int pairport_deposit(pairport_service* service, const pairport_new_deposit* deposit,
                                     const pairport_now* now, pairport_deposited* made, char* message,
                                     size_t message_size) PAIRPORT_NOEXCEPT;

/* The values of a deposit. A view. */
typedef struct pairport_credentials {
  size_t size;
  pairport_string connect_url;
  pairport_string client_id;
  pairport_string password;
  uint8_t fingerprint[16];
  uint64_t expires_ms; /* UINT64_MAX: never */
} pairport_credentials;

/* A live deposit, which is not counted as a use. Fills *found, whose `size` the caller has set; it is valid until the
 * next call with the service. PAIRPORT_NOT_FOUND, PAIRPORT_LATER, PAIRPORT_INVALID_ARGUMENT: NULL, or a size that no
 * version has had. */
PAIRPORT_EXPORT int pairport_look_up(pairport_service* service, pairport_string code, const pairport_now* now,
                                     pairport_credentials* found) PAIRPORT_NOEXCEPT;

/* What became of a live deposit. Times are whole seconds of the clock of pairport_now.monotonic_ms. */
typedef struct pairport_deposit_state {
  size_t size;
  uint64_t expires_ms; /* UINT64_MAX: never */
  int fetched;         /* nonzero: it has been handed out */
  /* With a limit; else 0: */
  uint32_t max_uses;
  uint32_t uses;
  uint32_t first_use_seconds;
  uint32_t last_use_seconds;
} pairport_deposit_state;

/* Fills *state, whose `size` the caller has set. A deposit that is used up has a state until it expires. Errors as of
 * pairport_look_up(), and PAIRPORT_INVALID_ARGUMENT for a size that no version has had. */
PAIRPORT_EXPORT int pairport_deposit_status(pairport_service* service, pairport_string code, const pairport_now* now,
                                            pairport_deposit_state* state) PAIRPORT_NOEXCEPT;

/* Wipes and removes a live deposit. Errors as of pairport_look_up(). The static deposit stays: PAIRPORT_NOT_FOUND. */
PAIRPORT_EXPORT int pairport_revoke(pairport_service* service, pairport_string code,
                                    const pairport_now* now) PAIRPORT_NOEXCEPT;

/* A live deposit now ends `ttl_ms` after `now`: whole seconds, from one second to 30 days. Since it was made it lives
 * for an hour at most with a code of fewer than 11 characters, for a day with fewer than 16. Errors as of
 * pairport_revoke(); PAIRPORT_STORE_FULL, PAIRPORT_OUT_OF_MEMORY, PAIRPORT_MEMORY_NOT_LOCKED, and nothing has changed.
 */
PAIRPORT_EXPORT int pairport_extend(pairport_service* service, pairport_string code, uint64_t ttl_ms,
                                    const pairport_now* now) PAIRPORT_NOEXCEPT;

/* ---------------------------------------------------------------------------------------------------------------- */

/* What a response waits for. */
enum {
  PAIRPORT_PENDING_NOTHING = 0,
  PAIRPORT_PENDING_FILE = 1, /* open `file`, which is in the folder of packages */
  PAIRPORT_PENDING_STORE = 2 /* carry out `verb` with `code` */
};

/* What a store can be asked. A live deposit is one that has not expired, was not revoked and is not used up. */
enum {
  PAIRPORT_STORE_PUT = 0,    /* keep a deposit under a code that is not in use */
  PAIRPORT_STORE_FIND = 1,   /* the live deposit of a code, without counting a use */
  PAIRPORT_STORE_USE = 2,    /* the same, and count a use: the answer hands out credentials */
  PAIRPORT_STORE_STATUS = 3, /* never pending today; like the next two */
  PAIRPORT_STORE_REVOKE = 4,
  PAIRPORT_STORE_EXTEND = 5
};

/* A view of the response: valid until the response is resumed, handled again, reset or destroyed. Holds secrets. */
typedef struct pairport_pending {
  size_t size;
  int kind;
  int is_head;          /* nonzero: the request was HEAD */
  pairport_string file; /* with PAIRPORT_PENDING_FILE */
  int verb;             /* with PAIRPORT_PENDING_STORE, as the members below */
  pairport_string code;
  /* With PAIRPORT_STORE_PUT: */
  pairport_string connect_url;
  pairport_string client_id;
  pairport_string password;
  uint8_t fingerprint[16]; /* of the server's SSH key (MD5), in binary */
  uint64_t expires_ms;     /* when its life ends, on the clock of pairport_now.monotonic_ms */
  uint32_t max_uses;       /* 0: no limit */
} pairport_pending;

/* Fills *pending, whose `size` the caller has set. PAIRPORT_INVALID_ARGUMENT: NULL, or a size that no version has had.
 */
PAIRPORT_EXPORT int pairport_response_pending(const pairport_response* response,
                                              pairport_pending* pending) PAIRPORT_NOEXCEPT;

/* What came of it. All zero but for its size: the store has done what it was asked. */
typedef struct pairport_reply {
  size_t size;
  /* PAIRPORT_OK; PAIRPORT_NOT_FOUND (no such file; no live deposit); PAIRPORT_ALREADY_EXISTS (put: the code is in use,
   * a new one is drawn); PAIRPORT_STORE_FULL, PAIRPORT_OUT_OF_MEMORY (put); PAIRPORT_UNAVAILABLE, as every other number
   */
  int result;
  const pairport_file_info* file; /* of a file that was opened; NULL: there is none */
  /* The deposit, of find and use. What no deposit can be counts as PAIRPORT_UNAVAILABLE. */
  pairport_string connect_url;
  pairport_string client_id;
  pairport_string password;
  uint8_t fingerprint[16];
  uint64_t expires_ms; /* as the store was given it */
} pairport_reply;

/* Goes on with a response that is pending, on the thread that has the service. Afterwards there is an answer, or it is
 * pending again, with another code for the same deposit. `reply` is copied, and the copy wiped.
 * PAIRPORT_INVALID_ARGUMENT, and nothing has changed: NULL, a response of another service, a size that no version has
 * had, a response that is not pending. */
PAIRPORT_EXPORT int pairport_resume(pairport_service* service, const pairport_reply* reply, const pairport_now* now,
                                    pairport_response* response) PAIRPORT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* PAIRPORT_PAIRPORT_DEPOSITS_H_ */

/* SPDX-License-Identifier: MIT
 * The verbs and answers that come later, from C: every function, every error, sizes of other versions. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pairport/pairport_deposits.h>

static int failures = 0;

#define EXPECT(condition)                                                     \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: %s: not so\n", __func__, __LINE__, #condition); \
      ++failures;                                                             \
    }                                                                         \
  } while (0)

#define GOOD_URL "http://rport.example.com:8080"
#define GOOD_FINGERPRINT "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
static const uint8_t kFingerprint[16] = {0x2a, 0xc4, 0x79, 0x04, 0x80, 0xba, 0x7c, 0x60,
                                         0x05, 0xe5, 0x2c, 0x49, 0x6d, 0x74, 0x56, 0x24};
static const char kJson[] = "{\"connect_url\":\"" GOOD_URL "\",\"fingerprint\":\"" GOOD_FINGERPRINT
                            "\",\"client_id\":\"client1\",\"password\":\"foobaz\"}";

/* The size of a structure that ends with `member`. */
#define SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(((type*)0)->member))

static pairport_now now;
static pairport_service* service;
static pairport_response* response;
static char body_text[100000];
static char message[512];

static pairport_string text(const char* literal) {
  pairport_string view = {literal, literal == NULL ? 0 : strlen(literal)};
  return view;
}

static int equals(pairport_string view, const char* expected) {
  return view.size == strlen(expected) && memcmp(view.data, expected, view.size) == 0;
}

static void open_service(int store_elsewhere, const char* static_code) {
  pairport_options options;
  now.monotonic_ms = 1000000;
  now.unix_seconds = 1790000000;
  EXPECT(pairport_options_init(&options, sizeof options) == PAIRPORT_OK);
  EXPECT(options.store_elsewhere == 0);
  options.deposits_per_second = 0;
  options.misses_per_second = 0;
  options.serve_packages = 1;
  options.store_elsewhere = store_elsewhere;
  if (static_code != NULL) {
    options.static_code = text(static_code);
    options.static_connect_url = text(GOOD_URL);
    options.static_fingerprint = text(GOOD_FINGERPRINT);
    options.static_client_id = text("client1");
    options.static_password = text("foobaz");
  }
  EXPECT(pairport_service_create(&options, &now, &service, message, sizeof message) == PAIRPORT_OK);
  EXPECT(pairport_response_create(service, &response) == PAIRPORT_OK);
}

static void close_service(void) {
  pairport_response_destroy(response);
  pairport_service_destroy(service);
  response = NULL;
  service = NULL;
}

static pairport_new_deposit good_deposit(void) {
  pairport_new_deposit deposit = {0};
  deposit.size = sizeof deposit;
  deposit.connect_url = text(GOOD_URL);
  deposit.fingerprint = text(GOOD_FINGERPRINT);
  deposit.client_id = text("client1");
  deposit.password = text("foobaz");
  return deposit;
}

/* Makes a deposit and gives its code. */
static pairport_string make(uint64_t ttl_ms, uint32_t max_uses) {
  static pairport_deposited made;
  pairport_new_deposit deposit = good_deposit();
  deposit.ttl_ms = ttl_ms;
  deposit.max_uses = max_uses;
  memset(&made, 0, sizeof made);
  made.size = sizeof made;
  EXPECT(pairport_deposit(service, &deposit, &now, &made, message, sizeof message) == PAIRPORT_OK);
  EXPECT(message[0] == '\0');
  return text(made.code);
}

/* The status; 0: pending. The body is in body_text. */
static int answer(void) {
  pairport_string fragments[PAIRPORT_MAX_FRAGMENTS];
  size_t size = 0, i;
  const size_t count = pairport_response_body(response, fragments);
  for (i = 0; i < count && size + fragments[i].size < sizeof body_text; ++i) {
    memcpy(body_text + size, fragments[i].data, fragments[i].size);
    size += fragments[i].size;
  }
  body_text[size] = '\0';
  return pairport_response_status(response);
}

static int ask(int method, pairport_string target, const char* body) {
  pairport_request request = {0};
  request.size = sizeof request;
  request.method = method;
  request.target = target;
  request.content_type = text("application/json");
  request.body = text(body);
  EXPECT(pairport_handle(service, &request, &now, response) == PAIRPORT_OK);
  return answer();
}

static int ask_for(int method, pairport_string code) {
  char target[64];
  snprintf(target, sizeof target, "/%.*s", (int)code.size, code.data);
  return ask(method, text(target), "");
}

static int get(pairport_string code) {
  return ask_for(PAIRPORT_METHOD_GET, code);
}

static pairport_stats statistics(void) {
  pairport_stats stats = {0};
  stats.size = sizeof stats;
  EXPECT(pairport_service_stats(service, &stats) == PAIRPORT_OK);
  return stats;
}

static pairport_deposit_state state_of(pairport_string code) {
  pairport_deposit_state state = {0};
  state.size = sizeof state;
  EXPECT(pairport_deposit_status(service, code, &now, &state) == PAIRPORT_OK);
  return state;
}

/* ---------------------------------------------------------------------------------------------------------------- */

static void a_deposit_is_found_handed_out_and_revoked(void) {
  pairport_new_deposit deposit = good_deposit();
  pairport_deposited made = {0};
  pairport_credentials found = {0};
  pairport_string code;
  open_service(0, NULL);
  made.size = sizeof made;
  found.size = sizeof found;
  EXPECT(pairport_deposit(service, &deposit, &now, &made, NULL, 0) == PAIRPORT_OK);
  EXPECT(strlen(made.code) == 10 && made.size == sizeof made);
  EXPECT(made.expires_ms == now.monotonic_ms + 600000 && made.expires_unix == now.unix_seconds + 600);
  code = text(made.code);
  EXPECT(pairport_look_up(service, code, &now, &found) == PAIRPORT_OK);
  EXPECT(equals(found.connect_url, GOOD_URL) && equals(found.client_id, "client1") && equals(found.password, "foobaz"));
  EXPECT(memcmp(found.fingerprint, kFingerprint, sizeof kFingerprint) == 0);
  EXPECT(found.expires_ms == made.expires_ms && found.size == sizeof found);
  EXPECT(!state_of(code).fetched); /* a look-up is no use */
  EXPECT(ask_for(PAIRPORT_METHOD_HEAD, code) == 200 && !state_of(code).fetched);
  EXPECT(get(code) == 200 && strstr(body_text, "foobaz") != NULL);
  EXPECT(state_of(code).fetched && state_of(code).expires_ms == made.expires_ms && state_of(code).max_uses == 0);
  EXPECT(statistics().deposits == 1);
  EXPECT(pairport_revoke(service, code, &now) == PAIRPORT_OK);
  EXPECT(get(code) == 404);
  EXPECT(pairport_revoke(service, code, &now) == PAIRPORT_NOT_FOUND);
  EXPECT(pairport_look_up(service, code, &now, &found) == PAIRPORT_NOT_FOUND);
  EXPECT(statistics().deposits == 0 && statistics().deposits_revoked == 1);
  close_service();
}

static void a_limit_of_uses_holds(void) {
  pairport_deposit_state state = {0};
  pairport_credentials found = {0};
  pairport_string code;
  open_service(0, NULL);
  code = make(0, 2);
  now.monotonic_ms += 5000;
  EXPECT(get(code) == 200);
  now.monotonic_ms += 7000;
  EXPECT(get(code) == 200);
  EXPECT(get(code) == 404 && ask_for(PAIRPORT_METHOD_HEAD, code) == 404);
  state = state_of(code); /* a deposit that is used up has a state */
  EXPECT(state.max_uses == 2 && state.uses == 2 && state.fetched);
  EXPECT(state.first_use_seconds == 1005 && state.last_use_seconds == 1012);
  found.size = sizeof found;
  EXPECT(pairport_look_up(service, code, &now, &found) == PAIRPORT_NOT_FOUND);
  now.monotonic_ms += 600000;
  state.size = sizeof state;
  EXPECT(pairport_deposit_status(service, code, &now, &state) == PAIRPORT_NOT_FOUND);
  close_service();
}

static void a_life_can_be_chosen_and_extended(void) {
  static const uint64_t kBadLives[] = {1, 999, 1500, (uint64_t)30 * 24 * 3600 * 1000 + 1000, UINT64_MAX};
  pairport_new_deposit deposit = good_deposit();
  pairport_deposited made = {0};
  pairport_string code;
  size_t i;
  open_service(0, NULL);
  code = make(1000, 0);
  now.monotonic_ms += 999;
  EXPECT(get(code) == 200);
  EXPECT(pairport_extend(service, code, 3600000, &now) == PAIRPORT_INVALID_ARGUMENT); /* too long for its code */
  EXPECT(pairport_extend(service, code, 3598000, &now) == PAIRPORT_OK);
  now.monotonic_ms += 3597000;
  EXPECT(get(code) == 200);
  EXPECT(pairport_extend(service, code, 1000, &now) == PAIRPORT_OK); /* also to an earlier end */
  now.monotonic_ms += 1000;
  EXPECT(get(code) == 404);
  EXPECT(pairport_extend(service, code, 3600000, &now) == PAIRPORT_NOT_FOUND);
  code = make(0, 0);
  made.size = sizeof made;
  for (i = 0; i < sizeof kBadLives / sizeof kBadLives[0]; ++i) {
    deposit.ttl_ms = kBadLives[i];
    EXPECT(pairport_deposit(service, &deposit, &now, &made, message, sizeof message) == PAIRPORT_INVALID_ARGUMENT);
    EXPECT(strstr(message, "ttl_ms") != NULL);
    EXPECT(pairport_extend(service, code, kBadLives[i], &now) == PAIRPORT_INVALID_ARGUMENT);
  }
  EXPECT(pairport_extend(service, code, 0, &now) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(made.code[0] == '\0');
  EXPECT(get(code) == 200);
  close_service();
}

static void wrong_fields_are_all_named_and_none_is_shown(void) {
  pairport_new_deposit deposit = good_deposit();
  pairport_deposited made = {0};
  char small[8];
  open_service(0, NULL);
  made.size = sizeof made;
  deposit.connect_url = text("ftp://x");
  deposit.fingerprint = text("nonsense");
  deposit.client_id = text("a:b");
  deposit.password = text("");
  EXPECT(pairport_deposit(service, &deposit, &now, &made, message, sizeof message) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(strstr(message, "connect_url") != NULL && strstr(message, "fingerprint") != NULL);
  EXPECT(strstr(message, "client_id") != NULL && strstr(message, "password") != NULL);
  EXPECT(strstr(message, "ftp") == NULL && strstr(message, "nonsense") == NULL && strstr(message, "a:b") == NULL);
  EXPECT(pairport_deposit(service, &deposit, &now, &made, small, sizeof small) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(strlen(small) == sizeof small - 1);
  EXPECT(pairport_deposit(service, &deposit, &now, &made, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(made.code[0] == '\0' && statistics().deposits == 0);
  close_service();
}

static void nulls_change_nothing(void) {
  const pairport_string null_with_length = {NULL, 3};
  pairport_new_deposit deposit = good_deposit();
  pairport_deposited made = {0};
  pairport_credentials found = {0};
  pairport_deposit_state state = {0};
  pairport_pending pending = {0};
  pairport_reply reply = {0};
  pairport_string code;
  open_service(0, NULL);
  code = make(0, 0);
  made.size = sizeof made;
  found.size = sizeof found;
  state.size = sizeof state;
  pending.size = sizeof pending;
  reply.size = sizeof reply;
#define REFUSES(call) EXPECT((call) == PAIRPORT_INVALID_ARGUMENT)
  REFUSES(pairport_deposit(NULL, &deposit, &now, &made, message, sizeof message));
  EXPECT(message[0] != '\0');
  REFUSES(pairport_deposit(service, NULL, &now, &made, NULL, 0));
  REFUSES(pairport_deposit(service, &deposit, NULL, &made, NULL, 0));
  REFUSES(pairport_deposit(service, &deposit, &now, NULL, NULL, 0));
  deposit.password = null_with_length;
  REFUSES(pairport_deposit(service, &deposit, &now, &made, message, sizeof message));
  EXPECT(message[0] != '\0');
  REFUSES(pairport_look_up(NULL, code, &now, &found));
  REFUSES(pairport_look_up(service, null_with_length, &now, &found));
  REFUSES(pairport_look_up(service, code, NULL, &found));
  REFUSES(pairport_look_up(service, code, &now, NULL));
  REFUSES(pairport_deposit_status(NULL, code, &now, &state));
  REFUSES(pairport_deposit_status(service, null_with_length, &now, &state));
  REFUSES(pairport_deposit_status(service, code, NULL, &state));
  REFUSES(pairport_deposit_status(service, code, &now, NULL));
  REFUSES(pairport_revoke(NULL, code, &now));
  REFUSES(pairport_revoke(service, null_with_length, &now));
  REFUSES(pairport_revoke(service, code, NULL));
  REFUSES(pairport_extend(NULL, code, 1000, &now));
  REFUSES(pairport_extend(service, null_with_length, 1000, &now));
  REFUSES(pairport_extend(service, code, 1000, NULL));
  REFUSES(pairport_response_pending(NULL, &pending));
  REFUSES(pairport_response_pending(response, NULL));
  REFUSES(pairport_resume(NULL, &reply, &now, response));
  REFUSES(pairport_resume(service, NULL, &now, response));
  REFUSES(pairport_resume(service, &reply, NULL, response));
  REFUSES(pairport_resume(service, &reply, &now, NULL));
  REFUSES(pairport_resume(service, &reply, &now, response)); /* it waits for nothing */
#undef REFUSES
  EXPECT(statistics().deposits == 1 && get(code) == 200);
  close_service();
}

static void what_is_no_code_is_not_found(void) {
  static const char* const kNoCodes[] = {"", "a b", "../..", "abc\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  pairport_credentials found = {0};
  pairport_deposit_state state = {0};
  size_t i;
  open_service(0, "0000000");
  found.size = sizeof found;
  state.size = sizeof state;
  for (i = 0; i < sizeof kNoCodes / sizeof kNoCodes[0]; ++i) {
    EXPECT(pairport_look_up(service, text(kNoCodes[i]), &now, &found) == PAIRPORT_NOT_FOUND);
    EXPECT(pairport_deposit_status(service, text(kNoCodes[i]), &now, &state) == PAIRPORT_NOT_FOUND);
    EXPECT(pairport_revoke(service, text(kNoCodes[i]), &now) == PAIRPORT_NOT_FOUND);
    EXPECT(pairport_extend(service, text(kNoCodes[i]), 1000, &now) == PAIRPORT_NOT_FOUND);
  }
  EXPECT(found.connect_url.data == NULL && state.expires_ms == 0); /* nothing was written */
  EXPECT(pairport_look_up(service, text("0000000"), &now, &found) == PAIRPORT_OK && found.expires_ms == UINT64_MAX);
  EXPECT(pairport_revoke(service, text("0000000"), &now) == PAIRPORT_NOT_FOUND);
  EXPECT(pairport_extend(service, text("0000000"), 1000, &now) == PAIRPORT_NOT_FOUND);
  EXPECT(get(text("0000000")) == 200);
  close_service();
}

/* Each structure as a program of another version has it: too short for any, the first one, longer with zeros behind it,
 * longer with something that this library does not know. */
static void structures_have_other_sizes(void) {
  struct {
    pairport_new_deposit known;
    uint64_t later;
  } deposit = {good_deposit(), 0};
  struct {
    pairport_deposited known;
    uint64_t later;
  } made = {{0}, 0};
  struct {
    pairport_credentials known;
    uint64_t later;
  } found = {{0}, 0};
  struct {
    pairport_deposit_state known;
    uint64_t later;
  } state = {{0}, 0};
  struct {
    pairport_pending known;
    uint64_t later;
  } pending = {{0}, 0};
  struct {
    pairport_reply known;
    uint64_t later;
  } reply = {{0}, 0};
  pairport_string code;
  open_service(1, NULL);
#define SIZED(structure, bytes) (structure.known.size = (bytes), &structure.known)
  EXPECT(ask(PAIRPORT_METHOD_POST, text("/"), kJson) == 0);
  EXPECT(pairport_response_pending(response, SIZED(pending, 0)) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_response_pending(response, SIZED(pending, SIZE_UP_TO(pairport_pending, max_uses) - 1)) ==
         PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_response_pending(response, SIZED(pending, SIZE_UP_TO(pairport_pending, max_uses))) == PAIRPORT_OK);
  EXPECT(pending.known.verb == PAIRPORT_STORE_PUT && pending.known.size == SIZE_UP_TO(pairport_pending, max_uses));
  pending.later = 7;
  EXPECT(pairport_response_pending(response, SIZED(pending, sizeof pending)) == PAIRPORT_OK);
  EXPECT(pending.known.size == sizeof pending && pending.later == 0);
  EXPECT(pairport_resume(service, SIZED(reply, 0), &now, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_resume(service, SIZED(reply, SIZE_UP_TO(pairport_reply, expires_ms) - 1), &now, response) ==
         PAIRPORT_INVALID_ARGUMENT);
  reply.later = 1;
  EXPECT(pairport_resume(service, SIZED(reply, sizeof reply), &now, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(answer() == 0); /* still pending */
  reply.later = 0;
  EXPECT(pairport_resume(service, SIZED(reply, sizeof reply), &now, response) == PAIRPORT_OK && answer() == 200);
  close_service();

  open_service(0, NULL);
#define DEPOSIT(in, out) pairport_deposit(service, in, &now, out, NULL, 0)
  EXPECT(DEPOSIT(SIZED(deposit, 0), SIZED(made, sizeof made)) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(DEPOSIT(SIZED(deposit, SIZE_UP_TO(pairport_new_deposit, max_uses) - 1), SIZED(made, sizeof made)) ==
         PAIRPORT_INVALID_ARGUMENT);
  deposit.later = 1;
  EXPECT(DEPOSIT(SIZED(deposit, sizeof deposit), SIZED(made, sizeof made)) == PAIRPORT_INVALID_ARGUMENT);
  deposit.later = 0;
  EXPECT(DEPOSIT(SIZED(deposit, sizeof deposit), SIZED(made, sizeof(size_t))) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(statistics().deposits == 0);
  made.later = 7;
  EXPECT(DEPOSIT(SIZED(deposit, sizeof deposit), SIZED(made, sizeof made)) == PAIRPORT_OK && made.later == 0);
  EXPECT(made.known.size == sizeof made);
  code = text(made.known.code);
#define LOOK_UP(out) pairport_look_up(service, code, &now, out)
  EXPECT(LOOK_UP(SIZED(found, SIZE_UP_TO(pairport_credentials, expires_ms) - 1)) == PAIRPORT_INVALID_ARGUMENT);
  found.later = 7;
  EXPECT(LOOK_UP(SIZED(found, sizeof found.known)) == PAIRPORT_OK && found.later == 7);
  EXPECT(LOOK_UP(SIZED(found, sizeof found)) == PAIRPORT_OK && found.later == 0);
#define STATUS(out) pairport_deposit_status(service, code, &now, out)
  EXPECT(STATUS(SIZED(state, SIZE_UP_TO(pairport_deposit_state, last_use_seconds) - 1)) == PAIRPORT_INVALID_ARGUMENT);
  state.later = 7;
  EXPECT(STATUS(SIZED(state, sizeof state.known)) == PAIRPORT_OK && state.later == 7);
  EXPECT(STATUS(SIZED(state, sizeof state)) == PAIRPORT_OK && state.later == 0);
#undef SIZED
#undef DEPOSIT
#undef LOOK_UP
#undef STATUS
  close_service();
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* A store of this program's, which has one deposit. */

static struct {
  char code[PAIRPORT_MAX_CODE + 1];
  char connect_url[2100];
  char client_id[300];
  char password[300];
  uint8_t fingerprint[16];
  uint64_t expires_ms;
} kept;

static pairport_pending waiting(void) {
  pairport_pending pending = {0};
  pending.size = sizeof pending;
  EXPECT(pairport_response_pending(response, &pending) == PAIRPORT_OK);
  return pending;
}

static void copy(char* out, size_t size, pairport_string view) {
  EXPECT(view.size < size);
  snprintf(out, size, "%.*s", (int)view.size, view.data);
}

/* The status after the reply. */
static int resume(const pairport_reply* reply) {
  EXPECT(pairport_resume(service, reply, &now, response) == PAIRPORT_OK);
  return answer();
}

static int resume_with(int result) {
  pairport_reply reply = {0};
  reply.size = sizeof reply;
  reply.result = result;
  return resume(&reply);
}

static pairport_reply kept_reply(void) {
  pairport_reply reply = {0};
  reply.size = sizeof reply;
  reply.connect_url = text(kept.connect_url);
  reply.client_id = text(kept.client_id);
  reply.password = text(kept.password);
  memcpy(reply.fingerprint, kept.fingerprint, sizeof kept.fingerprint);
  reply.expires_ms = kept.expires_ms;
  return reply;
}

static void put(void) {
  pairport_pending pending;
  EXPECT(ask(PAIRPORT_METHOD_POST, text("/"), kJson) == 0);
  pending = waiting();
  EXPECT(pending.kind == PAIRPORT_PENDING_STORE && pending.verb == PAIRPORT_STORE_PUT && !pending.is_head);
  EXPECT(pending.code.size == 10 && pending.max_uses == 0 && pending.file.size == 0);
  EXPECT(memcmp(pending.fingerprint, kFingerprint, sizeof kFingerprint) == 0);
  EXPECT(pending.expires_ms == now.monotonic_ms + 600000);
  copy(kept.code, sizeof kept.code, pending.code);
  copy(kept.connect_url, sizeof kept.connect_url, pending.connect_url);
  copy(kept.client_id, sizeof kept.client_id, pending.client_id);
  copy(kept.password, sizeof kept.password, pending.password);
  memcpy(kept.fingerprint, pending.fingerprint, sizeof kept.fingerprint);
  kept.expires_ms = pending.expires_ms;
  EXPECT(resume_with(PAIRPORT_OK) == 200);
  EXPECT(strstr(body_text, kept.code) != NULL);
}

static void a_store_elsewhere_keeps_and_finds(void) {
  pairport_reply reply;
  open_service(1, NULL);
  put();
  EXPECT(strcmp(kept.connect_url, GOOD_URL) == 0 && strcmp(kept.client_id, "client1") == 0);
  EXPECT(strcmp(kept.password, "foobaz") == 0);
  EXPECT(waiting().kind == PAIRPORT_PENDING_NOTHING);
  reply = kept_reply();
  EXPECT(get(text(kept.code)) == 0);
  EXPECT(waiting().verb == PAIRPORT_STORE_USE && equals(waiting().code, kept.code));
  EXPECT(pairport_answer_file(service, NULL, response) == PAIRPORT_INVALID_ARGUMENT); /* it asks for no file */
  EXPECT(pairport_response_file(response).size == 0);
  EXPECT(resume(&reply) == 200);
  EXPECT(strstr(body_text, "foobaz") != NULL && strstr(body_text, GOOD_FINGERPRINT) != NULL);
  memset(kept.password, 'x', 3); /* the reply was copied */
  EXPECT(answer() == 200 && strstr(body_text, "foobaz") != NULL);
  memcpy(kept.password, "foo", 3);
  EXPECT(ask_for(PAIRPORT_METHOD_HEAD, text(kept.code)) == 0);
  EXPECT(waiting().verb == PAIRPORT_STORE_FIND && waiting().is_head);
  EXPECT(resume(&reply) == 200 && body_text[0] == '\0');
  EXPECT(get(text(kept.code)) == 0 && resume_with(PAIRPORT_NOT_FOUND) == 404);
  EXPECT(statistics().misses == 1 && statistics().look_ups_failed == 0);
  close_service();
}

static void a_code_in_use_is_drawn_again(void) {
  pairport_pending before, after;
  char code[PAIRPORT_MAX_CODE + 1];
  open_service(1, NULL);
  EXPECT(ask(PAIRPORT_METHOD_POST, text("/"), kJson) == 0);
  before = waiting();
  copy(code, sizeof code, before.code);
  EXPECT(resume_with(PAIRPORT_ALREADY_EXISTS) == 0);
  after = waiting();
  EXPECT(after.kind == PAIRPORT_PENDING_STORE && after.verb == PAIRPORT_STORE_PUT);
  EXPECT(after.code.size == 10 && !equals(after.code, code));
  EXPECT(equals(after.connect_url, GOOD_URL) && equals(after.client_id, "client1") && equals(after.password, "foobaz"));
  EXPECT(resume_with(PAIRPORT_OK) == 200 && strstr(body_text, code) == NULL);
  close_service();
}

static void what_a_store_cannot_do_is_503(void) {
  static const int kResults[] = {PAIRPORT_UNAVAILABLE,
                                 PAIRPORT_STORE_FULL,
                                 PAIRPORT_OUT_OF_MEMORY,
                                 PAIRPORT_LATER,
                                 PAIRPORT_SYSTEM,
                                 -1000,
                                 1,
                                 256,
                                 65536,
                                 PAIRPORT_NOT_FOUND};
  size_t i;
  open_service(1, NULL);
  for (i = 0; i < sizeof kResults / sizeof kResults[0]; ++i) {
    EXPECT(ask(PAIRPORT_METHOD_POST, text("/"), kJson) == 0 && resume_with(kResults[i]) == 503);
    EXPECT(strstr(body_text, "foobaz") == NULL && pairport_response_retry_after(response) != 0);
    if (kResults[i] == PAIRPORT_NOT_FOUND) continue; /* of a look-up that is an answer */
    EXPECT(get(text("ABCDEFGHIJ")) == 0 && resume_with(kResults[i]) == 503);
    EXPECT(strstr(body_text, "exit 1") != NULL && strstr(body_text, "ABCDEFGHIJ") == NULL);
  }
  EXPECT(statistics().deposits_refused == i && statistics().look_ups_failed == i - 1 && statistics().misses == 0);
  close_service();
}

/* A store may hold what somebody else wrote into it: none of it reaches a script. */
static void a_deposit_that_breaks_the_rules_is_503(void) {
  static char long_text[5000];
  const pairport_string null_with_length = {NULL, 3}, with_nul = {"foo\0baz", 7};
  pairport_reply bad;
  open_service(1, NULL);
  put();
  memset(long_text, 'a', sizeof long_text - 1);
#define REFUSES(change)                                       \
  do {                                                        \
    bad = kept_reply();                                       \
    change;                                                   \
    EXPECT(get(text(kept.code)) == 0 && resume(&bad) == 503); \
    EXPECT(strstr(body_text, "foobaz") == NULL);              \
  } while (0)
  REFUSES(bad.connect_url = text(""));
  REFUSES(bad.connect_url = text("ftp://rport.example.com"));
  REFUSES(bad.connect_url = text("http://a\n# b"));
  REFUSES(bad.connect_url = text(long_text));
  REFUSES(bad.connect_url = null_with_length);
  REFUSES(bad.client_id = text(""));
  REFUSES(bad.client_id = text("a:b"));
  REFUSES(bad.client_id = text(long_text));
  REFUSES(bad.client_id = null_with_length);
  REFUSES(bad.password = text(""));
  REFUSES(bad.password = text("a\nb"));
  REFUSES(bad.password = with_nul);
  REFUSES(bad.password = text(long_text));
  REFUSES(bad.password = null_with_length);
#undef REFUSES
  bad = kept_reply();
  bad.expires_ms = UINT64_MAX;
  EXPECT(get(text(kept.code)) == 0 && resume(&bad) == 200);
  close_service();
}

static void a_file_is_pending_too(void) {
  const pairport_file_info info = {100, 1};
  pairport_reply reply = {0};
  uint64_t size = 0;
  open_service(1, NULL);
  reply.size = sizeof reply;
  EXPECT(ask(PAIRPORT_METHOD_GET, text("/packages/a.tar.gz"), "") == 0);
  EXPECT(waiting().kind == PAIRPORT_PENDING_FILE && equals(waiting().file, "a.tar.gz") && waiting().code.size == 0);
  EXPECT(equals(pairport_response_file(response), "a.tar.gz"));
  reply.file = &info;
  EXPECT(resume(&reply) == 200);
  pairport_response_file_range(response, NULL, &size);
  EXPECT(size == 100);
  EXPECT(ask(PAIRPORT_METHOD_GET, text("/packages/a.tar.gz"), "") == 0 && resume_with(PAIRPORT_OK) == 404);
  EXPECT(ask(PAIRPORT_METHOD_GET, text("/packages/a.tar.gz"), "") == 0 && resume_with(PAIRPORT_NOT_FOUND) == 404);
  EXPECT(ask(PAIRPORT_METHOD_GET, text("/packages/a.tar.gz"), "") == 0 && resume_with(PAIRPORT_UNAVAILABLE) == 503);
  EXPECT(ask(PAIRPORT_METHOD_HEAD, text("/packages/a.tar.gz"), "") == 0 && waiting().is_head);
  EXPECT(resume(&reply) == 200);
  close_service();
}

static void the_verbs_leave_a_store_elsewhere_to_its_owner(void) {
  pairport_new_deposit deposit = good_deposit();
  pairport_deposited made = {0};
  pairport_credentials found = {0};
  pairport_deposit_state state = {0};
  open_service(1, "0000000");
  made.size = sizeof made;
  found.size = sizeof found;
  state.size = sizeof state;
  EXPECT(pairport_deposit(service, &deposit, &now, &made, message, sizeof message) == PAIRPORT_LATER);
  EXPECT(message[0] != '\0' && made.code[0] == '\0');
  EXPECT(pairport_look_up(service, text("ABCDEFGHIJ"), &now, &found) == PAIRPORT_LATER);
  EXPECT(pairport_deposit_status(service, text("ABCDEFGHIJ"), &now, &state) == PAIRPORT_LATER);
  EXPECT(pairport_revoke(service, text("ABCDEFGHIJ"), &now) == PAIRPORT_LATER);
  EXPECT(pairport_extend(service, text("ABCDEFGHIJ"), 1000, &now) == PAIRPORT_LATER);
  EXPECT(statistics().deposits_revoked == 0);
  EXPECT(get(text("0000000")) == 200); /* the static deposit stays with the service */
  EXPECT(pairport_look_up(service, text("0000000"), &now, &found) == PAIRPORT_OK);
  EXPECT(pairport_revoke(service, text("0000000"), &now) == PAIRPORT_NOT_FOUND);
  EXPECT(pairport_service_expire(service, &now, 100) == 0);
  close_service();
}

static void a_pending_response_can_be_given_up(void) {
  pairport_service* first;
  pairport_response* waits;
  pairport_reply reply = {0};
  open_service(1, NULL);
  reply.size = sizeof reply;
  EXPECT(get(text("ABCDEFGHIJ")) == 0);
  pairport_response_reset(response);
  EXPECT(waiting().kind == PAIRPORT_PENDING_NOTHING);
  EXPECT(pairport_resume(service, &reply, &now, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(get(text("ABCDEFGHIJ")) == 0);
  EXPECT(ask(PAIRPORT_METHOD_GET, text("/update"), "") == 200);
  EXPECT(waiting().kind == PAIRPORT_PENDING_NOTHING);
  EXPECT(get(text("ABCDEFGHIJ")) == 0);
  first = service;
  waits = response;
  open_service(1, NULL);
  EXPECT(pairport_resume(service, &reply, &now, waits) == PAIRPORT_INVALID_ARGUMENT); /* of another service */
  close_service();
  service = first;
  response = waits;
  EXPECT(waiting().verb == PAIRPORT_STORE_USE);
  close_service(); /* while it is pending */
}

static void a_forked_child_gets_errors(void) {
  pairport_new_deposit deposit = good_deposit();
  pairport_deposited made = {0};
  pairport_credentials found = {0};
  pairport_deposit_state state = {0};
  pairport_pending pending = {0};
  pairport_reply reply = {0};
  pid_t child;
  int status = 0;
  open_service(1, NULL);
  made.size = sizeof made;
  found.size = sizeof found;
  state.size = sizeof state;
  pending.size = sizeof pending;
  reply.size = sizeof reply;
  EXPECT(get(text("ABCDEFGHIJ")) == 0);
  child = fork();
  if (child == 0) {
#define REFUSES(call) EXPECT((call) == PAIRPORT_INVALID_ARGUMENT)
    REFUSES(pairport_response_pending(response, &pending));
    REFUSES(pairport_resume(service, &reply, &now, response));
    REFUSES(pairport_deposit(service, &deposit, &now, &made, message, sizeof message));
    REFUSES(pairport_look_up(service, text("ABCDEFGHIJ"), &now, &found));
    REFUSES(pairport_deposit_status(service, text("ABCDEFGHIJ"), &now, &state));
    REFUSES(pairport_revoke(service, text("ABCDEFGHIJ"), &now));
    REFUSES(pairport_extend(service, text("ABCDEFGHIJ"), 1000, &now));
#undef REFUSES
    _exit(failures != 0);
  }
  EXPECT(child > 0 && waitpid(child, &status, 0) == child);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT(resume_with(PAIRPORT_NOT_FOUND) == 404); /* nothing has changed here */
  close_service();
}

int main(void) {
  a_deposit_is_found_handed_out_and_revoked();
  a_limit_of_uses_holds();
  a_life_can_be_chosen_and_extended();
  wrong_fields_are_all_named_and_none_is_shown();
  nulls_change_nothing();
  what_is_no_code_is_not_found();
  structures_have_other_sizes();
  a_store_elsewhere_keeps_and_finds();
  a_code_in_use_is_drawn_again();
  what_a_store_cannot_do_is_503();
  a_deposit_that_breaks_the_rules_is_503();
  a_file_is_pending_too();
  the_verbs_leave_a_store_elsewhere_to_its_owner();
  a_pending_response_can_be_given_up();
  a_forked_child_gets_errors();
  if (failures != 0) fprintf(stderr, "%d expectations were not met\n", failures);
  return failures != 0;
}

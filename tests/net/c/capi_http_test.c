/* SPDX-License-Identifier: MIT
 * HTTP/1 connections in C: what goes in and comes out, what they wait for, and what they refuse. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pairport/pairport_http.h>

static int failures = 0;

#define EXPECT(condition)                                                     \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: %s: not so\n", __func__, __LINE__, #condition); \
      ++failures;                                                             \
    }                                                                         \
  } while (0)

#define JSON                                                            \
  "{\"connect_url\":\"http://rport.example.com:8080\",\"fingerprint\":" \
  "\"2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24\",\"client_id\":"  \
  "\"client1\",\"password\":\"foobaz\"}"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static pairport_now now;
static pairport_service* service;
static pairport_connections* all;
static pairport_connection* connection;
static char received[200000];
static size_t received_size;
static char post[1024];
static int answers;
static pairport_answer last_answer;
static uint8_t random_state;

static pairport_string text(const char* literal) {
  pairport_string view = {literal, literal == NULL ? 0 : strlen(literal)};
  return view;
}

/* The same codes in every service. */
static int known_random(void* user, uint8_t* out, size_t size) {
  size_t i;
  (void)user;
  for (i = 0; i < size; ++i) out[i] = random_state = (uint8_t)(random_state * 5 + 3);
  return 0;
}

static void on_answer(void* user, const pairport_answer* answer) {
  EXPECT(user == &answers && answer->size == sizeof *answer);
  last_answer = *answer;
  ++answers;
}

static void connect_with(int transport) {
  const uint8_t address[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  EXPECT(pairport_connection_create(all, address, transport, &now, &connection) == PAIRPORT_OK);
  received_size = 0;
  received[0] = '\0';
}

static void open_service(int store_elsewhere, const pairport_connections_options* connection_options) {
  pairport_options options;
  char message[256];
  now.monotonic_ms = 1000000;
  now.unix_seconds = 1790000000;
  random_state = 7;
  answers = 0;
  EXPECT(pairport_options_init(&options, sizeof options) == PAIRPORT_OK);
  options.url = text("https://pairing.example.com");
  options.deposits_per_second = 0;
  options.misses_per_second = 0;
  options.serve_packages = 1;
  options.store_elsewhere = store_elsewhere;
  options.random = known_random;
  EXPECT(pairport_service_create(&options, &now, &service, message, sizeof message) == PAIRPORT_OK);
  EXPECT(pairport_connections_create(service, connection_options, &all, message, sizeof message) == PAIRPORT_OK);
  EXPECT(message[0] == '\0');
  snprintf(post, sizeof post,
           "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
           strlen(JSON), JSON);
}

static void open_default(int store_elsewhere) {
  pairport_connections_options options;
  EXPECT(pairport_connections_options_init(&options, sizeof options) == PAIRPORT_OK);
  options.on_answer = on_answer;
  options.answer_user = &answers;
  open_service(store_elsewhere, &options);
  connect_with(PAIRPORT_TRANSPORT_PLAIN);
}

static void close_all(void) {
  pairport_connection_destroy(connection);
  EXPECT(pairport_connections_destroy(all) == PAIRPORT_OK);
  pairport_service_destroy(service);
  connection = NULL;
  all = NULL;
  service = NULL;
}

static int wants(int bits) {
  return (pairport_connection_wants(connection) & (unsigned)bits) == (unsigned)bits;
}

/* Takes all output, at most `step` bytes at a time. */
static void take_output(size_t step) {
  pairport_string parts[PAIRPORT_MAX_OUTPUT];
  while (pairport_connection_output(connection, parts, PAIRPORT_MAX_OUTPUT) > 0) {
    const size_t size = parts[0].size < step ? parts[0].size : step;
    EXPECT(parts[0].size > 0 && received_size + size < sizeof received);
    memcpy(received + received_size, parts[0].data, size);
    received_size += size;
    received[received_size] = '\0';
    EXPECT(pairport_connection_on_output(connection, size, &now) == PAIRPORT_OK);
  }
}

/* Sends `input` in pieces of `step` bytes, and takes the output in such pieces. */
static void send_in_steps(const char* input, size_t step) {
  size_t rest = strlen(input);
  while (rest > 0) {
    const size_t size = rest < step ? rest : step;
    const pairport_string piece = {input, size};
    EXPECT(wants(PAIRPORT_WANTS_INPUT));
    EXPECT(pairport_connection_on_input(connection, piece, &now) == PAIRPORT_OK);
    input += size;
    rest -= size;
    take_output(step);
  }
}

static void send_all(const char* input) {
  send_in_steps(input, PAIRPORT_MAX_INPUT);
}

static size_t count_of(const char* part) {
  size_t count = 0;
  const char* at = received;
  while ((at = strstr(at, part)) != NULL) {
    ++count;
    at += strlen(part);
  }
  return count;
}

/* ---------------------------------------------------------------------------------------------------------------- */

static void whole_and_bytewise_input_give_equal_output(void) {
  static char whole[sizeof received];
  static const char kRest[] = GET("/update") "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" GET("/ABCDEFGHIJ");
  char input[2048];
  open_default(0);
  snprintf(input, sizeof input, "%s%s", post, kRest);
  send_all(input);
  memcpy(whole, received, sizeof whole);
  EXPECT(count_of("HTTP/1.1 200 OK\r\n") == 3 && count_of("HTTP/1.1 404 Not Found\r\n") == 1);
  EXPECT(count_of("\"pairing_code\"") == 1);
  EXPECT(answers == 4 && last_answer.status == 404 && last_answer.complete);
  EXPECT(last_answer.method == PAIRPORT_METHOD_GET && strcmp(last_answer.route, "installer") == 0);
  EXPECT(last_answer.address[15] == 1 && last_answer.address[12] == 192);
  close_all();
  open_default(0);
  send_in_steps(input, 1);
  EXPECT(strcmp(whole, received) == 0);
  close_all();
}

static void a_deposit_becomes_an_installer(void) {
  char request[128];
  const char* code;
  open_default(0);
  send_all(post);
  code = strstr(received, "\"pairing_code\":\"");
  EXPECT(code != NULL);
  snprintf(request, sizeof request, "GET /%.10s HTTP/1.1\r\nHost: x\r\n\r\n", code == NULL ? "" : code + 16);
  received_size = 0;
  send_all(request);
  EXPECT(strstr(received, "HTTP/1.1 200 OK\r\n") == received && strstr(received, "foobaz") != NULL);
  EXPECT(wants(PAIRPORT_WANTS_INPUT | PAIRPORT_WAITS_FOR_REQUEST) && !wants(PAIRPORT_WOULD_CUT_ANSWER));
  close_all();
}

static void requests_that_come_together_are_answered_together(void) {
  pairport_string parts[PAIRPORT_MAX_OUTPUT];
  size_t count;
  open_default(0);
  EXPECT(pairport_connection_on_input(connection, text(GET("/update") GET("/update") GET("/update")), &now) == 0);
  count = pairport_connection_output(connection, parts, PAIRPORT_MAX_OUTPUT);
  EXPECT(count > 3 && count <= PAIRPORT_MAX_OUTPUT);
  EXPECT(pairport_connection_output(connection, parts, 2) == 2); /* as many as there is room for */
  EXPECT(pairport_connection_output(connection, NULL, 0) == 0);
  EXPECT(!wants(PAIRPORT_WANTS_INPUT) && wants(PAIRPORT_WOULD_CUT_ANSWER));
  take_output(SIZE_MAX);
  EXPECT(count_of("HTTP/1.1 200 OK\r\n") == 3 && answers == 3);
  close_all();
}

static void ends_are_as_the_request_and_the_owner_want(void) {
  open_default(0);
  EXPECT(pairport_connection_on_input(connection, text("HEAD /update HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                                      &now) == PAIRPORT_OK);
  EXPECT(wants(PAIRPORT_CLOSES_AFTER_OUTPUT) && !wants(PAIRPORT_WANTS_CLOSE));
  take_output(SIZE_MAX);
  EXPECT(wants(PAIRPORT_WANTS_CLOSE) && !wants(PAIRPORT_WOULD_CUT_ANSWER));
  EXPECT(count_of("HTTP/1.1 200 OK\r\n") == 1 && strcmp(received + received_size - 4, "\r\n\r\n") == 0);
  pairport_connection_destroy(connection);

  connect_with(PAIRPORT_TRANSPORT_PLAIN); /* refused before it was read: the peer may still be sending */
  send_all("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  EXPECT(wants(PAIRPORT_WANTS_SHUTDOWN) && wants(PAIRPORT_WANTS_INPUT) && !wants(PAIRPORT_WANTS_CLOSE));
  EXPECT(pairport_connection_on_input_end(connection, &now) == PAIRPORT_OK && wants(PAIRPORT_WANTS_CLOSE));
  pairport_connection_destroy(connection);

  connect_with(PAIRPORT_TRANSPORT_PLAIN);
  EXPECT(pairport_connection_finish(connection) == PAIRPORT_OK && wants(PAIRPORT_WANTS_CLOSE));
  pairport_connection_destroy(connection);

  connect_with(PAIRPORT_TRANSPORT_PLAIN); /* destroyed before its answer was sent */
  answers = 0;
  EXPECT(pairport_connection_on_input(connection, text(GET("/update")), &now) == PAIRPORT_OK && answers == 0);
  pairport_connection_destroy(connection);
  EXPECT(answers == 1 && !last_answer.complete);
  connection = NULL;
  close_all();
}

static void deadlines_are_kept(void) {
  uint64_t before;
  open_default(0);
  EXPECT(pairport_connection_deadline(connection) == now.monotonic_ms + 10000);
  now.monotonic_ms += 5000;
  EXPECT(pairport_connection_start(connection, &now) == PAIRPORT_OK);
  EXPECT(pairport_connection_deadline(connection) == now.monotonic_ms + 10000);
  send_all("GET / HTTP/1.1\r\n");
  before = pairport_connection_deadline(connection);
  EXPECT(pairport_connection_on_deadline(connection, &now) == PAIRPORT_OK); /* early: harmless */
  EXPECT(pairport_connection_deadline(connection) == before && wants(PAIRPORT_WANTS_INPUT));
  now.monotonic_ms = before;
  EXPECT(pairport_connection_on_deadline(connection, &now) == PAIRPORT_OK);
  take_output(SIZE_MAX);
  EXPECT(strstr(received, "HTTP/1.1 408 ") == received && wants(PAIRPORT_WANTS_SHUTDOWN));
  now.monotonic_ms += 2000;
  EXPECT(pairport_connection_on_deadline(connection, &now) == PAIRPORT_OK);
  EXPECT(wants(PAIRPORT_WANTS_CLOSE) && pairport_connection_deadline(connection) == PAIRPORT_NO_DEADLINE);
  pairport_connection_destroy(connection);

  connect_with(PAIRPORT_TRANSPORT_PLAIN); /* a peer that takes nothing of its answer, and one that takes it slowly */
  EXPECT(pairport_connection_on_input(connection, text(GET("/update")), &now) == PAIRPORT_OK);
  now.monotonic_ms += 9000;
  EXPECT(pairport_connection_on_progress(connection, &now) == PAIRPORT_OK);
  EXPECT(pairport_connection_deadline(connection) > now.monotonic_ms + 1000);
  now.monotonic_ms += 10000;
  EXPECT(pairport_connection_on_deadline(connection, &now) == PAIRPORT_OK);
  EXPECT(wants(PAIRPORT_WANTS_CLOSE | PAIRPORT_WOULD_CUT_ANSWER));
  close_all();
}

static pairport_pending pending(uint32_t* id) {
  pairport_pending result = {0};
  result.size = sizeof result;
  EXPECT(pairport_connection_pending(connection, &result, id) == PAIRPORT_OK);
  return result;
}

static pairport_reply reply_with(int result) {
  pairport_reply reply = {0};
  reply.size = sizeof reply;
  reply.result = result;
  return reply;
}

static void an_answer_waits_for_a_store(void) {
  const pairport_reply done = reply_with(PAIRPORT_OK), in_use = reply_with(PAIRPORT_ALREADY_EXISTS),
                       unknown = reply_with(PAIRPORT_NOT_FOUND);
  pairport_pending waits;
  uint32_t first, second, third;
  char code[16];
  open_default(1);
  EXPECT(pending(&first).kind == PAIRPORT_PENDING_NOTHING && first == 0);
  EXPECT(pairport_connection_resume(connection, 0, &done, &now) == PAIRPORT_NOT_FOUND);
  send_all(post);
  waits = pending(&first);
  EXPECT(waits.kind == PAIRPORT_PENDING_STORE && waits.verb == PAIRPORT_STORE_PUT && first != 0);
  EXPECT(waits.password.size == 6 && memcmp(waits.password.data, "foobaz", 6) == 0);
  EXPECT(wants(PAIRPORT_WANTS_REPLY) && !wants(PAIRPORT_WANTS_INPUT) && received_size == 0);
  EXPECT(pairport_connection_resume(connection, first, &in_use, &now) == PAIRPORT_OK);
  waits = pending(&second);
  EXPECT(waits.kind == PAIRPORT_PENDING_STORE && second != first && second != 0);
  snprintf(code, sizeof code, "%.*s", (int)waits.code.size, waits.code.data);
  EXPECT(pairport_connection_resume(connection, first, &done, &now) == PAIRPORT_NOT_FOUND); /* a stale number */
  EXPECT(wants(PAIRPORT_WANTS_REPLY));
  EXPECT(pairport_connection_resume(connection, second, &done, &now) == PAIRPORT_OK);
  EXPECT(!wants(PAIRPORT_WANTS_REPLY));
  take_output(SIZE_MAX);
  EXPECT(strstr(received, "HTTP/1.1 200 OK\r\n") == received && strstr(received, code) != NULL);

  received_size = 0;
  send_all(GET("/ABCDEFGHIJ"));
  EXPECT(pending(&third).verb == PAIRPORT_STORE_USE && third != second);
  EXPECT(pairport_connection_resume(connection, third, &unknown, &now) == PAIRPORT_OK);
  EXPECT(pairport_connection_resume(connection, third, &unknown, &now) == PAIRPORT_NOT_FOUND); /* twice */
  take_output(SIZE_MAX);
  EXPECT(strstr(received, "HTTP/1.1 404 ") == received);

  received_size = 0;
  send_all("HEAD /ABCDEFGHIJ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT(pending(&first).verb == PAIRPORT_STORE_FIND && pending(&first).is_head);
  EXPECT(pairport_connection_deadline(connection) == now.monotonic_ms + 10000);
  now.monotonic_ms += 10000; /* no reply comes */
  EXPECT(pairport_connection_on_deadline(connection, &now) == PAIRPORT_OK && !wants(PAIRPORT_WANTS_REPLY));
  EXPECT(pairport_connection_resume(connection, first, &done, &now) == PAIRPORT_NOT_FOUND); /* too late */
  take_output(SIZE_MAX);
  EXPECT(strstr(received, "HTTP/1.1 503 ") == received && strstr(received, "Retry-After: ") != NULL);
  send_all(GET("/ABCDEFGHIJ"));
  EXPECT(wants(PAIRPORT_WANTS_REPLY));
  close_all(); /* while it waits */
}

static void an_answer_waits_for_a_file(void) {
  static const char kFile[] = "0123456789";
  const pairport_file_info info = {sizeof kFile - 1, 1};
  pairport_reply reply = reply_with(PAIRPORT_OK);
  uint64_t offset, size;
  uint32_t id;
  pairport_string piece = {kFile, 4};
  open_default(0);
  reply.file = &info;
  EXPECT(pairport_connection_on_data(connection, piece, &now) == PAIRPORT_INVALID_ARGUMENT); /* no file */
  send_all(GET("/packages/a.tar.gz"));
  EXPECT(pending(&id).kind == PAIRPORT_PENDING_FILE);
  EXPECT(pairport_connection_resume(connection, id, &reply, &now) == PAIRPORT_OK);
  take_output(SIZE_MAX);
  EXPECT(strstr(received, "HTTP/1.1 200 OK\r\n") == received && strstr(received, "Content-Length: 10\r\n") != NULL);
  EXPECT(wants(PAIRPORT_WANTS_DATA));
  pairport_connection_file_range(connection, &offset, &size);
  EXPECT(offset == 0 && size == 10);
  piece.size = 11;
  EXPECT(pairport_connection_on_data(connection, piece, &now) == PAIRPORT_INVALID_ARGUMENT); /* more than is needed */
  piece.size = 4;
  EXPECT(pairport_connection_on_data(connection, piece, &now) == PAIRPORT_OK && !wants(PAIRPORT_WANTS_DATA));
  take_output(SIZE_MAX);
  pairport_connection_file_range(connection, &offset, &size);
  EXPECT(offset == 4 && size == 6);
  piece.data += 4;
  piece.size = 6;
  EXPECT(pairport_connection_on_data(connection, piece, &now) == PAIRPORT_OK);
  take_output(SIZE_MAX);
  EXPECT(strcmp(received + received_size - 10, kFile) == 0 && wants(PAIRPORT_WAITS_FOR_REQUEST));

  send_all(GET("/packages/a.tar.gz")); /* it becomes unreadable */
  EXPECT(pending(&id).kind == PAIRPORT_PENDING_FILE);
  EXPECT(pairport_connection_resume(connection, id, &reply, &now) == PAIRPORT_OK);
  take_output(SIZE_MAX);
  EXPECT(pairport_connection_on_data(connection, text(""), &now) == PAIRPORT_OK);
  EXPECT(wants(PAIRPORT_WANTS_CLOSE | PAIRPORT_WOULD_CUT_ANSWER));
  pairport_connection_file_range(connection, NULL, NULL);
  close_all();
}

static void options_arrive(void) {
  static const char* const kProxies[] = {"192.0.2.1", "nonsense"};
  pairport_connections_options options, bad;
  pairport_connections* other;
  pairport_string proxies[2];
  char message[64];
  struct {
    pairport_connections_options options;
    uint64_t later;
  } longer;
  EXPECT(pairport_connections_options_init(NULL, sizeof options) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_connections_options_init(&options, sizeof options - 1) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_connections_options_init(&options, sizeof options) == PAIRPORT_OK);
  EXPECT(options.max_head_bytes == 8192 && options.idle_timeout == 60000 && options.on_answer == NULL);
  proxies[0] = text(kProxies[0]);
  proxies[1] = text(kProxies[1]);
  options.trusted_proxies = proxies;
  options.trusted_proxy_count = 1;
  options.max_body_bytes = 1024;
  options.idle_timeout = 1234;
  options.send_hsts = 1;
  options.hsts_seconds = 77;
  options.on_answer = on_answer;
  options.answer_user = &answers;
  open_service(0, &options);
#define REFUSES(change)                                                                                               \
  do {                                                                                                                \
    bad = options;                                                                                                    \
    change;                                                                                                           \
    message[0] = '\0';                                                                                                \
    EXPECT(pairport_connections_create(service, &bad, &other, message, sizeof message) == PAIRPORT_INVALID_ARGUMENT); \
    EXPECT(other == NULL && message[0] != '\0');                                                                      \
  } while (0)
  REFUSES(bad.size = 8);
  REFUSES(bad.max_head_bytes = 1023);
  REFUSES(bad.max_head_bytes = 8193);
  REFUSES(bad.max_headers = 65);
  REFUSES(bad.max_body_bytes = 16385);
  REFUSES(bad.head_timeout = 0);
  REFUSES(bad.linger_timeout = UINT64_MAX);
  REFUSES(bad.min_bytes_per_second = 0);
  REFUSES(bad.trusted_proxies = NULL);
  REFUSES(bad.trusted_proxy_count = 2);
#undef REFUSES
  EXPECT(pairport_connections_create(NULL, &options, &other, NULL, 0) == PAIRPORT_INVALID_ARGUMENT && other == NULL);
  EXPECT(pairport_connections_create(service, &options, NULL, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_connections_options_init(&longer.options, sizeof longer) == PAIRPORT_OK && longer.later == 0);
  EXPECT(pairport_connections_create(service, &longer.options, &other, NULL, 0) == PAIRPORT_OK);
  EXPECT(pairport_connections_destroy(other) == PAIRPORT_OK);
  longer.later = 1;
  EXPECT(pairport_connections_create(service, &longer.options, &other, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_connections_create(service, NULL, &other, NULL, 0) == PAIRPORT_OK);
  EXPECT(pairport_connections_destroy(other) == PAIRPORT_OK);

  connect_with(PAIRPORT_TRANSPORT_SECURE);
  EXPECT(pairport_connections_destroy(all) == PAIRPORT_INVALID_ARGUMENT); /* it has a connection */
  send_all("GET /update HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.9\r\n\r\n");
  EXPECT(strstr(received, "Strict-Transport-Security: max-age=77\r\n") != NULL);
  EXPECT(last_answer.address[12] == 198 && last_answer.address[15] == 9);
  EXPECT(pairport_connections_saw_untrusted_proxy(all) == 0);
  EXPECT(pairport_connection_deadline(connection) == now.monotonic_ms + 1234);
  send_all("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1025\r\n\r\n");
  EXPECT(strstr(received, "HTTP/1.1 413 ") != NULL);
  pairport_connection_destroy(connection);
  EXPECT(pairport_connection_create(all, NULL, PAIRPORT_TRANSPORT_REDIRECTING, &now, &connection) == PAIRPORT_OK);
  received_size = 0;
  send_all("GET /update HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.9\r\n\r\n");
  EXPECT(strstr(received, "HTTP/1.1 308 ") == received);
  EXPECT(strstr(received, "Location: https://pairing.example.com/update\r\n") != NULL);
  EXPECT(pairport_connections_saw_untrusted_proxy(all) == 1);
  close_all();
}

static void bad_arguments_change_nothing(void) {
  static char large[PAIRPORT_MAX_INPUT + 1];
  const pairport_string too_large = {large, sizeof large}, null_with_length = {NULL, 1};
  const pairport_reply done = reply_with(PAIRPORT_OK);
  pairport_pending waits = {0};
  pairport_string parts[1];
  pairport_connection* other;
  uint64_t offset = 7, size = 7;
  uint32_t id;
  open_default(0);
  waits.size = sizeof waits;
#define REFUSES(call) EXPECT((call) == PAIRPORT_INVALID_ARGUMENT)
  REFUSES(pairport_connection_create(NULL, NULL, 0, &now, &other));
  REFUSES(pairport_connection_create(all, NULL, -1, &now, &other));
  REFUSES(pairport_connection_create(all, NULL, 3, &now, &other));
  REFUSES(pairport_connection_create(all, NULL, 0, NULL, &other));
  REFUSES(pairport_connection_create(all, NULL, 0, &now, NULL));
  EXPECT(other == NULL);
  REFUSES(pairport_connection_start(NULL, &now));
  REFUSES(pairport_connection_start(connection, NULL));
  REFUSES(pairport_connection_on_input(NULL, text("x"), &now));
  REFUSES(pairport_connection_on_input(connection, null_with_length, &now));
  REFUSES(pairport_connection_on_input(connection, too_large, &now));
  REFUSES(pairport_connection_on_input(connection, text("x"), NULL));
  REFUSES(pairport_connection_on_input_end(NULL, &now));
  REFUSES(pairport_connection_on_input_end(connection, NULL));
  REFUSES(pairport_connection_on_output(NULL, 0, &now));
  REFUSES(pairport_connection_on_output(connection, 1, &now)); /* there is no output */
  REFUSES(pairport_connection_on_output(connection, 0, NULL));
  REFUSES(pairport_connection_on_progress(NULL, &now));
  REFUSES(pairport_connection_on_progress(connection, NULL));
  REFUSES(pairport_connection_on_deadline(NULL, &now));
  REFUSES(pairport_connection_on_deadline(connection, NULL));
  REFUSES(pairport_connection_finish(NULL));
  REFUSES(pairport_connection_pending(NULL, &waits, &id));
  REFUSES(pairport_connection_pending(connection, NULL, &id));
  REFUSES(pairport_connection_pending(connection, &waits, NULL));
  waits.size = 8;
  REFUSES(pairport_connection_pending(connection, &waits, &id));
  REFUSES(pairport_connection_resume(NULL, 1, &done, &now));
  REFUSES(pairport_connection_resume(connection, 1, NULL, &now));
  REFUSES(pairport_connection_resume(connection, 1, &done, NULL));
  REFUSES(pairport_connection_on_data(NULL, text("x"), &now));
  REFUSES(pairport_connection_on_data(connection, null_with_length, &now));
#undef REFUSES
  EXPECT(pairport_connection_output(NULL, parts, 1) == 0 && pairport_connection_wants(NULL) == 0);
  EXPECT(pairport_connection_deadline(NULL) == PAIRPORT_NO_DEADLINE);
  EXPECT(pairport_connections_saw_untrusted_proxy(NULL) == 0 && pairport_connections_destroy(NULL) == PAIRPORT_OK);
  pairport_connection_file_range(NULL, &offset, &size);
  EXPECT(offset == 0 && size == 0);
  pairport_connection_destroy(NULL);
  EXPECT(pairport_connection_on_input(connection, text(GET("/update")), &now) == PAIRPORT_OK);
  EXPECT(pairport_connection_on_input(connection, text("x"), &now) == PAIRPORT_INVALID_ARGUMENT); /* not while output */
  take_output(SIZE_MAX);
  EXPECT(count_of("HTTP/1.1 200 OK\r\n") == 1);
  close_all();
}

static void a_forked_child_gets_errors(void) {
  const pairport_reply done = reply_with(PAIRPORT_OK);
  pairport_pending waits = {0};
  pairport_string parts[PAIRPORT_MAX_OUTPUT];
  pairport_connections* others;
  pairport_connection* other;
  uint64_t offset = 7, size = 7;
  uint32_t id;
  pid_t child;
  int status = 0;
  open_default(0);
  waits.size = sizeof waits;
  EXPECT(pairport_connection_on_input(connection, text(GET("/update")), &now) == PAIRPORT_OK);
  child = fork();
  if (child == 0) {
#define REFUSES(call) EXPECT((call) == PAIRPORT_INVALID_ARGUMENT)
    REFUSES(pairport_connections_create(service, NULL, &others, NULL, 0));
    REFUSES(pairport_connection_create(all, NULL, 0, &now, &other));
    REFUSES(pairport_connection_start(connection, &now));
    REFUSES(pairport_connection_on_input(connection, text("x"), &now));
    REFUSES(pairport_connection_on_input_end(connection, &now));
    REFUSES(pairport_connection_on_output(connection, 1, &now));
    REFUSES(pairport_connection_on_progress(connection, &now));
    REFUSES(pairport_connection_on_deadline(connection, &now));
    REFUSES(pairport_connection_finish(connection));
    REFUSES(pairport_connection_pending(connection, &waits, &id));
    REFUSES(pairport_connection_resume(connection, 1, &done, &now));
    REFUSES(pairport_connection_on_data(connection, text("x"), &now));
    REFUSES(pairport_connections_destroy(all));
#undef REFUSES
    EXPECT(pairport_connection_output(connection, parts, PAIRPORT_MAX_OUTPUT) == 0);
    EXPECT(pairport_connection_wants(connection) == 0 && pairport_connections_saw_untrusted_proxy(all) == 0);
    EXPECT(pairport_connection_deadline(connection) == PAIRPORT_NO_DEADLINE);
    pairport_connection_file_range(connection, &offset, &size);
    EXPECT(offset == 0 && size == 0);
    pairport_connection_destroy(connection);
    _exit(failures != 0);
  }
  EXPECT(child > 0 && waitpid(child, &status, 0) == child);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  take_output(SIZE_MAX); /* nothing has changed here */
  EXPECT(count_of("HTTP/1.1 200 OK\r\n") == 1);
  close_all();
}

int main(void) {
  whole_and_bytewise_input_give_equal_output();
  a_deposit_becomes_an_installer();
  requests_that_come_together_are_answered_together();
  ends_are_as_the_request_and_the_owner_want();
  deadlines_are_kept();
  an_answer_waits_for_a_store();
  an_answer_waits_for_a_file();
  options_arrive();
  bad_arguments_change_nothing();
  a_forked_child_gets_errors();
  if (failures != 0) fprintf(stderr, "%d expectations were not met\n", failures);
  return failures != 0;
}

/* SPDX-License-Identifier: MIT
 * A server in C whose deposits live elsewhere: with a store that answers a moment later, refuses, or never answers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <pairport/pairport_deposits.h>
#include <pairport/pairport_uv.h>

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

static const char kBody[] =
    "{\"connect_url\":\"https://"
    "rport.example.com\",\"fingerprint\":\"00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff\","
    "\"client_id\":\"client\",\"password\":\"elsewhere\"}";

enum { kAnswers, kRefuses, kIsSilent, kMostWaiting = 8, kAnswerMs = 5, kTimeoutMs = 300 };

/* The store: one deposit is enough here. */
static struct {
  int behaviour;
  int is_kept;
  char code[PAIRPORT_MAX_CODE + 1], connect_url[64], client_id[64], password[64];
  uint8_t fingerprint[16];
  uint64_t expires_ms;
  pairport_waiter* waiter; /* of the operation under way; NULL: none */
  int verb;
  char asked[PAIRPORT_MAX_CODE + 1];
  int cancelled;
} store;

static uv_loop_t loop;
static uv_timer_t timer;
static pairport_service* service;
static pairport_server* server;
static int failures_told;

static pairport_string text(const char* literal) {
  pairport_string view = {literal, strlen(literal)};
  return view;
}

static void copy(pairport_string from, char* to, size_t size) {
  CHECK(from.size < size);
  memcpy(to, from.data, from.size);
  to[from.size] = '\0';
}

static void on_answer_due(uv_timer_t* self) {
  pairport_reply reply = {0};
  pairport_waiter* const waiter = store.waiter;
  (void)self;
  reply.size = sizeof reply;
  store.waiter = NULL;
  if (store.verb == PAIRPORT_STORE_PUT) {
    store.is_kept = 1;
    strcpy(store.code, store.asked);
  } else if (!store.is_kept || strcmp(store.asked, store.code) != 0) {
    reply.result = PAIRPORT_NOT_FOUND;
  } else {
    reply.connect_url = text(store.connect_url);
    reply.client_id = text(store.client_id);
    reply.password = text(store.password);
    memcpy(reply.fingerprint, store.fingerprint, sizeof reply.fingerprint);
    reply.expires_ms = store.expires_ms;
  }
  CHECK(pairport_waiter_reply(waiter, NULL) == PAIRPORT_INVALID_ARGUMENT); /* and it goes on waiting */
  CHECK(pairport_waiter_reply(NULL, &reply) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_waiter_reply(waiter, &reply) == PAIRPORT_OK);
}

static int on_start(void* user, const pairport_pending* pending, pairport_waiter* waiter) {
  CHECK(user == &store);
  CHECK(pending->kind == PAIRPORT_PENDING_STORE);
  if (store.behaviour == kRefuses) return 0;
  CHECK(store.waiter == NULL);
  store.waiter = waiter;
  store.verb = pending->verb;
  copy(pending->code, store.asked, sizeof store.asked);
  if (pending->verb == PAIRPORT_STORE_PUT) {
    copy(pending->connect_url, store.connect_url, sizeof store.connect_url);
    copy(pending->client_id, store.client_id, sizeof store.client_id);
    copy(pending->password, store.password, sizeof store.password);
    memcpy(store.fingerprint, pending->fingerprint, sizeof store.fingerprint);
    store.expires_ms = pending->expires_ms;
  }
  if (store.behaviour == kAnswers) CHECK(uv_timer_start(&timer, on_answer_due, kAnswerMs, 0) == 0);
  return 1;
}

static void on_cancel(void* user, pairport_waiter* waiter) {
  CHECK(user == &store);
  CHECK(waiter == store.waiter);
  store.waiter = NULL;
  ++store.cancelled;
}

static void on_event(void* user, int event, int detail) {
  (void)user;
  if (event == PAIRPORT_EVENT_STORE_FAILED) failures_told += detail;
}

static int connect_peer(const char* request) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  CHECK(pairport_server_adopt(server, ends[0], NULL) == PAIRPORT_OK);
  CHECK(write(ends[1], request, strlen(request)) == (ssize_t)strlen(request));
  return ends[1];
}

/* Runs the loop until the server has closed the connection. `answer` holds what came, with a NUL. */
static void read_answer(int fd, char* answer, size_t size) {
  size_t used = 0;
  int has_more = 1;
  for (;;) {
    const ssize_t count = read(fd, answer + used, size - 1 - used);
    if (count == 0) break;
    if (count > 0) {
      used += (size_t)count;
      CHECK(used < size - 1);
    } else {
      CHECK(has_more); /* else nobody is left who could write or close */
      has_more = uv_run(&loop, UV_RUN_ONCE);
    }
  }
  answer[used] = '\0';
  close(fd);
}

static void look_up(const char* code, char* answer, size_t size) {
  char request[256];
  snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nConnection: close\r\n\r\n",
           code);
  read_answer(connect_peer(request), answer, size);
}

static void expect_status(const char* answer, const char* status) {
  if (strncmp(answer, status, strlen(status)) == 0) return;
  fprintf(stderr, "expected %s, got %.60s\n", status, answer);
  exit(1);
}

/* A forked child has none of the connection's memory. */
static void expect_nothing_in_a_child(void) {
  const pid_t child = fork();
  pairport_reply reply = {0};
  pairport_server_stats stats = {0};
  int status = 0;
  if (child == 0) {
    reply.size = sizeof reply;
    reply.result = PAIRPORT_NOT_FOUND;
    stats.size = sizeof stats;
    CHECK(pairport_waiter_reply(store.waiter, &reply) == PAIRPORT_OK);
    CHECK(pairport_server_get_stats(server, &stats) == PAIRPORT_INVALID_ARGUMENT);
    _exit(0);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
  static char answer[256 * 1024];
  char deposit[1024], request[256];
  pairport_options options;
  pairport_server_options server_options;
  pairport_server_stats stats = {0};
  pairport_stats counts = {0};
  pairport_now now = {0, 0};
  char message[256];
  int silent;
  signal(SIGPIPE, SIG_IGN);
  snprintf(deposit, sizeof deposit,
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
           "Connection: close\r\n\r\n%s",
           strlen(kBody), kBody);

  CHECK(uv_loop_init(&loop) == 0);
  CHECK(uv_timer_init(&loop, &timer) == 0);
  CHECK(pairport_options_init(&options, sizeof options) == PAIRPORT_OK);
  options.url = text("https://pairing.example.com");
  options.store_elsewhere = 1;
  CHECK(pairport_service_create(&options, &now, &service, message, sizeof message) == PAIRPORT_OK);

  CHECK(pairport_server_options_init(&server_options, sizeof server_options) == PAIRPORT_OK);
  server_options.answer_timeout = kTimeoutMs;
  server_options.on_event = on_event;
  server_options.store_start = on_start;
  CHECK(pairport_server_attach(&loop, service, &server_options, &server, message, sizeof message) ==
        PAIRPORT_INVALID_ARGUMENT);
  CHECK(strstr(message, "store_start and store_cancel") != NULL);
  server_options.store_cancel = on_cancel;
  server_options.store_user = &store;
  CHECK(pairport_server_attach(&loop, service, &server_options, &server, message, sizeof message) == PAIRPORT_OK);

  /* It answers. */
  read_answer(connect_peer(deposit), answer, sizeof answer);
  expect_status(answer, "HTTP/1.1 200");
  CHECK(store.is_kept);
  CHECK(strstr(answer, store.code) != NULL);
  look_up(store.code, answer, sizeof answer);
  expect_status(answer, "HTTP/1.1 200");
  CHECK(strstr(answer, "elsewhere") != NULL);
  look_up("nowhere7", answer, sizeof answer);
  expect_status(answer, "HTTP/1.1 404");

  /* It cannot be asked. */
  store.behaviour = kRefuses;
  look_up(store.code, answer, sizeof answer);
  expect_status(answer, "HTTP/1.1 503");
  read_answer(connect_peer(deposit), answer, sizeof answer);
  expect_status(answer, "HTTP/1.1 503");

  /* It never answers: the server ends the wait. */
  store.behaviour = kIsSilent;
  look_up(store.code, answer, sizeof answer);
  expect_status(answer, "HTTP/1.1 503");
  CHECK(store.cancelled == 1);
  CHECK(store.waiter == NULL);

  /* Nor does the client wait for it. The server cannot tell a close(2) from a shutdown(2) of one direction, so it still
   * waits for the store. */
  snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", store.code);
  silent = connect_peer(request);
  while (store.waiter == NULL) CHECK(uv_run(&loop, UV_RUN_ONCE) != 0);
  expect_nothing_in_a_child();
  close(silent);
  while (store.waiter != NULL) uv_run(&loop, UV_RUN_ONCE);
  CHECK(store.cancelled == 2);

  stats.size = sizeof stats;
  CHECK(pairport_server_get_stats(server, NULL) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_get_stats(NULL, &stats) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_get_stats(server, &stats) == PAIRPORT_OK);
  CHECK(stats.connections_accepted == 7);
  CHECK(stats.addresses_limited == 0 && stats.connections_limited == 0 && stats.handshakes_dropped == 0);
  stats.size = 8;
  CHECK(pairport_server_get_stats(server, &stats) == PAIRPORT_INVALID_ARGUMENT);
  counts.size = sizeof counts;
  CHECK(pairport_service_stats(service, &counts) == PAIRPORT_OK);
  CHECK(counts.store_failures == 4);
  CHECK(counts.look_ups_failed == 3);
  CHECK(counts.deposits_refused == 1);

  /* The server stops while a request waits. */
  silent = connect_peer(request);
  while (store.waiter == NULL) CHECK(uv_run(&loop, UV_RUN_ONCE) != 0);
  uv_close((uv_handle_t*)&timer, NULL);
  CHECK(pairport_server_stop(server, NULL, NULL) == PAIRPORT_OK);
  CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
  CHECK(store.waiter == NULL);
  close(silent);
  CHECK(failures_told >= 4);

  CHECK(pairport_server_destroy(server) == PAIRPORT_OK);
  pairport_service_destroy(service);
  CHECK(uv_loop_close(&loop) == 0);
  puts("ok");
  return 0;
}

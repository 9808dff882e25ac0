/* SPDX-License-Identifier: MIT
 * The verbs of a service's owner, without HTTP: makes a deposit that is handed out once, looks it up, sees that it was
 * handed out, and revokes another one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pairport/pairport_deposits.h>

static pairport_service* service;

static pairport_string text(const char* literal) {
  pairport_string view = {literal, strlen(literal)};
  return view;
}

static pairport_now clock_now(void) {
  struct timespec since_start;
  pairport_now now;
  clock_gettime(CLOCK_BOOTTIME, &since_start);
  now.monotonic_ms = (uint64_t)since_start.tv_sec * 1000 + (uint64_t)since_start.tv_nsec / 1000000;
  now.unix_seconds = time(NULL);
  return now;
}

static void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "not so: %s\n", what);
  exit(1);
}

/* doc/embedding.md: begin */
/* A deposit for an hour that works once. */
static int make(const pairport_now* now, pairport_deposited* made) {
  pairport_new_deposit deposit = {0};
  char message[512];
  int result;
  deposit.size = sizeof deposit;
  deposit.connect_url = text("http://rport.example.com:8080");
  deposit.fingerprint = text("2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24");
  deposit.client_id = text("client1");
  deposit.password = text("foobaz");
  deposit.ttl_ms = 3600 * 1000;
  deposit.max_uses = 1;
  made->size = sizeof *made;
  result = pairport_deposit(service, &deposit, now, made, message, sizeof message);
  if (result != PAIRPORT_OK) fprintf(stderr, "no deposit: %s\n", message);
  return result;
}
/* doc/embedding.md: end */

/* The status of the answer that a client gets. */
static int ask(const char* code, const pairport_now* now) {
  pairport_request request = {0};
  pairport_response* response = NULL;
  char target[PAIRPORT_MAX_CODE + 2];
  int status;
  snprintf(target, sizeof target, "/%s", code);
  request.size = sizeof request;
  request.target = text(target);
  if (pairport_response_create(service, &response) != PAIRPORT_OK) return 0;
  pairport_handle(service, &request, now, response);
  status = pairport_response_status(response);
  pairport_response_destroy(response);
  return status;
}

int main(void) {
  const pairport_now now = clock_now();
  pairport_options options;
  pairport_deposited first, second;
  pairport_credentials found = {0};
  pairport_deposit_state state = {0};
  pairport_stats stats = {0};
  found.size = sizeof found;
  state.size = sizeof state;
  stats.size = sizeof stats;
  expect(pairport_options_init(&options, sizeof options) == PAIRPORT_OK, "there are defaults");
  options.url = text("https://pairing.example.com");
  expect(pairport_service_create(&options, &now, &service, NULL, 0) == PAIRPORT_OK, "there is a service");

  expect(make(&now, &first) == PAIRPORT_OK && make(&now, &second) == PAIRPORT_OK, "there are two deposits");
  expect(pairport_look_up(service, text(first.code), &now, &found) == PAIRPORT_OK, "the first is found");
  expect(found.client_id.size == 7 && memcmp(found.client_id.data, "client1", 7) == 0, "it is what it was made of");
  expect(ask(first.code, &now) == 200, "a client gets it");
  expect(ask(first.code, &now) == 404, "once");
  expect(pairport_deposit_status(service, text(first.code), &now, &state) == PAIRPORT_OK && state.uses == 1,
         "its owner sees that");
  expect(pairport_revoke(service, text(second.code), &now) == PAIRPORT_OK, "the second can be revoked");
  expect(ask(second.code, &now) == 404, "and no client gets it");
  expect(pairport_service_stats(service, &stats) == PAIRPORT_OK && stats.deposits_revoked == 1, "it is counted");
  pairport_wipe(&first, sizeof first);
  pairport_wipe(&second, sizeof second);
  pairport_service_destroy(service);
  puts("deposited, looked up, handed out, revoked");
  return 0;
}

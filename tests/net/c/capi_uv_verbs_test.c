/* SPDX-License-Identifier: MIT
 * A deposit that the owner of a service makes while its server is idle is wiped when it expires, as any other. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

enum { kIdleMs = 500, kMostTurns = 6000, kTurnMs = 10 };

static uv_loop_t loop;
static uv_timer_t timer;
static pairport_service* service;
static pairport_server* server;
static int turns;

static pairport_string text(const char* literal) {
  pairport_string view = {literal, strlen(literal)};
  return view;
}

static pairport_now clock_now(void) {
  struct timespec since_start;
  pairport_now now;
  CHECK(clock_gettime(CLOCK_BOOTTIME, &since_start) == 0);
  now.monotonic_ms = (uint64_t)since_start.tv_sec * 1000 + (uint64_t)since_start.tv_nsec / 1000000;
  now.unix_seconds = time(NULL);
  return now;
}

static uint64_t deposits(void) {
  pairport_stats stats = {0};
  stats.size = sizeof stats;
  CHECK(pairport_service_stats(service, &stats) == PAIRPORT_OK);
  return stats.deposits;
}

static void on_turn(uv_timer_t* self) {
  (void)self;
  CHECK(++turns < kMostTurns);
  if (deposits() != 0) return;
  uv_close((uv_handle_t*)&timer, NULL);
  CHECK(pairport_server_stop(server, NULL, NULL) == PAIRPORT_OK);
}

/* The server has nothing to wait for by now, so its clock stands still. */
static void on_idle(uv_timer_t* self) {
  const pairport_now now = clock_now();
  pairport_new_deposit deposit = {0};
  pairport_deposited made = {0};
  deposit.size = sizeof deposit;
  made.size = sizeof made;
  deposit.connect_url = text("http://rport.example.com:8080");
  deposit.fingerprint = text("2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24");
  deposit.client_id = text("client1");
  deposit.password = text("foobaz");
  deposit.ttl_ms = 1000;
  CHECK(pairport_deposit(service, &deposit, &now, &made, NULL, 0) == PAIRPORT_OK);
  CHECK(deposits() == 1);
  CHECK(uv_timer_start(self, on_turn, kTurnMs, kTurnMs) == 0);
}

int main(void) {
  const pairport_now now = clock_now();
  pairport_options options;
  CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  CHECK(uv_loop_init(&loop) == 0 && uv_timer_init(&loop, &timer) == 0);
  CHECK(pairport_options_init(&options, sizeof options) == PAIRPORT_OK);
  CHECK(pairport_service_create(&options, &now, &service, NULL, 0) == PAIRPORT_OK);
  CHECK(pairport_server_attach(&loop, service, NULL, &server, NULL, 0) == PAIRPORT_OK);
  CHECK(uv_timer_start(&timer, on_idle, kIdleMs, 0) == 0);
  CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0 && deposits() == 0);
  CHECK(pairport_server_destroy(server) == PAIRPORT_OK);
  pairport_service_destroy(service);
  CHECK(uv_loop_close(&loop) == 0);
  return 0;
}

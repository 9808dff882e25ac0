/* SPDX-License-Identifier: MIT
 * A C program with a libuv loop and a timer of its own that starts and stops pairing twice: once with a listener, once
 * with a socket that it has accepted itself. Makes a deposit, asks for its installer over the same loop, revokes it,
 * and leaves the loop as it was. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <uv.h>

#include <pairport/pairport_deposits.h>
#include <pairport/pairport_uv.h>

typedef struct program {
  uv_loop_t loop;
  uv_timer_t timer;
  pairport_service* service;
  pairport_server* server;
  uv_stream_t* client; /* of the current round */
  uv_tcp_t tcp;
  uv_pipe_t pipe;
  uv_connect_t connect;
  uv_write_t write;
  char received[4096];
  size_t received_size;
  int round;
  int answered; /* rounds in which pairing has answered */
  int logged;   /* answers that it has told of */
  int revoked;  /* deposits that were there until then, and not afterwards */
  char code[PAIRPORT_MAX_CODE + 1];
  int ticks;
} program;

static void start_round(program* self);

static pairport_string text(const char* literal) {
  pairport_string view = {literal, strlen(literal)};
  return view;
}

/* The clock of the server, which goes on while the machine is suspended, decides what is expired; the time of day is
 * only written into answers. */
static pairport_now clock_now(void) {
  struct timespec since_start;
  pairport_now now;
  clock_gettime(CLOCK_BOOTTIME, &since_start);
  now.monotonic_ms = (uint64_t)since_start.tv_sec * 1000 + (uint64_t)since_start.tv_nsec / 1000000;
  now.unix_seconds = time(NULL);
  return now;
}

/* The verbs are for the owner of the service, on the thread of the loop. */
static int make_deposit(program* self) {
  const pairport_now now = clock_now();
  pairport_new_deposit deposit = {0};
  pairport_deposited made;
  deposit.size = sizeof deposit;
  made.size = sizeof made;
  deposit.connect_url = text("http://rport.example.com:8080");
  deposit.fingerprint = text("2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24");
  deposit.client_id = text("client1");
  deposit.password = text("foobaz");
  if (pairport_deposit(self->service, &deposit, &now, &made, NULL, 0) != PAIRPORT_OK) return -1;
  memcpy(self->code, made.code, sizeof self->code);
  return 0;
}

static void revoke(program* self) {
  const pairport_now now = clock_now();
  pairport_credentials found;
  found.size = sizeof found;
  if (pairport_look_up(self->service, text(self->code), &now, &found) == PAIRPORT_OK &&
      pairport_revoke(self->service, text(self->code), &now) == PAIRPORT_OK &&
      pairport_look_up(self->service, text(self->code), &now, &found) == PAIRPORT_NOT_FOUND) {
    ++self->revoked;
  }
}

static void on_tick(uv_timer_t* timer) {
  ++((program*)timer->data)->ticks;
}

static void on_answer(void* user, const pairport_answer* answer) {
  program* self = user;
  if (strcmp(answer->route, "installer") == 0 && answer->status == 200) ++self->logged;
}

/* Nothing of the server is in the loop any more: it may go, and the service after it. */
static void on_stopped(void* user) {
  program* self = user;
  pairport_server_destroy(self->server);
  pairport_service_destroy(self->service);
  self->server = NULL;
  self->service = NULL;
  if (++self->round < 2) {
    start_round(self);
  } else {
    uv_close((uv_handle_t*)&self->timer, NULL);
  }
}

static void on_client_closed(uv_handle_t* handle) {
  program* self = handle->data;
  revoke(self);
  pairport_server_stop(self->server, on_stopped, self);
}

static void allocate(uv_handle_t* handle, size_t size, uv_buf_t* buffer) {
  program* self = handle->data;
  (void)size;
  *buffer =
      uv_buf_init(self->received + self->received_size, (unsigned)(sizeof self->received - 1 - self->received_size));
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  program* self = stream->data;
  (void)buffer;
  if (size > 0) self->received_size += (size_t)size;
  self->received[self->received_size] = '\0';
  if (strstr(self->received, "\r\n\r\n") != NULL && strncmp(self->received, "HTTP/1.1 200 OK\r\n", 17) == 0) {
    ++self->answered;
  } else if (size >= 0 && self->received_size < sizeof self->received - 1) {
    return; /* more is to come */
  }
  uv_close((uv_handle_t*)stream, on_client_closed);
}

static void ask(program* self) {
  static char request[128];
  const int size =
      snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\nHost: pairing.example.com\r\n\r\n", self->code);
  uv_buf_t buffer = uv_buf_init(request, (unsigned)size);
  self->received_size = 0;
  uv_write(&self->write, self->client, &buffer, 1, NULL);
  uv_read_start(self->client, allocate, on_read);
}

static void on_connected(uv_connect_t* request, int status) {
  program* self = request->data;
  if (status == 0) {
    ask(self);
  } else {
    uv_close((uv_handle_t*)self->client, on_client_closed);
  }
}

/* Pairing listens, the client connects. */
static int connect_to_listener(program* self) {
  struct sockaddr_in address;
  char url[64], message[256];
  if (pairport_server_listen(self->server, text("127.0.0.1:0"), NULL, url, sizeof url, message, sizeof message) != 0) {
    fprintf(stderr, "cannot listen: %s\n", message);
    return -1;
  }
  uv_tcp_init(&self->loop, &self->tcp);
  self->client = (uv_stream_t*)&self->tcp;
  self->client->data = self->connect.data = self;
  uv_ip4_addr("127.0.0.1", atoi(strrchr(url, ':') + 1), &address);
  return uv_tcp_connect(&self->connect, &self->tcp, (const struct sockaddr*)&address, on_connected);
}

/* The program has a connected socket already, whose other end is the client. */
static int hand_over(program* self) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
  uv_pipe_init(&self->loop, &self->pipe, 0);
  self->client = (uv_stream_t*)&self->pipe;
  self->client->data = self;
  if (uv_pipe_open(&self->pipe, ends[1]) != 0 || pairport_server_adopt(self->server, ends[0], NULL) != 0) return -1;
  ask(self);
  return 0;
}

static void start_round(program* self) {
  pairport_options options;
  pairport_server_options server_options;
  const pairport_now now = clock_now();
  char message[256];

  pairport_options_init(&options, sizeof options);
  options.url = text("https://pairing.example.com");
  if (pairport_service_create(&options, &now, &self->service, message, sizeof message) != 0) {
    fprintf(stderr, "no service: %s\n", message);
    exit(1);
  }
  pairport_server_options_init(&server_options, sizeof server_options);
  server_options.on_answer = on_answer;
  server_options.answer_user = self;
  if (pairport_server_attach(&self->loop, self->service, &server_options, &self->server, message, sizeof message) !=
      0) {
    fprintf(stderr, "no server: %s\n", message);
    exit(1);
  }
  if (make_deposit(self) != 0) exit(1);
  if ((self->round == 0 ? connect_to_listener(self) : hand_over(self)) != 0) exit(1);
}

int main(void) {
  static program self;
  int clean;
  signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&self.loop) != 0) return 1;
  uv_timer_init(&self.loop, &self.timer);
  self.timer.data = &self;
  uv_timer_start(&self.timer, on_tick, 1, 1);
  start_round(&self);
  uv_run(&self.loop, UV_RUN_DEFAULT);
  clean = uv_loop_close(&self.loop) == 0;
  printf("pairing answered %d times and told of %d, %d revoked, the timer has %s, the loop is %s\n", self.answered,
         self.logged, self.revoked, self.ticks > 0 ? "ticked" : "not ticked", clean ? "closed" : "still busy");
  return self.answered == 2 && self.logged == 2 && self.revoked == 2 && self.ticks > 0 && clean ? 0 : 1;
}

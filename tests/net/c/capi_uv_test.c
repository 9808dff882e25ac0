/* SPDX-License-Identifier: MIT
 * The C interface on a libuv loop: what it refuses, and in which order a server goes. That it serves: embed/attach.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <pairport/pairport_uv.h>

#include "support/counted_close.h"

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

typedef struct fixture {
  uv_loop_t loop;
  pairport_service* service;
  pairport_server* server;
  int stopped;
  int answers;
  pairport_answer last;
} fixture;

static pairport_string text(const char* literal) {
  pairport_string view = {literal, strlen(literal)};
  return view;
}

static void set_up(fixture* self, const char* url) {
  const pairport_now now = {1, 0};
  pairport_options options;
  memset(self, 0, sizeof *self);
  CHECK(uv_loop_init(&self->loop) == 0);
  CHECK(pairport_options_init(&options, sizeof options) == 0);
  options.url = text(url);
  CHECK(pairport_service_create(&options, &now, &self->service, NULL, 0) == 0);
}

static void on_stopped(void* user) {
  ++((fixture*)user)->stopped;
}

static void tear_down(fixture* self) {
  if (self->server != NULL) {
    CHECK(pairport_server_stop(self->server, on_stopped, self) == 0);
    CHECK(uv_run(&self->loop, UV_RUN_DEFAULT) == 0);
    CHECK(self->stopped == 1);
    CHECK(pairport_server_destroy(self->server) == 0);
  }
  pairport_service_destroy(self->service);
  CHECK(uv_loop_close(&self->loop) == 0);
}

static void options_begin_with_their_size(void) {
  fixture self;
  pairport_server_options options;
  struct {
    pairport_server_options options;
    uint64_t later;
  } longer;
  char message[256];
  set_up(&self, "http://127.0.0.1");
  CHECK(pairport_server_options_init(NULL, sizeof options) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_options_init(&options, sizeof options.size) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_options_init(&options, sizeof options) == 0);
  CHECK(options.max_connections == 8000 && options.idle_timeout == 60000 && options.on_answer == NULL);

  options.size = 8;
  CHECK(pairport_server_attach(&self.loop, self.service, &options, &self.server, message, sizeof message) ==
        PAIRPORT_INVALID_ARGUMENT);
  CHECK(self.server == NULL && strstr(message, "pairport_server_options_init()") != NULL);

  /* A program that was compiled with a later version: fine as long as it wants nothing of it. */
  CHECK(pairport_server_options_init(&longer.options, sizeof longer) == 0 && longer.later == 0);
  longer.later = 1;
  CHECK(pairport_server_attach(&self.loop, self.service, &longer.options, &self.server, NULL, 0) ==
        PAIRPORT_INVALID_ARGUMENT);
  longer.later = 0;
  CHECK(pairport_server_attach(&self.loop, self.service, &longer.options, &self.server, message, sizeof message) == 0);
  CHECK(message[0] == '\0');
  tear_down(&self);
}

static void wrong_options_are_refused(void) {
  static const char* const kNetworks[] = {"10.0.0.0/8", "somewhere"};
  const pairport_certificate nothing = {{"no.pem", 6}, {NULL, 0}, {NULL, 0}};
  fixture self;
  pairport_server_options good, bad;
  pairport_string proxies[2];
  char message[16];
  set_up(&self, "http://127.0.0.1");
  proxies[0] = text(kNetworks[0]);
  proxies[1] = text(kNetworks[1]);
  CHECK(pairport_server_options_init(&good, sizeof good) == 0);
#define REFUSES(change)                                                                                    \
  do {                                                                                                     \
    bad = good;                                                                                            \
    change;                                                                                                \
    message[0] = '\0';                                                                                     \
    CHECK(pairport_server_attach(&self.loop, self.service, &bad, &self.server, message, sizeof message) == \
          PAIRPORT_INVALID_ARGUMENT);                                                                      \
    CHECK(self.server == NULL && strlen(message) == sizeof message - 1); /* cut, with a NUL */             \
  } while (0)
  REFUSES(bad.max_head_bytes = 1023);
  REFUSES(bad.max_head_bytes = good.max_head_bytes + 1);
  REFUSES(bad.max_headers = 0);
  REFUSES(bad.max_body_bytes = PAIRPORT_MAX_BODY + 1);
  REFUSES(bad.head_timeout = 0);
  REFUSES(bad.drain_timeout = UINT64_MAX);
  REFUSES(bad.idle_timeout = (uint64_t)24 * 3600 * 1000 + 1);
  REFUSES(bad.min_bytes_per_second = 1000000001);
  REFUSES(bad.max_handshakes = 1000001);
  REFUSES(bad.min_bytes_per_second = 0);
  REFUSES(bad.max_connections = 0);
  REFUSES(bad.package_folder.size = 1);
  REFUSES(bad.certificate_count = 1);
  REFUSES((bad.certificates = &nothing, bad.certificate_count = 1));
  REFUSES((bad.certificates = &nothing, bad.certificate_count = 1, bad.min_tls_version = 2));
  REFUSES((bad.certificates = &nothing, bad.certificate_count = 1, bad.handshake_lanes = 0));
  REFUSES(bad.handshake_timeout = 0);
  REFUSES(bad.trusted_proxy_count = 1);
  REFUSES((bad.trusted_proxies = proxies, bad.trusted_proxy_count = 2));
#undef REFUSES
  CHECK(pairport_server_attach(NULL, self.service, NULL, &self.server, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_attach(&self.loop, NULL, NULL, &self.server, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_attach(&self.loop, self.service, NULL, NULL, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  good.trusted_proxies = proxies;
  good.trusted_proxy_count = 1;
  CHECK(pairport_server_attach(&self.loop, self.service, &good, &self.server, NULL, 0) == 0);
  CHECK(pairport_server_use_certificates(self.server, &nothing, 1, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  tear_down(&self);
}

static void listening_says_where_and_why_not(void) {
  fixture self;
  pairport_listen_options options = {.size = sizeof options, .redirect_to_https = 1};
  char url[64], again[64], message[256];
  set_up(&self, "http://127.0.0.1");
  CHECK(pairport_server_attach(&self.loop, self.service, NULL, &self.server, NULL, 0) == 0);
  CHECK(pairport_server_listen(self.server, text("127.0.0.1:0"), NULL, url, sizeof url, message, sizeof message) == 0);
  CHECK(strncmp(url, "http://127.0.0.1:", 17) == 0 && atoi(url + 17) > 0 && message[0] == '\0');
  CHECK(pairport_server_listen(self.server, text(url + 7), NULL, again, sizeof again, message, sizeof message) ==
        PAIRPORT_SYSTEM);
  CHECK(again[0] == '\0' && strstr(message, url + 7) != NULL);
  CHECK(pairport_server_listen(self.server, text("nowhere"), NULL, NULL, 0, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_listen(NULL, text("127.0.0.1:0"), NULL, NULL, 0, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  /* The service's URL is not https. */
  CHECK(pairport_server_listen(self.server, text("127.0.0.1:0"), &options, NULL, 0, NULL, 0) ==
        PAIRPORT_INVALID_ARGUMENT);
  options.redirect_to_https = 0;
  options.tls = 1; /* without a certificate */
  CHECK(pairport_server_listen(self.server, text("127.0.0.1:0"), &options, NULL, 0, NULL, 0) ==
        PAIRPORT_INVALID_ARGUMENT);
  options.tls = 0;
  options.size = 0;
  CHECK(pairport_server_listen(self.server, text("127.0.0.1:0"), &options, NULL, 0, NULL, 0) ==
        PAIRPORT_INVALID_ARGUMENT);
  tear_down(&self);
}

static void who_may_connect_to_a_socket_file_is_chosen(void) {
  static const unsigned kModes[] = {0600, 0000, 0777};
  pairport_listen_options options = {.size = sizeof options};
  char folder[] = "/tmp/pairport-test-XXXXXX", address[64], *path = address + 5;
  struct stat file;
  size_t i;
  fixture self;
  set_up(&self, "http://127.0.0.1");
  CHECK(pairport_server_attach(&self.loop, self.service, NULL, &self.server, NULL, 0) == 0);
  CHECK(mkdtemp(folder) != NULL);
  for (i = 0; i < sizeof kModes / sizeof *kModes; ++i) {
    snprintf(address, sizeof address, "unix:%s/%u", folder, (unsigned)i);
    options.set_socket_mode = options.set_socket_group = 1;
    options.socket_mode = kModes[i];
    options.socket_group = getegid();
    CHECK(pairport_server_listen(self.server, text(address), &options, NULL, 0, NULL, 0) == 0);
    CHECK(stat(path, &file) == 0 && (file.st_mode & 07777) == kModes[i] && file.st_gid == getegid());
  }
  /* All zero: the defaults, whatever the umask; a program of version one has no more than that. */
  snprintf(address, sizeof address, "unix:%s/default", folder);
  options.set_socket_mode = options.set_socket_group = 0;
  CHECK(pairport_server_listen(self.server, text(address), &options, NULL, 0, NULL, 0) == 0);
  CHECK(stat(path, &file) == 0 && (file.st_mode & 07777) == 0666);
  snprintf(address, sizeof address, "unix:%s/first", folder);
  options.size = offsetof(pairport_listen_options, set_socket_mode);
  options.set_socket_mode = 1; /* beyond that size, and not looked at */
  CHECK(pairport_server_listen(self.server, text(address), &options, NULL, 0, NULL, 0) == 0);
  CHECK(stat(path, &file) == 0 && (file.st_mode & 07777) == 0666);
  options.size = sizeof options;
  options.socket_mode = 01000;
  CHECK(pairport_server_listen(self.server, text(address), &options, NULL, 0, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  tear_down(&self);
  for (i = 0; i < sizeof kModes / sizeof *kModes; ++i) {
    snprintf(address, sizeof address, "unix:%s/%u", folder, (unsigned)i);
    CHECK(unlink(path) == 0 || errno == ENOENT);
  }
  CHECK(rmdir(folder) == 0);
}

static int is_closed(int fd) {
  return fcntl(fd, F_GETFD) == -1 && errno == EBADF;
}

static void a_forked_child_gets_errors(void) {
  fixture self;
  pairport_server* other = NULL;
  int ends[2], fd, listener, status = 0;
  pid_t child;
  set_up(&self, "http://127.0.0.1");
  CHECK(pairport_server_attach(&self.loop, self.service, NULL, &self.server, NULL, 0) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK(pairport_server_adopt(self.server, ends[0], NULL) == 0);
  CHECK((fd = dup(ends[1])) >= 0 && (listener = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && listen(listener, 1) == 0);
  child = fork();
  if (child == 0) {
    CHECK(pairport_server_attach(&self.loop, self.service, NULL, &other, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
    CHECK(pairport_server_listen(self.server, text("127.0.0.1:0"), NULL, NULL, 0, NULL, 0) ==
          PAIRPORT_INVALID_ARGUMENT);
    CHECK(pairport_server_adopt(self.server, ends[1], NULL) == PAIRPORT_INVALID_ARGUMENT);
    CHECK(is_closed(ends[1]));
    CHECK(pairport_server_adopt_with(self.server, fd, NULL, NULL, 0) == PAIRPORT_INVALID_ARGUMENT && is_closed(fd));
    CHECK(pairport_server_listen_fd(self.server, listener, NULL, NULL, 0, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
    CHECK(is_closed(listener));
    CHECK(pairport_server_connections(self.server) == 0);
    CHECK(pairport_server_stop(self.server, on_stopped, &self) == PAIRPORT_INVALID_ARGUMENT);
    CHECK(pairport_server_destroy(self.server) == PAIRPORT_INVALID_ARGUMENT);
    _exit(0);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(pairport_server_connections(self.server) == 1);
  CHECK(close(ends[1]) == 0 && close(fd) == 0 && close(listener) == 0);
  tear_down(&self);
}

static void an_adopted_descriptor_is_closed_on_failure(void) {
  const pairport_listen_options unknown_size = {.size = 0};
  fixture self;
  int ends[2], file;
  set_up(&self, "http://127.0.0.1");
  CHECK(pairport_server_attach(&self.loop, self.service, NULL, &self.server, NULL, 0) == 0);
  CHECK(pairport_server_adopt(self.server, -1, NULL) == PAIRPORT_INVALID_ARGUMENT);
  CHECK((file = open("/dev/null", O_RDONLY)) >= 0);
  CHECK(pairport_server_adopt(self.server, file, NULL) == PAIRPORT_SYSTEM && is_closed(file));
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK(pairport_server_adopt(self.server, ends[0], &unknown_size) == PAIRPORT_INVALID_ARGUMENT && is_closed(ends[0]));
  CHECK(pairport_server_adopt(NULL, ends[1], NULL) == PAIRPORT_INVALID_ARGUMENT && is_closed(ends[1]));
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK(pairport_server_connections(self.server) == 0);
  CHECK(pairport_server_adopt(self.server, ends[0], NULL) == 0 && pairport_server_connections(self.server) == 1);
  close(ends[1]);
  tear_down(&self);
}

/* A listening socket of this machine, and its address. */
static int listening(int family, struct sockaddr_storage* address, socklen_t* size) {
  const int fd = socket(family, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  memset(address, 0, sizeof *address);
  address->ss_family = (sa_family_t)family;
  if (family == AF_INET) ((struct sockaddr_in*)address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  *size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(sa_family_t); /* Unix: the kernel chooses a name */
  CHECK(bind(fd, (struct sockaddr*)address, *size) == 0 && listen(fd, 16) == 0);
  *size = sizeof *address;
  CHECK(getsockname(fd, (struct sockaddr*)address, size) == 0);
  return fd;
}

static int connected(const struct sockaddr_storage* address, socklen_t size) {
  const int fd = socket(address->ss_family, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, (const struct sockaddr*)address, size) == 0);
  return fd;
}

/* Runs the loop until the peer has ended the connection; what it has sent, with a NUL. */
static const char* until_ended(fixture* self, int fd) {
  static char received[65536];
  size_t size = 0;
  ssize_t count = 1;
  int rounds;
  for (rounds = 0; count != 0 && rounds < 10000; ++rounds) {
    struct pollfd readable = {fd, POLLIN, 0};
    uv_run(&self->loop, UV_RUN_NOWAIT);
    CHECK(poll(&readable, 1, 1) >= 0);
    count = recv(fd, received + size, sizeof received - 1 - size, MSG_DONTWAIT);
    CHECK(count >= 0 || errno == EAGAIN);
    if (count > 0) size += (size_t)count;
  }
  CHECK(count == 0);
  received[size] = '\0';
  return received;
}

static void keep_answer(void* user, const pairport_answer* answer) {
  fixture* self = user;
  self->last = *answer;
  ++self->answers;
}

#define REQUEST "GET /update HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void a_socket_that_somebody_else_bound_is_listened_on(void) {
  static const int kFamilies[] = {AF_INET, AF_UNIX};
  pairport_listen_options options = {.size = sizeof options};
  struct sockaddr_storage address;
  socklen_t size;
  fixture self;
  char url[128], message[256];
  int fd, client, before;
  size_t i;
  set_up(&self, "http://127.0.0.1");
  CHECK(pairport_server_attach(&self.loop, self.service, NULL, &self.server, NULL, 0) == 0);
  for (i = 0; i < sizeof kFamilies / sizeof *kFamilies; ++i) {
    fd = listening(kFamilies[i], &address, &size);
    CHECK(pairport_server_listen_fd(self.server, fd, i == 0 ? NULL : &options, url, sizeof url, message,
                                    sizeof message) == 0);
    CHECK(strncmp(url, i == 0 ? "http://127.0.0.1:" : "unix:@", i == 0 ? 17 : 6) == 0 && message[0] == '\0');
    client = connected(&address, size);
    CHECK(send(client, REQUEST, strlen(REQUEST), 0) == (ssize_t)strlen(REQUEST));
    CHECK(strncmp(until_ended(&self, client), "HTTP/1.1 200 OK\r\n", 17) == 0);
    CHECK(close(client) == 0);
  }
#define REFUSES(server, given, wanted, code, part)                                                            \
  do {                                                                                                        \
    fd = (given);                                                                                             \
    before = closes_of(fd);                                                                                   \
    strcpy(url, "x");                                                                                         \
    CHECK(pairport_server_listen_fd(server, fd, wanted, url, sizeof url, message, sizeof message) == (code)); \
    CHECK(is_closed(fd) && closes_of(fd) == before + 1 && url[0] == '\0' && strstr(message, part) != NULL);   \
  } while (0)
  REFUSES(self.server, open("/dev/null", O_RDONLY), NULL, PAIRPORT_SYSTEM, "character device; expected a listening");
  REFUSES(self.server, socket(AF_INET, SOCK_DGRAM, 0), NULL, PAIRPORT_SYSTEM, "datagram socket");
  REFUSES(self.server, socket(AF_INET, SOCK_STREAM, 0), NULL, PAIRPORT_SYSTEM, "listen(2) was not called");
  REFUSES(NULL, listening(AF_INET, &address, &size), NULL, PAIRPORT_INVALID_ARGUMENT, "server must not be NULL");
  options.tls = 1; /* without a certificate */
  REFUSES(self.server, listening(AF_INET, &address, &size), &options, PAIRPORT_INVALID_ARGUMENT, "certificates");
  options.tls = 0;
  options.set_socket_mode = 1;
  options.socket_mode = 0666; /* the default for a file that the library makes */
  REFUSES(self.server, listening(AF_UNIX, &address, &size), &options, PAIRPORT_INVALID_ARGUMENT, "socket_mode");
  options.set_socket_mode = 0;
  options.set_socket_group = 1;
  REFUSES(self.server, listening(AF_UNIX, &address, &size), &options, PAIRPORT_INVALID_ARGUMENT, "socket_group");
  options.size = 0;
  REFUSES(self.server, listening(AF_INET, &address, &size), &options, PAIRPORT_INVALID_ARGUMENT, "known size");
  CHECK(pairport_server_listen_fd(self.server, -1, NULL, NULL, 0, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_listen_fd(self.server, fd, NULL, NULL, 0, message, sizeof message) == PAIRPORT_SYSTEM);
  CHECK(strstr(message, "not open") != NULL);
  CHECK(pairport_server_stop(self.server, on_stopped, &self) == 0);
  REFUSES(self.server, listening(AF_INET, &address, &size), NULL, PAIRPORT_SYSTEM, "stopping");
#undef REFUSES
  CHECK(uv_run(&self.loop, UV_RUN_DEFAULT) == 0 && self.stopped == 1 && pairport_server_destroy(self.server) == 0);
  self.server = NULL;
  tear_down(&self);
}

static void a_connection_is_adopted_with_what_is_known_of_it(void) {
  static const char kMuch[PAIRPORT_MAX_INITIAL + 1] = "x";
  static const size_t kRead[] = {0, 1, 30, sizeof REQUEST - 1};
  struct {
    pairport_adopt_options options;
    uint64_t later;
  } longer = {{.size = sizeof longer}, 0};
  pairport_adopt_options options = {.size = sizeof options};
  pairport_server_options server_options;
  struct sockaddr_storage address;
  socklen_t size;
  uint8_t peer[16], none[16] = {0};
  char bytes[sizeof REQUEST], message[256];
  fixture self;
  int listener, client, fd, before;
  size_t i;
  set_up(&self, "http://127.0.0.1");
  CHECK(pairport_server_options_init(&server_options, sizeof server_options) == 0);
  server_options.on_answer = keep_answer;
  server_options.answer_user = &self;
  CHECK(pairport_server_attach(&self.loop, self.service, &server_options, &self.server, NULL, 0) == 0);
  listener = listening(AF_INET, &address, &size);
  CHECK(pairport_parse_address(text("2001:db8::7"), peer) == 0);
  for (i = 0; i < sizeof kRead / sizeof *kRead; ++i) {
    client = connected(&address, size);
    CHECK(send(client, REQUEST, strlen(REQUEST), 0) == (ssize_t)strlen(REQUEST));
    CHECK((fd = accept(listener, NULL, NULL)) >= 0);
    CHECK(kRead[i] == 0 || recv(fd, bytes, kRead[i], MSG_WAITALL) == (ssize_t)kRead[i]);
    options.initial.data = i == 0 ? NULL : bytes;
    options.initial.size = kRead[i];
    options.address = i == 0 ? NULL : i == 1 ? none : peer;
    CHECK(pairport_server_adopt_with(self.server, fd, &options, message, sizeof message) == 0 && message[0] == '\0');
    memset(bytes, 'x', sizeof bytes); /* the caller wipes them */
    CHECK(strncmp(until_ended(&self, client), "HTTP/1.1 200 OK\r\n", 17) == 0);
    CHECK(self.answers == (int)i + 1 && self.last.complete);
    CHECK(i == 0 ? self.last.address[12] == 127 : memcmp(self.last.address, options.address, 16) == 0);
    CHECK(close(client) == 0);
  }
  /* A program that was compiled with a later version: fine as long as it wants nothing of it. */
  client = connected(&address, size);
  CHECK(pairport_server_adopt_with(self.server, accept(listener, NULL, NULL), &longer.options, NULL, 0) == 0);
  CHECK(close(client) == 0);
  client = connected(&address, size);
  CHECK(pairport_server_adopt_with(self.server, accept(listener, NULL, NULL), NULL, NULL, 0) == 0);
  CHECK(close(client) == 0);
#define REFUSES(server, given, wanted, code, part)                                            \
  do {                                                                                        \
    fd = (given);                                                                             \
    before = closes_of(fd);                                                                   \
    CHECK(pairport_server_adopt_with(server, fd, wanted, message, sizeof message) == (code)); \
    CHECK(is_closed(fd) && closes_of(fd) == before + 1 && strstr(message, part) != NULL);     \
  } while (0)
  client = connected(&address, size);
  options.initial.data = kMuch;
  options.initial.size = sizeof kMuch;
  REFUSES(self.server, accept(listener, NULL, NULL), &options, PAIRPORT_INVALID_ARGUMENT, "at most 16384 bytes");
  CHECK(until_ended(&self, client)[0] == '\0' && close(client) == 0);
  options.initial.data = NULL;
  options.initial.size = 1;
  client = connected(&address, size);
  REFUSES(self.server, accept(listener, NULL, NULL), &options, PAIRPORT_INVALID_ARGUMENT, "NULL with a length");
  CHECK(close(client) == 0);
  options.initial.size = 0;
  options.tls = 1; /* without a certificate */
  client = connected(&address, size);
  REFUSES(self.server, accept(listener, NULL, NULL), &options, PAIRPORT_INVALID_ARGUMENT, "certificates");
  CHECK(close(client) == 0);
  options.tls = 0;
  longer.later = 1;
  client = connected(&address, size);
  REFUSES(self.server, accept(listener, NULL, NULL), &longer.options, PAIRPORT_INVALID_ARGUMENT, "known size");
  CHECK(close(client) == 0);
  options.size = offsetof(pairport_adopt_options, address);
  REFUSES(self.server, dup(listener), &options, PAIRPORT_INVALID_ARGUMENT, "known size");
  options.size = sizeof options;
  REFUSES(NULL, dup(listener), &options, PAIRPORT_INVALID_ARGUMENT, "server must not be NULL");
  REFUSES(self.server, dup(listener), &options, PAIRPORT_SYSTEM, "is a listening socket; expected a connected");
  REFUSES(self.server, open("/dev/null", O_RDONLY), &options, PAIRPORT_SYSTEM, "character device");
  CHECK(pairport_server_adopt_with(self.server, -1, NULL, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_adopt_with(self.server, fd, NULL, message, sizeof message) == PAIRPORT_SYSTEM);
  CHECK(strstr(message, "not open") != NULL && close(listener) == 0);
#undef REFUSES
  tear_down(&self);
}

static void a_server_is_stopped_once_and_then_destroyed(void) {
  fixture self;
  set_up(&self, "http://127.0.0.1");
  CHECK(pairport_server_attach(&self.loop, self.service, NULL, &self.server, NULL, 0) == 0);
  CHECK(pairport_server_destroy(self.server) == PAIRPORT_INVALID_ARGUMENT); /* it lives on */
  CHECK(pairport_server_stop(self.server, on_stopped, &self) == 0);
  CHECK(pairport_server_stop(self.server, on_stopped, &self) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(pairport_server_listen(self.server, text("127.0.0.1:0"), NULL, NULL, 0, NULL, 0) == PAIRPORT_SYSTEM);
  CHECK(self.stopped == 0); /* only from the loop */
  CHECK(pairport_server_destroy(self.server) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(uv_run(&self.loop, UV_RUN_DEFAULT) == 0 && self.stopped == 1);
  CHECK(pairport_server_connections(self.server) == 0);
  CHECK(pairport_server_destroy(self.server) == 0 && pairport_server_destroy(NULL) == 0);
  CHECK(pairport_server_stop(NULL, NULL, NULL) == PAIRPORT_INVALID_ARGUMENT);

  /* The same service serves again, and nobody need be told of the end. */
  CHECK(pairport_server_attach(&self.loop, self.service, NULL, &self.server, NULL, 0) == 0);
  CHECK(pairport_server_stop(self.server, NULL, NULL) == 0);
  CHECK(uv_run(&self.loop, UV_RUN_DEFAULT) == 0 && pairport_server_destroy(self.server) == 0);
  self.server = NULL;
  tear_down(&self);
}

static pairport_string contents(const char* path, char* out, size_t size) {
  pairport_string view = {out, 0};
  FILE* file = fopen(path, "rb");
  CHECK(file != NULL);
  view.size = fread(out, 1, size, file);
  fclose(file);
  return view;
}

static void count_answer(void* user, const pairport_answer* answer) {
  fixture* self = user;
  CHECK(answer->status == 200 && answer->complete && strcmp(answer->route, "update") == 0);
  ++self->answers;
}

static void on_prepare(uv_prepare_t* prepare) {
  fixture* self = prepare->data;
  if (self->answers == 0) return;
  uv_close((uv_handle_t*)prepare, NULL);
  CHECK(pairport_server_stop(self->server, on_stopped, self) == 0);
}

/* Answers one request over TLS with the certificate and key of these files; for test_capi_uv_tls.py. */
static void serve_tls(const char* chain, const char* key) {
  static char chain_text[8192], key_text[8192];
  fixture self;
  uv_prepare_t prepare;
  pairport_certificate certificate, wrong;
  pairport_server_options options;
  pairport_listen_options listen_options = {.size = sizeof listen_options, .tls = 1};
  char url[64], message[256];
  set_up(&self, "https://localhost");
  certificate.name = text(chain);
  certificate.chain = contents(chain, chain_text, sizeof chain_text);
  certificate.key = contents(key, key_text, sizeof key_text);
  CHECK(pairport_server_options_init(&options, sizeof options) == 0);
  options.certificates = &certificate;
  options.certificate_count = 1;
  options.batch_handshakes = 1;
  options.on_answer = count_answer;
  options.answer_user = &self;
  CHECK(pairport_server_attach(&self.loop, self.service, &options, &self.server, message, sizeof message) == 0);
  /* What is wrong changes nothing; what is right is taken. */
  wrong = certificate;
  wrong.key = wrong.chain;
  CHECK(pairport_server_use_certificates(self.server, &wrong, 1, message, sizeof message) == PAIRPORT_INVALID_ARGUMENT);
  CHECK(strstr(message, chain) != NULL);
  CHECK(pairport_server_use_certificates(self.server, &certificate, 1, NULL, 0) == 0);
  CHECK(pairport_server_listen(self.server, text("127.0.0.1:0"), &listen_options, url, sizeof url, NULL, 0) == 0);
  printf("%s\n", url);
  fflush(stdout);
  uv_prepare_init(&self.loop, &prepare);
  prepare.data = &self;
  uv_prepare_start(&prepare, on_prepare);
  CHECK(uv_run(&self.loop, UV_RUN_DEFAULT) == 0 && self.stopped == 1);
  CHECK(pairport_server_destroy(self.server) == 0);
  self.server = NULL;
  tear_down(&self);
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 3) {
    serve_tls(argv[1], argv[2]);
    return 0;
  }
  options_begin_with_their_size();
  wrong_options_are_refused();
  listening_says_where_and_why_not();
  who_may_connect_to_a_socket_file_is_chosen();
  an_adopted_descriptor_is_closed_on_failure();
  a_socket_that_somebody_else_bound_is_listened_on();
  a_connection_is_adopted_with_what_is_known_of_it();
  a_forked_child_gets_errors();
  a_server_is_stopped_once_and_then_destroyed();
  return 0;
}

/* SPDX-License-Identifier: MIT
 * A server in C that is nothing but sockets, poll(2) and pairport's connections: what a program with a loop of its own
 * has to do.
 *   embed_poll_c [PORT]    says where it listens; SIGTERM or SIGINT stops it */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <pairport/pairport_http.h>

enum { kMaxPeers = 256, kExpiryMs = 100, kMaxWaitMs = 1000 };

typedef struct peer {
  int fd;
  int shut_down;
  int broken;
  pairport_connection* connection;
} peer;

static peer peers[kMaxPeers];
static size_t peer_count;
static volatile sig_atomic_t stop_requested = 0;

static void on_signal(int number) {
  (void)number;
  stop_requested = 1;
}

static pairport_string text(const char* literal) {
  pairport_string view = {literal, strlen(literal)};
  return view;
}

static pairport_now clock_now(void) {
  struct timespec since_start, time_of_day;
  pairport_now now;
  clock_gettime(CLOCK_BOOTTIME, &since_start);
  clock_gettime(CLOCK_REALTIME, &time_of_day);
  now.monotonic_ms = (uint64_t)since_start.tv_sec * 1000 + (uint64_t)since_start.tv_nsec / 1000000;
  now.unix_seconds = time_of_day.tv_sec;
  return now;
}

/* Writes what there is until the socket is full, then does what the connection wants. */
static void flush(peer* self) {
  pairport_string output[PAIRPORT_MAX_OUTPUT];
  struct iovec parts[PAIRPORT_MAX_OUTPUT];
  size_t count, i;
  while ((count = pairport_connection_output(self->connection, output, PAIRPORT_MAX_OUTPUT)) > 0) {
    pairport_now now;
    ssize_t sent;
    for (i = 0; i < count; ++i) {
      memcpy(&parts[i].iov_base, &output[i].data, sizeof parts[i].iov_base); /* writev(2) does not change them */
      parts[i].iov_len = output[i].size;
    }
    sent = writev(self->fd, parts, (int)count);
    if (sent < 0) {
      self->broken = errno != EAGAIN && errno != EINTR;
      return;
    }
    now = clock_now();
    pairport_connection_on_output(self->connection, (size_t)sent, &now);
  }
  if ((pairport_connection_wants(self->connection) & PAIRPORT_WANTS_SHUTDOWN) != 0 && !self->shut_down) {
    self->shut_down = 1;
    shutdown(self->fd, SHUT_WR);
  }
}

static void read_from(peer* self) {
  static char buffer[PAIRPORT_MAX_INPUT];
  const ssize_t size = read(self->fd, buffer, sizeof buffer);
  const pairport_now now = clock_now();
  if (size < 0) {
    self->broken = errno != EAGAIN && errno != EINTR;
  } else if (size == 0) {
    pairport_connection_on_input_end(self->connection, &now);
  } else {
    const pairport_string input = {buffer, (size_t)size};
    pairport_connection_on_input(self->connection, input, &now);
    pairport_wipe(buffer, (size_t)size); /* it may have been a deposit */
  }
}

static void close_peer(peer* self) {
  pairport_connection_destroy(self->connection);
  close(self->fd);
}

static void accept_one(int listener, pairport_connections* connections) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  uint8_t client[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}; /* an IPv4 address as ::ffff:a.b.c.d */
  const pairport_now now = clock_now();
  peer added = {-1, 0, 0, NULL};
  added.fd = accept(listener, (struct sockaddr*)&address, &size);
  if (added.fd < 0) return;
  fcntl(added.fd, F_SETFD, FD_CLOEXEC);
  fcntl(added.fd, F_SETFL, O_NONBLOCK);
  memcpy(client + 12, &address.sin_addr, 4);
  if (pairport_connection_create(connections, client, PAIRPORT_TRANSPORT_PLAIN, &now, &added.connection) != 0) {
    close(added.fd);
    return;
  }
  peers[peer_count++] = added;
}

/* How long nothing has to be done unless a socket becomes ready. */
static int milliseconds_to_sleep(const pairport_service* service) {
  const uint64_t now_ms = clock_now().monotonic_ms;
  uint64_t wake_at = now_ms + kMaxWaitMs;
  pairport_stats stats = {0};
  size_t i;
  stats.size = sizeof stats;
  pairport_service_stats(service, &stats);
  if (stats.expiring > 0) wake_at = now_ms + kExpiryMs;
  for (i = 0; i < peer_count; ++i) {
    const uint64_t deadline = pairport_connection_deadline(peers[i].connection);
    if (deadline < wake_at) wake_at = deadline;
  }
  return wake_at > now_ms ? (int)(wake_at - now_ms) : 0;
}

static void serve(int listener, pairport_service* service, pairport_connections* connections) {
  static struct pollfd polled[1 + kMaxPeers];
  pairport_now now;
  size_t i, kept;
  while (!stop_requested) {
    polled[0].fd = peer_count < kMaxPeers ? listener : -1; /* the others wait in the backlog */
    polled[0].events = POLLIN;
    for (i = 0; i < peer_count; ++i) {
      pairport_string first;
      const int reads = (pairport_connection_wants(peers[i].connection) & PAIRPORT_WANTS_INPUT) != 0;
      const int writes = pairport_connection_output(peers[i].connection, &first, 1) > 0;
      polled[i + 1].fd = peers[i].fd;
      polled[i + 1].events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
    }
    if (poll(polled, (nfds_t)(1 + peer_count), milliseconds_to_sleep(service)) < 0) continue; /* a signal */

    now = clock_now();
    for (i = kept = 0; i < peer_count; ++i) {
      peer* const self = &peers[i];
      const short events = polled[i + 1].revents;
      if ((events & (POLLERR | POLLNVAL)) != 0) self->broken = 1;
      if ((events & (POLLIN | POLLHUP)) != 0 &&
          (pairport_connection_wants(self->connection) & PAIRPORT_WANTS_INPUT) != 0) {
        read_from(self);
      }
      pairport_connection_on_deadline(self->connection, &now);
      flush(self);
      if (self->broken || (pairport_connection_wants(self->connection) & PAIRPORT_WANTS_CLOSE) != 0) {
        close_peer(self);
      } else {
        peers[kept++] = *self;
      }
    }
    peer_count = kept;
    if ((polled[0].revents & POLLIN) != 0) accept_one(listener, connections);
    now = clock_now();
    pairport_service_expire(service, &now, 256);
  }
  while (peer_count > 0) close_peer(&peers[--peer_count]);
}

static int listen_on(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  struct sockaddr_in address = {0};
  socklen_t size = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons((uint16_t)port);
  if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(fd, (const struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 128) != 0 ||
      getsockname(fd, (struct sockaddr*)&address, &size) != 0) {
    perror("cannot listen");
    return -1;
  }
  printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char** argv) {
  struct sigaction action;
  pairport_options options;
  pairport_service* service = NULL;
  pairport_connections* connections = NULL;
  const pairport_now now = clock_now();
  char message[256];
  int listener;
  signal(SIGPIPE, SIG_IGN);
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);

  if (pairport_options_init(&options, sizeof options) != PAIRPORT_OK) return 1;
  options.url = text("https://pairing.example.com");
  if (pairport_service_create(&options, &now, &service, message, sizeof message) != PAIRPORT_OK ||
      pairport_connections_create(service, NULL, &connections, message, sizeof message) != PAIRPORT_OK) {
    fprintf(stderr, "no service: %s\n", message);
    pairport_service_destroy(service);
    return 1;
  }
  listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
  if (listener >= 0) serve(listener, service, connections);
  if (listener >= 0) close(listener);
  pairport_connections_destroy(connections);
  pairport_service_destroy(service);
  return listener < 0;
}

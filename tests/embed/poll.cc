// SPDX-License-Identifier: MIT
// The connection without libuv: a server that is nothing but sockets, poll(2) and pairport::Connection, to show what a
// proxy with a loop of its own has to do.
//   embed_poll [PORT]    says where it listens; SIGTERM or SIGINT stops it
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <pairport/connection.h>

namespace {

// How often expired deposits are wiped.
constexpr std::uint64_t kExpiryMs = 100;
constexpr std::size_t kExpiryBatch = 256;

volatile std::sig_atomic_t stop_requested = 0;

class KernelRandom final : public pairport::RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    return getrandom(out.data(), out.size(), 0) == static_cast<ssize_t>(out.size());
  }
};

// CLOCK_BOOTTIME, unlike std::chrono::steady_clock, goes on while the machine is suspended: codes must not live longer
// by that.
pairport::Now now() {
  timespec since_start{};
  timespec time_of_day{};
  clock_gettime(CLOCK_BOOTTIME, &since_start);
  clock_gettime(CLOCK_REALTIME, &time_of_day);
  return {static_cast<std::uint64_t>(since_start.tv_sec) * 1000 +
              static_cast<std::uint64_t>(since_start.tv_nsec) / 1'000'000,
          time_of_day.tv_sec};
}

struct Peer {
  Peer(int socket, pairport::ConnectionContext& context, const pairport::ClientAddress& address)
      : fd(socket), connection(context, address, now()) {}
  ~Peer() { ::close(fd); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  int fd;
  pairport::Connection connection;
  bool shut_down = false;
  bool broken = false;
};

// Writes what there is until the socket is full, then does what the connection wants.
void flush(Peer& peer) {
  pairport::Connection& connection = peer.connection;
  while (!connection.output().empty() && !connection.wants_close()) {
    std::array<iovec, 64> parts;
    int count = 0;
    for (const pairport::Fragment& fragment :
         connection.output().first(std::min(connection.output().size(), parts.size()))) {
      parts[static_cast<std::size_t>(count++)] = {const_cast<char*>(fragment.data), fragment.size};
    }
    const ssize_t sent = writev(peer.fd, parts.data(), count);
    if (sent < 0) {
      peer.broken = errno != EAGAIN && errno != EINTR;
      return;
    }
    connection.on_output(static_cast<std::size_t>(sent), now());
  }
  if (connection.wants_shutdown() && !peer.shut_down) {
    peer.shut_down = true;
    shutdown(peer.fd, SHUT_WR);
  }
}

void read_from(Peer& peer) {
  std::array<char, pairport::Connection::kMaxInput> buffer;
  const ssize_t size = read(peer.fd, buffer.data(), buffer.size());
  if (size < 0) {
    peer.broken = errno != EAGAIN && errno != EINTR;
    return;
  }
  if (size == 0) {
    peer.connection.on_input_end(now());
  } else {
    peer.connection.on_input({buffer.data(), static_cast<std::size_t>(size)}, now());
    // It may have been a deposit.
    pairport::wipe(buffer.data(), static_cast<std::size_t>(size));
  }
  flush(peer);
}

void accept_one(int listener, pairport::ConnectionContext& context, std::vector<std::unique_ptr<Peer>>& peers) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  pairport::ClientAddress client;  // an IPv4 address as ::ffff:a.b.c.d
  client.bytes[10] = client.bytes[11] = 0xff;
  std::memcpy(&client.bytes[12], &address.sin_addr, 4);
  peers.push_back(std::make_unique<Peer>(fd, context, client));
}

int listen_on(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 128) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("cannot listen");
    return -1;
  }
  std::printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

void serve(int listener, pairport::Service& service) {
  pairport::ConnectionContext context(service, {});
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<pollfd> polled;
  while (stop_requested == 0) {
    // Sleep until something is readable or writable, or the next deadline.
    const std::uint64_t awake_at = now().monotonic_ms;
    std::uint64_t wake_at =
        service.store().stats().expiring > 0 ? awake_at + kExpiryMs : pairport::Connection::kNoDeadline;
    polled.assign(1, {listener, POLLIN, 0});
    for (const auto& peer : peers) {
      const auto& connection = peer->connection;
      const int events = (connection.wants_input() ? POLLIN : 0) | (connection.output().empty() ? 0 : POLLOUT);
      polled.push_back({peer->fd, static_cast<short>(events), 0});
      wake_at = std::min(wake_at, connection.deadline());
    }
    const std::uint64_t wait = wake_at > awake_at ? wake_at - awake_at : 0;
    const int timeout =
        wake_at == pairport::Connection::kNoDeadline ? 1000 : static_cast<int>(std::min<std::uint64_t>(wait, 1000));
    if (poll(polled.data(), polled.size(), timeout) < 0) continue;  // a signal

    for (std::size_t i = 0; i < peers.size(); ++i) {
      const short events = polled[i + 1].revents;
      if ((events & (POLLERR | POLLNVAL)) != 0) peers[i]->broken = true;
      if ((events & POLLOUT) != 0) flush(*peers[i]);
      if ((events & (POLLIN | POLLHUP)) != 0 && peers[i]->connection.wants_input()) read_from(*peers[i]);
      peers[i]->connection.on_deadline(now());
      flush(*peers[i]);
    }
    std::erase_if(peers, [](const auto& peer) { return peer->broken || peer->connection.wants_close(); });
    if ((polled[0].revents & POLLIN) != 0) accept_one(listener, context, peers);
    service.expire(now(), kExpiryBatch);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);

  KernelRandom random;
  pairport::ServiceOptions options;
  options.url = "https://pairing.example.com";
  auto service = pairport::Service::create(options, random, now());
  if (!service.ok()) {
    std::fprintf(stderr, "no service: %.*s\n", static_cast<int>(service.status().message().size()),
                 service.status().message().data());
    return 1;
  }
  const int listener = listen_on(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0));
  if (listener < 0) return 1;
  serve(listener, *service.value());
  close(listener);
  return 0;
}

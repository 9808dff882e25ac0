// SPDX-License-Identifier: MIT
// The lower bound for comparison with the service: a bare epoll loop that answers every request head with the same
// bytes, with one writev(2) of as many pieces as the service sends. It does not parse, has no store and no deadlines:
// no HTTP server with sockets can do less work.
//   floor_server [--close] ANSWER_FILE SIZE...    sizes of the pieces; together those of the file
// With --close it ends a connection after its first answer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pairport::bench {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

struct Peer {
  std::size_t matched = 0;  // bytes of kHeadEnd at the end of the input so far
  std::size_t owed = 0;     // answers that are not sent yet
  std::size_t sent = 0;     // bytes of the current answer
  bool watches_output = false;
};

class FloorServer {
 public:
  FloorServer(std::string answer, const std::vector<std::size_t>& sizes, bool closes)
      : answer_(std::move(answer)), closes_(closes) {
    std::size_t begin = 0;
    for (const std::size_t size : sizes) {
      pieces_.push_back({answer_.data() + begin, size});
      begin += size;
    }
  }

  bool open() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || bind(listener_, generic, size) != 0 || ::listen(listener_, 4096) != 0) return false;
    getsockname(listener_, generic, &size);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    watch(listener_, EPOLL_CTL_ADD, EPOLLIN);
    std::printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    return std::fflush(stdout) == 0 && epoll_ >= 0;
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 1024> events;
    while (true) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.fd == listener_) {
          accept_all();
        } else if ((event.events & EPOLLOUT) == 0) {
          on_readable(event.data.fd);
        } else {
          write_on(event.data.fd);
        }
      }
    }
  }

 private:
  void watch(int fd, int operation, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void accept_all() {
    for (int i = 0; i < 64; ++i) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      const auto index = static_cast<std::size_t>(fd);
      if (peers_.size() <= index) peers_.resize(index + 1);
      peers_[index] = {};
      watch(fd, EPOLL_CTL_ADD, EPOLLIN);
    }
  }

  void on_readable(int fd) {
    const ssize_t size = read(fd, input_.data(), input_.size());
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
      ::close(fd);
      return;
    }
    Peer& peer = peers_[static_cast<std::size_t>(fd)];
    for (const char byte : std::string_view(input_.data(), static_cast<std::size_t>(size))) {
      peer.matched = byte == kHeadEnd[peer.matched] ? peer.matched + 1 : byte == '\r' ? 1 : 0;
      if (peer.matched != kHeadEnd.size()) continue;
      peer.matched = 0;
      ++peer.owed;
    }
    write_on(fd);
  }

  void write_on(int fd) {
    Peer& peer = peers_[static_cast<std::size_t>(fd)];
    while (peer.owed != 0) {
      std::array<iovec, 16> rest;
      std::size_t count = 0;
      std::size_t skip = peer.sent;
      for (const std::string_view piece : pieces_) {
        if (skip >= piece.size()) {
          skip -= piece.size();
          continue;
        }
        // iovec is not const, but writev only reads.
        rest[count++] = {const_cast<char*>(piece.data()) + skip, piece.size() - skip};
        skip = 0;
      }
      const ssize_t sent = writev(fd, rest.data(), static_cast<int>(count));
      if (sent < 0 && errno != EAGAIN) {
        ::close(fd);
        return;
      }
      peer.sent += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
      if (peer.sent < answer_.size()) {
        // Like the service, read no new request before this answer is sent.
        if (!peer.watches_output) watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
        peer.watches_output = true;
        return;
      }
      peer.sent = 0;
      --peer.owed;
      if (closes_) {
        ::close(fd);
        return;
      }
    }
    if (peer.watches_output) watch(fd, EPOLL_CTL_MOD, EPOLLIN);
    peer.watches_output = false;
  }

  const std::string answer_;
  const bool closes_;
  std::vector<std::string_view> pieces_;
  std::vector<Peer> peers_;
  std::array<char, 16 * 1024> input_;
  int listener_ = -1;
  int epoll_ = -1;
};

int run(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): a failure would end the run with an error
  const int first = argc > 1 && std::string_view(argv[1]) == "--close" ? 2 : 1;
  std::ifstream file(argc > first ? argv[first] : "", std::ios::binary);
  std::string answer{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::size_t> sizes;
  std::size_t sum = 0;
  for (int i = first + 1; i < argc; ++i) {
    sizes.push_back(std::strtoull(argv[i], nullptr, 10));
    sum += sizes.back();
  }
  if (answer.empty() || sum != answer.size() || sizes.size() > 16) {
    (void)std::fputs(
        "usage: floor_server [--close] ANSWER_FILE SIZE... (at most 16 sizes, together that of the file)\n", stderr);
    return 2;
  }
  const auto server = std::make_unique<FloorServer>(std::move(answer), sizes, first == 2);
  if (!server->open()) {
    std::perror("floor_server");
    return 1;
  }
  server->run();
}

}  // namespace
}  // namespace pairport::bench

int main(int argc, char** argv) {
  return pairport::bench::run(argc, argv);
}

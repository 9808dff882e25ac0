// SPDX-License-Identifier: MIT
// Three ways to send the same answer on a local TCP connection: a vectored write that copies, sendfile from a memory
// file, and Transmitter. CPU time is that of the sending thread, with its time in the kernel. Another thread receives
// and copies the data, like a client: the cost of the sender's copy depends on the core that used the memory last.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "net/loop/transmitter.h"

namespace pairport {
namespace {

constexpr std::size_t kHead = 600;  // head, static prefix and values of an answer

constexpr std::size_t kConnections = 64;

// Connections to a thread that reads answers of `size` bytes and acknowledges each with one byte, so that every answer
// finds an empty socket, as with a real client.
class Clients {
 public:
  explicit Clients(std::size_t size) {
    const FileDescriptor listener(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    const int on = 1;
    setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener.get(), 1) != 0 ||
        getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      return;
    }
    for (std::size_t i = 0; i < kConnections; ++i) {
      FileDescriptor receiver(socket(AF_INET, SOCK_STREAM, 0));
      if (connect(receiver.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) return;
      senders_.emplace_back(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK));
      receivers_.push_back(std::move(receiver));
    }
    thread_ = std::thread([this, size] { receive(size); });
    for (std::size_t i = 0; i < kConnections; ++i) {
      [[maybe_unused]] const ssize_t count = ::send(receivers_[i].get(), "a", 1, MSG_NOSIGNAL);
    }
  }
  ~Clients() {
    for (const FileDescriptor& sender : senders_) shutdown(sender.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  bool connected() const noexcept { return senders_.size() == kConnections; }
  // The next connection in turn, after the peer has received its last answer.
  int next() {
    const int fd = senders_[turn_++ % kConnections].get();
    char byte = 0;
    while (recv(fd, &byte, 1, 0) < 0) wait(fd, POLLIN);
    return fd;
  }
  static void wait(int fd, short events) {
    pollfd ready{fd, events, 0};
    poll(&ready, 1, 1000);
  }

 private:
  void receive(std::size_t size) {
    std::vector<char> buffer(1 << 20);
    std::vector<std::size_t> received(kConnections);
    std::vector<pollfd> polled;
    for (const FileDescriptor& receiver : receivers_) polled.push_back({receiver.get(), POLLIN, 0});
    while (poll(polled.data(), polled.size(), -1) > 0) {
      for (std::size_t i = 0; i < kConnections; ++i) {
        if (polled[i].revents == 0) continue;
        const ssize_t count = recv(polled[i].fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count == 0) return;
        received[i] += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        if (received[i] < size) continue;
        received[i] -= size;
        [[maybe_unused]] const ssize_t sent = ::send(polled[i].fd, "a", 1, MSG_NOSIGNAL);
      }
    }
  }

  std::vector<FileDescriptor> receivers_;
  std::vector<FileDescriptor> senders_;
  std::thread thread_;
  std::size_t turn_ = 0;
};

enum class Method { kVectored, kSendfile, kTransmitter };

void send_answers(benchmark::State& state, Method method) {
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): cannot fail with these arguments
  const std::string head(kHead, 'h');
  const std::string part(static_cast<std::size_t>(state.range(0)), 'p');
  const std::array<std::string_view, 1> parts{part};
  Transmitter transmitter(method == Method::kTransmitter ? std::span<const std::string_view>(parts)
                                                         : std::span<const std::string_view>());
  const FileDescriptor file(memfd_create("bench", MFD_CLOEXEC));
  if (write(file.get(), part.data(), part.size()) != static_cast<ssize_t>(part.size())) {
    return state.SkipWithError("no memory file");
  }
  Clients clients(head.size() + part.size());
  if (!clients.connected()) return state.SkipWithError("no connections");

  for (auto _ : state) {
    const int fd = clients.next();
    std::size_t sent = 0;
    while (sent < head.size() + part.size()) {
      std::array<Fragment, 2> fragments;
      std::size_t count = 0;
      if (sent < head.size()) fragments[count++] = {head.data() + sent, head.size() - sent};
      const std::size_t from = sent > head.size() ? sent - head.size() : 0;
      fragments[count++] = {part.data() + from, part.size() - from};
      ssize_t result = 0;
      if (method == Method::kSendfile) {
        if (sent < head.size()) {
          result = send(fd, fragments[0].data, fragments[0].size, MSG_MORE | MSG_NOSIGNAL);
        } else {
          off_t offset = static_cast<off_t>(from);
          result = sendfile(fd, file.get(), &offset, part.size() - from);
        }
      } else {
        result = transmitter.send(fd, std::span(fragments).first(count));
      }
      if (result > 0) {
        sent += static_cast<std::size_t>(result);
      } else {
        Clients::wait(fd, POLLOUT);
      }
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(head.size() + part.size()));
}

void sizes(benchmark::internal::Benchmark* bench) {
  for (const int size : {8'500, 16'384, 23'000, 32'000, 71'000}) bench->Arg(size);
}

BENCHMARK_CAPTURE(send_answers, vectored, Method::kVectored)->Name("transmitter/vectored")->Apply(sizes);
BENCHMARK_CAPTURE(send_answers, sendfile, Method::kSendfile)->Name("transmitter/sendfile")->Apply(sizes);
BENCHMARK_CAPTURE(send_answers, transmitter, Method::kTransmitter)->Name("transmitter/splice")->Apply(sizes);

}  // namespace
}  // namespace pairport

BENCHMARK_MAIN();

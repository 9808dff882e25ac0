// SPDX-License-Identifier: MIT
#include "net/loop/transmitter.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace pairport::testing {
namespace {

// A connected pair of non-blocking sockets: TCP, or Unix.
struct Sockets {
  explicit Sockets(bool tcp) {
    int pair[2] = {-1, -1};
    if (tcp) {
      const FileDescriptor listener(socket(AF_INET, SOCK_STREAM, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof(address);
      EXPECT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
      EXPECT_EQ(listen(listener.get(), 1), 0);
      EXPECT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
      pair[1] = socket(AF_INET, SOCK_STREAM, 0);
      EXPECT_EQ(connect(pair[1], reinterpret_cast<sockaddr*>(&address), size), 0);
      pair[0] = accept(listener.get(), nullptr, nullptr);
    } else {
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    }
    sender = FileDescriptor(pair[0]);
    receiver = FileDescriptor(pair[1]);
    for (const int fd : pair) fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  // What has arrived; waits until that is at least `wanted` bytes.
  std::string receive(std::size_t wanted = 0) {
    std::string text;
    char buffer[65536];
    pollfd readable{receiver.get(), POLLIN, 0};
    do {
      for (ssize_t count = 0; (count = recv(receiver.get(), buffer, sizeof(buffer), 0)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(count));
      }
    } while (text.size() < wanted && poll(&readable, 1, 10'000) > 0);
    return text;
  }

  FileDescriptor sender;
  FileDescriptor receiver;
};

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 engine(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(engine());
  return text;
}

Fragment fragment_of(std::string_view text) {
  return {text.data(), text.size()};
}

class TransmitterTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }

  // Sends everything, as the server does: what is left over is sent from where it stopped.
  static std::string through(Transmitter& transmitter, Sockets& sockets, std::vector<Fragment> fragments) {
    std::string received;
    std::size_t total = 0;
    for (const Fragment& fragment : fragments) total += fragment.size;
    while (!fragments.empty()) {
      ssize_t sent = transmitter.send(sockets.sender.get(), fragments);
      EXPECT_TRUE(sent > 0 || sent == -EAGAIN) << sent;
      if (sent < 0 && sent != -EAGAIN) break;
      for (; sent > 0 && !fragments.empty();) {
        const auto count = std::min(static_cast<std::size_t>(sent), fragments.front().size);
        fragments.front().data += count;
        fragments.front().size -= count;
        sent -= static_cast<ssize_t>(count);
        if (fragments.front().size == 0) fragments.erase(fragments.begin());
      }
      received += sockets.receive();
    }
    return received + sockets.receive(total - received.size());
  }

  void send_every_order_of_parts(Transmitter::Clock clock) const {
    Transmitter transmitter(parts_, clock);
    ASSERT_EQ(transmitter.prepared(), 3U);
    Sockets sockets(GetParam());
    const std::string head = "HTTP/1.1 200 OK\r\n\r\n";
    std::mt19937 engine(7);
    const std::vector<std::string_view> all{head,
                                            short_,
                                            long_,
                                            longer_,
                                            exact_,
                                            std::string_view(long_).substr(1),
                                            std::string_view(longer_).substr(0, 50'000)};
    for (int round = 0; round < 200; ++round) {
      std::vector<Fragment> fragments;
      std::string expected;
      for (auto count = 1 + engine() % 8; count > 0; --count) {
        const std::string_view text = all[engine() % all.size()];
        fragments.push_back(fragment_of(text));
        expected += text;
      }
      ASSERT_TRUE(through(transmitter, sockets, fragments) == expected) << round;
    }
    EXPECT_EQ(transmitter.prepared(), 3U) << "a leftover could not be dropped";
  }

  const std::string short_ = noise(Transmitter::kMinPart - 1, 1);
  const std::string long_ = noise(32'540, 2);
  const std::string longer_ = noise(200'001, 3);
  const std::string exact_ = noise(Transmitter::kMinPart, 4);
  const std::vector<std::string_view> parts_{short_, long_, longer_, exact_};
};

// A clock by which now this way is the faster one and now that.
std::uint64_t erratic_clock() {
  static std::mt19937_64 engine(5);
  static std::uint64_t time = 0;
  return time += engine() % 1000;
}

TEST_P(TransmitterTest, SendsEveryOrderOfPartsEitherWay) {
  for (const Transmitter::Clock clock : {Transmitter::Clock{nullptr}, Transmitter::Clock{erratic_clock}}) {
    send_every_order_of_parts(clock);
  }
}

TEST_P(TransmitterTest, StopsWhenTheSocketIsFullAndGoesOn) {
  Transmitter transmitter(parts_);
  Sockets sockets(GetParam());
  const int small = 4096;
  setsockopt(sockets.sender.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  std::vector<Fragment> fragments;
  std::string expected;
  for (int i = 0; i < 60; ++i) {
    const std::string_view text = i % 2 == 0 ? std::string_view(longer_) : std::string_view("between");
    fragments.push_back(fragment_of(text));
    expected += text;
  }
  // Nobody reads: it must stop, and say so.
  ssize_t sent = 0;
  std::size_t total = 0;
  std::vector<Fragment> rest = fragments;
  while ((sent = transmitter.send(sockets.sender.get(), rest)) > 0) {
    total += static_cast<std::size_t>(sent);
    for (; sent > 0;) {
      const auto count = std::min(static_cast<std::size_t>(sent), rest.front().size);
      rest.front().data += count;
      rest.front().size -= count;
      sent -= static_cast<ssize_t>(count);
      if (rest.front().size == 0) rest.erase(rest.begin());
    }
    ASSERT_FALSE(rest.empty()) << "the socket took everything";
  }
  EXPECT_EQ(sent, -EAGAIN);
  EXPECT_LT(total, expected.size());
  const std::string received = sockets.receive(total);
  EXPECT_TRUE(received + through(transmitter, sockets, rest) == expected);
}

TEST_P(TransmitterTest, KeepsTheLastBytesForTheEndOfTheConnection) {
  // By reference and by copy; with head and tail, alone, and short.
  for (const Transmitter::Clock clock : {Transmitter::Clock{nullptr}, Transmitter::Clock{erratic_clock}}) {
    Transmitter transmitter(parts_, clock);
    for (const auto& texts :
         {std::vector<std::string_view>{"head", exact_, "tail"}, {exact_}, {"head", exact_}, {"short"}}) {
      for (const bool then_ended : {false, true}) {
        Sockets sockets(GetParam());
        std::vector<Fragment> fragments;
        std::string expected;
        for (const std::string_view text : texts) {
          fragments.push_back(fragment_of(text));
          expected += text;
        }
        ASSERT_EQ(transmitter.send(sockets.sender.get(), fragments, then_ended), static_cast<ssize_t>(expected.size()));
        if (GetParam()) {
          int unsent = -1;
          ASSERT_EQ(ioctl(sockets.sender.get(), SIOCOUTQNSD, &unsent), 0);
          EXPECT_EQ(unsent > 0, then_ended);
        }
        shutdown(sockets.sender.get(), SHUT_WR);
        EXPECT_TRUE(sockets.receive(expected.size()) == expected);
      }
    }
  }
}

TEST_P(TransmitterTest, SaysThatThePeerIsGone) {
  Transmitter transmitter(parts_);
  Sockets sockets(GetParam());
  sockets.receiver = FileDescriptor();
  const std::vector<Fragment> fragments{fragment_of(long_)};
  ssize_t sent = 0;
  for (int i = 0; i < 3 && sent >= 0; ++i) sent = transmitter.send(sockets.sender.get(), fragments);
  EXPECT_TRUE(sent == -EPIPE || sent == -ECONNRESET) << sent;
  Sockets others(GetParam());
  EXPECT_TRUE(through(transmitter, others, {fragment_of(exact_)}) == exact_) << "nothing of the lost answer is left";
}

TEST_P(TransmitterTest, WorksWithoutWhatTheKernelDoesNotGrant) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int next = fcntl(0, F_DUPFD_CLOEXEC, 0);
  close(next);
  for (rlim_t spare = 0; spare < 12; ++spare) {
    const rlimit few{static_cast<rlim_t>(next) + spare, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    Transmitter transmitter(parts_);
    setrlimit(RLIMIT_NOFILE, &before);
    Sockets sockets(GetParam());
    EXPECT_TRUE(through(transmitter, sockets, {fragment_of("head"), fragment_of(long_), fragment_of(short_)}) ==
                "head" + long_ + short_)
        << spare;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TransmitterTest, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Tcp" : "Unix"; });

}  // namespace
}  // namespace pairport::testing

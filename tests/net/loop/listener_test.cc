// SPDX-License-Identifier: MIT
#include <pairport/server.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/given_descriptors.h"

namespace pairport {
namespace {

using testing::bound_socket;
using testing::connected_sockets;
using ::testing::HasSubstr;
using testing::is_open;
using testing::listening_socket;
using ::testing::StartsWith;

TEST(Listener, TellsThePortThatItGot) {
  auto listener = Listener::open("127.0.0.1:0");
  ASSERT_TRUE(listener.ok()) << listener.status().message();
  EXPECT_THAT(listener.value().url(), StartsWith("http://127.0.0.1:"));
  EXPECT_EQ(listener.value().url().find(":0", 16), std::string::npos);
  EXPECT_FALSE(listener.value().is_any());
}

TEST(Listener, KnowsAllInterfaces) {
  for (const char* address : {":0", "0.0.0.0:0"}) {
    auto listener = Listener::open(address);
    ASSERT_TRUE(listener.ok()) << address << ": " << listener.status().message();
    EXPECT_TRUE(listener.value().is_any()) << address;
  }
}

TEST(Listener, KnowsWhatOnlyThisMachineReaches) {
  for (const auto& [address, local] : {std::pair("127.0.0.1:0", true),
                                       {"127.9.8.7:0", true},
                                       {"[::1]:0", true},
                                       {"[::ffff:127.0.0.1]:0", true},
                                       {"localhost:0", true},
                                       {":0", false},
                                       {"0.0.0.0:0", false},
                                       {"[::]:0", false}}) {
    auto listener = Listener::open(address);
    if (!listener.ok() && std::string(address).find("::") != std::string::npos) continue;  // no IPv6 here
    ASSERT_TRUE(listener.ok()) << listener.status().message();
    EXPECT_EQ(listener.value().is_local(), local) << address;
  }
}

TEST(Listener, NamesWhatIsWrongWithAnAddress) {
  for (const char* address :
       {"", "9978", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "::1:80", "127.0.0.1:-1"}) {
    auto listener = Listener::open(address);
    ASSERT_FALSE(listener.ok()) << address;
    EXPECT_EQ(listener.status().code(), StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(listener.status().message()), HasSubstr("expected host:port"));
  }
}

TEST(Listener, SaysWhenThePortIsInUse) {
  auto first = Listener::open("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  auto second = Listener::open(first.value().url().substr(7));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kSystem);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("stop the program that uses it"));
}

class UnixListener : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/pairport-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    unlink(path().c_str());
    rmdir(folder_.c_str());
  }
  std::string path() const { return folder_ + "/socket"; }

  std::string folder_;
};

TEST_F(UnixListener, RemovesItsSocketFile) {
  {
    auto listener = Listener::open("unix:" + path());
    ASSERT_TRUE(listener.ok()) << listener.status().message();
    EXPECT_TRUE(listener.value().is_unix());
    EXPECT_EQ(access(path().c_str(), F_OK), 0);
  }
  EXPECT_NE(access(path().c_str(), F_OK), 0);
}

TEST_F(UnixListener, ReplacesAStaleSocketOnly) {
  const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path().c_str());
  ASSERT_EQ(bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(stale);
  auto listener = Listener::open("unix:" + path());
  ASSERT_TRUE(listener.ok()) << listener.status().message();
  auto second = Listener::open("unix:" + path());
  EXPECT_FALSE(second.ok()) << "somebody listens there";
}

TEST_F(UnixListener, LeavesAFileAlone) {
  std::ofstream(path()) << "precious";
  auto listener = Listener::open("unix:" + path());
  EXPECT_FALSE(listener.ok());
  std::string text;
  std::ifstream(path()) >> text;
  EXPECT_EQ(text, "precious");
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0) << name;
  return value;
}

TEST(AdoptedListener, IsDescribedLikeOneOfOurs) {
  for (const char* address : {"127.0.0.1:0", "127.9.8.7:0", "0.0.0.0:0", "[::1]:0", "[::]:0", ":0"}) {
    auto ours = Listener::open(address);
    if (!ours.ok() && std::string(address).find("::") != std::string::npos) continue;  // no IPv6 here
    ASSERT_TRUE(ours.ok()) << ours.status().message();
    auto adopted = Listener::adopt(dup(ours.value().fd()));
    ASSERT_TRUE(adopted.ok()) << adopted.status().message();
    EXPECT_EQ(adopted.value().url(), ours.value().url());
    EXPECT_EQ(adopted.value().is_any(), ours.value().is_any()) << address;
    EXPECT_EQ(adopted.value().is_local(), ours.value().is_local()) << address;
    EXPECT_FALSE(adopted.value().is_unix());
  }
}

TEST(AdoptedListener, GetsTheOptionsOfOneOfOurs) {
  auto ours = Listener::open("127.0.0.1:0");
  ASSERT_TRUE(ours.ok());
  for (const int family : {AF_INET, AF_INET6}) {
    const int fd = listening_socket(family);
    if (fd < 0) continue;  // no IPv6 here
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), 0);
    auto adopted = Listener::adopt(fd);
    ASSERT_TRUE(adopted.ok()) << adopted.status().message();
    EXPECT_EQ(adopted.value().fd(), fd);
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    for (const int name : {TCP_NODELAY, TCP_NOTSENT_LOWAT, TCP_DEFER_ACCEPT}) {
      EXPECT_EQ(option(fd, IPPROTO_TCP, name), option(ours.value().fd(), IPPROTO_TCP, name)) << name;
    }
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_SNDBUF), option(ours.value().fd(), SOL_SOCKET, SO_SNDBUF));
  }
}

TEST_F(UnixListener, LeavesTheFileOfAnAdoptedSocketAlone) {
  const int fd = listening_socket(AF_UNIX, path());
  struct stat before {};
  ASSERT_EQ(chmod(path().c_str(), 0640), 0);
  ASSERT_EQ(stat(path().c_str(), &before), 0);
  {
    auto adopted = Listener::adopt(fd);
    ASSERT_TRUE(adopted.ok()) << adopted.status().message();
    EXPECT_TRUE(adopted.value().is_unix());
    EXPECT_TRUE(adopted.value().is_local());
    EXPECT_FALSE(adopted.value().is_any());
    EXPECT_EQ(adopted.value().url(), "unix:" + path());
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    Listener moved = std::move(adopted).value();
    EXPECT_TRUE(moved.is_unix());
  }
  EXPECT_FALSE(is_open(fd));
  struct stat after {};
  ASSERT_EQ(stat(path().c_str(), &after), 0) << "it is not ours to remove";
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_mode, before.st_mode);
}

TEST_F(UnixListener, AdoptsTheLongestPathAndAnAbstractName) {
  const std::string longest = folder_ + "/" + std::string(sizeof(sockaddr_un::sun_path) - 2 - folder_.size(), 'x');
  {
    auto adopted = Listener::adopt(listening_socket(AF_UNIX, longest));
    ASSERT_TRUE(adopted.ok()) << adopted.status().message();
    EXPECT_EQ(adopted.value().url(), "unix:" + longest);
  }
  EXPECT_EQ(unlink(longest.c_str()), 0);
  const std::string name = "@pairport-test-" + std::to_string(getpid());
  auto adopted = Listener::adopt(listening_socket(AF_UNIX, name + std::string("\0x", 2)));
  ASSERT_TRUE(adopted.ok()) << adopted.status().message();
  EXPECT_EQ(adopted.value().url(), "unix:" + name + "@x");
  EXPECT_TRUE(adopted.value().is_local());
}

TEST_F(UnixListener, SaysWhatADescriptorIsThatDoesNotListenAndClosesItOnce) {
  const int listener = listening_socket(AF_INET);
  const auto [client, accepted] = connected_sockets(listener);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  auto given = testing::no_stream_sockets();
  for (const int fd : {client, accepted, pair[0], pair[1]}) given.push_back({fd, "is a connected socket;"});
  given.push_back({socket(AF_INET, SOCK_STREAM, 0), "is a socket on which listen(2) was not called;"});
  given.push_back({bound_socket(AF_INET, SOCK_STREAM), "is a socket on which listen(2) was not called;"});
  given.push_back({bound_socket(AF_UNIX, SOCK_STREAM, path()), "is a socket on which listen(2) was not called;"});
  for (const auto& [fd, is] : given) {
    ASSERT_TRUE(is_open(fd)) << is;
    const int before = closes_of(fd);
    auto adopted = Listener::adopt(fd);
    ASSERT_FALSE(adopted.ok()) << is;
    EXPECT_EQ(adopted.status().code(), StatusCode::kSystem);
    EXPECT_THAT(std::string(adopted.status().message()), HasSubstr("descriptor " + std::to_string(fd) + " "));
    EXPECT_THAT(std::string(adopted.status().message()), HasSubstr(is));
    EXPECT_THAT(std::string(adopted.status().message()), HasSubstr("expected a listening stream socket"));
    EXPECT_FALSE(is_open(fd)) << is;
    EXPECT_EQ(closes_of(fd) - before, 1) << is;
  }
  close(listener);
  EXPECT_EQ(access(path().c_str(), F_OK), 0) << "the socket file of somebody else";
}

TEST(AdoptedListener, ClosesNothingWhenTheDescriptorIsNotOpen) {
  const int fd = dup(0);
  close(fd);
  for (const int closed : {fd, 1000, -1}) {
    const int before = closed < 0 ? 0 : closes_of(closed);
    auto adopted = Listener::adopt(closed);
    ASSERT_FALSE(adopted.ok());
    EXPECT_EQ(adopted.status().code(), StatusCode::kSystem);
    EXPECT_THAT(std::string(adopted.status().message()), HasSubstr("is not open;"));
    EXPECT_EQ(closed < 0 ? 0 : closes_of(closed), before) << "the number may be another thread's by now";
  }
}

}  // namespace
}  // namespace pairport

// SPDX-License-Identifier: MIT
#include <pairport/listener.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pairport {
namespace {

using ::testing::HasSubstr;
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

}  // namespace
}  // namespace pairport

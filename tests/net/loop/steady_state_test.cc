// SPDX-License-Identifier: MIT
// A server that has warmed up answers without asking the heap for memory: neither C++ code nor libuv does. What is
// handed over to it while there is no memory is closed, and nothing is left of it.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <pairport/server.h>

#include "support/connection_fixture.h"
#include "support/failing_new.h"
#include "support/given_descriptors.h"

namespace pairport::testing {
namespace {

void* counting_realloc(void* memory, std::size_t size) {
  if (Allocations::watching) ++Allocations::count;
  return std::realloc(memory, size);
}
void* counting_calloc(std::size_t count, std::size_t size) {
  if (Allocations::watching) ++Allocations::count;
  return std::calloc(count, size);
}

class SteadyState : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    // Before any other call of libuv.
    ASSERT_EQ(uv_replace_allocator(Allocations::allocate, counting_realloc, counting_calloc, std::free), 0);
  }

  void SetUp() override {
    ASSERT_EQ(uv_loop_init(&loop_), 0);
    ServiceOptions options;
    options.miss_limit = {};
    options.static_deposit = StaticDeposit{std::string(kStaticCode), "http://rport.example.com:8080",
                                           "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24", "client1", "foobaz"};
    auto service = Service::create(options, random_, current_time());
    ASSERT_TRUE(service.ok());
    service_ = std::move(service).value();
    auto server = Server::attach(&loop_, *service_, {});
    ASSERT_TRUE(server.ok());
    server_ = std::move(server).value();
    auto listener = Listener::open("127.0.0.1:0");
    ASSERT_TRUE(listener.ok());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string& url = listener.value().url();
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
    ASSERT_TRUE(server_->listen(std::move(listener).value()).ok());
    client_ = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(connect(client_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }

  void TearDown() override {
    ::close(client_);
    bool stopped = false;
    server_->stop([&stopped] { stopped = true; });
    while (!stopped) uv_run(&loop_, UV_RUN_ONCE);
    server_.reset();
    EXPECT_EQ(uv_loop_close(&loop_), 0);
  }

  // Sends `requests` and takes bytes until `size` have come (0: until nothing has come for a while); returns how many.
  std::size_t exchange(const std::string& requests, std::size_t size) {
    EXPECT_EQ(::send(client_, requests.data(), requests.size(), MSG_NOSIGNAL), static_cast<ssize_t>(requests.size()));
    std::size_t received = 0;
    for (int idle = 0; size != 0 ? received < size && idle < 200'000 : idle < 20'000; ++idle) {
      uv_run(&loop_, UV_RUN_NOWAIT);
      ssize_t count = 0;
      while ((count = recv(client_, buffer_.data(), buffer_.size(), MSG_DONTWAIT)) > 0) {
        received += static_cast<std::size_t>(count);
        idle = 0;
      }
    }
    return received;
  }

  uv_loop_t loop_{};
  SequenceRandom random_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Server> server_;
  int client_ = -1;
  std::array<char, 65536> buffer_;
};

TEST_F(SteadyState, TheCounterSeesLibuv) {
  const Watch watch;
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  EXPECT_GT(Allocations::count, 0U);
  uv_loop_close(&loop);
}

TEST_F(SteadyState, AGetAllocatesNothing) {
  std::string pipelined;
  for (int i = 0; i < 12; ++i) pipelined += get(i % 3 == 0 ? "/0000000" : i % 3 == 1 ? "/ABCDEFG" : "/update");
  std::string flood;  // more than the sockets hold, so that the server has to wait for room
  for (int i = 0; i < 150; ++i) flood += get("/0000000.ps1");
  for (const std::string& requests :
       {get("/0000000"), get("/0000000.ps1"), get("/0000000", "Accept-Encoding: gzip\r\n"), get("/update"),
        get("/uninstall"), get("/ABCDEFG"), get("/a/b"), pipelined, flood}) {
    const std::size_t size = exchange(requests, 0);
    ASSERT_GT(size, 100U);
    exchange(requests, size);
    const Watch watch;
    for (int i = 0; i < 20; ++i) ASSERT_EQ(exchange(requests, size), size);
    EXPECT_EQ(Allocations::count, 0U) << requests.substr(0, 60);
  }
}

TEST_F(SteadyState, ADescriptorIsClosedOnceWhicheverAllocationFails) {
  const int listener = listening_socket(AF_INET);
  const std::string request = post(kJsonDeposit);
  const std::optional<ClientAddress> peer = ClientAddress::parse("203.0.113.1");
  for (const bool is_socket : {true, false}) {
    for (const bool all_after : {false, true}) {
      bool failed = true;
      std::size_t fail_at = 1;
      for (; failed; ++fail_at) {
        ASSERT_LT(fail_at, 1000U);
        auto [client, fd] = connected_sockets(listener);
        if (!is_socket) {
          const int null = open("/dev/null", O_RDWR);
          ASSERT_EQ(dup2(null, fd), fd);
          close(null);
        }
        const int before = closes_of(fd);
        StatusCode code = StatusCode::kOutOfMemory;
        {
          const Watch watch(fail_at, all_after);
          try {
            code = server_->adopt(fd, {}, {.initial = request, .peer = peer}).code();
          } catch (const std::bad_alloc&) {
            EXPECT_EQ(code, StatusCode::kOutOfMemory);
          }
          failed = Allocations::failed;
        }
        if (code != StatusCode::kOk) {
          EXPECT_FALSE(is_open(fd)) << fail_at;
          EXPECT_EQ(closes_of(fd) - before, 1) << fail_at;
        }
        close(client);
        for (int i = 0; server_->connections() != 0 && i < 10'000; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
        EXPECT_EQ(server_->connections(), 0U) << fail_at;
        EXPECT_FALSE(is_open(fd)) << fail_at;
      }
      EXPECT_GT(fail_at, 2U) << "at least one has failed";
    }
  }
  close(listener);
}

}  // namespace
}  // namespace pairport::testing

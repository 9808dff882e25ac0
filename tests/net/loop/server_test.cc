// SPDX-License-Identifier: MIT
// The server on a real loop, with real sockets. Every test ends with a loop that can be closed.
#include <pairport/server.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/connection_fixture.h"
#include "support/forked_child.h"
#include "support/given_descriptors.h"
#include "support/late_store.h"
#include "support/tls_kit.h"

namespace pairport::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A blocking-free client socket that is pumped together with the loop.
class Client {
 public:
  explicit Client(int port, const char* source = "127.0.0.1") : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, source, &own.sin_addr), 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0) << std::strerror(errno);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0) << std::strerror(errno);
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  explicit Client(int fd, int) : fd_(fd) { fcntl(fd_, F_SETFL, O_NONBLOCK); }
  ~Client() { close(); }
  Client(const Client&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  int fd() const { return fd_; }
  bool can_send() { return ::send(fd_, "x", 1, MSG_NOSIGNAL) == 1; }
  void end() { shutdown(fd_, SHUT_WR); }
  void receive() {
    char buffer[65536];
    ssize_t count = 0;
    while (!ended && (count = recv(fd_, buffer, sizeof(buffer), 0)) >= 0) {
      if (count == 0) ended = true;
      received.append(buffer, static_cast<std::size_t>(count));
    }
    if (count < 0 && errno != EAGAIN) ended = reset = true;
  }
  // No more than so many bytes.
  void receive_some(std::size_t size) {
    std::string buffer(size, '\0');
    const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) ended = true;
    if (count > 0) received.append(buffer, 0, static_cast<std::size_t>(count));
  }
  // Whether `received` holds that many answers, each whole.
  bool complete(std::size_t answers = 1) const {
    std::size_t at = 0;
    for (; answers > 0; --answers) {
      const std::size_t head = received.find("\r\n\r\n", at);
      if (head == std::string::npos) return false;
      const std::size_t length = received.find("Content-Length: ", at);
      at = head + 4;
      if (length < head) at += static_cast<std::size_t>(std::stoi(received.substr(length + 16, 12)));
      if (received.size() < at) return false;
    }
    return true;
  }

  std::string received;
  bool ended = false;
  bool reset = false;

 private:
  int fd_;
};

// Holds all file descriptors but `spare`, as long as it lives.
class Hoard {
 public:
  explicit Hoard(std::size_t spare = 0) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit tight{64, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &tight);
    for (int fd = dup(0); fd >= 0; fd = dup(0)) fds_.push_back(fd);
    for (; spare > 0; --spare) {
      close(fds_.back());
      fds_.pop_back();
    }
  }
  ~Hoard() {
    for (const int fd : fds_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  Hoard(const Hoard&) = delete;
  Hoard& operator=(const Hoard&) = delete;

 private:
  std::vector<int> fds_;
  rlimit before_{};
};

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(uv_loop_init(&loop_), 0);
    start({}, {});
  }

  void start(ServiceOptions service_options, const ServerOptions& options) {
    service_options.static_deposit =
        StaticDeposit{std::string(kStaticCode), "http://rport.example.com:8080",
                      "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24", "client1", "foobaz"};
    auto service = Service::create(service_options, random_, current_time(), store_);
    ASSERT_TRUE(service.ok()) << service.status().message();
    service_ = std::move(service).value();
    auto server = Server::attach(&loop_, *service_, options);
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = std::move(server).value();
    auto listener = Listener::open("127.0.0.1:0");
    ASSERT_TRUE(listener.ok()) << listener.status().message();
    port_ = std::stoi(listener.value().url().substr(listener.value().url().rfind(':') + 1));
    ASSERT_TRUE(server_->listen(std::move(listener).value()).ok());
  }

  void restart(const ServiceOptions& service_options, const ServerOptions& options) {
    stop();
    start(service_options, options);
  }

  void stop() {
    bool stopped = false;
    server_->stop([&stopped] { stopped = true; });
    EXPECT_TRUE(until([&stopped] { return stopped; }));
    server_.reset();
  }

  void TearDown() override {
    if (server_) stop();
    EXPECT_EQ(uv_loop_close(&loop_), 0) << "a handle was left open";
  }

  // Runs the loop until `done`, at most ten seconds.
  bool until(const std::function<bool()>& done) {
    uv_timer_t wake;
    uv_timer_init(&loop_, &wake);
    uv_timer_start(
        &wake, [](uv_timer_t*) {}, 1, 1);
    const std::uint64_t end = uv_hrtime() + 10'000'000'000;
    bool reached = done();
    while (!reached && uv_hrtime() < end) {
      uv_run(&loop_, UV_RUN_ONCE);
      reached = done();
    }
    uv_close(reinterpret_cast<uv_handle_t*>(&wake), nullptr);
    bool closed = false;
    while (!closed) {
      uv_run(&loop_, UV_RUN_NOWAIT);
      closed = uv_is_closing(reinterpret_cast<uv_handle_t*>(&wake)) != 0;
    }
    uv_run(&loop_, UV_RUN_NOWAIT);
    return reached;
  }
  bool until_answered(Client& client, std::size_t answers = 1) {
    return until([&] {
      client.receive();
      return client.complete(answers) || client.ended;
    });
  }
  bool until_ended(Client& client) {
    return until([&] {
      client.receive();
      return client.ended;
    });
  }

  void expect_that_a_stalled_reader_is_dropped() {
    Client client(port_);
    std::string requests;
    for (int i = 0; i < 400; ++i) requests += get("/0000000");
    client.send(requests);
    EXPECT_TRUE(until([&] { return server_->connections() == 1; }));
    EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
  }

  uv_loop_t loop_{};
  SequenceRandom random_;
  std::unique_ptr<Service> service_;
  Store* store_ = nullptr;  // of the service; null: its own
  std::unique_ptr<Server> server_;
  int port_ = 0;
};

TEST_F(ServerTest, ServesOneConnectionAfterTheOther) {
  for (int i = 0; i < 3; ++i) {
    Client client(port_);
    client.send(get("/0000000"));
    ASSERT_TRUE(until_answered(client));
    EXPECT_THAT(client.received, StartsWith("HTTP/1.1 200 OK"));
    EXPECT_THAT(client.received, HasSubstr("'foobaz'"));
  }
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(ServerTest, KeepsAConnectionOpenAndAnswersPipelinedRequests) {
  Client client(port_);
  client.send(get("/update") + get("/0000000"));
  client.send(post(kJsonDeposit));
  ASSERT_TRUE(until_answered(client, 3));
  EXPECT_FALSE(client.ended);
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(ServerTest, ConnectionsSendWithoutDelayAndBufferLittle) {
  auto listener = Listener::open("127.0.0.1:0");
  ASSERT_TRUE(listener.ok());
  const std::string& url = listener.value().url();
  Client client(std::stoi(url.substr(url.rfind(':') + 1)));
  client.send("G");
  pollfd readable{listener.value().fd(), POLLIN, 0};
  ASSERT_EQ(poll(&readable, 1, 10'000), 1);
  const int fd = accept(listener.value().fd(), nullptr, nullptr);
  int on = 0;
  socklen_t size = sizeof(on);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
  EXPECT_NE(on, 0) << "inherited from the listening socket";
  int unsent = 0;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, &size), 0);
  EXPECT_EQ(unsent, 64 * 1024) << "bytes that the kernel buffers for a peer that does not read";
  ::close(fd);
}

TEST_F(ServerTest, IsNotWokenByConnectionsThatSayNothingYet) {
  const std::uint64_t begin = uv_hrtime();
  Client client(port_);
  for (int i = 0; i < 100; ++i) {
    uv_run(&loop_, UV_RUN_NOWAIT);
    // After a second it may come; a process may have stood still for that long.
    if (server_->connections() != 0) {
      ASSERT_GT(uv_hrtime() - begin, 500'000'000U);
    }
    usleep(1000);
  }
  client.send(get("/update"));
  EXPECT_TRUE(until_answered(client));
  Client silent(port_);
  EXPECT_TRUE(until([&] { return server_->connections() == 2; })) << "it is limited like others in the end";
}

TEST_F(ServerTest, AnswersWhatCameWithTheConnection) {
  // Everything is there before the server accepts: a whole conversation, half of one, and nothing but an end.
  Client whole(port_);
  whole.send(get("/0000000", "Connection: close\r\n"));
  Client half(port_);
  half.send(get("/update").substr(0, 10));
  Client nothing(port_);
  nothing.end();
  ASSERT_TRUE(until_ended(whole));
  EXPECT_THAT(whole.received, HasSubstr("'foobaz'"));
  EXPECT_TRUE(until_ended(nothing));
  EXPECT_EQ(nothing.received, "");
  half.send(get("/update").substr(10));
  ASSERT_TRUE(until_answered(half));
  EXPECT_THAT(half.received, StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(ServerTest, DeliversARefusalAlthoughThePeerGoesOnSending) {
  Client client(port_);
  client.send("nonsense\r\n\r\n" + std::string(5000, 'x'));
  ASSERT_TRUE(until_ended(client));
  EXPECT_FALSE(client.reset);
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 400"));
}

TEST_F(ServerTest, SendsEverythingToAReaderThatIsSlowerThanTheSocketBuffer) {
  Client client(port_);
  std::string requests;
  constexpr std::size_t kCount = 300;
  for (std::size_t i = 0; i < kCount; ++i) requests += get("/0000000");
  client.send(requests);
  // Let the server fill the socket before anything is read.
  for (int i = 0; i < 50; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
  ASSERT_TRUE(until_answered(client, kCount));
}

TEST_F(ServerTest, SurvivesPeersThatVanish) {
  for (int i = 0; i < 20; ++i) {
    Client client(port_);
    std::string requests;
    for (int k = 0; k < 200; ++k) requests += get("/0000000");
    client.send(requests);
    for (int k = 0; k < i; ++k) uv_run(&loop_, UV_RUN_NOWAIT);
    client.close();
  }
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(ServerTest, AnswersAPeerThatHasEndedItsSide) {
  Client client(port_);
  client.send(get("/0000000"));
  client.end();
  ASSERT_TRUE(until_ended(client));
  EXPECT_TRUE(client.complete());
}

// Sends something more while its answer has been written, but the connection is not closed yet.
class LateSender : public AccessObserver {
 public:
  void on_answer(const AccessEntry&) noexcept override {
    if (client != nullptr) client->send("\r\n");
  }
  Client* client = nullptr;
};

TEST_F(ServerTest, WhatComesTooLateToBeReadDestroysNoAnswer) {
  LateSender observer;
  ServerOptions options;
  options.observer = &observer;
  restart({}, options);
  for (const char* target : {"/nothing", "/0000000"}) {
    Client client(port_);
    observer.client = &client;
    client.send(get(target, "Connection: close\r\n"));
    ASSERT_TRUE(until_ended(client));
    EXPECT_TRUE(client.complete()) << target;
    observer.client = nullptr;
  }
  stop();  // before the observer goes
}

TEST_F(ServerTest, ClosesWhoSendsNothing) {
  ServerOptions options;
  options.connection.head_timeout = 200;
  restart({}, options);
  Client client(port_);
  ASSERT_TRUE(until_ended(client));
  EXPECT_EQ(client.received, "");
}

TEST_F(ServerTest, DropsWhoDoesNotRead) {
  ServerOptions options;
  options.connection.answer_timeout = 200;
  options.connection.min_bytes_per_second = 1'000'000;
  restart({}, options);
  expect_that_a_stalled_reader_is_dropped();
}

// The minimum rate alone would let it stay for hours.
TEST_F(ServerTest, DropsWhoTakesNothingForAWhile) {
  ServerOptions options;
  options.connection.answer_timeout = 400;
  options.connection.min_bytes_per_second = 1;
  restart({}, options);
  expect_that_a_stalled_reader_is_dropped();
}

TEST_F(ServerTest, KeepsWhoReadsLessThanTheKernelWaitsFor) {
  ServerOptions options;
  options.connection.answer_timeout = 1'000;
  options.connection.min_bytes_per_second = 1;
  restart({}, options);
  Client client(port_);
  std::string requests;
  for (int i = 0; i < 400; ++i) requests += get("/0000000");
  client.send(requests);
  EXPECT_TRUE(until([&] { return server_->connections() == 1; }));
  // Each time less than a third of the socket's buffer, and for longer than the time-out.
  const std::uint64_t end = uv_hrtime() + 3'000'000'000;
  std::uint64_t next = 0;
  EXPECT_TRUE(until([&] {
    if (uv_hrtime() >= next) {
      client.receive_some(16 * 1024);
      next = uv_hrtime() + 100'000'000;
    }
    return uv_hrtime() > end || client.ended;
  }));
  EXPECT_FALSE(client.ended);
  EXPECT_EQ(server_->connections(), 1U);
  EXPECT_TRUE(until_answered(client, 400));
  EXPECT_TRUE(client.complete(400));
}

// The timer of an earlier deadline fires while a write is pending: it must not be the last one.
TEST_F(ServerTest, DropsWhoStopsReadingAfterAnEarlierDeadlineHasPassed) {
  ServerOptions options;
  options.connection.head_timeout = 200;
  options.connection.answer_timeout = 800;
  options.connection.min_bytes_per_second = 1'000'000;
  restart({}, options);
  expect_that_a_stalled_reader_is_dropped();
}

TEST_F(ServerTest, ListensToNothingNewWhileStopping) {
  bool stopped = false;
  server_->stop([&stopped] { stopped = true; });
  auto listener = Listener::open("127.0.0.1:0");
  ASSERT_TRUE(listener.ok());
  EXPECT_FALSE(server_->listen(std::move(listener).value()).ok());
  EXPECT_TRUE(until([&] { return stopped; }));
  server_.reset();
}

TEST_F(ServerTest, TheClientWithMostPlacesMakesRoomWhateverItDoes) {
  ServerOptions options;
  options.max_connections = 3;
  restart({}, options);
  // All are in the middle of a deposit.
  Client few(port_, "127.0.0.2");
  Client many(port_, "127.0.0.3");
  Client more(port_, "127.0.0.3");
  for (Client* client : {&few, &many, &more}) client->send(post(kJsonDeposit).substr(0, 150));
  EXPECT_TRUE(until([&] { return server_->connections() == 3; }));
  Client newcomer(port_, "127.0.0.4");
  newcomer.send(get("/update"));
  ASSERT_TRUE(until_answered(newcomer));
  EXPECT_THAT(newcomer.received, StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(until([&] {
    many.receive();
    more.receive();
    return many.ended || more.ended;
  }));
  EXPECT_FALSE(many.ended && more.ended) << "one was enough";
  few.send(post(kJsonDeposit).substr(150));
  EXPECT_TRUE(until_answered(few)) << "who has one place keeps it";
  EXPECT_THAT(few.received, HasSubstr("pairing_code"));
}

TEST_F(ServerTest, ConnectionsWithoutAnAddressAreClientsOfTheirOwn) {
  ServerOptions options;
  options.max_connections = 4;
  options.max_connections_per_address = 1;
  restart({}, options);
  std::vector<std::unique_ptr<Client>> adopted;
  for (int i = 0; i < 20; ++i) {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ASSERT_TRUE(server_->adopt(pair[0]).ok()) << "the limit is met by making room";
    adopted.push_back(std::make_unique<Client>(pair[1], 0));
  }
  adopted.back()->send(get("/update"));
  EXPECT_TRUE(until_answered(*adopted.back()));
  EXPECT_TRUE(until_ended(*adopted.front()));
  EXPECT_EQ(server_->connections(), 4U);
}

// A request that is not read, or one that comes later, would reset the connection, and with it the answer.
TEST_F(ServerTest, WhoIsRefusedIsToldSo) {
  ServerOptions options;
  options.max_connections_per_address = 1;
  options.connection.linger_timeout = 300;
  restart({}, options);
  Client first(port_);
  first.send("GET ");
  EXPECT_TRUE(until([&] { return server_->connections() == 1; }));
  for (int i = 0; i < 80; ++i) {
    Client refused(port_);
    refused.send(post(kJsonDeposit));
    ASSERT_TRUE(until([&] {
      refused.receive();
      if (!refused.received.empty() && !refused.ended && i % 2 == 0) refused.send("\r\n");
      return refused.ended;
    }));
    ASSERT_FALSE(refused.reset) << i;
    ASSERT_THAT(refused.received, StartsWith("HTTP/1.1 503"));
    ASSERT_THAT(refused.received, EndsWith("no room for one more connection yet\n"));
  }
  Client staying(port_);
  staying.send("x");
  EXPECT_TRUE(until_ended(staying));
  EXPECT_TRUE(until([&] { return !staying.can_send(); })) << "it is closed in the end";
  first.close();
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

// More clients than there is room for, before the loop has closed a single handle.
TEST_F(ServerTest, MoreClientsThanPlacesInOneIterationAreServedOrClosed) {
  for (const std::size_t most : {1U, 2U, 4U, 8U}) {
    ServerOptions options;
    options.max_connections = most;
    restart({}, options);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 1; i <= 60; ++i) {
      clients.push_back(std::make_unique<Client>(port_, ("127.0.1." + std::to_string(i)).c_str()));
      clients.back()->send(i % 2 == 0 ? get("/update", "Connection: close\r\n") : "GET ");
    }
    std::size_t served = 0;
    for (std::size_t i = 1; i < clients.size(); i += 2) {
      ASSERT_TRUE(until_ended(*clients[i]));
      served += clients[i]->complete() ? 1U : 0U;
    }
    EXPECT_EQ(served, 30U) << most;
  }
}

TEST_F(ServerTest, AdoptingMoreThanThereIsRoomForReturns) {
  ServerOptions options;
  options.max_connections = 64;
  restart({}, options);
  auto listener = Listener::open("127.0.0.1:0");
  ASSERT_TRUE(listener.ok());
  const std::string& url = listener.value().url();
  const int port = std::stoi(url.substr(url.rfind(':') + 1));
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 1; i <= 200; ++i) {
    clients.push_back(std::make_unique<Client>(port, ("127.0.1." + std::to_string(i)).c_str()));
    clients.back()->send(i == 200 ? get("/update") : "GET ");
    pollfd readable{listener.value().fd(), POLLIN, 0};
    ASSERT_EQ(poll(&readable, 1, 10'000), 1);
    EXPECT_TRUE(server_->adopt(accept(listener.value().fd(), nullptr, nullptr)).ok()) << i;
  }
  EXPECT_TRUE(until_answered(*clients.back()));
  EXPECT_TRUE(until([&] { return server_->connections() == 64; }));
}

TEST_F(ServerTest, WhoMakesTheLeastProgressMakesRoom) {
  ServerOptions options;
  options.max_connections = 3;
  restart({}, options);
  Client silent(port_);
  EXPECT_TRUE(until([&] { return server_->connections() == 1; }));
  Client slow(port_);
  slow.send("GET /upd");
  EXPECT_TRUE(until([&] { return server_->connections() == 2; }));
  Client busy(port_);
  for (int i = 0; i < 50; ++i) {
    busy.received.clear();
    busy.send(get("/uninstall"));
    ASSERT_TRUE(until_answered(busy)) << i;
    ASSERT_FALSE(busy.ended) << i;
    Client next(port_);
    next.send(get("/0000000"));
    ASSERT_TRUE(until_answered(next));
    ASSERT_THAT(next.received, StartsWith("HTTP/1.1 200")) << i;
  }
  EXPECT_TRUE(until_ended(silent));
  EXPECT_EQ(silent.received, "");
}

TEST_F(ServerTest, MeetsManyDeadlinesWithoutDelayingOthers) {
  ServerOptions options;
  options.connection.head_timeout = 500;
  options.max_connections_per_address = 0;
  restart({}, options);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<Client>(port_));
    slow.back()->send("GET ");
  }
  for (auto& client : slow) {
    ASSERT_TRUE(until_ended(*client));
    EXPECT_THAT(client->received, StartsWith("HTTP/1.1 408"));
    client->close();
  }
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(ServerTest, MakesRoomWhenThereIsNoFileDescriptor) {
  Client silent(port_);
  EXPECT_TRUE(until([&] { return server_->connections() == 1; }));
  Client asking(port_);
  asking.send(get("/update"));
  {
    const Hoard hoard;
    EXPECT_TRUE(until_answered(asking));
    EXPECT_THAT(asking.received, StartsWith("HTTP/1.1 200"));
  }
  EXPECT_TRUE(until_ended(silent));
}

TEST_F(ServerTest, TheLastFileDescriptorIsGivenToOneWhoMayKeepIt) {
  Client silent(port_);  // in the backlog
  {
    const Hoard hoard(1);
    EXPECT_TRUE(until([&] { return server_->connections() == 1; }));
    for (int i = 0; i < 20; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
    EXPECT_EQ(server_->connections(), 1U);
  }
  silent.send(get("/update"));
  EXPECT_TRUE(until_answered(silent));
}

TEST_F(ServerTest, AcceptsAgainWhenFileDescriptorsComeBack) {
  Client waiting(port_);  // in the backlog, before there is no descriptor left
  {
    const Hoard hoard;
    waiting.send(get("/update"));
    for (int i = 0; i < 20; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
    EXPECT_EQ(server_->connections(), 0U);
  }
  EXPECT_TRUE(until_answered(waiting));
}

TEST_F(ServerTest, ServesASocketThatSomebodyElseAccepted) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_TRUE(server_->adopt(pair[0]).ok());
  Client client(pair[1], 0);
  client.send(get("/0000000"));
  ASSERT_TRUE(until_answered(client));
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  EXPECT_FALSE(server_->adopt(pipes[0]).ok()) << "not a socket";
  close(pipes[1]);
}

TEST_F(ServerTest, ListensOnASocketThatSomebodyElseBound) {
  const std::string name = "@pairport-server-test-" + std::to_string(getpid());
  for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
    const int fd = listening_socket(family, family == AF_UNIX ? name : "");
    if (fd < 0) continue;  // no IPv6 here
    auto listener = Listener::adopt(fd);
    ASSERT_TRUE(listener.ok()) << listener.status().message();
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    // As with socket activation: the program in front keeps the socket, and the first client has come before we start.
    const int kept = dup(fd);
    const int socket_of_client = socket(family, SOCK_STREAM, 0);
    ASSERT_EQ(connect(socket_of_client, reinterpret_cast<sockaddr*>(&address), size), 0) << std::strerror(errno);
    Client early(socket_of_client, 0);
    early.send(get("/0000000"));
    ASSERT_TRUE(server_->listen(std::move(listener).value()).ok());
    ASSERT_TRUE(until_answered(early));
    EXPECT_THAT(early.received, StartsWith("HTTP/1.1 200 OK"));
    // Who comes while nobody accepts waits for the next server.
    stop();
    EXPECT_FALSE(is_open(fd));
    const int socket_of_next = socket(family, SOCK_STREAM, 0);
    ASSERT_EQ(connect(socket_of_next, reinterpret_cast<sockaddr*>(&address), size), 0) << std::strerror(errno);
    Client next(socket_of_next, 0);
    next.send(get("/update"));
    start({}, {});
    auto again = Listener::adopt(kept);
    ASSERT_TRUE(again.ok()) << again.status().message();
    ASSERT_TRUE(server_->listen(std::move(again).value()).ok());
    ASSERT_TRUE(until_answered(next));
    EXPECT_THAT(next.received, StartsWith("HTTP/1.1 200 OK"));
  }
}

TEST_F(ServerTest, AListenerMayRedirectWhileAnotherOneServes) {
  ListenOptions redirecting;
  redirecting.redirect_to_https = true;
  auto refused = Listener::open("127.0.0.1:0");
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(server_->listen(std::move(refused).value(), redirecting).code(), StatusCode::kInvalidArgument)
      << "the URL is http";
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  EXPECT_EQ(server_->adopt(pair[0], redirecting).code(), StatusCode::kInvalidArgument);
  char byte = 0;
  EXPECT_EQ(read(pair[1], &byte, 1), 0) << "it is closed";
  close(pair[1]);

  ServiceOptions options;
  options.url = "https://pair.example.com";
  restart(options, {});
  auto listener = Listener::open("127.0.0.1:0");
  ASSERT_TRUE(listener.ok());
  const int port = std::stoi(listener.value().url().substr(listener.value().url().rfind(':') + 1));
  ASSERT_TRUE(server_->listen(std::move(listener).value(), redirecting).ok());
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_TRUE(server_->adopt(pair[0], redirecting).ok());
  Client redirected(port);
  Client adopted(pair[1], 0);
  Client served(port_);
  for (Client* client : {&redirected, &adopted, &served}) {
    client->send(get("/0000000"));
    ASSERT_TRUE(until_answered(*client));
  }
  for (const Client* client : {&redirected, &adopted}) {
    EXPECT_THAT(client->received, StartsWith("HTTP/1.1 308 "));
    EXPECT_THAT(client->received, HasSubstr("\r\nLocation: https://pair.example.com/0000000\r\n"));
  }
  EXPECT_THAT(served.received, StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(ServerTest, StopFinishesAnswersThatAreUnderWay) {
  Client idle(port_);
  Client busy(port_);
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += get("/0000000");
  busy.send(requests);
  EXPECT_TRUE(until([&] { return server_->connections() == 2; }));
  for (int i = 0; i < 20; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
  bool stopped = false;
  server_->stop([&stopped] { stopped = true; });
  ASSERT_TRUE(until([&] {
    busy.receive();
    return stopped;
  }));
  EXPECT_TRUE(until_ended(busy));
  EXPECT_TRUE(busy.complete()) << "the answer that was being sent came whole";
  EXPECT_TRUE(until_ended(idle));
  server_.reset();
}

TEST_F(ServerTest, StopDoesNotWaitForEver) {
  ServerOptions options;
  options.drain_timeout = 300;
  restart({}, options);
  Client stalled(port_);
  std::string requests;
  for (int i = 0; i < 400; ++i) requests += get("/0000000");
  stalled.send(requests);
  EXPECT_TRUE(until([&] { return server_->connections() == 1; }));
  for (int i = 0; i < 50; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
  const std::uint64_t start = uv_hrtime();
  stop();
  EXPECT_LT(uv_hrtime() - start, 5'000'000'000U);
}

TEST_F(ServerTest, StartsAndStopsTwiceNextToOtherHandles) {
  uv_timer_t own;
  uv_timer_init(&loop_, &own);
  int ticks = 0;
  own.data = &ticks;
  uv_timer_start(
      &own, [](uv_timer_t* timer) { ++*static_cast<int*>(timer->data); }, 1, 1);
  restart({}, {});
  Client client(port_);
  client.send(get("/update"));
  ASSERT_TRUE(until_answered(client));
  stop();
  const int before = ticks;
  EXPECT_TRUE(until([&] { return ticks > before; })) << "the embedder's own handles are not ours to touch";
  uv_close(reinterpret_cast<uv_handle_t*>(&own), nullptr);
  uv_run(&loop_, UV_RUN_NOWAIT);
}

TEST_F(ServerTest, StopTwiceCallsBackOnce) {
  int calls = 0;
  server_->stop([&calls] { ++calls; });
  server_->stop([&calls] { ++calls; });
  EXPECT_TRUE(until([&] { return calls > 0; }));
  EXPECT_EQ(calls, 1);
  server_.reset();
}

TEST_F(ServerTest, ExpiresDepositsByItself) {
  ServiceOptions options;
  options.ttl_ms = 1000;
  restart(options, {});
  Client client(port_);
  client.send(post(kJsonDeposit));
  ASSERT_TRUE(until_answered(client));
  EXPECT_EQ(service_->store().stats().expiring, 1U);
  client.close();
  EXPECT_TRUE(until([&] { return service_->store().stats().expiring == 0; }));
  EXPECT_EQ(service_->store().stats().deposits, 1U) << "the static deposit stays";
}

TEST_F(ServerTest, AForkedChildGetsErrors) {
  Client client(port_);
  client.send(get("/0000000") + get("/update").substr(0, 20));
  ASSERT_TRUE(until_answered(client));
  const int listener = listening_socket(AF_INET);
  const auto [other, accepted] = connected_sockets(listener);
  EXPECT_TRUE(in_a_forked_child([&, accepted = accepted] {
    auto adopted = Listener::adopt(listener);
    if (!adopted.ok()) return false;
    bool good = server_->listen(std::move(adopted).value()).code() == StatusCode::kInvalidArgument;
    good = good && !is_open(listener);
    const Status refused = server_->adopt(accepted);
    good = good && refused.code() == StatusCode::kInvalidArgument && !is_open(accepted);
    good = good && refused.message() == "the server is that of a parent process" && server_->connections() == 0;
    server_->stop([] { _exit(2); });
    server_.reset();
    service_.reset();
    return good;
  }));
  // Nothing has changed here.
  EXPECT_EQ(server_->connections(), 1U);
  client.send(get("/update").substr(20));
  EXPECT_TRUE(until_answered(client, 2));
  for (const int fd : {listener, other, accepted}) close(fd);
}

// Connections that the caller hands over, of each family that this machine has.
class HandoverTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    const std::string name = "@pairport-handover-test-" + std::to_string(getpid());
    for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
      const int fd = listening_socket(family, family == AF_UNIX ? name : "");
      if (fd >= 0) listeners_.push_back(fd);
    }
  }
  void TearDown() override {
    for (const int fd : listeners_) close(fd);
    ServerTest::TearDown();
  }

  // The client of a new connection, and the socket of the caller.
  static std::pair<std::unique_ptr<Client>, int> connect_to(int listener) {
    const auto [client, accepted] = connected_sockets(listener);
    return {std::make_unique<Client>(client, 0), accepted};
  }
  // What the caller reads from its socket before it hands the connection over.
  static std::string read_from(int fd, std::size_t size) {
    std::string bytes(size, '\0');
    EXPECT_EQ(recv(fd, bytes.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
    return bytes;
  }
  // Answers without what differs from one to the next.
  static std::string without_dates(std::string answers) {
    for (std::size_t at = 0; (at = answers.find("\r\nDate: ", at)) != std::string::npos; ++at) answers.erase(at, 37);
    return answers;
  }

  std::vector<int> listeners_;
};

TEST_F(HandoverTest, BytesThatTheCallerHasReadComeFirst) {
  const std::string requests = get("/0000000") + get("/update") + get("/uninstall", "Connection: close\r\n");
  const std::size_t first = get("/0000000").size();
  const std::size_t two = first + get("/update").size();
  for (const int listener : listeners_) {
    std::string expected;
    for (const std::size_t read : {std::size_t{0}, std::size_t{1}, first / 2, first - 1, first, first + 1, two - 1, two,
                                   requests.size() - 1, requests.size()}) {
      auto [client, fd] = connect_to(listener);
      client->send(requests);
      std::string initial = read_from(fd, read);
      ASSERT_TRUE(server_->adopt(fd, {}, {.initial = initial}).ok()) << read;
      initial.assign(initial.size(), 'x');  // the caller wipes them
      ASSERT_TRUE(until_ended(*client)) << read;
      EXPECT_TRUE(client->complete(3)) << read;
      if (expected.empty()) expected = without_dates(client->received);
      EXPECT_EQ(without_dates(client->received), expected) << read;
    }
    EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
  }
}

TEST_F(HandoverTest, TheRestMayComeLater) {
  const std::string request = post(kJsonDeposit);
  for (const int listener : listeners_) {
    for (std::size_t read = 1; read < request.size(); read += 31) {
      auto [client, fd] = connect_to(listener);
      client->send(request.substr(0, read));
      std::string initial = read_from(fd, read);
      ASSERT_TRUE(server_->adopt(fd, {}, {.initial = initial}).ok()) << read;
      initial.assign(initial.size(), 'x');
      for (int i = 0; i < 3; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
      EXPECT_EQ(client->received, "");
      client->send(request.substr(read));
      ASSERT_TRUE(until_answered(*client)) << read;
      EXPECT_THAT(client->received, HasSubstr("pairing_code")) << read;
    }
  }
}

TEST_F(HandoverTest, AWholeExchangeMayTakePlaceDuringTheCall) {
  for (const int listener : listeners_) {
    for (const bool ends : {false, true}) {
      auto [client, fd] = connect_to(listener);
      const std::string request = get("/0000000", "Connection: close\r\n");
      client->send(request);
      if (ends) client->end();
      const std::string initial = read_from(fd, request.size());
      const int before = closes_of(fd);
      ASSERT_TRUE(server_->adopt(fd, {}, {.initial = initial}).ok());
      EXPECT_EQ(server_->connections(), 0U);
      EXPECT_EQ(closes_of(fd) - before, 1);
      client->receive();
      EXPECT_TRUE(client->ended && !client->reset && client->complete());
    }
  }
}

TEST_F(HandoverTest, TheEndOfThePeersSideComesBehindTheBytes) {
  for (const int listener : listeners_) {
    for (const std::string& request : {get("/update"), get("/update").substr(0, 20)}) {
      auto [client, fd] = connect_to(listener);
      client->send(request);
      client->end();
      ASSERT_TRUE(server_->adopt(fd, {}, {.initial = read_from(fd, request.size())}).ok());
      ASSERT_TRUE(until_ended(*client));
      EXPECT_EQ(client->complete(), request.ends_with("\r\n\r\n"));
    }
  }
}

TEST_F(HandoverTest, AsManyBytesAsOneReadTakes) {
  // More answers than the socket holds, to a client that reads late: 16 KiB of requests.
  std::string requests;
  std::size_t count = 0;
  for (; requests.size() + get("/update").size() <= Connection::kMaxInput; ++count) requests += get("/update");
  const std::string last = get("/uninstall", "Connection: close\r\n");
  const std::size_t begun = Connection::kMaxInput - requests.size();
  ASSERT_LT(begun, last.size());
  requests += last.substr(0, begun);
  for (const int listener : listeners_) {
    auto [client, fd] = connect_to(listener);
    ASSERT_TRUE(server_->adopt(fd, {}, {.initial = requests}).ok());
    for (int i = 0; i < 20; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
    EXPECT_EQ(server_->connections(), 1U);
    client->send(last.substr(begun));
    ASSERT_TRUE(until_ended(*client));
    EXPECT_TRUE(client->complete(count + 1));
    client->close();

    auto [other, refused] = connect_to(listener);
    const int before = closes_of(refused);
    const Status status = server_->adopt(refused, {}, {.initial = requests + "x"});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("at most 16384 bytes"));
    EXPECT_EQ(closes_of(refused) - before, 1);
    EXPECT_TRUE(until_ended(*other));
    EXPECT_EQ(other->received, "") << "nothing of it was carried out";
  }
}

TEST_F(HandoverTest, BytesThatAreNoRequestAreRefused) {
  for (const int listener : listeners_) {
    auto [client, fd] = connect_to(listener);
    client->send("more of it\r\n\r\n");
    ASSERT_TRUE(server_->adopt(fd, {}, {.initial = std::string_view("\0\xff PRI * HTTP/2.0\r\n\r\n", 21)}).ok());
    ASSERT_TRUE(until_ended(*client));
    EXPECT_FALSE(client->reset);
    EXPECT_THAT(client->received, StartsWith("HTTP/1.1 400"));
  }
}

// Keeps the entries of the access log.
class Entries : public AccessObserver {
 public:
  void on_answer(const AccessEntry& entry) noexcept override { clients.push_back(entry.client); }
  std::vector<ClientAddress> clients;
};

TEST_F(HandoverTest, TheGivenAddressIsTheOneInTheAccessLog) {
  Entries entries;
  ServerOptions options;
  options.observer = &entries;
  ASSERT_TRUE(options.trusted_proxies.add("10.0.0.0/8"));
  restart({}, options);
  const auto address = [](const char* text) { return *ClientAddress::parse(text); };
  const std::string request = get("/update", "X-Forwarded-For: 198.51.100.7\r\n");
  for (const int listener : listeners_) {
    for (const auto& [given, logged] :
         {std::pair(address("203.0.113.9"), address("203.0.113.9")),
          {address("2001:db8::1"), address("2001:db8::1")},
          {ClientAddress{}, ClientAddress{}},
          {address("10.1.2.3"), address("198.51.100.7")}}) {  // a proxy behind the one in front
      auto [client, fd] = connect_to(listener);
      client->send(request);
      const std::string initial = read_from(fd, 5);
      ASSERT_TRUE(server_->adopt(fd, {}, {.initial = initial, .peer = given}).ok());
      ASSERT_TRUE(until_answered(*client));
      client->close();
      EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
      ASSERT_EQ(entries.clients.size(), 1U);
      EXPECT_EQ(entries.clients[0], logged);
      entries.clients.clear();
    }
  }
  // Without one it is the socket's.
  auto [client, fd] = connect_to(listeners_[0]);
  client->send(request);
  ASSERT_TRUE(server_->adopt(fd).ok());
  ASSERT_TRUE(until_answered(*client));
  stop();  // before the observer goes
  EXPECT_EQ(entries.clients, std::vector{address("127.0.0.1")});
}

TEST_F(HandoverTest, LimitsOfConnectionsCountTheGivenAddress) {
  ServerOptions options;
  options.max_connections_per_address = 1;
  ASSERT_TRUE(options.trusted_proxies.add("10.0.0.0/8"));
  restart({}, options);
  std::vector<std::unique_ptr<Client>> clients;
  const auto adopt = [&](int listener, std::optional<ClientAddress> peer) {
    auto [client, fd] = connect_to(listener);
    clients.push_back(std::move(client));
    return server_->adopt(fd, {}, {.initial = "GET ", .peer = peer});
  };
  std::uint8_t last = 1;
  for (const int listener : listeners_) {
    ClientAddress peer = *ClientAddress::parse("203.0.113.0");
    for (int i = 0; i < 3; ++i) {
      peer.bytes[15] = last++;
      EXPECT_TRUE(adopt(listener, peer).ok()) << "each has one";
    }
    const Status status = adopt(listener, peer);
    EXPECT_EQ(status.code(), StatusCode::kSystem);
    EXPECT_THAT(std::string(status.message()), HasSubstr("max_connections_per_address"));
    ASSERT_TRUE(until_ended(*clients.back()));
    EXPECT_THAT(clients.back()->received, StartsWith("HTTP/1.1 503"));
    EXPECT_FALSE(clients.back()->reset);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(adopt(listener, ClientAddress{}).ok()) << "without an address each is a client of its own";
      EXPECT_TRUE(adopt(listener, ClientAddress::parse("10.0.0.1")).ok()) << "a proxy connects for many";
    }
  }
  // The socket's address has not been counted: its place is free.
  EXPECT_TRUE(adopt(listeners_[0], {}).ok());
  EXPECT_FALSE(adopt(listeners_[0], {}).ok());
}

TEST_F(HandoverTest, BudgetsOfRequestsBelongToTheGivenAddress) {
  ServiceOptions options;
  options.miss_limit = {.per_second = 0.001, .burst = 2};
  restart(options, {});
  const auto misses = [&](const char* peer) {
    auto [client, fd] = connect_to(listeners_.back());
    const std::string request = get("/ABCDEFGHJK", "Connection: close\r\n");
    EXPECT_TRUE(server_->adopt(fd, {}, {.initial = request, .peer = ClientAddress::parse(peer)}).ok());
    EXPECT_TRUE(until_ended(*client));
    return client->received.substr(9, 3);
  };
  EXPECT_EQ(misses("203.0.113.1"), "404");
  EXPECT_EQ(misses("203.0.113.1"), "404");
  EXPECT_EQ(misses("203.0.113.1"), "429");
  EXPECT_EQ(misses("203.0.113.2"), "404") << "another client has a budget of its own";
}

TEST_F(HandoverTest, AFullServerMakesRoom) {
  ServerOptions options;
  options.max_connections = 2;
  options.max_connections_per_address = 0;
  restart({}, options);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::uint8_t i = 1; i <= 20; ++i) {
    auto [client, fd] = connect_to(listeners_.back());
    ClientAddress peer = *ClientAddress::parse("203.0.113.0");
    peer.bytes[15] = i;
    const std::string initial = i % 2 == 0 ? get("/update") : "GET ";
    ASSERT_TRUE(server_->adopt(fd, {}, {.initial = initial, .peer = peer}).ok()) << int{i};
    if (i % 2 == 0) {
      ASSERT_TRUE(until_answered(*client));
      EXPECT_TRUE(client->complete()) << int{i};
    }
    clients.push_back(std::move(client));
    EXPECT_LE(server_->connections(), 3U);  // one more until the loop has freed the one that had to go
  }
}

TEST_F(HandoverTest, SaysWhatADescriptorIsThatIsNotConnectedAndClosesItOnce) {
  auto given = no_stream_sockets();
  given.push_back({listening_socket(AF_INET), "is a listening socket;"});
  given.push_back(
      {listening_socket(AF_UNIX, "@pairport-adopt-test-" + std::to_string(getpid())), "is a listening socket;"});
  given.push_back({socket(AF_INET, SOCK_STREAM, 0), "is a socket that is not connected, or whose peer has gone;"});
  {
    // The client has reset the connection: nothing that it sent before may be carried out any more.
    auto [client, fd] = connect_to(listeners_[0]);
    const linger at_once{1, 0};
    client->send(post(kJsonDeposit));
    EXPECT_EQ(setsockopt(client->fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    client->close();
    pollfd gone{fd, POLLIN, 0};
    ASSERT_EQ(poll(&gone, 1, 10'000), 1);
    given.push_back({fd, "is a socket that is not connected, or whose peer has gone;"});
  }
  const std::string initial = post(kJsonDeposit);
  for (const auto& [fd, is] : given) {
    ASSERT_TRUE(is_open(fd)) << is;
    const int before = closes_of(fd);
    const Status status = server_->adopt(fd, {}, {.initial = initial});
    EXPECT_EQ(status.code(), StatusCode::kSystem) << is;
    EXPECT_THAT(std::string(status.message()), HasSubstr("descriptor " + std::to_string(fd) + " "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(is));
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected a connected stream socket"));
    EXPECT_FALSE(is_open(fd)) << is;
    EXPECT_EQ(closes_of(fd) - before, 1) << is;
  }
  const int closed = given.front().fd;
  const int before = closes_of(closed);
  for (const int fd : {closed, 1000, -1}) {
    const Status status = server_->adopt(fd, {}, {.initial = initial});
    EXPECT_EQ(status.code(), StatusCode::kSystem);
    EXPECT_THAT(std::string(status.message()), HasSubstr("is not open;"));
  }
  EXPECT_EQ(closes_of(closed), before) << "the number may be another thread's by now";
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(service_->store().stats().expiring, 0U);
}

TEST_F(HandoverTest, APeerThatHasLeftWithoutAResetLeavesNothing) {
  for (const int listener : listeners_) {
    auto [client, fd] = connect_to(listener);
    client->close();
    const Status status = server_->adopt(fd, {}, {.initial = get("/0000000")});
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
    EXPECT_FALSE(is_open(fd));
  }
}

TEST_F(HandoverTest, AStoppingServerTakesNothing) {
  bool stopped = false;
  server_->stop([&stopped] { stopped = true; });
  for (const int listener : listeners_) {
    auto [client, fd] = connect_to(listener);
    const int before = closes_of(fd);
    const Status status = server_->adopt(fd, {}, {.initial = post(kJsonDeposit)});
    EXPECT_EQ(status.code(), StatusCode::kSystem);
    EXPECT_THAT(std::string(status.message()), HasSubstr("stopping"));
    EXPECT_EQ(closes_of(fd) - before, 1);
    client->receive();
    EXPECT_TRUE(client->ended);
  }
  EXPECT_EQ(service_->store().stats().expiring, 0U);
  EXPECT_TRUE(until([&] { return stopped; }));
  server_.reset();
}

TEST_F(HandoverTest, StopsWhileTheRestOfARequestIsMissing) {
  std::vector<std::unique_ptr<Client>> clients;
  for (const int listener : listeners_) {
    auto [client, fd] = connect_to(listener);
    ASSERT_TRUE(server_->adopt(fd, {}, {.initial = post(kJsonDeposit).substr(0, 150)}).ok());
    clients.push_back(std::move(client));
  }
  bool stopped = false;
  server_->stop([&stopped] { stopped = true; });
  for (const auto& client : clients) client->send(post(kJsonDeposit).substr(150));
  EXPECT_TRUE(until([&] { return stopped; }));
  for (const auto& client : clients) {
    client->receive();
    EXPECT_TRUE(client->ended && client->complete()) << "a request that has begun gets its answer";
  }
  server_.reset();
}

TEST_F(HandoverTest, AnAdoptedSocketDoesNotBlockAndStaysInThisProcess) {
  for (const int listener : listeners_) {
    auto [client, fd] = connect_to(listener);
    ASSERT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ASSERT_EQ(fcntl(fd, F_GETFD), 0);
    ASSERT_TRUE(server_->adopt(fd, {}, {.initial = "G"}).ok());
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  }
}

// A client of mbedTLS on a socket.
class SecureClient {
 public:
  explicit SecureClient(int port, const char* source = "127.0.0.1") : socket_(port, source) {}
  // Takes a connected socket.
  explicit SecureClient(int fd, int) : socket_(fd, 0) {}

  void pump() {
    socket_.receive();
    tls.from_server += std::exchange(socket_.received, {});
    tls.pump();
    flush();
  }
  void flush() {
    if (!tls.to_server.empty() && !socket_.ended) socket_.send(std::exchange(tls.to_server, {}));
  }
  void say(std::string_view text) {
    tls.write(text);
    flush();
  }
  bool ended() const { return socket_.ended; }
  bool complete() const {
    const std::size_t body = tls.received.find("\r\n\r\n");
    const std::size_t length = tls.received.find("Content-Length: ");
    return body != std::string::npos && tls.received.size() == body + 4 + std::stoul(tls.received.substr(length + 16));
  }
  void close() { socket_.close(); }

  TlsClient tls;

 private:
  Client socket_;
};

class SecureServerTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    start_secure({});
  }
  void TearDown() override {
    ServerTest::TearDown();
    tls_.reset();
  }

  void start_secure(ServerOptions options, TlsOptions tls_options = {}) {
    if (server_) stop();
    auto tls = TlsContext::create(tls_options, test_random);
    ASSERT_TRUE(tls.ok());
    tls_ = std::move(tls).value();
    static const CertificatePem certificate = make_certificate({"pair.example.com"});
    auto credentials = tls_->load({{certificate.view()}});
    ASSERT_TRUE(credentials.ok());
    tls_->use(std::move(credentials).value());
    options.tls = tls_.get();
    start({}, options);
    auto listener = Listener::open("127.0.0.1:0");
    ASSERT_TRUE(listener.ok());
    secure_port_ = std::stoi(listener.value().url().substr(listener.value().url().rfind(':') + 1));
    ASSERT_TRUE(server_->listen(std::move(listener).value(), {.tls = true}).ok());
  }
  bool until_established(SecureClient& client) {
    return until([&] {
      client.pump();
      return client.tls.established || client.ended();
    });
  }
  bool until_complete(SecureClient& client) {
    return until([&] {
      client.pump();
      return client.complete() || client.ended();
    });
  }

  std::unique_ptr<TlsContext> tls_;
  int secure_port_ = 0;
};

TEST_F(SecureServerTest, AnswersOverTls) {
  SecureClient client(secure_port_);
  ASSERT_TRUE(until_established(client));
  ASSERT_TRUE(client.tls.established);
  for (int i = 0; i < 3; ++i) {
    client.tls.received.clear();
    client.say(get("/0000000"));
    ASSERT_TRUE(until_complete(client));
    EXPECT_THAT(client.tls.received, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(client.tls.received, HasSubstr("foobaz"));
  }
  // The plain listener goes on beside it.
  Client plain(port_);
  plain.send(get("/0000000"));
  EXPECT_TRUE(until_answered(plain));
}

TEST_F(SecureServerTest, ManyAtATime) {
  TlsOptions options;
  options.lanes = 3;
  start_secure({}, options);
  std::vector<std::unique_ptr<SecureClient>> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(std::make_unique<SecureClient>(secure_port_));
  ASSERT_TRUE(until([&] {
    bool all = true;
    for (const auto& client : clients) {
      client->pump();
      all = all && client->tls.established;
    }
    return all;
  }));
  for (const auto& client : clients) client->say(get("/0000000", "Connection: close\r\n"));
  EXPECT_TRUE(until([&] {
    bool all = true;
    for (const auto& client : clients) {
      client->pump();
      all = all && client->tls.close_notified && client->complete();
    }
    return all;
  }));
  for (const auto& client : clients) client->close();
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(SecureServerTest, WhoLeavesWhileItsHandshakeIsComputedLeavesNothing) {
  for (int i = 0; i < 20; ++i) {
    SecureClient client(secure_port_);
    client.pump();  // its hello is on the way
    uv_run(&loop_, UV_RUN_NOWAIT);
    client.close();
    uv_run(&loop_, UV_RUN_NOWAIT);
  }
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(SecureServerTest, StopsWhileHandshakesAreComputed) {
  std::vector<std::unique_ptr<SecureClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<SecureClient>(secure_port_));
    clients.back()->pump();
  }
  uv_run(&loop_, UV_RUN_NOWAIT);
  stop();
}

TEST_F(SecureServerTest, StoppingLetsAnAnswerEnd) {
  SecureClient client(secure_port_);
  ASSERT_TRUE(until_established(client));
  client.say(get("/update"));
  ASSERT_TRUE(until_complete(client));  // only now the server knows, too, that there is a session
  client.say(get("/0000000"));
  bool stopped = false;
  EXPECT_TRUE(until([&] { return server_->connections() == 1; }));
  uv_run(&loop_, UV_RUN_NOWAIT);
  server_->stop([&stopped] { stopped = true; });
  EXPECT_TRUE(until([&] {
    client.pump();
    if (client.tls.close_notified) client.close();
    return stopped;
  }));
  EXPECT_TRUE(client.tls.close_notified);
  server_.reset();
}

TEST_F(SecureServerTest, TooManyWaitingHandshakesAreDropped) {
  ServerOptions options;
  options.max_handshakes = 2;
  int dropped = 0;
  options.on_event = [&](Event event, int) { dropped += event == Event::kHandshakesDropped ? 1 : 0; };
  start_secure(options);
  std::vector<std::unique_ptr<SecureClient>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(std::make_unique<SecureClient>(secure_port_));
    clients.back()->pump();
  }
  int established = 0;
  EXPECT_TRUE(until([&] {
    int done = established = 0;
    for (const auto& client : clients) {
      client->pump();
      established += client->tls.established ? 1 : 0;
      done += client->tls.established || client->ended() ? 1 : 0;
    }
    return done == 12;
  }));
  EXPECT_GE(established, 1);
  EXPECT_LT(established, 12);
  EXPECT_EQ(dropped, 1) << "said once a minute";
}

TEST_F(SecureServerTest, NewcomersWaitWhileAllPlacesBelongToHandshakes) {
  ServerOptions options;
  options.max_connections = 3;
  start_secure(options);
  std::vector<std::unique_ptr<SecureClient>> clients;
  for (const char* source : {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"}) {
    clients.push_back(std::make_unique<SecureClient>(secure_port_, source));
    clients.back()->pump();
  }
  const auto are_served = [&](std::size_t first) {
    return until([&] {
      bool all = true;
      for (std::size_t i = first; i < first + 3; ++i) {
        SecureClient& client = *clients[i];
        const bool was_established = client.tls.established;
        client.pump();
        if (!was_established && client.tls.established) client.say(get("/0000000"));
        all = all && (client.ended() || client.complete());
      }
      return all;
    });
  };
  ASSERT_TRUE(are_served(0));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(clients[i]->complete()) << i << " had to go for a newcomer";
    clients[i]->close();
  }
  ASSERT_TRUE(are_served(3));
  for (std::size_t i = 3; i < 6; ++i) EXPECT_TRUE(clients[i]->complete()) << i;
}

TEST_F(SecureServerTest, TheHelloMayHaveBeenReadAlready) {
  const int listener = listening_socket(AF_INET);
  // The whole hello, as read by a caller that looks for the server name; a part of it; one byte; a record header.
  for (const int missing : {0, 1, 100, -1, -5}) {
    const auto [end, fd] = connected_sockets(listener);
    SecureClient client(end, 0);
    client.pump();
    std::string hello(4096, '\0');
    pollfd readable{fd, POLLIN, 0};
    ASSERT_EQ(poll(&readable, 1, 10'000), 1);
    const auto whole = recv(fd, hello.data(), hello.size(), MSG_PEEK);
    ASSERT_GT(whole, 100);
    hello.resize(static_cast<std::size_t>(missing < 0 ? -missing : whole - missing));
    ASSERT_EQ(recv(fd, hello.data(), hello.size(), 0), static_cast<ssize_t>(hello.size()));
    ASSERT_TRUE(server_->adopt(fd, {.tls = true}, {.initial = hello}).ok());
    hello.assign(hello.size(), 'x');
    ASSERT_TRUE(until_established(client));
    ASSERT_TRUE(client.tls.established) << missing;
    client.say(get("/0000000"));
    ASSERT_TRUE(until_complete(client));
    EXPECT_THAT(client.tls.received, HasSubstr("'foobaz'"));
  }
  close(listener);
}

TEST_F(SecureServerTest, BytesThatAreNoHelloAreRefused) {
  const int listener = listening_socket(AF_INET);
  for (const auto& [initial, answer] : {std::pair(get("/0000000"), "HTTP/1.1 400 Bad Request\r\n"),
                                        {std::string("G"), "HTTP/1.1 400 Bad Request\r\n"},
                                        {std::string(Connection::kMaxInput, '\x17'), "\x15\x03\x03"}}) {
    const auto [end, fd] = connected_sockets(listener);
    Client client(end, 0);
    ASSERT_TRUE(server_->adopt(fd, {.tls = true}, {.initial = initial}).ok());
    ASSERT_TRUE(until([&] {
      client.receive();
      return client.ended || !client.received.empty();
    }));
    EXPECT_THAT(client.received, StartsWith(answer));
  }
  close(listener);
}

TEST_F(SecureServerTest, FairTurnsOfHandshakesGoByTheGivenAddress) {
  ServerOptions options;
  options.max_handshakes = 2;
  start_secure(options);
  const int listener = listening_socket(AF_INET);
  std::vector<std::unique_ptr<SecureClient>> clients;
  const auto hand_over = [&](const char* peer) {
    const auto [end, fd] = connected_sockets(listener);
    clients.push_back(std::make_unique<SecureClient>(end, 0));
    clients.back()->pump();
    pollfd readable{fd, POLLIN, 0};
    EXPECT_EQ(poll(&readable, 1, 10'000), 1);
    EXPECT_TRUE(server_->adopt(fd, {.tls = true}, {.peer = ClientAddress::parse(peer)}).ok());
  };
  // An address with one handshake among those of another one. By the address of the socket, 127.0.0.1 for all, it would
  // be the one that has waited longest.
  for (int i = 0; i < 2; ++i) hand_over("203.0.113.1");
  hand_over("203.0.113.2");
  SecureClient& lonely = *clients.back();
  for (int i = 0; i < 10; ++i) hand_over("203.0.113.1");
  EXPECT_TRUE(until_established(lonely));
  EXPECT_TRUE(lonely.tls.established) << "the client with most of them makes room";
  close(listener);
}

TEST_F(SecureServerTest, PlainHttpIsToldWhereItIs) {
  Client client(secure_port_);
  client.send(get("/0000000"));
  EXPECT_TRUE(until_answered(client));
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(client.received, HasSubstr("this port speaks HTTPS"));
  client.close();
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(SecureServerTest, ASilentPeerIsDropped) {
  TlsOptions options;
  options.handshake_timeout = 300;
  start_secure({}, options);
  Client silent(secure_port_);
  Client half(secure_port_);
  half.send(std::string("\x16\x03\x01\x02", 4));
  EXPECT_TRUE(until_ended(silent));
  EXPECT_TRUE(until_ended(half));
  EXPECT_EQ(silent.received, "");
}

TEST_F(SecureServerTest, OptionsThatCannotBeMetAreRefused) {
  const auto refused = [&](const ListenOptions& options) {
    auto listener = Listener::open("127.0.0.1:0");
    const Status status = server_->listen(std::move(listener).value(), options);
    return status.ok() ? std::string() : std::string(status.message());
  };
  EXPECT_THAT(refused({.redirect_to_https = true, .tls = true}), HasSubstr("redirect_to_https"));
  restart({}, {});
  EXPECT_THAT(refused({.tls = true}), HasSubstr("tls needs ServerOptions::tls"));
}

// A store that answers late, in any order, or never.
class LateStoreTest : public ServerTest {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(uv_loop_init(&loop_), 0);
    late_.attach(&loop_);
    store_ = &late_.elsewhere();
    open({});
  }
  void open(ServerOptions options) {
    if (server_) stop();
    options.store = &late_;
    ServiceOptions service;
    service.deposit_limit = {};
    service.miss_limit = {};
    start(service, options);
  }
  void TearDown() override {
    if (server_) stop();
    EXPECT_EQ(late_.waiting(), 0U) << "nobody is told of what nobody waits for";
    late_.close();
    uv_run(&loop_, UV_RUN_NOWAIT);
    service_.reset();
    ServerTest::TearDown();
  }
  // The code of a deposit.
  std::string deposit(const std::string& client_id = "client1") {
    std::string json(kJsonDeposit);
    json.replace(json.find("client1"), 7, client_id);
    Client client(port_);
    client.send(post(json));
    EXPECT_TRUE(until_answered(client));
    const std::size_t at = client.received.find("\"pairing_code\":\"");
    return at == std::string::npos ? std::string() : client.received.substr(at + 16, kDefaultCodeLength);
  }

  LateStore late_;
};

TEST_F(LateStoreTest, AnswersComeToThoseWhoAsked) {
  late_.behaviour.longest_ms = 30;
  std::vector<std::string> codes;
  for (int i = 0; i < 5; ++i) codes.push_back(deposit("machine" + std::to_string(i)));
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back(std::make_unique<Client>(port_));
    clients.back()->send(get("/" + (i % 6 == 5 ? std::string("ABCDEFGHIJ") : codes[static_cast<std::size_t>(i % 6)])));
  }
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(until_answered(*clients[static_cast<std::size_t>(i)]));
    const std::string& received = clients[static_cast<std::size_t>(i)]->received;
    EXPECT_EQ(received.substr(0, 12), i % 6 == 5 ? "HTTP/1.1 404" : "HTTP/1.1 200");
    const std::string expected = i % 6 == 5 ? "ABCDEFGHIJ" : "CLIENT_ID='machine" + std::to_string(i % 6) + "'";
    EXPECT_NE(received.find(expected), std::string::npos) << i;
  }
}

TEST_F(LateStoreTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  late_.behaviour.longest_ms = 10;
  const std::string code = deposit();
  Client client(port_);
  client.send(get("/" + code) + get("/update") + get("/ABCDEFGHIJ") + post(kJsonDeposit) + get("/healthz"));
  ASSERT_TRUE(until_answered(client, 5));
  std::size_t at = 0;
  for (const char* status : {"HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 200", "HTTP/1.1 200"}) {
    at = client.received.find(status, at);
    ASSERT_NE(at, std::string::npos) << status;
    ++at;
  }
  EXPECT_THAT(client.received, EndsWith("ok\n"));
}

TEST_F(LateStoreTest, WithoutAReplyTheAnswerIs503AndTheConnectionGoesOn) {
  ServerOptions options;
  options.connection.answer_timeout = 300;
  open(options);
  late_.behaviour.never = true;
  Client client(port_);
  client.send(get("/ABCDEFGHIJ"));
  ASSERT_TRUE(until_answered(client));
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(client.received, HasSubstr("exit 1"));
  EXPECT_EQ(late_.cancelled(), 1U);
  client.received.clear();
  late_.behaviour.never = false;
  client.send(get("/ABCDEFGHIJ"));
  ASSERT_TRUE(until_answered(client));
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 404"));
}

TEST_F(LateStoreTest, AStoreThatTakesNothingIs503) {
  late_.behaviour.refuse = true;
  Client client(port_);
  std::string many;
  for (int i = 0; i < 200; ++i) many += get("/ABCDEFGHIJ");
  client.send(many);
  ASSERT_TRUE(until_answered(client, 200));
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(late_.started(), 0U);
}

TEST_F(LateStoreTest, WithoutAClientOfTheStoreItIs503) {
  stop();
  ServiceOptions service;
  start(service, {});
  Client client(port_);
  client.send(get("/ABCDEFGHIJ") + get("/update"));
  ASSERT_TRUE(until_answered(client, 2));
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 503"));
}

// The answer finds nobody, whether the peer has ended its side (and may still read) or has reset the connection.
TEST_F(LateStoreTest, APeerThatGoesAwayIsForgotten) {
  for (const bool resets : {false, true}) {
    for (const std::string& request : {get("/ABCDEFGHIJ"), post(kJsonDeposit), get("/update") + get("/ABCDEFGHIJ")}) {
      late_.behaviour.never = true;
      Client gone(port_);
      gone.send(request + get("/update"));
      ASSERT_TRUE(until([this] { return late_.waiting() == 1; }));
      const linger at_once{resets ? 1 : 0, 0};
      ASSERT_EQ(setsockopt(gone.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
      gone.close();
      late_.behaviour.never = false;
      late_.answer_all();
      EXPECT_TRUE(until([this] { return server_->connections() == 0; })) << request;
      EXPECT_EQ(late_.waiting(), 0U);
    }
  }
  EXPECT_EQ(late_.started(), 6U);
}

TEST_F(LateStoreTest, APeerThatMakesRoomIsForgotten) {
  ServerOptions options;
  options.max_connections = 1;
  open(options);
  late_.behaviour.never = true;
  Client first(port_);
  first.send(get("/ABCDEFGHIJ"));
  ASSERT_TRUE(until([this] { return late_.waiting() == 1; }));
  Client second(port_, "127.0.0.2");
  second.send(get("/update"));
  ASSERT_TRUE(until_answered(second));
  EXPECT_EQ(late_.cancelled(), 1U);
  EXPECT_EQ(late_.waiting(), 0U);
  EXPECT_TRUE(until_ended(first));
  EXPECT_EQ(first.received, "");
}

TEST_F(LateStoreTest, AStopWaitsForAnswersThatAreUnderWay) {
  late_.behaviour.never = true;
  Client client(port_);
  client.send(get("/ABCDEFGHIJ"));
  client.end();
  ASSERT_TRUE(until([this] { return late_.waiting() == 1; }));
  bool stopped = false;
  server_->stop([&stopped] { stopped = true; });
  for (int i = 0; i < 20; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
  EXPECT_FALSE(stopped);
  EXPECT_EQ(late_.waiting(), 1U);
  late_.behaviour.never = false;
  late_.answer_all();
  EXPECT_TRUE(until([&stopped] { return stopped; }));
  server_.reset();
  client.receive();
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 404"));
}

TEST_F(LateStoreTest, AStopEndsTheWaitWhenItsTimeIsOver) {
  ServerOptions options;
  options.drain_timeout = 200;
  open(options);
  late_.behaviour.never = true;
  Client client(port_);
  client.send(get("/ABCDEFGHIJ"));
  Client depositor(port_);
  depositor.send(post(kJsonDeposit));
  ASSERT_TRUE(until([this] { return late_.waiting() == 2; }));
  stop();
  EXPECT_EQ(late_.cancelled(), 2U);
  EXPECT_EQ(late_.waiting(), 0U);
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
// A program with a libuv loop of its own, a timer and an echo server on it, that starts and stops pairing twice. Makes
// a deposit, asks both servers over the same loop, revokes the deposit, and leaves the loop as it was: nothing open,
// uv_loop_close() succeeds.
#include <sys/random.h>
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/server.h>

namespace {

class KernelRandom final : public pairport::RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    return getrandom(out.data(), out.size(), 0) == static_cast<ssize_t>(out.size());
  }
};

void allocate(uv_handle_t*, std::size_t size, uv_buf_t* buffer) {
  *buffer = uv_buf_init(new char[size], static_cast<unsigned>(size));
}

void close_and_delete(uv_handle_t* handle) {
  uv_close(handle, [](uv_handle_t* closed) { delete reinterpret_cast<uv_tcp_t*>(closed); });
}

// What the program did before it knew of pairing: a timer, and a server that sends back what it gets.
class Application {
 public:
  explicit Application(uv_loop_t* loop) {
    uv_timer_init(loop, &timer_);
    timer_.data = this;
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { ++static_cast<Application*>(timer->data)->ticks_; }, 1, 1);
    uv_tcp_init(loop, &echo_);
    sockaddr_in address{};
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&echo_, reinterpret_cast<const sockaddr*>(&address), 0);
    uv_listen(reinterpret_cast<uv_stream_t*>(&echo_), 16, on_connection);
  }

  int port() const {
    sockaddr_in address{};
    int size = sizeof(address);
    uv_tcp_getsockname(&echo_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  int ticks() const { return ticks_; }

  void close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&echo_), nullptr);
  }

 private:
  static void on_connection(uv_stream_t* listener, int status) {
    if (status != 0) return;
    auto* peer = new uv_tcp_t;
    uv_tcp_init(listener->loop, peer);
    auto* stream = reinterpret_cast<uv_stream_t*>(peer);
    if (uv_accept(listener, stream) != 0) return close_and_delete(reinterpret_cast<uv_handle_t*>(peer));
    uv_read_start(stream, allocate, [](uv_stream_t* from, ssize_t size, const uv_buf_t* buffer) {
      if (size > 0) {
        uv_buf_t echo = uv_buf_init(buffer->base, static_cast<unsigned>(size));
        uv_try_write(from, &echo, 1);  // a few bytes for an example
      }
      delete[] buffer->base;
      if (size < 0) close_and_delete(reinterpret_cast<uv_handle_t*>(from));
    });
  }

  uv_timer_t timer_;
  uv_tcp_t echo_;
  int ticks_ = 0;
};

// Sends `question` to a port of this machine and hands over what has come as soon as it contains `end`.
class Client {
 public:
  static void ask(uv_loop_t* loop, int port, std::string question, std::string end,
                  std::function<void(const std::string&)> on_answer) {
    auto* client = new Client{{}, {}, {}, std::move(question), std::move(end), {}, std::move(on_answer)};
    uv_tcp_init(loop, &client->socket_);
    client->socket_.data = client->connect_.data = client;
    sockaddr_in address{};
    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_connect(
        &client->connect_, &client->socket_, reinterpret_cast<const sockaddr*>(&address),
        [](uv_connect_t* request, int status) { static_cast<Client*>(request->data)->on_connected(status); });
  }

  uv_tcp_t socket_;
  uv_connect_t connect_;
  uv_write_t write_;
  std::string question_;
  std::string end_;
  std::string received_;
  std::function<void(const std::string&)> on_answer_;

 private:
  void on_connected(int status) {
    if (status != 0) return finish();
    auto* stream = reinterpret_cast<uv_stream_t*>(&socket_);
    uv_buf_t buffer = uv_buf_init(question_.data(), static_cast<unsigned>(question_.size()));
    uv_write(&write_, stream, &buffer, 1, nullptr);
    uv_read_start(stream, allocate, [](uv_stream_t* from, ssize_t size, const uv_buf_t* part) {
      auto* client = static_cast<Client*>(from->data);
      if (size > 0) client->received_.append(part->base, static_cast<std::size_t>(size));
      delete[] part->base;
      if (size < 0 || client->received_.find(client->end_) != std::string::npos) client->finish();
    });
  }
  void finish() {
    uv_close(reinterpret_cast<uv_handle_t*>(&socket_), [](uv_handle_t* handle) {
      const std::unique_ptr<Client> client(static_cast<Client*>(handle->data));
      client->on_answer_(client->received_);
    });
  }
};

// Pairing on the loop: service and server, from start() until stop() has called back.
class Pairing {
 public:
  // The port that it listens on, or -1.
  int start(uv_loop_t* loop) {
    pairport::ServiceOptions options;
    options.url = "https://pairing.example.com";
    auto service = pairport::Service::create(options, random_, pairport::current_time());
    if (!service.ok()) return fail(service.status());
    service_ = std::move(service).value();
    auto listener = pairport::Listener::open("127.0.0.1:0");
    if (!listener.ok()) return fail(listener.status());
    auto server = pairport::Server::attach(loop, *service_, {});
    if (!server.ok()) return fail(server.status());
    server_ = std::move(server).value();
    const std::string url = listener.value().url();
    const pairport::Status status = server_->listen(std::move(listener).value());
    return status.ok() ? std::stoi(url.substr(url.rfind(':') + 1)) : fail(status);
  }

  // The verbs are for the owner of the service, on the thread of the loop. The code, or nothing.
  std::string deposit() {
    pairport::DepositInput fields;
    const auto set = [&](pairport::DepositField field, std::string_view value) {
      fields[field] = {pairport::FieldInput::Kind::kString, value};
    };
    set(pairport::DepositField::kConnectUrl, "http://rport.example.com:8080");
    set(pairport::DepositField::kFingerprint, "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24");
    set(pairport::DepositField::kClientId, "client1");
    set(pairport::DepositField::kPassword, "foobaz");
    const auto made = service_->deposit(fields, {}, pairport::current_time());
    return made.ok() ? std::string(made.value().code.view()) : std::string();
  }
  bool is_there(std::string_view code) {
    return service_->look_up(code, pairport::current_time()).code == pairport::StatusCode::kOk;
  }
  bool revoke(std::string_view code) {
    return service_->revoke(code, pairport::current_time()) == pairport::StatusCode::kOk;
  }

  void stop(std::function<void()> on_stopped) {
    if (!server_) return on_stopped();
    server_->stop([this, done = std::move(on_stopped)] {
      // Nothing of the server is in the loop any more, so that it may go, and the service after it.
      server_.reset();
      service_.reset();
      done();
    });
  }

 private:
  static int fail(const pairport::Status& status) {
    std::fprintf(stderr, "no pairing: %.*s\n", static_cast<int>(status.message().size()), status.message().data());
    return -1;
  }

  KernelRandom random_;
  std::unique_ptr<pairport::Service> service_;
  std::unique_ptr<pairport::Server> server_;
};

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  uv_loop_t loop;
  if (uv_loop_init(&loop) != 0) return 1;
  Application application(&loop);
  Pairing pairing;
  int rounds = 0;
  int echoes = 0;

  // Start, ask both servers, stop; and once more.
  std::function<void()> round = [&] {
    const int port = pairing.start(&loop);
    if (port < 0) return pairing.stop([&] { application.close(); });
    const std::string code = pairing.deposit();
    Client::ask(&loop, port, "GET /" + code + " HTTP/1.1\r\nHost: pairing.example.com\r\n\r\n", "\r\n\r\n",
                [&, code](const std::string& answer) {
                  const bool was_there = pairing.is_there(code) && pairing.revoke(code) && !pairing.is_there(code);
                  if (was_there && answer.starts_with("HTTP/1.1 200 OK\r\n")) ++rounds;
                  Client::ask(&loop, application.port(), "ping", "ping", [&](const std::string& echo) {
                    if (echo == "ping") ++echoes;
                    pairing.stop([&] { rounds == 1 && echoes == 1 ? round() : application.close(); });
                  });
                });
  };
  round();
  uv_run(&loop, UV_RUN_DEFAULT);

  const bool clean = uv_loop_close(&loop) == 0;
  std::printf("pairing answered %d times, echo %d times, the timer has %s, the loop is %s\n", rounds, echoes,
              application.ticks() > 0 ? "ticked" : "not ticked", clean ? "closed" : "still busy");
  return rounds == 2 && echoes == 2 && application.ticks() > 0 && clean ? 0 : 1;
}

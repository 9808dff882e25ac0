// SPDX-License-Identifier: MIT
// The example of the README, compiled and run, so that it stays true.
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <fstream>

// README: begin
#include <pairport/server.h>

struct KernelRandom final : pairport::RandomSource {
  bool fill(std::span<std::uint8_t> out) noexcept override {
    return std::ifstream("/dev/urandom").read(reinterpret_cast<char*>(out.data()), std::ssize(out)).good();
  }
};

int serve(uv_loop_t* loop, std::unique_ptr<pairport::Service>& service, std::unique_ptr<pairport::Server>& server) {
  static KernelRandom random;
  pairport::ServiceOptions options;
  options.url = "https://pairing.example.com";
  auto created = pairport::Service::create(options, random, {uv_now(loop), 0});
  if (!created.ok()) return -1;  // created.status().message() says why
  service = std::move(created).value();
  auto attached = pairport::Server::attach(loop, *service, {});
  auto listener = pairport::Listener::open("127.0.0.1:0");
  if (!attached.ok() || !listener.ok()) return -1;
  server = std::move(attached).value();
  return server->listen(std::move(listener).value()).ok() ? 0 : -1;
}
// README: end

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  uv_loop_t loop;
  uv_loop_init(&loop);
  std::unique_ptr<pairport::Service> service;
  std::unique_ptr<pairport::Server> server;
  const int result = serve(&loop, service, server);
  if (server) server->stop([&server] { server.reset(); });
  uv_run(&loop, UV_RUN_DEFAULT);
  const bool clean = uv_loop_close(&loop) == 0;
  std::printf("%s\n", result == 0 && clean ? "ok" : "failed");
  return result == 0 && clean ? 0 : 1;
}

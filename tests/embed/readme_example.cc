// SPDX-License-Identifier: MIT
// The example of the README, compiled and run, so that it stays true.
#include <sys/random.h>
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include <pairport/server.h>

namespace {

class KernelRandom final : public pairport::RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    return getrandom(out.data(), out.size(), 0) == static_cast<ssize_t>(out.size());
  }
};

int fail(const pairport::Status& status) {
  std::printf("%.*s\n", static_cast<int>(status.message().size()), status.message().data());
  return 1;
}

int serve(uv_loop_t* loop, pairport::RandomSource& random) {
  // README: begin
  pairport::ServiceOptions options;
  options.url = "https://pairing.example.com";
  auto service = pairport::Service::create(options, random, pairport::current_time());
  if (!service.ok()) return fail(service.status());
  auto listener = pairport::Listener::open("127.0.0.1:0");
  if (!listener.ok()) return fail(listener.status());
  auto server = pairport::Server::attach(loop, *service.value(), {});
  if (!server.ok()) return fail(server.status());
  const pairport::Status listening = server.value()->listen(std::move(listener).value());
  server.value()->stop([&] { server.value().reset(); });  // when you have had enough
  // README: end
  uv_run(loop, UV_RUN_DEFAULT);
  return listening.ok() ? 0 : fail(listening);
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  uv_loop_t loop;
  KernelRandom random;
  if (uv_loop_init(&loop) != 0) return 1;
  const int result = serve(&loop, random);
  const bool clean = uv_loop_close(&loop) == 0;
  std::printf("%s\n", result == 0 && clean ? "ok" : "failed");
  return result == 0 && clean ? 0 : 1;
}

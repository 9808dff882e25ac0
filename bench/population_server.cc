// SPDX-License-Identifier: MIT
// The real Server on a libuv loop, with millions of deposits that were made before it serves. Some of them expire in
// crowds: all deposits of a crowd expire within one second. Time is a parameter of Service::handle(), so this program
// can set the second of a crowd, which a client with requests cannot.
//
// Prints one line of JSON about the population, with the times at which crowds expire. Then prints one line for each
// line on stdin, about the time since the last one: the longest iteration of the loop without the wait for events, the
// part of it in which the thread was ready but had no core, and the heap allocations. Ends at the end of stdin.
//   population_server LIVE CROWDS CROWD_SIZE CODES_FILE
// LIVE: live deposits when the first crowd expires. CODES_FILE: the file for targets of long-lived deposits.
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pairport/server.h>
#include <pairport/service.h>

#include "allocation_count.h"
#include "deposit_values.h"
#include "net/program/scheduling.h"
#include "service_for_bench.h"
#include "support/process_memory.h"

namespace pairport::bench {
namespace {

using testing::resident_bytes;

constexpr std::uint64_t kCrowdIntervalMs = 6'000;
// Time between the end of loading and the first crowd, for a measurement without expiry.
constexpr std::uint64_t kQuietMs = 12'000;
constexpr std::size_t kCodesKept = 100'000;

std::uint64_t clock_ms() {
  return uv_hrtime() / 1'000'000;
}

// Deposits, each made at a chosen time.
class Population {
 public:
  Population(Service& service, std::uint64_t start_ms) : service_(service), now_ms_(start_ms) {}

  bool deposit(std::uint64_t at_ms) {
    now_ms_ = std::max(now_ms_, at_ms);
    const std::string body = json_deposit(made_++);
    Request request;
    request.method = Method::kPost;
    request.target = "/";
    request.content_type = "application/json";
    request.body = body;
    service_.handle(request, {now_ms_, static_cast<std::int64_t>(now_ms_ / 1000)}, response_);
    return response_.status() == 200;
  }
  // The code of the last deposit.
  std::string code() const {
    std::string text;
    for (const Fragment& fragment : response_.body()) text.append(fragment.data, fragment.size);
    constexpr std::string_view kKey = "\"pairing_code\":\"";
    const std::size_t begin = text.find(kKey) + kKey.size();
    return text.substr(begin, text.find('"', begin) - begin);
  }
  std::uint64_t now_ms() const { return now_ms_; }
  std::uint64_t made() const { return made_; }

 private:
  Service& service_;
  std::uint64_t now_ms_;
  std::uint64_t made_ = 0;
  Response response_;
};

// Measures the iterations of a loop, from one prepare phase to the next.
class Iterations {
 public:
  explicit Iterations(uv_loop_t* loop) : loop_(loop) {
    uv_prepare_init(loop, &prepare_);
    prepare_.data = this;
    uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { static_cast<Iterations*>(handle->data)->on_prepare(); });
    uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
    restart();
  }

  void print(const Service& service) {
    std::printf("{\"wall_us\": %.1f, \"core_wait_us\": %.1f, \"iterations\": %" PRIu64 ", \"allocations\": %" PRIu64
                ", \"live\": %zu, \"monotonic_s\": %.3f}\n",
                static_cast<double>(longest_wall_) / 1000, static_cast<double>(core_wait_of_longest_) / 1000, count_,
                allocation_count() - allocations_before_, service.store().stats().deposits,
                static_cast<double>(uv_hrtime()) / 1e9);
    std::fflush(stdout);  // NOLINT(cert-err33-c): on failure the reader is gone, so stdin ends, too
    restart();
  }

 private:
  void restart() {
    longest_wall_ = core_wait_of_longest_ = count_ = 0;
    allocations_before_ = allocation_count();
    wall_ = uv_hrtime();
    idle_ = uv_metrics_idle_time(loop_);
    core_wait_ = core_wait_ns();
  }

  // How long this thread has waited for a core so far: proc(5), schedstat.
  std::uint64_t core_wait_ns() const {
    std::array<char, 96> text{};
    if (pread(schedstat_, text.data(), text.size() - 1, 0) <= 0) return 0;
    const char* second = std::strchr(text.data(), ' ');
    return second == nullptr ? 0 : std::strtoull(second, nullptr, 10);
  }

  void on_prepare() {
    const std::uint64_t wall = uv_hrtime();
    const std::uint64_t idle = uv_metrics_idle_time(loop_);
    const std::uint64_t waited = std::min(idle - idle_, wall - wall_);
    const std::uint64_t core_wait = core_wait_ns();
    if (wall - wall_ - waited > longest_wall_) {
      longest_wall_ = wall - wall_ - waited;
      core_wait_of_longest_ = core_wait - core_wait_;
    }
    wall_ = wall;
    idle_ = idle;
    core_wait_ = core_wait;
    ++count_;
  }

  uv_loop_t* const loop_;
  uv_prepare_t prepare_;
  std::uint64_t longest_wall_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t allocations_before_ = 0;
  std::uint64_t wall_ = 0;
  std::uint64_t idle_ = 0;
  std::uint64_t core_wait_of_longest_ = 0;
  std::uint64_t core_wait_ = 0;
  const int schedstat_ = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
};

struct Plan {
  std::uint64_t live = 0;
  std::uint64_t crowds = 0;
  std::uint64_t crowd_size = 0;
  // The first crowd expires while LIVE deposits are alive; later crowds come in addition.
  std::uint64_t total() const { return live + (crowds - 1) * crowd_size; }
};

Result<std::unique_ptr<Service>> create_service(const Plan& plan, std::uint64_t ttl_ms, RandomSource& random) {
  ServiceOptions options;
  options.deposit_limit = {};
  options.miss_limit = {};
  options.ttl_ms = ttl_ms;
  options.store.max_deposits = plan.total() + 1000;
  options.store.max_bytes = (plan.total() + 100'000) * 512;
  return Service::create(options, random, {clock_ms(), 0});
}

int fail(std::string_view what) {
  (void)std::fprintf(stderr, "population_server: %.*s\n", static_cast<int>(what.size()), what.data());
  return 1;
}

// Nanoseconds for a deposit on this machine; this determines how long deposits must live.
std::uint64_t measure_deposit() {
  constexpr std::uint64_t kSample = 200'000;
  SequenceRandom random;
  auto service = create_service({kSample, 1, 0}, 3'600'000, random);
  if (!service.ok()) return 0;
  Population population(*service.value(), clock_ms());
  const std::uint64_t begin = uv_hrtime();
  for (std::uint64_t i = 0; i < kSample; ++i) {
    if (!population.deposit(0)) return 0;
  }
  return (uv_hrtime() - begin) / kSample;
}

struct Control {
  Iterations* iterations;
  Service* service;
  Server* server;
};

void on_command(uv_poll_t* poll, int, int) {
  Control& control = *static_cast<Control*>(poll->data);
  char text[64];
  const ssize_t size = read(STDIN_FILENO, text, sizeof(text));
  if (size > 0) return control.iterations->print(*control.service);
  if (size < 0 && errno == EINTR) return;
  uv_poll_stop(poll);
  control.server->stop([] {});
}

int serve(const Plan& plan, const char* codes_file) {
  const std::uint64_t each = measure_deposit();
  if (each == 0) return fail("no deposit could be made");
  // Twice the expected time: a larger table is slower, and other processes may use the machine.
  const std::uint64_t last_crowd_ms = kCrowdIntervalMs * (plan.crowds - 1) + 1000;
  // The remaining deposits are made after the crowds, because time never goes back, and late enough to outlive the
  // measurements.
  const std::uint64_t rest_ms = last_crowd_ms + 2 * kCrowdIntervalMs;
  const std::uint64_t loading_ms = plan.total() * each * 2 / 1'000'000;
  const std::uint64_t ttl_ms = (std::max(loading_ms, rest_ms) + kQuietMs + 3000) / 1000 * 1000;

  SequenceRandom random;
  const std::uint64_t resident_before = resident_bytes();
  auto created = create_service(plan, ttl_ms, random);
  if (!created.ok()) return fail(created.status().message());
  Service& service = *created.value();
  const std::uint64_t start_ms = clock_ms();
  Population population(service, start_ms);
  const std::uint64_t loading_begin = uv_hrtime();
  for (std::uint64_t crowd = 0; crowd < plan.crowds; ++crowd) {
    const std::uint64_t crowd_ms = start_ms + crowd * kCrowdIntervalMs;
    for (std::uint64_t i = 0; i < plan.crowd_size; ++i) {
      if (!population.deposit(crowd_ms + i * 1000 / plan.crowd_size)) return fail("a deposit was refused");
    }
  }
  std::ofstream codes(codes_file);
  const std::uint64_t rest = plan.total() - plan.crowds * plan.crowd_size;
  const std::uint64_t step = std::max<std::uint64_t>(rest / kCodesKept, 1);
  std::uint64_t resident_at_live = 0;
  std::uint64_t memory_at_live = 0;
  for (std::uint64_t i = 0; i < rest; ++i) {
    if (!population.deposit(start_ms + rest_ms)) return fail("a deposit was refused");
    if (i % step == 0) codes << '/' << population.code() << '\n';
    if (population.made() != plan.live) continue;
    resident_at_live = resident_bytes();
    memory_at_live = service.store().stats().memory_bytes;
  }
  codes.close();
  const std::uint64_t loaded_ns = uv_hrtime() - loading_begin;
  // The server's clock must not be behind the time of the last deposit.
  while (clock_ms() < population.now_ms()) usleep(10'000);
  if (clock_ms() + kQuietMs > start_ms + ttl_ms) return fail("loading took longer than expected; try again");

  uv_loop_t loop;
  if (uv_loop_init(&loop) != 0 || uv_loop_configure(&loop, UV_METRICS_IDLE_TIME) != 0) return fail("no loop");
  ServerOptions server_options;
  auto attached = Server::attach(&loop, service, server_options);
  auto listener = Listener::open("127.0.0.1:0");
  if (!attached.ok() || !listener.ok()) return fail("no server");
  const std::string url = listener.value().url();
  if (!attached.value()->listen(std::move(listener).value()).ok()) return fail("no listener");
  Iterations iterations(&loop);
  Control control{&iterations, &service, attached.value().get()};
  uv_poll_t commands;
  if (uv_poll_init(&loop, &commands, STDIN_FILENO) != 0) return fail("stdin must be a pipe");
  commands.data = &control;
  uv_poll_start(&commands, UV_READABLE, on_command);

  std::printf(
      "{\"url\": \"%s\", \"live\": %zu, \"level\": \"%s\", \"loading_seconds\": %.1f, "
      "\"measured_at\": %" PRIu64 ", \"resident_bytes\": %" PRIu64 ", \"memory_bytes\": %" PRIu64 ", \"crowds\": [",
      url.c_str(), service.store().stats().deposits, std::string(to_string(service.store().stats().level)).c_str(),
      static_cast<double>(loaded_ns) / 1e9, plan.live, resident_at_live - std::min(resident_before, resident_at_live),
      memory_at_live);
  for (std::uint64_t crowd = 0; crowd < plan.crowds; ++crowd) {
    std::printf("%s%.3f", crowd == 0 ? "" : ", ",
                static_cast<double>(start_ms + crowd * kCrowdIntervalMs + ttl_ms) / 1000);
  }
  std::printf("]}\n");
  if (std::fflush(stdout) != 0) return 1;
  uv_run(&loop, UV_RUN_DEFAULT);
  // End the process without destructors: open handles are on this stack.
  std::fflush(nullptr);  // NOLINT(cert-err33-c)
  _exit(0);
}

int run(int argc, char** argv) {
  Plan plan;
  if (argc == 5) {
    plan = {std::strtoull(argv[1], nullptr, 10), std::strtoull(argv[2], nullptr, 10),
            std::strtoull(argv[3], nullptr, 10)};
  }
  if (plan.crowds == 0 || plan.live < 2 * plan.crowd_size) {
    (void)std::fputs("usage: population_server LIVE CROWDS CROWD_SIZE CODES_FILE (LIVE at least twice CROWD_SIZE)\n",
                     stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): cannot fail with these arguments
  // Like the program.
  prefer_short_turns();
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_MEMLOCK, &limit);
  }
  return serve(plan, argv[4]);
}

}  // namespace
}  // namespace pairport::bench

int main(int argc, char** argv) {
  return pairport::bench::run(argc, argv);
}

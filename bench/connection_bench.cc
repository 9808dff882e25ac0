// SPDX-License-Identifier: MIT
// Benchmarks of request heads, and of connections from raw bytes to fragments. They use no socket, so they measure a
// request without the kernel.
#include <cstdint>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include <pairport/connection.h>
#include <pairport/service.h>

#include "allocation_count.h"
#include "net/http1/head_guard.h"
#include "net/http1/http1.h"
#include "service_for_bench.h"

namespace pairport::bench {
namespace {

std::string get_request(std::string_view target, std::string_view user_agent) {
  return "GET " + std::string(target) +
         " HTTP/1.1\r\nHost: pairing.example.com\r\nUser-Agent: " + std::string(user_agent) + "\r\nAccept: */*\r\n\r\n";
}

std::string browser_request() {
  return "GET /0000000 HTTP/1.1\r\n"
         "Host: pairing.example.com\r\n"
         "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
         "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
         "Accept-Language: en-US,en;q=0.5\r\n"
         "Accept-Encoding: gzip, deflate, br, zstd\r\n"
         "Connection: keep-alive\r\n"
         "Upgrade-Insecure-Requests: 1\r\n"
         "Sec-Fetch-Dest: document\r\n"
         "Sec-Fetch-Mode: navigate\r\n"
         "Sec-Fetch-Site: none\r\n"
         "Priority: u=0, i\r\n"
         "\r\n";
}

void head(benchmark::State& state, const std::string& request) {
  HeadGuard guard;
  for ([[maybe_unused]] auto _ : state) {
    RequestHead parsed;
    if (guard.feed(request) != HeadGuard::State::kComplete || !parse_head(request, guard, parsed)) {
      return state.SkipWithError("refused");
    }
    benchmark::DoNotOptimize(parsed);
    guard.reset();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(request.size()) * state.iterations());
}
BENCHMARK_CAPTURE(head, curl, get_request("/0000000", kCurl));
BENCHMARK_CAPTURE(head, browser, browser_request());

// Only the guard, to separate its cost from that of the parser.
void guard(benchmark::State& state, const std::string& request) {
  HeadGuard guard;
  for ([[maybe_unused]] auto _ : state) {
    if (guard.feed(request) != HeadGuard::State::kComplete) return state.SkipWithError("refused");
    benchmark::DoNotOptimize(guard);
    guard.reset();
  }
}
BENCHMARK_CAPTURE(guard, curl, get_request("/0000000", kCurl));
BENCHMARK_CAPTURE(guard, browser, browser_request());

enum class Time { kStands, kPasses };

// Feeds `requests`, which hold `count` requests, in `pieces` pieces. Results are for one request.
void connection(benchmark::State& state, const std::string& requests, int count, std::size_t pieces, Time time) {
  BenchService bench;
  ConnectionContext context(*bench.service, {});
  Connection connection(context, {}, bench.now);
  std::size_t bytes = 0;
  const auto converse = [&] {
    bytes = 0;
    const std::size_t step = (requests.size() + pieces - 1) / pieces;
    for (std::size_t at = 0; at < requests.size(); at += step) {
      connection.on_input(std::string_view(requests).substr(at, step), bench.now);
      while (!connection.output().empty()) {
        std::size_t size = 0;
        for (const Fragment& fragment : connection.output()) size += fragment.size;
        bytes += size;
        connection.on_output(size, bench.now);
      }
    }
  };
  converse();
  const std::size_t expected = bytes;
  const std::uint64_t before = allocation_count();
  for ([[maybe_unused]] auto _ : state) {
    converse();
    if (bytes != expected || connection.wants_close()) return state.SkipWithError("unexpected answer");
    if (time == Time::kPasses) bench.pass_time();
  }
  const auto answered = static_cast<double>(state.iterations()) * count;
  state.counters["allocations"] = static_cast<double>(allocation_count() - before) / answered;
  state.counters["answer_bytes"] = static_cast<double>(expected) / count;
  state.counters["seconds_per_request"] =
      benchmark::Counter(answered, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

std::string post_request() {
  std::string request;
  append_deposit_request(1, request);
  return request;
}

const std::string kGetLinux = get_request("/0000000", kCurl);
BENCHMARK_CAPTURE(connection, get_linux, kGetLinux, 1, 1, Time::kStands);
BENCHMARK_CAPTURE(connection, get_linux_in_8_pieces, kGetLinux, 1, 8, Time::kStands);
BENCHMARK_CAPTURE(connection, get_linux_16_pipelined, repeated(kGetLinux, 16), 16, 1, Time::kStands);
BENCHMARK_CAPTURE(connection, get_windows, get_request("/0000000", kPowerShell), 1, 1, Time::kStands);
BENCHMARK_CAPTURE(connection, get_update, get_request("/update", kCurl), 1, 1, Time::kStands);
BENCHMARK_CAPTURE(connection, miss, get_request("/ABCDEFG", kCurl), 1, 1, Time::kStands);
BENCHMARK_CAPTURE(connection, deposit, post_request(), 1, 1, Time::kPasses);
BENCHMARK_CAPTURE(connection, deposit_16_pipelined, repeated(post_request(), 16), 16, 1, Time::kPasses);

}  // namespace
}  // namespace pairport::bench

BENCHMARK_MAIN();

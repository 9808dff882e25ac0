// SPDX-License-Identifier: MIT
// Benchmarks of quoting, bodies of deposits, and complete answers of the service, without any I/O.
#include <array>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include <pairport/service.h>

#include "render/http/body.h"
#include "render/scripts/quote.h"
#include "service_for_bench.h"

namespace pairport::bench {
namespace {

using Quote = char* (*)(std::string_view, char*) noexcept;

constexpr std::string_view kPlain = kPassword;
constexpr std::string_view kNasty = "it's `here` & \"there\", $x \\ it's `here` '''";
constexpr std::string_view kForeign =
    "Gr\xc3\xbc\xc3\x9f"
    "e aus K\xc3\xb6ln \xe2\x80\x98quoted\xe2\x80\x99 Stra\xc3\x9f"
    "e";

void quote(benchmark::State& state, Quote function, std::string_view value) {
  std::array<char, 1024> out;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(value);
    benchmark::DoNotOptimize(function(value, out.data()));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(value.size()) * state.iterations());
}
BENCHMARK_CAPTURE(quote, posix_plain, quote_posix, kPlain);
BENCHMARK_CAPTURE(quote, posix_nasty, quote_posix, kNasty);
BENCHMARK_CAPTURE(quote, powershell_plain, quote_powershell, kPlain);
BENCHMARK_CAPTURE(quote, powershell_nasty, quote_powershell, kNasty);
BENCHMARK_CAPTURE(quote, powershell_foreign, quote_powershell, kForeign);
BENCHMARK_CAPTURE(quote, json_plain, quote_json, kPlain);
BENCHMARK_CAPTURE(quote, json_foreign, quote_json, kForeign);

// Finds and checks the fields.
void decode(benchmark::State& state, std::string_view type, const std::string& body) {
  auto decoder = BodyDecoder::create();
  if (!decoder.ok()) return state.SkipWithError("no decoder");
  for ([[maybe_unused]] auto _ : state) {
    DepositInput input;
    DepositView deposit;
    const BodyVerdict verdict = decoder.value()->decode(type, body, input);
    if (verdict.error != BodyError::kNone || !validate(input, deposit).ok()) return state.SkipWithError("refused");
    benchmark::DoNotOptimize(deposit);
    decoder.value()->wipe();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) * state.iterations());
}
BENCHMARK_CAPTURE(decode, json, "application/json", json_deposit(1));
BENCHMARK_CAPTURE(decode, multipart, kMultipartType, multipart_deposit());
BENCHMARK_CAPTURE(decode, urlencoded, kFormType, form_deposit());

void get(benchmark::State& state, std::string_view target, std::string_view user_agent, int expected) {
  BenchService bench;
  Response response;
  Request request;
  request.method = Method::kGet;
  request.target = target;
  request.user_agent = user_agent;
  request.accept = "*/*";
  std::size_t bytes = 0;
  for ([[maybe_unused]] auto _ : state) {
    bench.service->handle(request, bench.now, response);
    if (response.status() != expected) return state.SkipWithError("unexpected status");
    benchmark::DoNotOptimize(response.body().data());
  }
  for (const Fragment& fragment : response.body()) bytes += fragment.size;
  state.counters["body_bytes"] = static_cast<double>(bytes);
}
BENCHMARK_CAPTURE(get, linux, "/0000000", kCurl, 200);
BENCHMARK_CAPTURE(get, windows, "/0000000", kPowerShell, 200);
BENCHMARK_CAPTURE(get, update, "/update", kCurl, 200);
BENCHMARK_CAPTURE(get, miss, "/ABCDEFG", kCurl, 404);

void deposit(benchmark::State& state, std::string_view type, const std::string& body) {
  BenchService bench;
  Response response;
  Request request;
  request.method = Method::kPost;
  request.target = "/";
  request.content_type = type;
  request.body = body;
  for ([[maybe_unused]] auto _ : state) {
    bench.service->handle(request, bench.now, response);
    if (response.status() != 200) return state.SkipWithError("refused");
    bench.pass_time();
  }
}
BENCHMARK_CAPTURE(deposit, json, "application/json", json_deposit(1));
BENCHMARK_CAPTURE(deposit, multipart, kMultipartType, multipart_deposit());
BENCHMARK_CAPTURE(deposit, urlencoded, kFormType, form_deposit());

}  // namespace
}  // namespace pairport::bench

BENCHMARK_MAIN();

// SPDX-License-Identifier: MIT
// Requests to a Service without any I/O, whose instructions test_instructions.py has callgrind count. All that could
// differ from run to run is fixed: the clock, the random numbers, the values. Each counted_... is one case, kRequests
// times; what happens outside of these is not counted.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <pairport/service.h>

#include "tests/support/fixed_random.h"

namespace pairport::testing {
namespace {

constexpr int kRequests = 100;
constexpr std::string_view kDeposit =
    R"({"connect_url":"http://rport.example.com:8080","fingerprint":"2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24",)"
    R"("client_id":"client1","password":"foobaz"})";

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "handle_probe: %s\n", what);
  std::exit(1);
}

ClientKey client(std::uint8_t number) {
  ClientAddress address;
  address.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, number};
  return address.key();
}

struct Probe {
  Probe() {
    ServiceOptions options;
    options.url = "https://pairing.example.com";
    auto created = Service::create(options, random, now);
    if (!created.ok()) fail("no service");
    service = std::move(created).value();
  }

  static Request request(Method method, std::string_view target) {
    Request request;
    request.method = method;
    request.target = target;
    request.user_agent = "curl/7.88.1";
    request.accept = "*/*";
    request.client = client(1);
    return request;
  }
  static Request deposit() {
    Request deposit = request(Method::kPost, "/");
    deposit.content_type = "application/json";
    deposit.body = kDeposit;
    return deposit;
  }

  // The path of a code that lives.
  std::string path() {
    service->handle(deposit(), now, response);
    static constexpr std::string_view kBefore = R"("pairing_code":")";
    std::string text;
    for (const Fragment& fragment : response.body()) text.append(fragment.data, fragment.size);
    const std::size_t begin = text.find(kBefore);
    if (response.status() != 200 || begin == std::string::npos) fail("no deposit");
    return "/" + text.substr(begin + kBefore.size(), kDefaultCodeLength);
  }

  void handle(const Request& request, int expected) {
    service->handle(request, now, response);
    if (response.status() != expected) fail("an answer with another status");
  }
  // So that no budget is used up.
  void pass_a_second() {
    now.monotonic_ms += 1000;
    ++now.unix_seconds;
  }

  FixedRandom random;
  Now now{1'000'000, 1'790'000'000};
  std::unique_ptr<Service> service;
  Response response;
};

}  // namespace
}  // namespace pairport::testing

using pairport::Method;
using pairport::Request;
using pairport::testing::kRequests;
using pairport::testing::Probe;

extern "C" {

[[gnu::noipa]] void counted_live_code(Probe& probe, const Request& request) {
  for (int i = 0; i < kRequests; ++i) probe.handle(request, 200);
}
[[gnu::noipa]] void counted_live_code_gzip(Probe& probe, const Request& request) {
  for (int i = 0; i < kRequests; ++i) probe.handle(request, 200);
}
[[gnu::noipa]] void counted_live_code_while_others_wait(Probe& probe, const Request& request) {
  for (int i = 0; i < kRequests; ++i) probe.handle(request, 200);
}
[[gnu::noipa]] void counted_unknown_code(Probe& probe, const Request& request) {
  for (int i = 0; i < kRequests; ++i) {
    probe.handle(request, 404);
    probe.pass_a_second();
  }
}
[[gnu::noipa]] void counted_deposit(Probe& probe, const Request& request) {
  for (int i = 0; i < kRequests; ++i) {
    probe.handle(request, 200);
    probe.pass_a_second();
  }
}

}  // extern "C"

int main() {
  using pairport::testing::client;
  const auto count = [](void (*counted)(Probe&, const Request&), Probe& probe, const Request& request) {
    // Nobody counts what is found and made at the first time: a page, a symbol, a date.
    Request first = request;
    first.client = client(3);
    probe.service->handle(first, probe.now, probe.response);
    counted(probe, request);
  };
  {
    Probe probe;
    const std::string path = probe.path();
    Request request = Probe::request(Method::kGet, path);
    count(counted_live_code, probe, request);
    request.accept_encoding = "gzip";
    count(counted_live_code_gzip, probe, request);

    Request guess = Probe::request(Method::kGet, "/AAAAAAAAAA");
    guess.client = client(2);
    do probe.service->handle(guess, probe.now, probe.response);
    while (probe.response.status() == 404);
    if (probe.response.status() != 429) pairport::testing::fail("nobody has to wait");
    count(counted_live_code_while_others_wait, probe, Probe::request(Method::kGet, path));
  }
  {
    Probe probe;
    count(counted_unknown_code, probe, Probe::request(Method::kGet, "/AAAAAAAAAA"));
  }
  {
    Probe probe;
    count(counted_deposit, probe, Probe::deposit());
  }
  return 0;
}

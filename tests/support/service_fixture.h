// SPDX-License-Identifier: MIT
// A service with fixed time and fixed randomness, and verbs to talk to it.
#ifndef PAIRPORT_TESTS_SUPPORT_SERVICE_FIXTURE_H_
#define PAIRPORT_TESTS_SUPPORT_SERVICE_FIXTURE_H_

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include <pairport/service.h>

#include "support/deposits.h"
#include "support/fixed_random.h"

namespace pairport::testing {

inline constexpr std::string_view kWindowsAgent =
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682";
inline constexpr std::string_view kGoodJson =
    R"({"connect_url":"http://rport.example.com:8080","fingerprint":"2A:C4:79:04:80:BA:7C:60:05:E5:2C:49:6D:74:56:24","client_id":"client1","password":"foobaz"})";

class ServiceTest : public ::testing::Test {
 protected:
  // Without limits per address unless a test asks for them.
  static ServiceOptions unlimited() {
    ServiceOptions options;
    options.url = "https://pair.example.com";
    options.deposit_limit = {};
    options.miss_limit = {};
    return options;
  }
  ServiceTest() { open(unlimited()); }

  void open(const ServiceOptions& options) {
    response.reset();  // its fragments point into the service
    auto created = Service::create(options, random, now);
    ASSERT_TRUE(created.ok()) << created.status().message();
    service = std::move(created).value();
  }
  // The reason why there is no service with these options.
  std::string refused(const ServiceOptions& options) {
    auto created = Service::create(options, random, now);
    EXPECT_FALSE(created.ok());
    return std::string(created.status().message());
  }

  // Every verb returns the status; the answer is in `response`.
  int handle(Request request) {
    request.client = client;
    service->handle(request, now, response);
    return response.status();
  }
  static Request request_of(Method method, std::string_view target) {
    Request request;
    request.method = method;
    request.target = target;
    return request;
  }
  int ask(Method method, std::string_view target) { return handle(request_of(method, target)); }
  int ask_if_changed(Method method, std::string_view target, std::string_view etag) {
    Request request = request_of(method, target);
    request.if_none_match = etag;
    return handle(request);
  }
  int get(std::string_view target, std::string_view user_agent = "curl/7.88.1", std::string_view accept = "*/*") {
    Request request = request_of(Method::kGet, target);
    request.user_agent = user_agent;
    request.accept = accept;
    return handle(request);
  }
  int head(std::string_view target, std::string_view user_agent = "curl/7.88.1", std::string_view accept = "*/*") {
    Request request = request_of(Method::kHead, target);
    request.user_agent = user_agent;
    request.accept = accept;
    return handle(request);
  }
  static Request deposit_of(std::string_view body, std::string_view type = "application/json") {
    Request request = request_of(Method::kPost, "/");
    request.content_type = type;
    request.body = body;
    return request;
  }
  int post(std::string_view body, std::string_view type = "application/json", std::string_view accept = "*/*") {
    Request request = deposit_of(body, type);
    request.accept = accept;
    return handle(request);
  }
  // The code of a new deposit.
  std::string deposit(std::string_view json = kGoodJson) {
    EXPECT_EQ(post(json), 200) << body();
    return string_after("\"pairing_code\":\"");
  }
  // What stands in the body between `text` and the next quote.
  std::string string_after(std::string_view text) const {
    const std::string all = body();
    const std::size_t begin = all.find(text);
    if (begin == std::string::npos) return "(nothing)";
    return all.substr(begin + text.size(), all.find('"', begin + text.size()) - begin - text.size());
  }

  std::string body() const {
    std::string text;
    for (const Fragment& fragment : response.body()) text.append(fragment.data, fragment.size);
    return text;
  }
  std::string header(std::string_view name) const {
    std::string value = "(none)";
    for (const Header& header : response.headers().list()) {
      if (header.name != name) continue;
      EXPECT_EQ(value, "(none)") << name << " twice";
      value = header.value;
    }
    return value;
  }
  void wait(std::uint64_t ms) {
    now.monotonic_ms += ms;
    now.unix_seconds += static_cast<std::int64_t>(ms / 1000);
  }

  FixedRandom random;
  Now now{5'000'000, 1'790'000'000};  // 2026-09-21T14:13:20Z
  ClientKey client;
  std::unique_ptr<Service> service;
  Response response;
};

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_SERVICE_FIXTURE_H_

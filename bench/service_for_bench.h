// SPDX-License-Identifier: MIT
// A service for in-process benchmarks. Its time stands still between calls of pass_time(), and it has no rate limits.
#ifndef PAIRPORT_BENCH_SERVICE_FOR_BENCH_H_
#define PAIRPORT_BENCH_SERVICE_FOR_BENCH_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/service.h>

#include "deposit_values.h"

namespace pairport::bench {

class SequenceRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine_() >> 24);
    return true;
  }

 private:
  std::mt19937_64 engine_{20260101};
};

struct BenchService {
  static constexpr std::uint64_t kTtlMs = 10'000;

  BenchService() {
    ServiceOptions options;
    options.url = "https://pairing.example.com";
    options.deposit_limit = {};
    options.miss_limit = {};
    options.ttl_ms = kTtlMs;
    options.static_deposit = StaticDeposit{"0000000", std::string(kConnectUrl), std::string(kFingerprint), client_id(1),
                                           std::string(kPassword)};
    auto created = Service::create(options, random, now);
    if (!created.ok()) {
      (void)std::fprintf(stderr, "no service: %s\n", std::string(created.status().message()).c_str());
      std::abort();
    }
    service = std::move(created).value();
  }

  // Call it after each deposit: advances time by 10 ms, so that about a thousand deposits are alive in the long run,
  // and the cost of a deposit includes its expiry.
  void pass_time() {
    now.monotonic_ms += 10;
    service->expire(now, 16);
  }

  SequenceRandom random;
  Now now{1'000'000, 1'790'000'000};
  std::unique_ptr<Service> service;
};

inline constexpr std::string_view kCurl = "curl/7.88.1";
inline constexpr std::string_view kPowerShell =
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682";
inline constexpr std::string_view kMultipartType =
    "multipart/form-data; boundary=------------------------d74496d66958873e";
inline constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

inline std::string multipart_deposit() {
  std::string body;
  for (const auto& [name, value] : {std::pair(std::string_view("connect_url"), std::string(kConnectUrl)),
                                    {"fingerprint", std::string(kFingerprint)},
                                    {"client_id", client_id(1)},
                                    {"password", std::string(kPassword)}}) {
    body.append("--------------------------d74496d66958873e\r\nContent-Disposition: form-data; name=\"");
    body.append(name).append("\"\r\n\r\n").append(value).append("\r\n");
  }
  return body.append("--------------------------d74496d66958873e--\r\n");
}

inline std::string form_deposit() {
  std::string body = "fingerprint=" + std::string(kFingerprint) + "&client_id=" + client_id(1);
  body.append("&password=").append(kPassword).append("&connect_url=");
  for (const char byte : kConnectUrl) {
    if (byte == ':' || byte == '/') {
      body.append(byte == ':' ? "%3A" : "%2F");
    } else {
      body.push_back(byte);
    }
  }
  return body;
}

}  // namespace pairport::bench

#endif  // PAIRPORT_BENCH_SERVICE_FOR_BENCH_H_

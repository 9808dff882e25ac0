// SPDX-License-Identifier: MIT
// The deposits of the benchmarks: 150 bytes of values without the fingerprint, each with its own client id.
#ifndef PAIRPORT_BENCH_DEPOSIT_VALUES_H_
#define PAIRPORT_BENCH_DEPOSIT_VALUES_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace pairport::bench {

inline constexpr std::string_view kConnectUrl =
    "https://rport.example.com:443/path-of-a-tenant/0123456789abcdef0123456789abcdef0";
inline constexpr std::string_view kFingerprint = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24";
inline constexpr std::string_view kIdPrefix = "client-of-an-example";
inline constexpr std::size_t kIdDigits = 10;
inline constexpr std::string_view kPassword = "correct-horse-battery-staple-0123456789a";
static_assert(kConnectUrl.size() + kIdPrefix.size() + kIdDigits + kPassword.size() == 150);

inline std::string client_id(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kIdPrefix) + std::string(kIdDigits - digits.size(), '0') + digits;
}

inline std::string json_deposit(std::uint64_t number) {
  std::string json;
  json.reserve(300);
  json.append(R"({"connect_url":")").append(kConnectUrl).append(R"(","fingerprint":")").append(kFingerprint);
  json.append(R"(","client_id":")").append(client_id(number)).append(R"(","password":")").append(kPassword);
  return json.append("\"}");
}

// Appends a complete request over HTTP/1.1.
inline void append_deposit_request(std::uint64_t number, std::string& out) {
  const std::string body = json_deposit(number);
  out.append("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ");
  out.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

}  // namespace pairport::bench

#endif  // PAIRPORT_BENCH_DEPOSIT_VALUES_H_

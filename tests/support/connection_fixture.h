// SPDX-License-Identifier: MIT
// A connection to a service of its own, with fixed time and fixed randomness: the same bytes give the same answer.
#ifndef PAIRPORT_TESTS_SUPPORT_CONNECTION_FIXTURE_H_
#define PAIRPORT_TESTS_SUPPORT_CONNECTION_FIXTURE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <pairport/connection.h>
#include <pairport/service.h>

namespace pairport::testing {

class SequenceRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine_());
    return true;
  }

 private:
  std::mt19937 engine_{20260101};
};

inline constexpr std::string_view kStaticCode = "0000000";
inline constexpr std::string_view kJsonDeposit =
    R"({"connect_url":"http://rport.example.com:8080","fingerprint":"2A:C4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24","client_id":"client1","password":"foobaz"})";

inline std::string post(std::string_view body, std::string_view type = "application/json",
                        std::string_view headers = "") {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" +
         std::string(body);
}

inline std::string get(std::string_view target, std::string_view headers = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}

// Plays the owner of a Connection: feeds it, takes what it wants to send, and does what it asks for.
class Wire {
 public:
  explicit Wire(ServiceOptions options = {}, ConnectionLimits limits = {}, const TrustedProxies& proxies = {},
                const ClientAddress& peer = {}, Transport transport = Transport::kPlain,
                std::optional<std::uint64_t> hsts_seconds = {}, Store* store = nullptr) {
    if (!options.static_deposit) {
      options.static_deposit = StaticDeposit{std::string(kStaticCode), "http://rport.example.com:8080",
                                             "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24", "client1", "foobaz"};
    }
    auto created = Service::create(options, random_, now, store);
    EXPECT_TRUE(created.ok()) << created.status().message();
    service = std::move(created).value();
    context = std::make_unique<ConnectionContext>(*service, limits, proxies, nullptr, hsts_seconds);
    connection = std::make_unique<Connection>(*context, peer, now, transport);
  }

  // Feeds `bytes` in pieces of the sizes that `next_size` gives; what the connection does not want any more is dropped.
  Wire& feed(std::string_view bytes, const std::function<std::size_t()>& next_size) {
    pump();
    while (!bytes.empty() && connection->wants_input()) {
      const std::size_t size = std::min({next_size(), bytes.size(), Connection::kMaxInput});
      // A copy of exactly this size, so that a sanitizer sees every byte read beyond it, or after it is gone.
      const std::unique_ptr<char[]> piece(new char[size]);
      std::copy_n(bytes.data(), size, piece.get());
      connection->on_input({piece.get(), size}, now);
      bytes.remove_prefix(size);
      pump();
    }
    return *this;
  }
  Wire& feed(std::string_view bytes) {
    return feed(bytes, [&] { return bytes.size(); });
  }
  Wire& feed_bytewise(std::string_view bytes) {
    return feed(bytes, [] { return std::size_t{1}; });
  }
  Wire& feed_cut(std::string_view bytes, unsigned seed) {
    std::mt19937 engine(seed);
    return feed(bytes, [&] { return std::size_t{1} + engine() % 40; });
  }
  Wire& end() {
    connection->on_input_end(now);
    pump();
    return *this;
  }
  // Time passes; deadlines that it meets fire.
  Wire& wait(std::uint64_t ms) {
    now.monotonic_ms += ms;
    connection->on_deadline(now);
    pump();
    return *this;
  }

  // What the answer waits for has come.
  Wire& resume(const PendingReply& reply) {
    EXPECT_TRUE(connection->resume(connection->pending_id(), reply, now));
    pump();
    return *this;
  }

  // Takes output in pieces of `write_size`, as a socket with a small buffer would.
  void pump() {
    while (!connection->output().empty() && writable) {
      const Fragment& first = connection->output().front();
      const std::size_t count = std::min(write_size, first.size);
      output.append(first.data, count);
      const bool closes = connection->closes_after_output();
      connection->on_output(count, now);
      if (closes && connection->output().empty()) {
        EXPECT_TRUE(connection->wants_close()) << "it has told that it would";
      }
    }
    shut_down = shut_down || connection->wants_shutdown();
  }

  // The status of the first answer, 0 when there is none.
  int status() const { return output.starts_with("HTTP/1.1 ") ? std::stoi(output.substr(9, 3)) : 0; }

  Now now{1'000'000, 1'790'000'000};
  SequenceRandom random_;
  std::unique_ptr<Service> service;
  std::unique_ptr<ConnectionContext> context;
  std::unique_ptr<Connection> connection;
  std::string output;
  std::size_t write_size = static_cast<std::size_t>(-1);
  bool writable = true;
  bool shut_down = false;
};

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_CONNECTION_FIXTURE_H_

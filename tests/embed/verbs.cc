// SPDX-License-Identifier: MIT
// The verbs of a service's owner beside its connections: makes a deposit, sends its installer over a connection without
// I/O, revokes it, and sends the 404.
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <pairport/connection.h>
#include <pairport/deposit.h>
#include <pairport/secret_memory.h>
#include <pairport/service.h>

namespace {

pairport::Now now() {
  timespec since_start{};
  clock_gettime(CLOCK_BOOTTIME, &since_start);
  return {static_cast<std::uint64_t>(since_start.tv_sec) * 1000 +
              static_cast<std::uint64_t>(since_start.tv_nsec) / 1'000'000,
          time(nullptr)};
}

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

pairport::DepositInput fields() {
  pairport::DepositInput input;
  const auto set = [&](pairport::DepositField field, std::string_view value) {
    input[field] = {pairport::FieldInput::Kind::kString, value};
  };
  set(pairport::DepositField::kConnectUrl, "http://rport.example.com:8080");
  set(pairport::DepositField::kFingerprint, "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24");
  set(pairport::DepositField::kClientId, "client1");
  set(pairport::DepositField::kPassword, "foobaz");
  return input;
}

// What goes to a peer that asks for `code`.
std::string ask(pairport::Connection& connection, std::string_view code) {
  std::string sent;
  connection.on_input("GET /" + std::string(code) + " HTTP/1.1\r\nHost: pairing.example.com\r\n\r\n", now());
  while (!connection.output().empty()) {
    const pairport::Fragment fragment = connection.output().front();
    sent.append(fragment.data, fragment.size);
    connection.on_output(fragment.size, now());
  }
  return sent;
}

}  // namespace

int main() {
  pairport::KernelRandom random;
  pairport::ServiceOptions options;
  options.url = "https://pairing.example.com";
  auto created = pairport::Service::create(options, random, now());
  expect(created.ok(), "there is a service");
  pairport::Service& service = *created.value();
  pairport::ConnectionContext context(service, {});
  pairport::Connection connection(context, {}, now());

  const auto made = service.deposit(fields(), {.ttl_ms = 3'600'000}, now());
  expect(made.ok(), "there is a deposit");
  const std::string_view code = made.value().code.view();
  const pairport::StoreReply found = service.look_up(code, now());
  expect(found.code == pairport::StatusCode::kOk && found.deposit.client_id() == "client1", "it is found");
  expect(!service.status(code, now()).state.fetched, "nobody has had it");
  const std::string installer = ask(connection, code);
  expect(installer.starts_with("HTTP/1.1 200 OK\r\n") && installer.find("foobaz") != std::string::npos,
         "a peer gets its installer");
  expect(service.status(code, now()).state.fetched, "its owner sees that");
  expect(service.revoke(code, now()) == pairport::StatusCode::kOk, "it can be revoked");
  expect(ask(connection, code).starts_with("HTTP/1.1 404 "), "and then it is gone");
  std::puts("deposited, looked up, handed out, revoked");
  return 0;
}

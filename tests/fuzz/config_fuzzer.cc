// SPDX-License-Identifier: MIT
// Configuration files: never an exception, one line for each problem, never a value in it; and what is accepted is
// within the bounds that the service relies on.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <pairport/service.h>

#include "net/program/config.h"

#include "deposit_values.h"
#include "input.h"

namespace pairport::fuzz {
namespace {

// Occur in values of the corpus and the dictionary, and in nothing that a message may show. The second one is a number
// that no integer holds.
constexpr std::array<std::string_view, 2> kCanaries = {"zQ7canary", "777000777000777000777"};

// Whether `canary` always stands behind the `=` of a plain `key = value` line, where it can be nothing but a value.
bool is_value(std::string_view canary, std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t at = line.find(canary);
    if (at == std::string_view::npos) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals > at) return false;
    const std::string_view key = line.substr(0, equals);
    if (key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_ ") != std::string_view::npos) return false;
    // Keys of inline tables may be named.
    if (line.find_first_of("{=", equals + 1) != std::string_view::npos) return false;
  }
  return true;
}

void check_accepted(const Config& config) {
  const ServiceOptions& service = config.service;
  expect(config.url.empty() || is_service_url(config.url), "the URL is good");
  bool tls = false;
  for (const ListenAddress& address : config.addresses) {
    expect(Listener::check(address.address).ok(), "an address can be opened, if the machine has it");
    tls = tls || address.tls;
  }
  expect(!config.addresses.empty(), "there is an address");
  expect(tls != config.certificates.empty(), "certificates are there exactly when they are needed");
  for (const auto& [certificate, key] : config.certificates) {
    expect(certificate.starts_with('/') && key.starts_with('/'), "a certificate has its key");
  }
  expect(!config.redirect_to_https || (tls && !config.url.starts_with("http://")), "a redirect leads to HTTPS");
  expect(config.server.max_handshakes <= 1'000'000 && config.tls_threads <= 128, "there can be handshakes");
  expect(service.ttl_ms >= 1000 && service.ttl_ms % 1000 == 0 && service.ttl_ms <= 24 * 3'600'000, "so is the ttl");
  expect(service.code_length >= kMinCodeLength && service.code_length <= kMaxCodeLength, "so is the length of codes");
  expect(service.store.max_deposits >= 1 && service.store.max_bytes >= 1U << 20, "something can be stored");
  for (const RateLimit& limit : {service.deposit_limit, service.miss_limit}) {
    expect(limit.per_second >= 0 && limit.per_second <= 1e6 && limit.burst >= 0 && limit.burst <= 1e6,
           "rates are rates");
  }
  const ConnectionLimits& connection = config.server.connection;
  for (const std::uint64_t ms :
       {connection.head_timeout, connection.body_timeout, connection.idle_timeout, connection.answer_timeout,
        connection.linger_timeout, config.server.drain_timeout, config.tls_handshake_timeout}) {
    expect(is_timeout(ms), "times are a millisecond to a day");
  }
  expect(connection.min_bytes_per_second >= 1, "there is a least rate");
  expect(config.server.max_connections >= 1, "there can be connections");
  if (service.static_deposit) expect(check_static_deposit(*service.static_deposit).ok(), "the static deposit is valid");
  const InstallerOptions& installer = service.installer;
  for (const std::string& value : {installer.version, installer.unstable_version, installer.linux_url,
                                   installer.windows_url, installer.checksums_url, installer.deb_repo,
                                   installer.rpm_repo, installer.repo_keys, installer.tacoscript_url}) {
    expect(is_printable(value), "what goes into scripts is one line");
  }
  for (const auto& [file, digest] : installer.sha256) {
    expect(is_printable(file) && digest.size() == 64, "a digest has 64 digits");
  }
}

void run(Input input) {
  const Exact exact(input.rest());
  const std::string_view text = exact.view();
  const Result<Config> config = parse_config(text, "f.conf");
  if (config.ok()) return check_accepted(config.value());
  expect(config.status().code() == StatusCode::kBadConfiguration, "what is refused is a bad configuration");
  std::string_view message = config.status().message();
  for (const std::string_view canary : kCanaries) {
    expect(message.find(canary) == std::string_view::npos || !is_value(canary, text), "a message shows no value");
  }
  while (!message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(line.size() + 1, message.size()));
    expect(line.starts_with("f.conf:"), "every line of a message says which file");
    expect(is_printable(line), "a line of a message has no control characters");
  }
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

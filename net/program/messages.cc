// SPDX-License-Identifier: MIT
#include "net/program/messages.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include <spdlog/spdlog.h>

#include "net/program/certificates.h"
#include "net/program/log.h"

namespace pairport {
namespace {

// Days before expiry from which the log warns.
constexpr std::int64_t kWarnDays = 14;

}  // namespace

void log_certificates(const TlsCredentials& credentials, bool only_warnings) {
  const std::int64_t days = days_left(credentials, current_time().unix_seconds);
  const std::string& name = credentials.first_to_expire();
  if (days < 0) {
    spdlog::error("certificate {}: days_left={}: it has expired, and clients refuse it; renew it", name, days);
  } else if (days <= kWarnDays) {
    spdlog::warn("certificate {}: days_left={}: it expires soon; renew it, and the service takes over the new file",
                 name, days);
  } else if (!only_warnings) {
    spdlog::info("certificate {}: days_left={}", name, days);
  }
  if (!only_warnings && !credentials.only_rsa().empty()) {
    spdlog::warn(
        "certificate {}: its key is RSA, which Windows Server 2012 R2 and Windows 8.1 cannot use with the cipher "
        "suites of this service; for such clients add an ECDSA certificate for the same names (tls_cert and tls_key "
        "take lists)",
        credentials.only_rsa());
  }
}

void log_event(const Service& service, Event event, int detail) {
  switch (event) {
    case Event::kDepositsRefused:
      spdlog::warn(
          "deposits are refused: {} are held, in {} KiB; see [pairing] max_deposits and max_memory, and RLIMIT_MEMLOCK "
          "with [security] require_locked_memory",
          service.store().stats().deposits, service.store().stats().memory_bytes / 1024);
      break;
    case Event::kAcceptPaused:
      spdlog::warn(
          "new connections have to wait: {}; for descriptors raise RLIMIT_NOFILE (LimitNOFILE= in a systemd unit)",
          std::strerror(detail));
      break;
    case Event::kHandshakesDropped:
      spdlog::warn(
          "connections to https addresses are closed, those first that have waited longest: more handshakes wait than "
          "[limits] max_handshakes allows");
      break;
    case Event::kDepositsLimited:
      spdlog::warn(
          "{} deposits were refused (429): clients exceed [limits] deposits_per_second and deposit_burst; behind a "
          "proxy see [server] trusted_proxies",
          detail);
      break;
    case Event::kLookUpsLimited:
      spdlog::warn(
          "{} look-ups were refused (429): clients exceed [limits] misses_per_second and miss_burst, as guessing does; "
          "behind a proxy see [server] trusted_proxies",
          detail);
      break;
    case Event::kAddressesLimited:
      spdlog::warn(
          "{} connections were refused (503, with TLS an alert): clients exceed [limits] max_connections_per_address; "
          "behind a proxy see [server] trusted_proxies",
          detail);
      break;
    case Event::kConnectionsLimited:
      spdlog::warn(
          "{} connections were closed to make room, or refused: there are as many as [limits] max_connections allows",
          detail);
      break;
    case Event::kUntrustedProxy:
      spdlog::warn(
          "a peer that [server] trusted_proxies does not name sends X-Forwarded-For, which is not believed; if it is "
          "your proxy, add its address, because all clients behind it share its limits");
      break;
    case Event::kMisses:
      spdlog::info("{} look-ups of codes that do not exist, by all clients together, since the last line of this kind",
                   detail);
      break;
    case Event::kStoreFailed:
      spdlog::warn(
          "{} requests were refused (503): the store could not be asked, or did not answer within [limits] "
          "answer_timeout",
          detail);
      break;
    case Event::kMemoryFell:
      spdlog::warn("memory for credentials: from now on {}; raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit)",
                   to_string(service.store().stats().level));
      break;
  }
}

AccessLog::AccessLog(AccessFormat format, bool shorten, std::shared_ptr<LogWriter> writer)
    : format_(format),
      shorten_(shorten),
      log_(make_logger("access", std::move(writer), LogLine::kAccess,
                       format == AccessFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})"
                                                     : "%Y-%m-%dT%H:%M:%SZ access: %v")) {}

void AccessLog::on_answer(const AccessEntry& entry) noexcept {
  if (!is_logged(entry)) return;
  AccessLine line;
  log_->info(format_access(entry, format_, shorten_, line));
}

}  // namespace pairport

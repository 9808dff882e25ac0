// SPDX-License-Identifier: MIT
// Reports events of a server to its operator, at a limited rate, so that a flood of clients causes no flood of log
// lines.
#ifndef PAIRPORT_NET_EVENTS_H_
#define PAIRPORT_NET_EVENTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <pairport/connection.h>
#include <pairport/server.h>
#include <pairport/service.h>

namespace pairport {

// Calls ServerOptions::on_event for each event at most once a minute. Counts occurrences in between, and reports their
// sum. One thread at a time.
class Events {
 public:
  // REQUIRES: `service` and `context` outlive this object. `on_event` may be empty.
  Events(std::function<void(ServerEvent event, int detail)> on_event, const Service& service,
         const ConnectionContext& context);

  // Reports an event. False: the same event was reported less than a minute ago, or there is no on_event.
  bool tell(ServerEvent event, int detail, std::uint64_t now_ms) noexcept;
  // A connection was refused, because its address has reached its limit.
  void count_beyond_address() noexcept { ++beyond_address_; }
  // A connection was closed for another one, or refused, because the server has reached max_connections.
  void count_beyond_all() noexcept { ++beyond_all_; }

  // Reports the counts, of this object and of the service. Call it with every tick.
  void tell_counts(std::uint64_t now_ms) noexcept;
  // The same without the limit of a minute, before the server ends; later counts would be lost.
  void tell_last_counts(std::uint64_t now_ms) noexcept;

 private:
  void tell_count(ServerEvent event, std::uint64_t count, std::uint64_t& told, std::uint64_t now_ms) noexcept;

  const std::function<void(ServerEvent event, int detail)> on_event_;
  const Service& service_;
  const ConnectionContext& context_;
  std::array<std::uint64_t, static_cast<std::size_t>(ServerEvent::kConnectionsLimited) + 1> again_at_{};
  std::uint64_t beyond_address_ = 0;
  std::uint64_t beyond_all_ = 0;
  // The parts of the counts that have been reported.
  std::uint64_t beyond_address_told_ = 0;
  std::uint64_t beyond_all_told_ = 0;
  ServiceCounters told_;
  SecretLevel level_;
  bool untrusted_proxy_told_ = false;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_EVENTS_H_

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
#include <pairport/counters.h>
#include <pairport/server.h>
#include <pairport/service.h>

namespace pairport {

// Calls ServerOptions::on_event for each event at most once a minute. Counts occurrences in between, and reports their
// sum. One thread at a time.
class Events {
 public:
  // REQUIRES: `service`, `counters` and `context` outlive this object. `on_event` may be empty.
  Events(std::function<void(Event event, int detail)> on_event, const Service& service, const ServerCounters& counters,
         const ConnectionContext& context);

  // Reports an event. False: the same event was reported less than a minute ago, or there is no on_event.
  bool tell(Event event, int detail, std::uint64_t now_ms) noexcept;

  // Reports the counts, of the service and of the server. Call it with every tick.
  void tell_counts(std::uint64_t now_ms) noexcept;
  // The same without the limit of a minute, before the server ends; later counts would be lost.
  void tell_last_counts(std::uint64_t now_ms) noexcept;

 private:
  void tell_count(Event event, std::uint64_t count, std::uint64_t& told, std::uint64_t now_ms) noexcept;

  const std::function<void(Event event, int detail)> on_event_;
  const Service& service_;
  const ServerCounters& counters_;
  const ConnectionContext& context_;
  std::array<std::uint64_t, kEventCount> again_at_{};
  // The parts of the counts that have been reported.
  ServiceCounters told_;
  ServerCounters server_told_;
  SecretLevel level_;
  bool untrusted_proxy_told_ = false;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_EVENTS_H_

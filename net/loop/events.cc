// SPDX-License-Identifier: MIT
#include "net/loop/events.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace pairport {
namespace {

// An event is reported at most once in this time.
constexpr std::uint64_t kEventMs = 60'000;

// The counters of the service that are events, too.
constexpr std::pair<Event, std::uint64_t ServiceCounters::*> kCounted[] = {
    {Event::kDepositsLimited, &ServiceCounters::deposits_limited},
    {Event::kLookUpsLimited, &ServiceCounters::look_ups_limited},
    {Event::kMisses, &ServiceCounters::misses},
    {Event::kStoreFailed, &ServiceCounters::store_failures},
};

// The same for those of the server.
constexpr std::pair<Event, std::uint64_t ServerCounters::*> kServerCounted[] = {
    {Event::kAddressesLimited, &ServerCounters::addresses_limited},
    {Event::kConnectionsLimited, &ServerCounters::connections_limited},
};

// Without the deposits whose store could not be asked: kStoreFailed reports these.
std::uint64_t refused_for_room(const ServiceCounters& counters) noexcept {
  return counters.deposits_refused - (counters.store_failures - counters.look_ups_failed);
}

}  // namespace

Events::Events(std::function<void(Event event, int detail)> on_event, const Service& service,
               const ServerCounters& counters, const ConnectionContext& context)
    : on_event_(std::move(on_event)),
      service_(service),
      counters_(counters),
      context_(context),
      level_(service.store().stats().level) {}

bool Events::tell(Event event, int detail, std::uint64_t now_ms) noexcept {
  std::uint64_t& again_at = again_at_[static_cast<std::size_t>(event)];
  if (!on_event_ || now_ms < again_at) return false;
  again_at = now_ms + kEventMs;
  on_event_(event, detail);
  return true;
}

// `told` is the part of `count` that has been reported.
void Events::tell_count(Event event, std::uint64_t count, std::uint64_t& told, std::uint64_t now_ms) noexcept {
  const std::uint64_t more = std::min<std::uint64_t>(count - told, std::numeric_limits<int>::max());
  if (more != 0 && tell(event, static_cast<int>(more), now_ms)) told = count;
}

void Events::tell_counts(std::uint64_t now_ms) noexcept {
  if (const std::uint64_t refused = refused_for_room(service_.counters()); refused != told_.deposits_refused) {
    told_.deposits_refused = refused;
    tell(Event::kDepositsRefused, 0, now_ms);
  }
  if (service_.store().stats().level < level_) {
    level_ = service_.store().stats().level;
    tell(Event::kMemoryFell, 0, now_ms);
  }
  for (const auto& [event, counter] : kCounted) tell_count(event, service_.counters().*counter, told_.*counter, now_ms);
  for (const auto& [event, counter] : kServerCounted) {
    tell_count(event, counters_.*counter, server_told_.*counter, now_ms);
  }
  if (context_.has_seen_untrusted_proxy() && !untrusted_proxy_told_) {
    untrusted_proxy_told_ = tell(Event::kUntrustedProxy, 0, now_ms);
  }
}

void Events::tell_last_counts(std::uint64_t now_ms) noexcept {
  again_at_.fill(0);
  tell_counts(now_ms);
}

}  // namespace pairport

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
constexpr std::pair<ServerEvent, std::uint64_t ServiceCounters::*> kCounted[] = {
    {ServerEvent::kDepositsLimited, &ServiceCounters::deposits_limited},
    {ServerEvent::kLookUpsLimited, &ServiceCounters::look_ups_limited},
    {ServerEvent::kMisses, &ServiceCounters::misses},
};

}  // namespace

Events::Events(std::function<void(ServerEvent event, int detail)> on_event, const Service& service,
               const ConnectionContext& context)
    : on_event_(std::move(on_event)), service_(service), context_(context), level_(service.store().stats().level) {}

bool Events::tell(ServerEvent event, int detail, std::uint64_t now_ms) noexcept {
  std::uint64_t& again_at = again_at_[static_cast<std::size_t>(event)];
  if (!on_event_ || now_ms < again_at) return false;
  again_at = now_ms + kEventMs;
  on_event_(event, detail);
  return true;
}

// `told` is the part of `count` that has been reported.
void Events::tell_count(ServerEvent event, std::uint64_t count, std::uint64_t& told, std::uint64_t now_ms) noexcept {
  const std::uint64_t more = std::min<std::uint64_t>(count - told, std::numeric_limits<int>::max());
  if (more != 0 && tell(event, static_cast<int>(more), now_ms)) told = count;
}

void Events::tell_counts(std::uint64_t now_ms) noexcept {
  if (const std::uint64_t refused = service_.counters().deposits_refused; refused != told_.deposits_refused) {
    told_.deposits_refused = refused;
    tell(ServerEvent::kDepositsRefused, 0, now_ms);
  }
  if (service_.store().stats().level < level_) {
    level_ = service_.store().stats().level;
    tell(ServerEvent::kMemoryFell, 0, now_ms);
  }
  for (const auto& [event, counter] : kCounted) tell_count(event, service_.counters().*counter, told_.*counter, now_ms);
  tell_count(ServerEvent::kAddressesLimited, beyond_address_, beyond_address_told_, now_ms);
  tell_count(ServerEvent::kConnectionsLimited, beyond_all_, beyond_all_told_, now_ms);
  if (context_.has_seen_untrusted_proxy() && !untrusted_proxy_told_) {
    untrusted_proxy_told_ = tell(ServerEvent::kUntrustedProxy, 0, now_ms);
  }
}

void Events::tell_last_counts(std::uint64_t now_ms) noexcept {
  again_at_.fill(0);
  tell_counts(now_ms);
}

}  // namespace pairport

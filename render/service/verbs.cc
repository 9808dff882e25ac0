// SPDX-License-Identifier: MIT
// Deposit, look-up, status, revocation and extension for the owner of a service.
#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <string_view>

#include <pairport/code.h>
#include <pairport/deposit.h>

#include "core/memory/secret_block.h"
#include "render/service/service_impl.h"

namespace pairport {
namespace {

constexpr std::string_view kTtlExpected = "ttl_ms must be whole seconds, from one second to 30 days";

constexpr bool is_ttl(std::uint64_t ms) noexcept {
  return ms >= 1000 && ms <= kMaxTtlMs && ms % 1000 == 0;
}

// Never 0, which means that it is not known.
std::uint32_t seconds_of(std::uint64_t ms) noexcept {
  return static_cast<std::uint32_t>(ms < 1000 ? 1 : ms / 1000);
}

Status invalid(std::string_view text) noexcept {
  try {
    return {StatusCode::kInvalidArgument, std::string(text)};
  } catch (const std::bad_alloc&) {
    return StatusCode::kInvalidArgument;
  }
}

[[gnu::noinline]] Result<Deposited> make_deposit(Service::Impl& service, const DepositInput& fields,
                                                 const DepositTerms& terms, const Now& now) noexcept {
  if (terms.ttl_ms != 0 && !is_ttl(terms.ttl_ms)) return invalid(kTtlExpected);
  StoreOperation put{.verb = StoreOperation::Verb::kPut, .code = {}, .deposit = {}, .terms = {}};
  if (const DepositReport report = validate(fields, put.deposit); !report.ok()) {
    std::array<char, kMaxReportText> text;
    return invalid({text.data(), describe(report, text)});
  }
  const std::uint64_t ttl_ms = terms.ttl_ms == 0 ? service.ttl_ms : terms.ttl_ms;
  put.terms = {.expires_ms = now.monotonic_ms + ttl_ms,
               .max_uses = terms.max_uses,
               .made_seconds = ttl_ms == service.ttl_ms ? 0 : seconds_of(now.monotonic_ms)};
  Deposited made;
  std::uint8_t attempts = 0;
  const StoreReply answer = service.put(put, made.code, attempts, now);
  if (answer.code != StatusCode::kOk) return answer.code;
  made.expires_ms = put.terms.expires_ms;
  made.expires_unix = now.unix_seconds + static_cast<std::int64_t>(ttl_ms / 1000);
  return made;
}

}  // namespace

// Separate from make_deposit(), so that it can wipe the stack that make_deposit() has used.
Result<Deposited> Service::deposit(const DepositInput& fields, const DepositTerms& terms, const Now& now) noexcept {
  if (is_inherited()) return invalid("the service is that of a parent process");
  Result<Deposited> made = make_deposit(*impl_, fields, terms, now);
  wipe_stack();
  return made;
}

StoreReply Service::look_up(std::string_view code, const Now& now) noexcept {
  if (is_inherited()) return StatusCode::kInvalidArgument;
  if (!is_plausible_code(code)) return StatusCode::kNotFound;
  if (const StoredDeposit found = impl_->local->look_up(code, now.monotonic_ms)) return found;
  return impl_->elsewhere == nullptr ? StatusCode::kNotFound : impl_->elsewhere->find(code, now.monotonic_ms);
}

StoreReply Service::status(std::string_view code, const Now& now) noexcept {
  if (is_inherited()) return StatusCode::kInvalidArgument;
  if (!is_plausible_code(code)) return StatusCode::kNotFound;
  const StoreReply found = impl_->local->status(code, now.monotonic_ms);
  if (found.code == StatusCode::kOk || impl_->elsewhere == nullptr) return found;
  return impl_->elsewhere->status(code, now.monotonic_ms);
}

bool Service::Impl::is_static(std::string_view code, const Now& now) const noexcept {
  const StoredDeposit found = local->look_up(code, now.monotonic_ms);
  return found && found.expires_seconds() == StoredDeposit::kForever;
}

StatusCode Service::revoke(std::string_view code, const Now& now) noexcept {
  if (is_inherited()) return StatusCode::kInvalidArgument;
  if (!is_plausible_code(code) || impl_->is_static(code, now)) return StatusCode::kNotFound;
  const StatusCode done = impl_->store.revoke(code, now.monotonic_ms).code;
  if (done == StatusCode::kOk) ++impl_->counters.deposits_revoked;
  return done;
}

StatusCode Service::extend(std::string_view code, std::uint64_t ttl_ms, const Now& now) noexcept {
  if (is_inherited() || !is_ttl(ttl_ms)) return StatusCode::kInvalidArgument;
  if (!is_plausible_code(code) || impl_->is_static(code, now)) return StatusCode::kNotFound;
  // When it was made can be told from its end only until that moves.
  const StoreReply before = impl_->store.status(code, now.monotonic_ms);
  if (before.code != StatusCode::kOk) return before.code;
  const std::uint64_t made_ms = before.state.tail.made_seconds != 0
                                    ? std::uint64_t{before.state.tail.made_seconds} * 1000
                                    : before.state.expires_ms - std::min(before.state.expires_ms, impl_->ttl_ms);
  const std::uint64_t life_ms = now.monotonic_ms + ttl_ms - std::min(made_ms, now.monotonic_ms);
  if (code.size() < shortest_code_for(life_ms)) return StatusCode::kInvalidArgument;
  return impl_->store
      .extend(code, {.expires_ms = now.monotonic_ms + ttl_ms, .max_uses = 0, .made_seconds = seconds_of(made_ms)},
              now.monotonic_ms)
      .code;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// The verbs without HTTP of the C interface. Invariants: see c_service.cc.
#include <pairport/pairport_deposits.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include <pairport/deposit.h>
#include <pairport/secret_memory.h>
#include <pairport/service.h>
#include <pairport/store.h>

#include "core/deposit/deposit_fields.h"
#include "render/c/handles.h"
#include "render/c/interop.h"
#include "render/c/pending.h"

namespace pairport {
namespace {

constexpr std::size_t kFirstNewDeposit = PAIRPORT_SIZE_UP_TO(pairport_new_deposit, max_uses);
constexpr std::size_t kFirstDeposited = PAIRPORT_SIZE_UP_TO(pairport_deposited, expires_unix);
constexpr std::size_t kFirstCredentials = PAIRPORT_SIZE_UP_TO(pairport_credentials, expires_ms);
constexpr std::size_t kFirstState = PAIRPORT_SIZE_UP_TO(pairport_deposit_state, last_use_seconds);

// The members for the fields of a deposit, in the order of DepositField.
constexpr std::array kNewDepositFields = {
#define PAIRPORT_FIELD(field, name, limit, required) &pairport_new_deposit::name,
    PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_FIELD, PAIRPORT_FIELD)
#undef PAIRPORT_FIELD
};

Now time_of(const pairport_now& now) noexcept {
  return {now.monotonic_ms, now.unix_seconds};
}

bool may_ask(const pairport_service* service, const pairport_string& code, const pairport_now* now) noexcept {
  return is_usable(service) && now != nullptr && is_string(code);
}

}  // namespace
}  // namespace pairport

using namespace pairport;  // NOLINT: the functions below belong to C, everything that they call is ours

extern "C" {

int pairport_deposit(pairport_service* service, const pairport_new_deposit* deposit, const pairport_now* now,
                     pairport_deposited* made, char* message, size_t message_size) noexcept {
  const auto fail = [&](const Status& status) {
    copy_text(status.message(), message, message_size);
    return static_cast<int>(status.code());
  };
  pairport_new_deposit known{};
  if (!is_usable(service) || now == nullptr || made == nullptr || made->size < kFirstDeposited ||
      !read_sized(deposit, kFirstNewDeposit, known)) {
    return fail(StatusCode::kInvalidArgument);
  }
  DepositInput fields;
  for (const DepositFieldRow& row : kDepositFields) {
    const pairport_string& value = known.*kNewDepositFields[static_cast<std::size_t>(row.field)];
    if (!is_string(value)) return fail(StatusCode::kInvalidArgument);
    fields[row.field] = given_field(row, view(value));
  }
  const auto done =
      service->service->deposit(fields, {.ttl_ms = known.ttl_ms, .max_uses = known.max_uses}, time_of(*now));
  if (!done.ok()) return fail(done.status());
  pairport_deposited result{};
  copy_text(done.value().code.view(), result.code, sizeof(result.code));
  result.expires_ms = done.value().expires_ms;
  result.expires_unix = done.value().expires_unix;
  write_sized(result, made);
  wipe(&result, sizeof(result));  // the code
  copy_text("", message, message_size);
  return PAIRPORT_OK;
}

int pairport_look_up(pairport_service* service, pairport_string code, const pairport_now* now,
                     pairport_credentials* found) noexcept {
  if (!may_ask(service, code, now) || found == nullptr || found->size < kFirstCredentials) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  const StoreReply answer = service->service->look_up(view(code), time_of(*now));
  if (answer.code != StatusCode::kOk) return static_cast<int>(answer.code);
  pairport_credentials known{};
  set_values(answer.deposit.view(), known);
  const std::uint32_t seconds = answer.deposit.expires_seconds();
  known.expires_ms = seconds == StoredDeposit::kForever ? Store::kNever : std::uint64_t{seconds} * 1000;
  write_sized(known, found);
  return PAIRPORT_OK;
}

int pairport_deposit_status(pairport_service* service, pairport_string code, const pairport_now* now,
                            pairport_deposit_state* state) noexcept {
  if (!may_ask(service, code, now) || state == nullptr || state->size < kFirstState) return PAIRPORT_INVALID_ARGUMENT;
  const StoreReply answer = service->service->status(view(code), time_of(*now));
  if (answer.code != StatusCode::kOk) return static_cast<int>(answer.code);
  pairport_deposit_state known{};
  known.expires_ms = answer.state.expires_ms;
  known.fetched = answer.state.fetched ? 1 : 0;
  known.max_uses = answer.state.tail.max_uses;
  known.uses = answer.state.tail.uses;
  known.first_use_seconds = answer.state.tail.first_use_seconds;
  known.last_use_seconds = answer.state.tail.last_use_seconds;
  write_sized(known, state);
  return PAIRPORT_OK;
}

int pairport_revoke(pairport_service* service, pairport_string code, const pairport_now* now) noexcept {
  if (!may_ask(service, code, now)) return PAIRPORT_INVALID_ARGUMENT;
  return static_cast<int>(service->service->revoke(view(code), time_of(*now)));
}

int pairport_extend(pairport_service* service, pairport_string code, uint64_t ttl_ms,
                    const pairport_now* now) noexcept {
  if (!may_ask(service, code, now)) return PAIRPORT_INVALID_ARGUMENT;
  return static_cast<int>(service->service->extend(view(code), ttl_ms, time_of(*now)));
}

}  // extern "C"

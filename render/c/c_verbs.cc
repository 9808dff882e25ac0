// SPDX-License-Identifier: MIT
// Answers that come later, and the verbs without HTTP, of the C interface. Invariants: see c_service.cc.
#include <pairport/pairport.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include <pairport/deposit.h>
#include <pairport/http.h>
#include <pairport/secret_memory.h>
#include <pairport/service.h>
#include <pairport/store.h>

#include "render/c/handles.h"
#include "render/c/interop.h"

namespace pairport {
namespace {

static_assert(PAIRPORT_PENDING_NOTHING == static_cast<int>(Pending::Kind::kNothing));
static_assert(PAIRPORT_PENDING_FILE == static_cast<int>(Pending::Kind::kFile));
static_assert(PAIRPORT_PENDING_STORE == static_cast<int>(Pending::Kind::kStore));
static_assert(PAIRPORT_STORE_PUT == static_cast<int>(StoreOperation::Verb::kPut));
static_assert(PAIRPORT_STORE_FIND == static_cast<int>(StoreOperation::Verb::kFind));
static_assert(PAIRPORT_STORE_USE == static_cast<int>(StoreOperation::Verb::kUse));
static_assert(PAIRPORT_STORE_STATUS == static_cast<int>(StoreOperation::Verb::kStatus));
static_assert(PAIRPORT_STORE_REVOKE == static_cast<int>(StoreOperation::Verb::kRevoke));
static_assert(PAIRPORT_STORE_EXTEND == static_cast<int>(StoreOperation::Verb::kExtend));
static_assert(PAIRPORT_MAX_CODE == kMaxCodeLength);
static_assert(PAIRPORT_MAX_CONNECT_URL == kMaxConnectUrl);
static_assert(PAIRPORT_MAX_CLIENT_ID == kMaxClientId);
static_assert(PAIRPORT_MAX_PASSWORD == kMaxPassword);

constexpr std::size_t kFirstPending = PAIRPORT_SIZE_UP_TO(pairport_pending, max_uses);
constexpr std::size_t kFirstReply = PAIRPORT_SIZE_UP_TO(pairport_reply, expires_ms);
constexpr std::size_t kFirstNewDeposit = PAIRPORT_SIZE_UP_TO(pairport_new_deposit, max_uses);
constexpr std::size_t kFirstDeposited = PAIRPORT_SIZE_UP_TO(pairport_deposited, expires_unix);
constexpr std::size_t kFirstCredentials = PAIRPORT_SIZE_UP_TO(pairport_credentials, expires_ms);
constexpr std::size_t kFirstState = PAIRPORT_SIZE_UP_TO(pairport_deposit_state, last_use_seconds);

Now time_of(const pairport_now& now) noexcept {
  return {now.monotonic_ms, now.unix_seconds};
}

// Of pairport_pending, pairport_reply and pairport_credentials, which have the same members.
template <typename C>
void set_values(const DepositView& deposit, C& out) noexcept {
  out.connect_url = string_of(deposit.connect_url);
  out.client_id = string_of(deposit.client_id);
  out.password = string_of(deposit.password);
  std::memcpy(out.fingerprint, deposit.fingerprint.bytes.data(), sizeof(out.fingerprint));
}

// The deposit of a reply, in the form in which stores have it.
class PackedDeposit {
 public:
  explicit PackedDeposit(const pairport_reply& reply) noexcept {
    if (!is_string(reply.connect_url) || !is_string(reply.client_id) || !is_string(reply.password)) return;
    DepositView deposit{view(reply.connect_url), {}, view(reply.client_id), view(reply.password)};
    std::memcpy(deposit.fingerprint.bytes.data(), reply.fingerprint, sizeof(reply.fingerprint));
    if (!is_valid(deposit)) return;
    StoredDeposit::write(deposit, bytes_.data());
    const std::uint64_t seconds = reply.expires_ms == Store::kNever ? StoredDeposit::kForever : reply.expires_ms / 1000;
    stored_ = StoredDeposit(bytes_.data(), StoredDeposit::Sizes(deposit),
                            static_cast<std::uint32_t>(std::min<std::uint64_t>(seconds, StoredDeposit::kForever)));
  }
  ~PackedDeposit() { wipe(bytes_.data(), bytes_.size()); }
  PackedDeposit(const PackedDeposit&) = delete;
  PackedDeposit& operator=(const PackedDeposit&) = delete;

  // Of none when the reply holds what no deposit can be.
  const StoredDeposit& stored() const noexcept { return stored_; }

 private:
  std::array<char, StoredDeposit::kMost> bytes_;
  StoredDeposit stored_;
};

PendingReply reply_of(const pairport_reply& reply, const PackedDeposit& deposit, const Pending& pending) noexcept {
  if (pending.kind == Pending::Kind::kFile) {
    if (reply.result == PAIRPORT_OK && reply.file != nullptr) return FileInfo{reply.file->size, reply.file->modified};
    const bool is_missing = reply.result == PAIRPORT_OK || reply.result == PAIRPORT_NOT_FOUND;
    return is_missing ? PendingReply::no_file() : PendingReply::unavailable();
  }
  if (reply.result != PAIRPORT_OK || pending.operation.verb == StoreOperation::Verb::kPut) {
    return StoreReply(static_cast<StatusCode>(reply.result));
  }
  return deposit.stored() ? PendingReply(StoreReply(deposit.stored())) : PendingReply::unavailable();
}

bool may_ask(const pairport_service* service, const pairport_string& code, const pairport_now* now) noexcept {
  return is_usable(service) && now != nullptr && is_string(code);
}

}  // namespace
}  // namespace pairport

using namespace pairport;  // NOLINT: the functions below belong to C, everything that they call is ours

extern "C" {

int pairport_response_pending(const pairport_response* response, pairport_pending* pending) noexcept {
  const Response* const answer = object_of(response);
  if (answer == nullptr || pending == nullptr || pending->size < kFirstPending) return PAIRPORT_INVALID_ARGUMENT;
  const Pending& waiting = answer->pending();
  pairport_pending known{};
  known.kind = static_cast<int>(waiting.kind);
  known.is_head = waiting.is_head ? 1 : 0;
  known.file = string_of(waiting.file_name);
  known.verb = static_cast<int>(waiting.operation.verb);
  known.code = string_of(waiting.operation.code);
  set_values(waiting.operation.deposit, known);
  known.expires_ms = waiting.operation.terms.expires_ms;
  known.max_uses = waiting.operation.terms.max_uses;
  write_sized(known, pending);
  return PAIRPORT_OK;
}

int pairport_resume(pairport_service* service, const pairport_reply* reply, const pairport_now* now,
                    pairport_response* response) noexcept {
  Response* const answer = object_of(response);
  pairport_reply known{};
  if (service == nullptr || now == nullptr || answer == nullptr || response->owner != service ||
      !answer->is_pending() || !read_sized(reply, kFirstReply, known)) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  const PackedDeposit deposit(known);
  service->service->resume(reply_of(known, deposit, answer->pending()), time_of(*now), *answer);
  return PAIRPORT_OK;
}

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
  for (const auto& [field, value] :
       {std::pair(DepositField::kConnectUrl, known.connect_url),
        std::pair(DepositField::kFingerprint, known.fingerprint), std::pair(DepositField::kClientId, known.client_id),
        std::pair(DepositField::kPassword, known.password)}) {
    if (!is_string(value)) return fail(StatusCode::kInvalidArgument);
    fields[field] = {FieldInput::Kind::kString, view(value)};
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

// SPDX-License-Identifier: MIT
// Answers that come later, of the C interface. Invariants: see c_service.cc.
#include "render/c/pending.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <pairport/secret_memory.h>
#include <pairport/service.h>

#include "render/c/handles.h"

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
// The limits of the texts in C, each with its name.
struct TextLimits {
#define PAIRPORT_MEMBER(name, limit) std::size_t name = limit;
  PAIRPORT_DEPOSIT_TEXTS(PAIRPORT_MEMBER)
#undef PAIRPORT_MEMBER
};
#define PAIRPORT_TEXT(field, name, limit, required) static_assert(TextLimits().name == (limit));
PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_TEXT, PAIRPORT_NO_FIELD)
#undef PAIRPORT_TEXT

constexpr std::size_t kFirstPending = PAIRPORT_SIZE_UP_TO(pairport_pending, max_uses);
constexpr std::size_t kFirstReply = PAIRPORT_SIZE_UP_TO(pairport_reply, expires_ms);

}  // namespace

bool write_pending(const Pending& pending, pairport_pending* out) noexcept {
  if (out == nullptr || out->size < kFirstPending) return false;
  pairport_pending known{};
  known.kind = static_cast<int>(pending.kind);
  known.is_head = pending.is_head ? 1 : 0;
  known.file = string_of(pending.file_name);
  known.verb = static_cast<int>(pending.operation.verb);
  known.code = string_of(pending.operation.code);
  set_values(pending.operation.deposit, known);
  known.expires_ms = pending.operation.terms.expires_ms;
  known.max_uses = pending.operation.terms.max_uses;
  write_sized(known, out);
  return true;
}

ReceivedReply::~ReceivedReply() {
  if (stored_) wipe(bytes_.data(), bytes_.size());
}

bool ReceivedReply::read(const pairport_reply* reply) noexcept {
  if (!read_sized(reply, kFirstReply, known_)) return false;
  if (known_.result == PAIRPORT_OK) pack();
  return true;
}

// The values in the form in which stores have them.
void ReceivedReply::pack() noexcept {
  DepositView deposit;
#define PAIRPORT_TEXT(field, name, limit, required) \
  if (!is_string(known_.name)) return;              \
  deposit.name = view(known_.name);
#define PAIRPORT_FINGERPRINT(field, name, limit, required) \
  std::memcpy(deposit.name.bytes.data(), known_.name, sizeof(known_.name));
  PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_TEXT, PAIRPORT_FINGERPRINT)
#undef PAIRPORT_TEXT
#undef PAIRPORT_FINGERPRINT
  if (!is_valid(deposit)) return;
  StoredDeposit::write(deposit, bytes_.data());
  const std::uint64_t seconds = known_.expires_ms == Store::kNever ? StoredDeposit::kForever : known_.expires_ms / 1000;
  stored_ = StoredDeposit(bytes_.data(), StoredDeposit::Sizes(deposit),
                          static_cast<std::uint32_t>(std::min<std::uint64_t>(seconds, StoredDeposit::kForever)));
}

StoreReply ReceivedReply::of_store() const noexcept {
  if (known_.result == PAIRPORT_OK && stored_) return stored_;
  return static_cast<StatusCode>(known_.result);
}

PendingReply ReceivedReply::meaning_for(const Pending& pending) const noexcept {
  if (pending.kind == Pending::Kind::kFile) {
    if (known_.result == PAIRPORT_OK && known_.file != nullptr) {
      return FileInfo{known_.file->size, known_.file->modified};
    }
    const bool is_missing = known_.result == PAIRPORT_OK || known_.result == PAIRPORT_NOT_FOUND;
    return is_missing ? PendingReply::no_file() : PendingReply::unavailable();
  }
  return of_store();
}

}  // namespace pairport

using namespace pairport;  // NOLINT: the functions below belong to C, everything that they call is ours

extern "C" {

int pairport_response_pending(const pairport_response* response, pairport_pending* pending) noexcept {
  const Response* const answer = object_of(response);
  return answer != nullptr && write_pending(answer->pending(), pending) ? PAIRPORT_OK : PAIRPORT_INVALID_ARGUMENT;
}

int pairport_resume(pairport_service* service, const pairport_reply* reply, const pairport_now* now,
                    pairport_response* response) noexcept {
  Response* const answer = object_of(response);
  ReceivedReply received;
  if (service == nullptr || now == nullptr || answer == nullptr || response->owner != service ||
      !answer->is_pending() || !received.read(reply)) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  service->service->resume(received.meaning_for(answer->pending()), {now->monotonic_ms, now->unix_seconds}, *answer);
  return PAIRPORT_OK;
}

}  // extern "C"

// SPDX-License-Identifier: MIT
// Conversions of what a response waits for, and of what came of it, for the C interface of both levels that have it.
#ifndef PAIRPORT_RENDER_C_PENDING_H_
#define PAIRPORT_RENDER_C_PENDING_H_

#include <array>
#include <cstring>

#include <pairport/deposit.h>
#include <pairport/export.h>
#include <pairport/http.h>
#include <pairport/pairport_deposits.h>
#include <pairport/store.h>

#include "render/c/interop.h"

namespace pairport {

// Of pairport_pending and pairport_credentials, which have the same members.
template <typename C>
void set_values(const DepositView& deposit, C& out) noexcept {
#define PAIRPORT_TEXT(field, name, limit, required) out.name = string_of(deposit.name);
#define PAIRPORT_FINGERPRINT(field, name, limit, required) \
  std::memcpy(out.name, deposit.name.bytes.data(), sizeof(out.name));
  PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_TEXT, PAIRPORT_FINGERPRINT)
#undef PAIRPORT_TEXT
#undef PAIRPORT_FINGERPRINT
}

// Fills *out, whose size its user has set. False, and nothing is written: null, or a size that no version has had.
PAIRPORT_EXPORT bool write_pending(const Pending& pending, pairport_pending* out) noexcept;

// What a reply in C says. Holds a copy of its deposit, and wipes it at its end.
class PAIRPORT_EXPORT ReceivedReply {
 public:
  ReceivedReply() noexcept = default;
  ~ReceivedReply();
  ReceivedReply(const ReceivedReply&) = delete;
  ReceivedReply& operator=(const ReceivedReply&) = delete;

  // False: null, or a size that no version has had.
  bool read(const pairport_reply* reply) noexcept;
  // The reply of a store. Valid as long as this object. REQUIRES: read() was true
  StoreReply of_store() const noexcept;
  // What it means for `pending`. Valid as long as this object. REQUIRES: read() was true
  PendingReply meaning_for(const Pending& pending) const noexcept;

 private:
  PAIRPORT_LOCAL void pack() noexcept;

  pairport_reply known_{};
  StoredDeposit stored_;  // of none when the reply holds what no deposit can be
  std::array<char, StoredDeposit::kMost> bytes_;
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_C_PENDING_H_

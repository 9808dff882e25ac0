// SPDX-License-Identifier: MIT
#include <pairport/store.h>

namespace pairport {

Store::~Store() = default;

double Store::weight(std::string_view /*code*/, const DepositView& /*deposit*/) const noexcept {
  return 1;
}

StoreReply Store::carry_out(const StoreOperation& operation, std::uint64_t now_ms) noexcept {
  const std::string_view code = operation.code;
  switch (operation.verb) {
    case StoreOperation::Verb::kPut:
      return put(code, operation.deposit, operation.terms, now_ms);
    case StoreOperation::Verb::kFind:
      return find(code, now_ms);
    case StoreOperation::Verb::kUse:
      return use(code, now_ms);
    case StoreOperation::Verb::kStatus:
      return status(code, now_ms);
    case StoreOperation::Verb::kRevoke:
      return revoke(code, now_ms);
    case StoreOperation::Verb::kExtend:
      return extend(code, operation.terms, now_ms);
  }
  return StatusCode::kInvalidArgument;
}

StoreReply ElsewhereStore::put(std::string_view, const DepositView&, const StoreTerms&, std::uint64_t) noexcept {
  return StatusCode::kLater;
}
StoreReply ElsewhereStore::find(std::string_view, std::uint64_t) noexcept {
  return StatusCode::kLater;
}
StoreReply ElsewhereStore::use(std::string_view, std::uint64_t) noexcept {
  return StatusCode::kLater;
}
StoreReply ElsewhereStore::status(std::string_view, std::uint64_t) noexcept {
  return StatusCode::kLater;
}
StoreReply ElsewhereStore::revoke(std::string_view, std::uint64_t) noexcept {
  return StatusCode::kLater;
}
StoreReply ElsewhereStore::extend(std::string_view, const StoreTerms&, std::uint64_t) noexcept {
  return StatusCode::kLater;
}
bool ElsewhereStore::expire(std::uint64_t, std::size_t) noexcept {
  return true;
}
StoreStats ElsewhereStore::stats() const noexcept {
  return {};
}

}  // namespace pairport

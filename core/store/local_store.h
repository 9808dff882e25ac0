// SPDX-License-Identifier: MIT
// The store in the memory of one process.
#ifndef PAIRPORT_CORE_LOCAL_STORE_H_
#define PAIRPORT_CORE_LOCAL_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <pairport/store.h>

namespace pairport {

// Answers every verb at once. A hash table finds deposits, a timer wheel expires them, and their records lie in secret
// memory. Live deposits are never evicted.
class PAIRPORT_EXPORT LocalStore final : public Store {
 public:
  using Options = StoreOptions;

  // Maps the first piece of memory. kOutOfMemory; kMemoryNotLocked when `minimum_level` cannot be had.
  static Result<std::unique_ptr<LocalStore>> create(const Options& options, std::uint64_t now_ms) noexcept;
  // Wipes every deposit.
  ~LocalStore() override;

  // Copies `deposit` in, to be found by `code` until its end.
  // On failure nothing has changed: kAlreadyExists, also when the deposit with that code is expired but not yet
  // reclaimed; kStoreFull at a bound; kOutOfMemory, or kMemoryNotLocked when `minimum_level` cannot be had. REQUIRES:
  // is_plausible_code(code); `deposit` came out of validate().
  Status insert(std::string_view code, const DepositView& deposit, const StoreTerms& terms) noexcept;
  Status insert(std::string_view code, const DepositView& deposit, std::uint64_t expires_ms) noexcept {
    return insert(code, deposit, StoreTerms{.expires_ms = expires_ms});
  }

  // The live deposit with that code. An expired one is not found, reclaimed or not. Never allocates. REQUIRES, here and
  // in the next two: `code` is letters and digits, of any number.
  StoredDeposit look_up(std::string_view code, std::uint64_t now_ms) const noexcept;
  // The same, and counts a use; none when its uses are used up.
  StoredDeposit look_up_and_count(std::string_view code, std::uint64_t now_ms) noexcept;
  // Wipes and removes the deposit of `code`, live or not; false when there is none.
  bool erase(std::string_view code) noexcept;

  StoreReply put(std::string_view code, const DepositView& deposit, const StoreTerms& terms,
                 std::uint64_t now_ms) noexcept override;
  StoreReply find(std::string_view code, std::uint64_t now_ms) noexcept override;
  StoreReply use(std::string_view code, std::uint64_t now_ms) noexcept override;
  StoreReply status(std::string_view code, std::uint64_t now_ms) noexcept override;
  StoreReply revoke(std::string_view code, std::uint64_t now_ms) noexcept override;
  StoreReply extend(std::string_view code, const StoreTerms& terms, std::uint64_t now_ms) noexcept override;
  bool expire(std::uint64_t now_ms, std::size_t max_work) noexcept override;
  StoreStats stats() const noexcept override;
  double weight(std::string_view code, const DepositView& deposit) const noexcept override;

  // Members of stats() that are cheap to ask for one by one.
  std::size_t size() const noexcept;
  std::size_t expiring() const noexcept;
  std::size_t memory_bytes() const noexcept;
  SecretLevel level() const noexcept;

 private:
  struct PAIRPORT_LOCAL Impl;
  explicit LocalStore(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pairport

#endif  // PAIRPORT_CORE_LOCAL_STORE_H_

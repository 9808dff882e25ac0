// SPDX-License-Identifier: MIT
// The store of deposits: in memory only, found by their code, limited in number and bytes, each until it expires.
#ifndef PAIRPORT_STORE_H_
#define PAIRPORT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>

#include <pairport/deposit.h>
#include <pairport/export.h>
#include <pairport/secret_memory.h>
#include <pairport/status.h>

namespace pairport {

// A view of a deposit in the store, or of none. Pass it by value; an accessor reads its value from memory only when it
// is called. Owns nothing, and is valid until the next non-const call of the store.
class StoredDeposit {
 public:
  // The sizes of the three texts, packed into one word that a look-up copies as it is. The store knows a deposit's
  // fields only through Sizes, write() and the accessors below.
  class Sizes {
   public:
    Sizes() = default;
    explicit Sizes(const DepositView& deposit) noexcept
        : word_(static_cast<std::uint32_t>(deposit.connect_url.size() | deposit.client_id.size() << kUrlBits |
                                           deposit.password.size() << (kUrlBits + kIdBits))) {}
    // Bytes of all values, the fingerprint included.
    std::size_t total() const noexcept { return sizeof(Fingerprint) + url() + id() + password(); }
    std::size_t url() const noexcept { return word_ % (1U << kUrlBits); }
    std::size_t id() const noexcept { return word_ >> kUrlBits & ((1U << kIdBits) - 1); }
    std::size_t password() const noexcept { return word_ >> (kUrlBits + kIdBits); }

   private:
    static constexpr unsigned kUrlBits = 12;
    static constexpr unsigned kIdBits = 9;
    static_assert(kMaxConnectUrl >> kUrlBits == 0 && kMaxClientId >> kIdBits == 0 &&
                  kMaxPassword >> (32 - kUrlBits - kIdBits) == 0);
    std::uint32_t word_ = 0;
  };

  // The expires_seconds() of a deposit that never expires.
  static constexpr std::uint32_t kForever = std::numeric_limits<std::uint32_t>::max();

  // The most and the fewest bytes that the values of a deposit take.
  static constexpr std::size_t kMost = sizeof(Fingerprint) + kMaxConnectUrl + kMaxClientId + kMaxPassword;
  static constexpr std::size_t kLeast = sizeof(Fingerprint) + 3;
  // Writes the values to `out`, in the form that a StoredDeposit reads; `out` has room for Sizes(deposit).total()
  // bytes.
  static void write(const DepositView& deposit, char* out) noexcept {
    std::memcpy(out, deposit.fingerprint.bytes.data(), sizeof(Fingerprint));
    out += sizeof(Fingerprint);
    for (const std::string_view text : {deposit.connect_url, deposit.client_id, deposit.password}) {
      out += text.copy(out, text.size());
    }
  }

  StoredDeposit() = default;
  StoredDeposit(const char* values, Sizes sizes, std::uint32_t expires_seconds) noexcept
      : values_(values), sizes_(sizes), expires_seconds_(expires_seconds) {}

  explicit operator bool() const noexcept { return values_ != nullptr; }
  // REQUIRES for all functions below: there is a deposit.
  Fingerprint fingerprint() const noexcept {
    Fingerprint copy;
    std::memcpy(copy.bytes.data(), values_, copy.bytes.size());
    return copy;
  }
  std::string_view connect_url() const noexcept { return {values_ + sizeof(Fingerprint), sizes_.url()}; }
  std::string_view client_id() const noexcept { return {values_ + sizeof(Fingerprint) + sizes_.url(), sizes_.id()}; }
  std::string_view password() const noexcept {
    return {values_ + sizeof(Fingerprint) + sizes_.url() + sizes_.id(), sizes_.password()};
  }
  // When it expires, in whole seconds of the store's clock, rounded down; kForever when it never does, or in 136 years.
  std::uint32_t expires_seconds() const noexcept { return expires_seconds_; }
  DepositView view() const noexcept { return {connect_url(), fingerprint(), client_id(), password()}; }

 private:
  const char* values_ = nullptr;  // fingerprint, connect URL, client id and password without gaps
  Sizes sizes_;
  std::uint32_t expires_seconds_ = 0;
};

// All times are milliseconds of one clock of the caller, which must never go back. One thread at a time.
class PAIRPORT_EXPORT Store {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  struct Options {
    std::size_t max_deposits = 1'000'000;
    // Limit on the memory for records and hash table together, in bytes.
    std::size_t max_bytes = std::size_t{512} * 1024 * 1024;
    // The store refuses deposits rather than keep them in memory with less protection.
    SecretLevel minimum_level = SecretLevel::kPlain;
    // Secret and different in each process: keeps an attacker from choosing codes that collide in the table.
    std::uint64_t hash_seed = 0;
  };

  // Maps the first piece of memory. Errors: kOutOfMemory; kMemoryNotLocked when the kernel does not give
  // `minimum_level`.
  static Result<std::unique_ptr<Store>> create(const Options& options, std::uint64_t now_ms) noexcept;
  // Wipes every deposit.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Copies `deposit` into the store; find() finds it by `code` until `expires_ms` (kNever: always). Live deposits are
  // never evicted. On failure nothing has changed: kAlreadyExists, also when the deposit with that code is expired but
  // not yet reclaimed; kStoreFull at a limit; kOutOfMemory; kMemoryNotLocked when the kernel does not give
  // `minimum_level`. REQUIRES: is_plausible_code(code); `deposit` came out of validate().
  Status insert(std::string_view code, const DepositView& deposit, std::uint64_t expires_ms) noexcept;

  // The live deposit with that code. An expired one is never found, reclaimed or not. Never allocates. REQUIRES, here
  // and in erase(): `code` holds only letters and digits; its length does not matter.
  StoredDeposit find(std::string_view code, std::uint64_t now_ms) const noexcept;

  // Wipes and removes the deposit of `code`, to replace or revoke it; false when there is none.
  bool erase(std::string_view code) noexcept;

  // Wipes and removes expired deposits, at most about `max_work` of them (each takes well below a microsecond). When
  // none is expired, returns one piece of unused memory to the kernel. True when neither work is left; else call again
  // soon.
  bool expire(std::uint64_t now_ms, std::size_t max_work) noexcept;

  // Deposits held, including expired ones that expire() has not reached.
  std::size_t size() const noexcept;
  // Deposits of size() that will expire.
  std::size_t expiring() const noexcept;
  // Bytes of memory for records and hash table.
  std::size_t memory_bytes() const noexcept;
  // Whether more than half of max_deposits or of max_bytes is in use.
  bool more_than_half_full() const noexcept;
  // The room that `deposit` takes, as a number of deposits out of max_deposits. More than 1 when its bytes exceed an
  // equal share of max_bytes.
  double weight(std::string_view code, const DepositView& deposit) const noexcept;
  // The weakest protection that the memory of any record has had.
  SecretLevel level() const noexcept;

 private:
  struct PAIRPORT_LOCAL Impl;
  explicit Store(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pairport

#endif  // PAIRPORT_STORE_H_

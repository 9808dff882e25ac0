// SPDX-License-Identifier: MIT
// The interface of a store of deposits: found by their code, limited in number and bytes, each kept until it expires.
#ifndef PAIRPORT_STORE_H_
#define PAIRPORT_STORE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include <pairport/deposit.h>
#include <pairport/export.h>
#include <pairport/secret_memory.h>
#include <pairport/status.h>

namespace pairport {

// A view of a deposit in the store, or of none. Pass it by value; an accessor reads its value from memory only when it
// is called. Owns nothing, and is valid until the next non-const call of the store.
class StoredDeposit {
  using AllTexts = std::make_index_sequence<kDepositTexts.size()>;

 public:
  // The sizes of the texts, in the order of kDepositTexts, packed into words that a look-up copies as they are. Three
  // texts fit one word. The store knows a deposit's fields only through Sizes, write() and the accessors below.
  class Sizes {
   public:
    Sizes() = default;
    explicit Sizes(const DepositView& deposit) noexcept { pack(deposit, AllTexts()); }
    // Bytes of all values, the fingerprint included.
    std::size_t total() const noexcept { return before<kDepositTexts.size()>(); }
    // Bytes of the text number `kText`, and of all values before it.
    template <std::size_t kText>
    std::size_t of() const noexcept {
      constexpr Place kPlace = kPlaces[kText];
      return words_[kPlace.word] >> kPlace.shift & kPlace.mask;
    }
    template <std::size_t kText>
    std::size_t before() const noexcept {
      return sum(std::make_index_sequence<kText>());
    }

   private:
    static constexpr unsigned kWordBits = 32;
    // The bits of a size.
    struct Place {
      std::size_t word;
      unsigned shift;
      std::uint32_t mask;
    };
    static constexpr std::array<Place, kDepositTexts.size()> kPlaces = [] {
      std::array<Place, kDepositTexts.size()> places{};
      Place next{};
      for (std::size_t i = 0; i < places.size(); ++i) {
        const auto bits = static_cast<unsigned>(std::bit_width(kDepositTexts[i].limit));
        if (next.shift + bits > kWordBits) next = {next.word + 1, 0, 0};
        places[i] = {next.word, next.shift, (std::uint32_t{1} << bits) - 1};
        next.shift += bits;
      }
      return places;
    }();

    template <std::size_t... kTexts>
    std::size_t sum(std::index_sequence<kTexts...>) const noexcept {
      return (sizeof(Fingerprint) + ... + of<kTexts>());
    }
    template <std::size_t... kTexts>
    void pack(const DepositView& deposit, std::index_sequence<kTexts...>) noexcept {
      ((words_[kPlaces[kTexts].word] |=
        static_cast<std::uint32_t>((deposit.*kDepositTexts[kTexts].member).size() << kPlaces[kTexts].shift)),
       ...);
    }

    std::array<std::uint32_t, kPlaces.back().word + 1> words_{};
  };

  // Facts about a deposit beyond its values and its end. A plain deposit has no tail, which would take a tenth more
  // memory. Times are whole seconds of the store's clock.
  struct Tail {
    std::uint32_t made_seconds = 0;  // 0: not known
    std::uint32_t max_uses = 0;      // 0: no limit, and uses are not counted
    std::uint32_t uses = 0;
    std::uint32_t first_use_seconds = 0;  // 0: none yet
    std::uint32_t last_use_seconds = 0;
  };

  // The expires_seconds() of a deposit that never expires.
  static constexpr std::uint32_t kForever = std::numeric_limits<std::uint32_t>::max() >> 1;
  // Added to expires_seconds when a Tail follows the values.
  static constexpr std::uint32_t kWithTail = kForever + 1;

  // The most and the fewest bytes that the values of a deposit take.
  static constexpr std::size_t kMost = [] {
    std::size_t bytes = sizeof(Fingerprint);
    for (const DepositText& text : kDepositTexts) bytes += text.limit;
    return bytes;
  }();
  static constexpr std::size_t kLeast = [] {
    std::size_t bytes = sizeof(Fingerprint);
    for (const DepositText& text : kDepositTexts) bytes += text.is_required ? 1 : 0;
    return bytes;
  }();
  // Writes the values to `out`, in the form that a StoredDeposit reads; `out` has room for Sizes(deposit).total()
  // bytes.
  static void write(const DepositView& deposit, char* out) noexcept {
    std::memcpy(out, deposit.fingerprint.bytes.data(), sizeof(Fingerprint));
    out += sizeof(Fingerprint);
    for (const DepositText& field : kDepositTexts) {
      const std::string_view text = deposit.*field.member;
      out += text.copy(out, text.size());
    }
  }
  // Reads and writes the tail behind the values, at any address.
  static Tail read_tail(const char* in) noexcept {
    Tail tail;
    std::memcpy(&tail, in, sizeof(tail));
    return tail;
  }
  static void write_tail(const Tail& tail, char* out) noexcept { std::memcpy(out, &tail, sizeof(tail)); }

  StoredDeposit() = default;
  // `expires_seconds`: at most kForever, and kWithTail on top.
  StoredDeposit(const char* values, Sizes sizes, std::uint32_t expires_seconds) noexcept
      : values_(values), sizes_(sizes), expires_seconds_(expires_seconds) {}

  explicit operator bool() const noexcept { return values_ != nullptr; }
  // REQUIRES for all functions below: there is a deposit.
  Fingerprint fingerprint() const noexcept {
    Fingerprint copy;
    std::memcpy(copy.bytes.data(), values_, copy.bytes.size());
    return copy;
  }
  // When it expires, in whole seconds of the store's clock, rounded down; kForever when it never does, or in 68 years.
  std::uint32_t expires_seconds() const noexcept { return expires_seconds_ % kWithTail; }
  // Zeros when it has none.
  Tail tail() const noexcept { return has_tail() ? read_tail(values_ + sizes_.total()) : Tail(); }
  bool has_tail() const noexcept { return expires_seconds_ >= kWithTail; }
  DepositView view() const noexcept {
#define PAIRPORT_VALUE(field, name, limit, required) name(),
    return {PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_VALUE, PAIRPORT_VALUE)};
#undef PAIRPORT_VALUE
  }
  // The texts: connect_url(), ...
#define PAIRPORT_TEXT(field, name, limit, required)      \
  std::string_view name() const noexcept {               \
    return text<static_cast<std::size_t>(Text::name)>(); \
  }
  PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_TEXT, PAIRPORT_NO_FIELD)
#undef PAIRPORT_TEXT

 private:
#define PAIRPORT_TEXT(field, name, limit, required) name,
  enum class Text : std::size_t { PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_TEXT, PAIRPORT_NO_FIELD) };
#undef PAIRPORT_TEXT

  template <std::size_t kText>
  std::string_view text() const noexcept {
    return {values_ + sizes_.before<kText>(), sizes_.of<kText>()};
  }

  const char* values_ = nullptr;  // the fingerprint and the texts without gaps
  Sizes sizes_;
  std::uint32_t expires_seconds_ = 0;
};

// How long a deposit is kept, and how often it may be handed out.
struct StoreTerms {
  std::uint64_t expires_ms = 0;  // of the store's clock; Store::kNever: it does not expire
  std::uint32_t max_uses = 0;    // 0: no limit
  // When it was made; 0: not kept, because its end shows it.
  std::uint32_t made_seconds = 0;

  bool need_tail() const noexcept { return max_uses != 0 || made_seconds != 0; }
};

// What a store knows of a deposit besides its values.
struct DepositState {
  std::uint64_t expires_ms = 0;
  StoredDeposit::Tail tail;
  bool fetched = false;  // it has been used at least once
};

// What a store answers. `code` says which of the other members hold something.
struct [[nodiscard]] StoreReply {
  StoreReply(StatusCode result = StatusCode::kOk) noexcept : code(result) {}  // NOLINT(google-explicit-constructor)
  StoreReply(const StoredDeposit& found) noexcept                             // NOLINT(google-explicit-constructor)
      : code(found ? StatusCode::kOk : StatusCode::kNotFound), deposit(found) {}
  StoreReply(const DepositState& found) noexcept : state(found) {}  // NOLINT(google-explicit-constructor)

  StatusCode code = StatusCode::kOk;
  StoredDeposit deposit;  // of find() and use()
  DepositState state;     // of status()
};

// Numbers of a store, for statistics and for the limits of the service.
struct StoreStats {
  std::size_t deposits = 0;                       // including expired ones that expire() has not reached
  std::size_t expiring = 0;                       // those of them that expire some day
  std::size_t memory_bytes = 0;                   // for records and table
  double load = 0;                                // the part of its bounds that is in use, from 0 to 1
  SecretLevel level = SecretLevel::kMemfdSecret;  // the weakest protection that any record's memory has had
};

// One call of a store, as data, so that it can be carried out later or elsewhere. A view.
struct StoreOperation {
  enum class Verb : std::uint8_t { kPut, kFind, kUse, kStatus, kRevoke, kExtend };
  Verb verb = Verb::kFind;
  std::string_view code;
  DepositView deposit;  // of kPut
  StoreTerms terms;     // of kPut and kExtend
};

// Where deposits live. Each verb answers at once or with kLater. After kLater nothing has changed yet: the driver of
// the service carries out the operation (see Pending in http.h) and passes the result to Service::resume().
//
// All times are milliseconds of one clock of the caller's, which never goes back (CLOCK_BOOTTIME in the program): a
// deposit is found until its end, whether or not expire() has removed it. One thread at a time. REQUIRES for every
// verb: is_plausible_code(code).
//
// A store of your own answers with these codes; every other one counts as kUnavailable:
//   kOk; kNotFound (unknown, expired, used up or revoked); kAlreadyExists (put: the code is in use, draw another one);
//   kStoreFull, kOutOfMemory, kMemoryNotLocked (put); kUnavailable (it cannot be asked now); kLater.
class PAIRPORT_EXPORT Store {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  virtual ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Keeps a copy of `deposit`, which is valid. On every failure nothing has changed.
  virtual StoreReply put(std::string_view code, const DepositView& deposit, const StoreTerms& terms,
                         std::uint64_t now_ms) noexcept = 0;
  // The live deposit of `code`, which is not counted as a use. What StoreReply::deposit shows is valid until the next
  // call of the store.
  virtual StoreReply find(std::string_view code, std::uint64_t now_ms) noexcept = 0;
  // The same for an answer that hands out the credentials: counts a use, unless max_uses is reached (kNotFound). A use
  // is never given back.
  virtual StoreReply use(std::string_view code, std::uint64_t now_ms) noexcept = 0;
  // StoreReply::state. A deposit that is used up has one until it expires.
  virtual StoreReply status(std::string_view code, std::uint64_t now_ms) noexcept = 0;
  // Wipes and removes the deposit.
  virtual StoreReply revoke(std::string_view code, std::uint64_t now_ms) noexcept = 0;
  // Moves the end of a live deposit to `terms.expires_ms`, in either direction. Keeps `terms.made_seconds` when the
  // store does not know yet when it was made; `terms.max_uses` does not count. Can fail as put() can, and nothing has
  // changed.
  virtual StoreReply extend(std::string_view code, const StoreTerms& terms, std::uint64_t now_ms) noexcept = 0;

  // Wipes and removes expired deposits, at most about `max_work` of them (each takes well below a microsecond). When
  // none is due, returns one piece of unused memory to the kernel. True when nothing of either is left to do; else call
  // again soon.
  virtual bool expire(std::uint64_t now_ms, std::size_t max_work) noexcept = 0;

  virtual StoreStats stats() const noexcept = 0;
  // The room that `deposit` takes, as a number of deposits that each have an equal share of the store's bounds; at
  // least 1.
  virtual double weight(std::string_view code, const DepositView& deposit) const noexcept;

  // Calls the verb of `operation`.
  StoreReply carry_out(const StoreOperation& operation, std::uint64_t now_ms) noexcept;

 protected:
  Store() = default;
};

// A store outside of the service. It answers every verb with kLater, so the driver of the service carries out the
// operations (see Pending in http.h).
class PAIRPORT_EXPORT ElsewhereStore final : public Store {
 public:
  StoreReply put(std::string_view code, const DepositView& deposit, const StoreTerms& terms,
                 std::uint64_t now_ms) noexcept override;
  StoreReply find(std::string_view code, std::uint64_t now_ms) noexcept override;
  StoreReply use(std::string_view code, std::uint64_t now_ms) noexcept override;
  StoreReply status(std::string_view code, std::uint64_t now_ms) noexcept override;
  StoreReply revoke(std::string_view code, std::uint64_t now_ms) noexcept override;
  StoreReply extend(std::string_view code, const StoreTerms& terms, std::uint64_t now_ms) noexcept override;
  bool expire(std::uint64_t now_ms, std::size_t max_work) noexcept override;
  // Zeros, because the service knows nothing of the store.
  StoreStats stats() const noexcept override;
};

// Bounds of the store in the memory of the process, which a service has unless it is given another one.
struct StoreOptions {
  std::size_t max_deposits = 1'000'000;
  // Bound on the memory for records and table together, in bytes.
  std::size_t max_bytes = std::size_t{512} * 1024 * 1024;
  // Deposits are refused rather than kept in memory that is protected less than this.
  SecretLevel minimum_level = SecretLevel::kPlain;
  // Secret and different in each process: keeps an attacker from choosing codes that collide in the table.
  std::uint64_t hash_seed = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_STORE_H_

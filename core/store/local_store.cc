// SPDX-License-Identifier: MIT
// Invariants: every record is in the table exactly once, and in the wheel exactly when its deadline is not kNever. A
// record's bytes are wiped before the slab gets them back.
#include "core/store/local_store.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <type_traits>

#include <pairport/code.h>

#include "core/store/code_hash.h"
#include "core/store/code_table.h"
#include "core/store/slab.h"
#include "core/store/timer_wheel.h"

namespace pairport {
namespace {

// The head of a record. The key and the output of StoredDeposit::write() follow without gaps. Packed, because a store
// may hold ten million records. The key of a code of the usual length is its CodeWord. The key of any other code is a
// byte with its length, then its characters.
struct Record {
  TimerLinks links;
  std::uint32_t expires_low;
  StoredDeposit::Sizes sizes;
  std::uint16_t expires_high;
  std::uint8_t key_start;

  // 46 bits: a deadline more than 2,200 years away is cut to this value, except kNever. The two bits above it are
  // flags.
  static constexpr std::uint64_t kLongest = (std::uint64_t{1} << 46) - 1;
  static constexpr std::uint16_t kFetched = 1U << 14;
  static constexpr std::uint16_t kHasTail = 1U << 15;
  static constexpr std::uint16_t kFlags = kFetched | kHasTail;
  std::uint64_t expires_ms() const noexcept {
    const std::uint64_t time = stored_expires();
    return time == kLongest ? Store::kNever : time;
  }
  void set_expires(std::uint64_t ms) noexcept {
    const std::uint64_t time = ms == Store::kNever ? kLongest : std::min(ms, kLongest - 1);
    expires_low = static_cast<std::uint32_t>(time);
    expires_high = static_cast<std::uint16_t>((expires_high & kFlags) | time >> 32);
  }
  // As a StoredDeposit has it.
  std::uint32_t expires_word() const noexcept {
    const auto seconds =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(stored_expires() / 1000, StoredDeposit::kForever));
    static_assert(StoredDeposit::kWithTail == std::uint32_t{kHasTail} << 16);
    return seconds | (std::uint32_t{expires_high} & kHasTail) << 16;
  }
  bool is_expired(std::uint64_t now_ms) const noexcept { return stored_expires() <= std::min(now_ms, kLongest - 1); }
  char* key() noexcept { return reinterpret_cast<char*>(this) + kHeadSize; }
  const char* key() const noexcept { return reinterpret_cast<const char*>(this) + kHeadSize; }
  // For a code that is not a CodeWord.
  bool has(std::string_view text) const noexcept {
    return key_start == text.size() && std::memcmp(key() + 1, text.data(), text.size()) == 0;
  }
  // This never reads past the end of the record: the values follow a key that is shorter than the word.
  bool has(CodeWord word) const noexcept { return word.is_at(key()); }
  bool has_word() const noexcept { return key_start > kMaxCodeLength; }
  std::uint32_t hash(const CodeHash& hash) const noexcept {
    return has_word() ? hash(CodeWord::read(key())) : hash({key() + 1, key_start});
  }
  bool has_tail() const noexcept { return (expires_high & kHasTail) != 0; }
  std::size_t size() const noexcept {
    return size_for(has_word() ? CodeWord::kLength : key_start, sizes.total(), has_tail());
  }

  using Tail = StoredDeposit::Tail;
  // REQUIRES: has_tail()
  Tail tail() const noexcept {
    return StoredDeposit::read_tail(reinterpret_cast<const char*>(this) + size() - sizeof(Tail));
  }
  // REQUIRES: has_tail()
  void set_tail(const Tail& tail) noexcept {
    StoredDeposit::write_tail(tail, reinterpret_cast<char*>(this) + size() - sizeof(Tail));
  }
  // False, and nothing is counted: all uses are used up.
  bool count_use(std::uint64_t now_ms) noexcept {
    if ((expires_high & kFlags) == kFetched) return true;  // the usual case writes nothing
    if (has_tail() && !count_in_tail(now_ms)) return false;
    expires_high |= kFetched;
    return true;
  }
  bool has_use_left() const noexcept {
    if (!has_tail()) return true;
    const Tail counted = tail();
    return counted.max_uses == 0 || counted.uses < counted.max_uses;
  }
  // REQUIRES: has_tail()
  [[gnu::noinline]] bool count_in_tail(std::uint64_t now_ms) noexcept {
    Tail counted = tail();
    if (counted.max_uses == 0) return true;
    if (counted.uses >= counted.max_uses) return false;
    ++counted.uses;
    counted.last_use_seconds = static_cast<std::uint32_t>(now_ms / 1000);
    if (counted.uses == 1) counted.first_use_seconds = counted.last_use_seconds;
    set_tail(counted);
    return true;
  }
  DepositState state() const noexcept {
    return {expires_ms(), has_tail() ? tail() : Tail(), (expires_high & kFetched) != 0};
  }

  // sizeof would add padding that the key can use.
  static constexpr std::size_t kHeadSize = 14 + sizeof(StoredDeposit::Sizes);
  static constexpr std::size_t key_size(std::size_t code) noexcept {
    return code == CodeWord::kLength ? sizeof(std::uint64_t) : 1 + code;
  }
  static constexpr std::size_t size_for(std::size_t code, std::size_t values, bool with_tail = false) noexcept {
    return kHeadSize + key_size(code) + values + (with_tail ? sizeof(Tail) : 0);
  }

 private:
  std::uint64_t stored_expires() const noexcept { return (std::uint64_t{expires_high} << 32 | expires_low) & kLongest; }
};
static_assert(offsetof(Record, key_start) == Record::kHeadSize);
static_assert(Record::size_for(kMaxCodeLength, StoredDeposit::kMost, true) <= Slab::kMaxSize);
static_assert(Record::key_size(1) + sizeof(Fingerprint) >= sizeof(std::uint64_t));

// Costs of returning memory, as the number of deposits that could expire in the same time (0.1 to 0.2 us each). Merging
// two segments of the table takes a few microseconds; unmapping a chunk of memfd_secret memory takes 50.
constexpr std::size_t kMergeCost = 32;
constexpr std::size_t kUnmapCost = 256;
// Bytes of the table that a deposit takes on average.
constexpr std::size_t kTableBytes = 12;
// The most bytes by which the table grows while the deposits of one more chunk of memory are added.
constexpr std::size_t kTableOfChunk =
    CodeTable::growth_bytes() + Slab::kChunkSize / Record::size_for(1, StoredDeposit::kLeast) * kTableBytes;

}  // namespace

struct LocalStore::Impl {
  Impl(const Options& store_options, std::uint64_t now_ms) noexcept
      : options(store_options),
        hash(store_options.hash_seed),
        slab(store_options.minimum_level),
        table(
            std::min(store_options.max_deposits, store_options.max_bytes / Record::size_for(1, StoredDeposit::kLeast))),
        wheel(*this, now_ms) {}

  // Required by TimerWheel.
  TimerLinks& links(TimerId id) noexcept { return at(id)->links; }
  std::uint64_t deadline(TimerId id) noexcept { return at(id)->expires_ms(); }

  Record* at(Slab::Ref ref) const noexcept { return reinterpret_cast<Record*>(slab.at(ref)); }

  struct Found {
    Record* record = nullptr;
    Slab::Ref ref = Slab::kNone;
  };
  // The record of `code`, a CodeWord or, for other lengths, a std::string_view, expired or not.
  template <typename AnyCode>
  Found find(std::uint32_t hash_of_code, AnyCode code) const noexcept {
    Record* record = nullptr;
    const Slab::Ref ref = table.find(hash_of_code, [&](Slab::Ref candidate) {
      record = at(candidate);
      return record->has(code);
    });
    return ref == CodeTable::kNone ? Found() : Found{record, ref};
  }
  enum class Counting { kNo, kYes };
  template <Counting kCounting, typename AnyCode>
  StoredDeposit find_live(AnyCode code, std::uint64_t now_ms) const noexcept {
    Record* const record = find(hash(code), code).record;
    if (record == nullptr || record->is_expired(now_ms)) return {};
    if (!(kCounting == Counting::kYes ? record->count_use(now_ms) : record->has_use_left())) return {};
    // With a CodeWord this needs nothing of the record but its address.
    if constexpr (std::is_same_v<AnyCode, CodeWord>) {
      return {record->key() + sizeof(CodeWord), record->sizes, record->expires_word()};
    } else {
      return {record->key() + 1 + code.size(), record->sizes, record->expires_word()};
    }
  }
  // The same for a code of any length.
  Found find_any(std::uint32_t hash_of_code, std::string_view code) const noexcept {
    return code.size() == CodeWord::kLength ? find(hash_of_code, CodeWord(code.data())) : find(hash_of_code, code);
  }

  // Everything is inlined: the processor overlaps look-ups that wait for memory, and fewer instructions in each let it
  // overlap more of them.
  template <Counting kCounting>
  [[gnu::flatten, gnu::noinline]] StoredDeposit find_usual(const char* code, std::uint64_t now_ms) const noexcept {
    return find_live<kCounting>(CodeWord(code), now_ms);
  }
  template <Counting kCounting>
  StoredDeposit look_up(std::string_view code, std::uint64_t now_ms) const noexcept {
    assert(code.empty() || code.size() > kMaxCodeLength || is_plausible_code(code));
    if (code.size() == CodeWord::kLength) return find_usual<kCounting>(code.data(), now_ms);
    return find_other<kCounting>(code, now_ms);
  }
  // Not inlined, so that the usual way keeps nothing on the stack for it.
  template <Counting kCounting>
  [[gnu::noinline]] StoredDeposit find_other(std::string_view code, std::uint64_t now_ms) const noexcept {
    if (code.empty() || code.size() > kMaxCodeLength) return {};
    return find_live<kCounting>(code, now_ms);
  }
  Found find_live_record(std::string_view code, std::uint64_t now_ms) const noexcept {
    if (code.empty() || code.size() > kMaxCodeLength) return {};
    const Found found = find_any(hash(code), code);
    return found.record == nullptr || found.record->is_expired(now_ms) ? Found() : found;
  }

  // Bytes that records may take: what the table leaves. 0: none.
  std::size_t allowed_for_records() const noexcept {
    const std::size_t table_bytes = table.memory_bytes() + kTableOfChunk;
    return table_bytes > options.max_bytes ? 0 : options.max_bytes - table_bytes;
  }
  StatusCode why_no_memory(std::size_t allowed) const noexcept {
    if (slab.mapped_bytes() + Slab::kChunkSize > allowed) return StatusCode::kStoreFull;
    return options.minimum_level == SecretLevel::kPlain ? StatusCode::kOutOfMemory : StatusCode::kMemoryNotLocked;
  }

  // Moves a record to one with room for a tail.
  StatusCode add_tail(Found& found) noexcept {
    const std::size_t old_size = found.record->size();
    const std::size_t allowed = allowed_for_records();
    if (allowed == 0) return StatusCode::kStoreFull;
    const Slab::Ref ref = slab.allocate(old_size + sizeof(Record::Tail), allowed);
    if (ref == Slab::kNone) return why_no_memory(allowed);
    const bool is_armed = found.record->expires_ms() != kNever;
    if (is_armed) wheel.cancel(found.ref);
    Record* const moved = at(ref);
    std::memcpy(static_cast<void*>(moved), found.record, old_size);
    moved->expires_high |= Record::kHasTail;
    moved->set_tail({});
    const std::uint32_t hash_of_code = moved->hash(hash);
    table.erase(hash_of_code, found.ref);
    table.insert(hash_of_code, ref);  // into the place that has just become free
    if (is_armed) wheel.arm(ref);
    wipe(found.record, old_size);
    slab.release(found.ref, old_size);
    found = {moved, ref};
    return StatusCode::kOk;
  }

  void remove(std::uint32_t hash_of_code, Slab::Ref ref) noexcept {
    table.erase(hash_of_code, ref);
    Record* record = at(ref);
    const std::size_t size = record->size();
    wipe(record, size);
    slab.release(ref, size);
    --count;
  }

  Options options;
  CodeHash hash;
  Slab slab;
  CodeTable table;
  TimerWheel<Impl> wheel;
  std::size_t count = 0;
};

LocalStore::LocalStore(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
LocalStore::~LocalStore() = default;  // the slab wipes its blocks

Result<std::unique_ptr<LocalStore>> LocalStore::create(const Options& options, std::uint64_t now_ms) noexcept {
  std::unique_ptr<Impl> impl(new (std::nothrow) Impl(options, now_ms));
  if (impl == nullptr || !impl->slab || !impl->table) return StatusCode::kOutOfMemory;
  // Allocate once, so that a memory level that the kernel does not give fails at the start and not with the first
  // deposit.
  const Slab::Ref probe = impl->slab.allocate(1, Slab::kChunkSize);
  if (probe == Slab::kNone) {
    return options.minimum_level == SecretLevel::kPlain ? StatusCode::kOutOfMemory : StatusCode::kMemoryNotLocked;
  }
  impl->slab.release(probe, 1);
  std::unique_ptr<LocalStore> store(new (std::nothrow) LocalStore(std::move(impl)));
  if (store == nullptr) return StatusCode::kOutOfMemory;
  return store;
}

Status LocalStore::insert(std::string_view code, const DepositView& deposit, const StoreTerms& terms) noexcept {
  assert(is_plausible_code(code));
  Impl& self = *impl_;
  const std::uint32_t hash = self.hash(code);
  if (self.find_any(hash, code).record != nullptr) return StatusCode::kAlreadyExists;
  if (self.count >= self.options.max_deposits) return StatusCode::kStoreFull;

  const std::size_t allowed = self.allowed_for_records();
  if (allowed == 0) return StatusCode::kStoreFull;
  const StoredDeposit::Sizes sizes(deposit);
  const bool with_tail = terms.need_tail();
  const std::size_t size = Record::size_for(code.size(), sizes.total(), with_tail);
  const Slab::Ref ref = self.slab.allocate(size, allowed);
  if (ref == Slab::kNone) return self.why_no_memory(allowed);
  if (!self.table.reserve(hash)) {
    self.slab.release(ref, size);
    return StatusCode::kOutOfMemory;
  }

  Record* record = self.at(ref);
  record->links = {};
  record->expires_high = with_tail ? Record::kHasTail : 0;
  record->set_expires(terms.expires_ms);
  record->sizes = sizes;
  char* out = record->key();
  if (code.size() == CodeWord::kLength) {
    CodeWord(code.data()).write(out);
    out += sizeof(CodeWord);
  } else {
    *out++ = static_cast<char>(code.size());
    out += code.copy(out, code.size());
  }
  StoredDeposit::write(deposit, out);
  if (with_tail) record->set_tail({.made_seconds = terms.made_seconds, .max_uses = terms.max_uses});

  self.table.insert(hash, ref);
  if (terms.expires_ms != kNever) self.wheel.arm(ref);
  ++self.count;
  // This spreads the costs of growth: no insertion does more than one step that takes microseconds.
  if (!self.slab.touched_new_memory() && !self.table.prepare(hash)) self.slab.prepare(allowed);
  return StatusCode::kOk;
}

StoredDeposit LocalStore::look_up(std::string_view code, std::uint64_t now_ms) const noexcept {
  return impl_->look_up<Impl::Counting::kNo>(code, now_ms);
}

StoredDeposit LocalStore::look_up_and_count(std::string_view code, std::uint64_t now_ms) noexcept {
  return impl_->look_up<Impl::Counting::kYes>(code, now_ms);
}

StoreReply LocalStore::put(std::string_view code, const DepositView& deposit, const StoreTerms& terms,
                           std::uint64_t /*now_ms*/) noexcept {
  return insert(code, deposit, terms).code();
}

StoreReply LocalStore::find(std::string_view code, std::uint64_t now_ms) noexcept {
  return look_up(code, now_ms);
}

StoreReply LocalStore::use(std::string_view code, std::uint64_t now_ms) noexcept {
  return look_up_and_count(code, now_ms);
}

StoreReply LocalStore::status(std::string_view code, std::uint64_t now_ms) noexcept {
  const Record* const record = impl_->find_live_record(code, now_ms).record;
  if (record == nullptr) return StatusCode::kNotFound;
  return record->state();
}

StoreReply LocalStore::revoke(std::string_view code, std::uint64_t now_ms) noexcept {
  const bool is_live = impl_->find_live_record(code, now_ms).record != nullptr;
  return is_live && erase(code) ? StatusCode::kOk : StatusCode::kNotFound;
}

StoreReply LocalStore::extend(std::string_view code, const StoreTerms& terms, std::uint64_t now_ms) noexcept {
  Impl::Found found = impl_->find_live_record(code, now_ms);
  if (found.record == nullptr) return StatusCode::kNotFound;
  if (terms.made_seconds != 0) {
    if (!found.record->has_tail()) {
      if (const StatusCode moved = impl_->add_tail(found); moved != StatusCode::kOk) return moved;
    }
    Record::Tail tail = found.record->tail();
    if (tail.made_seconds == 0) tail.made_seconds = terms.made_seconds;
    found.record->set_tail(tail);
  }
  if (found.record->expires_ms() != kNever) impl_->wheel.cancel(found.ref);
  found.record->set_expires(terms.expires_ms);
  if (found.record->expires_ms() != kNever) impl_->wheel.arm(found.ref);
  return {};
}

bool LocalStore::erase(std::string_view code) noexcept {
  if (code.empty() || code.size() > kMaxCodeLength) return false;
  const std::uint32_t hash = impl_->hash(code);
  const Impl::Found found = impl_->find_any(hash, code);
  if (found.record == nullptr) return false;
  if (found.record->expires_ms() != kNever) impl_->wheel.cancel(found.ref);
  impl_->remove(hash, found.ref);
  return true;
}

bool LocalStore::expire(std::uint64_t now_ms, std::size_t max_work) noexcept {
  Impl& self = *impl_;
  std::size_t left = max_work;
  const bool all_fired = self.wheel.advance(now_ms, max_work, [&self, &left](TimerId ref) {
    Record* record = self.at(ref);
    self.remove(record->hash(self.hash), ref);
    --left;
  });
  if (!all_fired) return false;
  // Return memory only when no deposit is due. After a mass expiry, segments and chunks are then merged and unmapped
  // once, and not step by step. Each step counts as the number of deposits that expire in the same time.
  const auto may = [&left, max_work](std::size_t cost) {
    if (left == 0 || (left < cost && left != max_work)) return false;  // a call without other work takes one step
    left -= std::min(left, cost);
    return true;
  };
  while (self.table.trimmable()) {
    if (!may(kMergeCost)) return false;
    self.table.trim();
  }
  while (self.slab.trimmable()) {
    if (!may(kUnmapCost)) return false;
    self.slab.trim();
  }
  return true;
}

std::size_t LocalStore::size() const noexcept {
  return impl_->count;
}
std::size_t LocalStore::expiring() const noexcept {
  return impl_->wheel.size();
}
std::size_t LocalStore::memory_bytes() const noexcept {
  return impl_->slab.mapped_bytes() + impl_->table.memory_bytes();
}
double LocalStore::weight(std::string_view code, const DepositView& deposit) const noexcept {
  const std::size_t bytes = kTableBytes + Record::size_for(code.size(), StoredDeposit::Sizes(deposit).total());
  const Options& options = impl_->options;
  return std::max(1.0, static_cast<double>(bytes) * static_cast<double>(options.max_deposits) /
                           static_cast<double>(options.max_bytes));
}
SecretLevel LocalStore::level() const noexcept {
  return impl_->slab.level();
}

StoreStats LocalStore::stats() const noexcept {
  const auto part = [](std::size_t used, std::size_t bound) {
    return bound == 0 ? 1.0 : static_cast<double>(used) / static_cast<double>(bound);
  };
  return {.deposits = size(),
          .expiring = expiring(),
          .memory_bytes = memory_bytes(),
          .load = std::max(part(size(), impl_->options.max_deposits), part(memory_bytes(), impl_->options.max_bytes)),
          .level = level()};
}

}  // namespace pairport

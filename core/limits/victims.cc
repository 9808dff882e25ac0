// SPDX-License-Identifier: MIT
// Invariants: a holder exists while it has candidates, and holder.size is their number. A shelf that is not empty is in
// the list of its kind and of its holder's size; so largest_ is the greatest size for which one of the lists is not
// empty. young_ holds candidates in the order of their since_ms_: all of kYoung, and those of kQueued that no longer
// wait. Chains of the table end, whatever its load.
#include "core/limits/victims.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>

#include <xxhash.h>

#include "core/base/check.h"

namespace pairport {
namespace {

// The most candidates that one call of age() makes old. Each choose() calls it, so the rest follows soon.
constexpr std::size_t kAgeing = 256;

// The kernel zeroes pages on demand, so sizes that never occur take no memory.
template <typename T>
T* zeroed(std::size_t count) noexcept {
  return static_cast<T*>(std::calloc(count, sizeof(T)));
}

}  // namespace

void Victims::Free::operator()(void* memory) const noexcept {
  std::free(memory);
}

Result<std::unique_ptr<Victims>> Victims::create(std::size_t most, std::uint64_t hash_seed) noexcept {
  most = std::max<std::size_t>(most, 1);
  if (most > std::numeric_limits<std::size_t>::max() / (2 * kKinds)) return StatusCode::kOutOfMemory;
  const std::size_t chain_count = std::bit_ceil(most);
  Table<Holder*> chains(zeroed<Holder*>(chain_count));
  Table<ShelfList> by_size(zeroed<ShelfList>((most + 1) * kKinds));
  if (chains == nullptr || by_size == nullptr) return StatusCode::kOutOfMemory;
  std::unique_ptr<Victims> victims(new (std::nothrow)
                                       Victims(most, hash_seed, std::move(chains), chain_count, std::move(by_size)));
  if (victims == nullptr) return StatusCode::kOutOfMemory;
  return victims;
}

Victims::Victims(std::size_t most, std::uint64_t hash_seed, Table<Holder*> chains, std::size_t chain_count,
                 Table<ShelfList> by_size) noexcept
    : most_(most),
      seed_(hash_seed),
      chain_count_(chain_count),
      chains_(std::move(chains)),
      by_size_(std::move(by_size)) {}

Victims::~Victims() {
  PAIRPORT_CHECK(size_ == 0);
}

Victims::Holder** Victims::chain_of(const ClientKey& key) noexcept {
  return &chains_[XXH3_64bits_withSeed(key.bytes.data(), key.bytes.size(), seed_) & (chain_count_ - 1)];
}

Victims::Holder* Victims::find(const ClientKey& key) noexcept {
  Holder* holder = *chain_of(key);
  while (holder != nullptr && holder->key != key) holder = holder->next;
  return holder;
}

std::size_t Victims::kind_of(const Shelf& shelf) const noexcept {
  return static_cast<std::size_t>(&shelf - shelf.holder->shelves.data());
}

void Victims::put(Candidate& candidate, Holder& holder, std::size_t kind) noexcept {
  Shelf& shelf = holder.shelves[kind];
  if (shelf.candidates.empty()) shelves(holder.size, kind).push(shelf);
  shelf.candidates.push(candidate);
  candidate.shelf_ = &shelf;
}

void Victims::take(Candidate& candidate) noexcept {
  Shelf& shelf = *candidate.shelf_;
  shelf.candidates.remove(candidate);
  if (shelf.candidates.empty()) shelves(shelf.holder->size, kind_of(shelf)).remove(shelf);
  candidate.shelf_ = nullptr;
}

void Victims::resize(Holder& holder, std::size_t size) noexcept {
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    Shelf& shelf = holder.shelves[kind];
    if (shelf.candidates.empty()) continue;
    shelves(holder.size, kind).remove(shelf);
    shelves(size, kind).push(shelf);
  }
  holder.size = size;
}

bool Victims::add(Candidate& candidate, const ClientKey* key, std::uint64_t now_ms) noexcept {
  PAIRPORT_CHECK(candidate.shelf_ == nullptr);
  if (size_ == most_) return false;
  Holder* holder = key == nullptr ? nullptr : find(*key);
  if (holder == nullptr) {
    holder = new (std::nothrow) Holder;
    if (holder == nullptr) return false;
    for (Shelf& shelf : holder->shelves) shelf.holder = holder;
    if (key != nullptr) {
      Holder** const chain = chain_of(*key);
      holder->key = *key;
      holder->named = true;
      holder->next = *chain;
      *chain = holder;
    }
  }
  resize(*holder, holder->size + 1);
  candidate.waits_ = true;
  put(candidate, *holder, kYoung);
  begin_young(candidate, now_ms);
  ++size_;
  largest_ = std::max(largest_, holder->size);
  return true;
}

void Victims::remove(Candidate& candidate) noexcept {
  if (candidate.shelf_ == nullptr) return;
  Holder& holder = *candidate.shelf_->holder;
  end_young(candidate);
  take(candidate);
  --size_;
  const std::size_t before = holder.size;
  resize(holder, before - 1);
  if (before == largest_) {
    const ShelfList* lists = &shelves(before, 0);
    if (std::all_of(lists, lists + kKinds, [](const ShelfList& list) { return list.empty(); })) --largest_;
  }
  if (holder.size != 0) return;
  if (holder.named) {
    Holder** link = chain_of(holder.key);
    while (*link != &holder) link = &(*link)->next;
    *link = holder.next;
  }
  delete &holder;
}

void Victims::set_waiting(Candidate& candidate, bool waits) noexcept {
  if (candidate.shelf_ == nullptr) return;
  candidate.waits_ = waits;
  Shelf& shelf = *candidate.shelf_;
  const std::size_t kind = kind_of(shelf);
  if (kind >= kYoung || (kind == kOldBusy && !waits)) return;
  take(candidate);
  put(candidate, *shelf.holder, waits ? kOldWaiting : kOldBusy);
}

void Victims::set_queued(Candidate& candidate, bool queued, std::uint64_t now_ms) noexcept {
  if (candidate.shelf_ == nullptr) return;
  Shelf& shelf = *candidate.shelf_;
  if (kind_of(shelf) != kQueued) {
    if (!queued) return;
    take(candidate);
    put(candidate, *shelf.holder, kQueued);
  }
  end_young(candidate);
  if (!queued) begin_young(candidate, now_ms);
}

void Victims::begin_young(Candidate& candidate, std::uint64_t now_ms) noexcept {
  candidate.since_ms_ = now_ms;
  candidate.young_ = true;
  young_.push(candidate);
}

void Victims::end_young(Candidate& candidate) noexcept {
  if (std::exchange(candidate.young_, false)) young_.remove(candidate);
}

void Victims::age(std::uint64_t now_ms) noexcept {
  for (std::size_t i = 0; i < kAgeing && !young_.empty(); ++i) {
    Candidate& oldest = *young_.first;
    if (now_ms < oldest.since_ms_ + kYoungMs) return;
    end_young(oldest);
    Holder& holder = *oldest.shelf_->holder;
    take(oldest);
    put(oldest, holder, oldest.waits_ ? kOldWaiting : kOldBusy);
  }
}

Victims::Candidate* Victims::choose(const ClientKey* key, std::uint64_t now_ms) noexcept {
  age(now_ms);
  if (size_ == 0) return nullptr;
  // A newcomer whose key has the most places already makes that key the largest one.
  Holder* own = key == nullptr ? nullptr : find(*key);
  if (own != nullptr && own->size != largest_) own = nullptr;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    ShelfList& list = shelves(largest_, kind);
    Shelf* const shelf = own == nullptr ? list.first : &own->shelves[kind];
    if (shelf == nullptr || shelf->candidates.empty()) continue;
    if (kind == kOldWaiting) return shelf->candidates.first;
    return slowest(list, own == nullptr ? nullptr : shelf, now_ms);
  }
  return nullptr;
}

bool Victims::all_are_queued(std::uint64_t now_ms) noexcept {
  age(now_ms);
  if (largest_ != 1) return false;
  const ShelfList* lists = &shelves(1, 0);
  return std::all_of(lists, lists + kQueued, [](const ShelfList& list) { return list.empty(); });
}

// A candidate that was examined goes to the end, so the next call examines other candidates and another key.
Victims::Candidate* Victims::slowest(ShelfList& shelves, Shelf* only, std::uint64_t now_ms) noexcept {
  Candidate* found = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < kLooks; ++i) {
    Shelf& shelf = only != nullptr ? *only : shelves.rotate();
    Candidate& candidate = shelf.candidates.rotate();
    const std::uint64_t age_ms = std::max<std::uint64_t>(now_ms - std::min(now_ms, candidate.since_ms_), 1);
    // Of two candidates without any bytes the older one is slower.
    const double rate = static_cast<double>(candidate.bytes + 1) / static_cast<double>(age_ms);
    if (rate >= least) continue;
    least = rate;
    found = &candidate;
  }
  return found;
}

}  // namespace pairport

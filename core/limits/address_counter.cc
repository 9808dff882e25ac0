// SPDX-License-Identifier: MIT
// Invariants: the table uses open addressing with linear probing. It is at most half full, and no slot between an entry
// and its home slot is free. So every search ends at a free slot at the latest. A keyed 64-bit hash identifies a
// client: two clients with the same hash share their places, and nobody can cause this without the seed.
#include "core/limits/address_counter.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <new>

#include <xxhash.h>

#include "core/base/check.h"

namespace pairport {

Result<std::unique_ptr<AddressCounter>> AddressCounter::create(const Options& options) noexcept {
  const std::size_t slots = std::bit_ceil(2 * std::max<std::size_t>(options.most, 1));
  std::unique_ptr<Entry[]> entries(new (std::nothrow) Entry[slots]);
  if (entries == nullptr) return StatusCode::kOutOfMemory;
  std::unique_ptr<AddressCounter> counter(new (std::nothrow) AddressCounter(options, std::move(entries), slots));
  if (counter == nullptr) return StatusCode::kOutOfMemory;
  return counter;
}

AddressCounter::AddressCounter(const Options& options, std::unique_ptr<Entry[]> entries, std::size_t slots) noexcept
    : most_per_client_(options.most_per_client == 0 ? std::numeric_limits<std::uint32_t>::max()
                                                    : options.most_per_client),
      seed_(options.hash_seed),
      most_clients_(std::max<std::size_t>(options.most, 1)),
      mask_(slots - 1),
      entries_(std::move(entries)) {}

std::size_t AddressCounter::find(std::uint64_t hash) const noexcept {
  std::size_t at = hash & mask_;
  while (entries_[at].hash != hash && entries_[at].hash != 0) at = (at + 1) & mask_;
  return at;
}

AddressCounter::Place AddressCounter::take(const ClientKey& key) noexcept {
  const std::uint64_t hash =
      std::max<std::uint64_t>(XXH3_64bits_withSeed(key.bytes.data(), key.bytes.size(), seed_), 1);
  Entry& entry = entries_[find(hash)];
  if (entry.count >= most_per_client_) return {};
  if (entry.hash == 0) {
    if (clients_ == most_clients_) return {};
    entry.hash = hash;
    ++clients_;
  }
  ++entry.count;
  return {this, hash};
}

void AddressCounter::give_back(std::uint64_t hash) noexcept {
  std::size_t free = find(hash);
  PAIRPORT_CHECK(entries_[free].hash == hash && entries_[free].count > 0);
  if (--entries_[free].count != 0) return;
  --clients_;
  // Move later entries into the freed slot, unless it lies before their home slot (Knuth, TAOCP vol. 3, 6.4, algorithm
  // R). This leaves no tombstones that could fill the table.
  for (std::size_t at = free;;) {
    at = (at + 1) & mask_;
    if (entries_[at].hash == 0) break;
    const std::size_t from_home = (at - entries_[at].hash) & mask_;
    if (from_home < ((at - free) & mask_)) continue;
    entries_[free] = entries_[at];
    free = at;
  }
  entries_[free] = {};
}

}  // namespace pairport

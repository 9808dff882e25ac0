// SPDX-License-Identifier: MIT
// The store's index: from the hash of a code to the record. Open addressing inside segments of an extendible hash table
// (Fagin, Nievergelt, Pippenger, Strong, "Extendible Hashing", TODS 1979).
#ifndef PAIRPORT_CORE_CODE_TABLE_H_
#define PAIRPORT_CORE_CODE_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace pairport {

// Maps 32-bit hashes to 32-bit references; several entries may have the same hash. A slot holds all that growing and
// deleting need, so neither touches a record. The longest operation is to split one segment (8 KiB) or to double the
// directory (8 bytes a segment): there is no rehash of the whole table. One thread at a time.
class CodeTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  CodeTable() noexcept = default;
  ~CodeTable();
  CodeTable(const CodeTable&) = delete;
  CodeTable& operator=(const CodeTable&) = delete;

  // Makes sure that one entry with `hash` can be added. False when there is no memory; the entries are then as before.
  bool reserve(std::uint32_t hash) noexcept;
  // REQUIRES: reserve(hash) was the last call and succeeded.
  void insert(std::uint32_t hash, std::uint32_t ref) noexcept;
  // The first entry with `hash` that `matches(ref)` confirms, or kNone.
  template <typename Matches>
  std::uint32_t find(std::uint32_t hash, Matches&& matches) const noexcept;
  // REQUIRES: the entry exists.
  void erase(std::uint32_t hash, std::uint32_t ref) noexcept;

  std::size_t memory_bytes() const noexcept {
    return segments_ * sizeof(Segment) + (std::size_t{1} << depth_) * sizeof(Segment*);
  }
  // How much memory_bytes() grows at most with one insertion.
  std::size_t growth_bytes() const noexcept {
    return 2 * sizeof(Segment) + (std::size_t{1} << depth_) * sizeof(Segment*);
  }

 private:
  struct Slot {
    std::uint32_t hash;
    std::uint32_t ref;  // kNone: empty
  };
  static constexpr std::size_t kSlots = 1024;
  static constexpr std::size_t kSlotMask = kSlots - 1;
  // At three quarters a miss looks at 8.5 slots on average (Knuth, TAOCP 3, 6.4): 68 bytes, two cache lines.
  static constexpr std::size_t kMaxLoad = kSlots / 4 * 3;
  // Two segments become one when that leaves plenty of room, so that a table at rest never splits and merges in turns.
  static constexpr std::size_t kMergeLoad = kMaxLoad / 4;
  static constexpr unsigned kMaxDepth = 22;  // directory bits and the ten bits inside a segment make up the hash

  struct Segment {
    std::uint32_t count = 0;
    std::uint32_t depth = 0;  // how many leading bits its entries share
    std::array<Slot, kSlots> slots;

    Segment() noexcept { clear(); }
    void clear() noexcept {
      count = 0;
      slots.fill({0, kNone});
    }
    void add(Slot slot) noexcept {
      std::size_t i = slot.hash & kSlotMask;
      while (slots[i].ref != kNone) i = (i + 1) & kSlotMask;
      slots[i] = slot;
      ++count;
    }
  };

  std::size_t index_of(std::uint32_t hash, unsigned depth) const noexcept {
    return depth == 0 ? 0 : hash >> (32 - depth);
  }
  bool double_directory() noexcept;
  bool split(std::uint32_t hash) noexcept;
  void merge(std::uint32_t hash) noexcept;
  void point(std::size_t first, std::size_t count, Segment* segment) noexcept;

  std::unique_ptr<Segment*[]> directory_;
  unsigned depth_ = 0;
  std::size_t segments_ = 0;
};

template <typename Matches>
std::uint32_t CodeTable::find(std::uint32_t hash, Matches&& matches) const noexcept {
  if (directory_ == nullptr) return kNone;
  const Segment& segment = *directory_[index_of(hash, depth_)];
  for (std::size_t i = hash & kSlotMask; segment.slots[i].ref != kNone; i = (i + 1) & kSlotMask) {
    if (segment.slots[i].hash == hash && matches(segment.slots[i].ref)) return segment.slots[i].ref;
  }
  return kNone;
}

}  // namespace pairport

#endif  // PAIRPORT_CORE_CODE_TABLE_H_

// SPDX-License-Identifier: MIT
// The store's index: from the hash of a code to the record. Linear hashing (Litwin, "Linear Hashing: A New Tool for
// File and Table Addressing", VLDB 1980) over segments with open addressing.
#ifndef PAIRPORT_CORE_CODE_TABLE_H_
#define PAIRPORT_CORE_CODE_TABLE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "core/store/reserved_array.h"

namespace pairport {

// Maps 32-bit hashes to 32-bit references; several entries may have the same hash. Slots hold all data for growth and
// deletion, so neither touches a record. There is no rehash of the whole table and no directory: the longest operation
// rewrites two segments, with about a thousand entries together. It reserves all address space at the start, and
// allocates nothing later. One thread at a time.
class CodeTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  // For up to `max_entries` entries with evenly distributed hashes. Converts to false when the kernel refuses the
  // address space; do not use the table then.
  explicit CodeTable(std::size_t max_entries) noexcept;
  CodeTable(const CodeTable&) = delete;
  CodeTable& operator=(const CodeTable&) = delete;
  explicit operator bool() const noexcept { return blocks_ && pages_ && counts_; }

  // Makes room for one entry with `hash`. False when its segment is full, which only happens with deliberately chosen
  // hashes; the entries are unchanged then.
  bool reserve(std::uint32_t hash) noexcept;
  // REQUIRES: reserve(hash) was the last call and succeeded.
  void insert(std::uint32_t hash, std::uint32_t ref) noexcept;
  // Does one step of growth in advance, if one is due: a split, or more room in the segment of `hash`. Returns whether
  // it did one. Without this call, reserve() does the same at the last moment.
  bool prepare(std::uint32_t hash) noexcept;
  // The first entry with `hash` that `matches(ref)` confirms, or kNone.
  template <typename Matches>
  std::uint32_t find(std::uint32_t hash, Matches&& matches) const noexcept;
  // Never returns memory; trim() does. REQUIRES: the entry exists.
  void erase(std::uint32_t hash, std::uint32_t ref) noexcept;

  // Whether the table is larger than its entries need.
  bool trimmable() const noexcept {
    return count_ < (segment_count_ - 1) * kTrimAverage && merged_pages() <= kMaxPages;
  }
  // Does one step of shrinking, which takes no longer than the slowest insertion. REQUIRES: trimmable()
  void trim() noexcept;

  // Bytes that were written to and not returned to the kernel.
  std::size_t memory_bytes() const noexcept { return page_count_ * kPageSize + segment_count_ * kSegmentSize; }
  // The most by which memory_bytes() grows with one reserve() and prepare(): two splits, each of which adds two pages
  // when it divides a segment, and a page for the segment of the new entry.
  static constexpr std::size_t growth_bytes() noexcept { return 5 * kPageSize + 2 * kSegmentSize; }

 private:
  // References are stored inverted: zero means no reference, so new memory from the kernel is ready for use.
  struct Slot {
    std::uint32_t hash;
    std::uint32_t inverted_ref;
  };
  // A block is a cache line. Entries have a home block, not a home slot, and one comparison without branches covers all
  // hashes of a block. An entry's position in its block is random, so a branch on it would mispredict, which costs as
  // much as a cache miss. The hashes are adjacent, so that few instructions of a hit wait for memory; the processor
  // then overlaps more look-ups.
  static constexpr std::size_t kBlockSlots = 8;
  struct alignas(64) Block {
    std::array<std::uint32_t, kBlockSlots> hashes;
    std::array<std::uint32_t, kBlockSlots> inverted_refs;

    Slot slot(std::size_t i) const noexcept { return {hashes[i], inverted_refs[i]}; }
    void set(std::size_t i, Slot slot) noexcept {
      hashes[i] = slot.hash;
      inverted_refs[i] = slot.inverted_ref;
    }
    // One bit for each slot; the lowest bit is the first slot.
    unsigned empty() const noexcept { return equal(inverted_refs, 0); }
    // The bits of empty slots are zero.
    unsigned with_hash(std::uint32_t hash) const noexcept { return equal(hashes, hash); }

   private:
    static unsigned equal(const std::array<std::uint32_t, kBlockSlots>& row, std::uint32_t value) noexcept {
#if defined(__SSE2__)
      const __m128i wanted = _mm_set1_epi32(static_cast<int>(value));
      const auto* const lanes = reinterpret_cast<const __m128i*>(row.data());
      const __m128i words = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_load_si128(lanes), wanted),
                                            _mm_cmpeq_epi32(_mm_load_si128(lanes + 1), wanted));
      return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(words, _mm_setzero_si128())));
#else
      unsigned bits = 0;
      for (unsigned i = 0; i < kBlockSlots; ++i) bits |= static_cast<unsigned>(row[i] == value) << i;
      return bits;
#endif
    }
  };
  static_assert(sizeof(Block) == 64);
  // A segment grows in place, page by page, so that the load of a table is about the same during splits and between
  // them.
  static constexpr std::size_t kPageSize = 4096;
  static constexpr std::size_t kPageBlocks = kPageSize / sizeof(Block);
  static constexpr std::size_t kPageSlots = kPageBlocks * kBlockSlots;
  // At a load of three quarters a miss reads 1.5 blocks on average (Knuth, TAOCP 3, 6.4, buckets of 8); below that load
  // fewer.
  static constexpr std::size_t kPageLoad = kPageSlots / 4 * 3;
  // Segments that wait for their split hold between one and two times the average, split ones half of that. So the
  // expected size of the fullest is at most 1024 entries. The probability of more than the 1536 entries that fit is
  // below e^-110 (Chernoff's bound for a Poisson variable: e^-m (em/k)^k).
  static constexpr std::size_t kAverage = 512;
  // The number of entries by which a split or growth may be late.
  static constexpr std::size_t kMargin = 16;
  static constexpr std::size_t kMaxPages = 4;
  static constexpr std::size_t kMaxBlocks = kMaxPages * kPageBlocks;
  // Well below the average at which segments are split, so that a table of constant size never alternates between
  // splits and merges.
  static constexpr std::size_t kTrimAverage = kAverage / 4 * 3;

  static constexpr std::size_t kSegmentSize = sizeof(std::uint8_t) + sizeof(std::uint16_t);

  // The slots of one segment, on the stack.
  struct Copy {
    std::array<Slot, kMaxPages * kPageSlots> slots;
    std::size_t count = 0;
  };

  // The low bits of the hash select the segment, the high ones the block in it, so the two are independent.
  std::size_t index_of(std::uint32_t hash) const noexcept {
    const std::size_t i = hash & mask_;
    // No branch: it would mispredict half of the time.
    return i & (mask_ >> static_cast<unsigned>(i >= segment_count_));
  }
  // Blocks that the segment has now.
  std::size_t size_of(std::size_t segment) const noexcept {
    return pages_[segment] * kPageBlocks;
  }
  Block& block_of(std::size_t segment, std::size_t i) noexcept {
    return blocks_[segment * kMaxBlocks + i];
  }
  const Block& block_of(std::size_t segment, std::size_t i) const noexcept {
    return blocks_[segment * kMaxBlocks + i];
  }
  // The home block of `hash` among `size`.
  static std::size_t home_of(std::uint32_t hash, std::size_t size) noexcept {
    return static_cast<std::size_t>((std::uint64_t{hash} * size) >> 32);
  }
  static std::size_t next_block(std::size_t block, std::size_t size) noexcept {
    return block + 1 == size ? 0 : block + 1;
  }
  static std::size_t pages_for(std::size_t count) noexcept {
    const std::size_t pages = (count + kPageLoad - 1) / kPageLoad;
    return pages == 0 ? 1 : pages;
  }

  // The segment from which the last one was split.
  std::size_t buddy_of_last() const noexcept {
    const std::size_t last = segment_count_ - 1;
    return last - (last > mask_ / 2 ? (mask_ + 1) / 2 : (mask_ + 1) / 4);
  }
  std::size_t merged_pages() const noexcept {
    return pages_for(std::size_t{counts_[buddy_of_last()]} + counts_[segment_count_ - 1]);
  }

  // Whether splits are more than `margin` entries late.
  bool wants_split(std::size_t margin) const noexcept {
    return count_ >= segment_count_ * kAverage + margin && segment_count_ < pages_.capacity();
  }

  void place(std::size_t segment, Slot slot) noexcept;
  void take_out(std::size_t segment, Copy& copy) noexcept;
  void put_in(std::size_t segment, const Copy& copy) noexcept;
  void set_pages(std::size_t segment, std::size_t pages) noexcept;
  void split() noexcept;
  void add_page(std::size_t segment) noexcept;

  ReservedArray<Block> blocks_;          // kMaxBlocks for each segment
  ReservedArray<std::uint8_t> pages_;    // of each segment; a separate dense array, so that it stays in the cache
  ReservedArray<std::uint16_t> counts_;  // of entries, of each segment
  std::size_t segment_count_ = 1;
  std::size_t mask_ = 1;  // one bit more than the largest power of two up to segment_count_
  std::size_t count_ = 0;
  std::size_t page_count_ = 0;
};

template <typename Matches>
std::uint32_t CodeTable::find(std::uint32_t hash, Matches&& matches) const noexcept {
  const std::size_t segment = index_of(hash);
  const std::size_t size = size_of(segment);
  for (std::size_t i = home_of(hash, size);; i = next_block(i, size)) {
    const Block& block = block_of(segment, i);
    for (unsigned found = block.with_hash(hash); found != 0; found &= found - 1) {
      const std::uint32_t inverted_ref = block.inverted_refs[static_cast<std::size_t>(std::countr_zero(found))];
      if (inverted_ref != 0 && matches(~inverted_ref)) return ~inverted_ref;
    }
    if (block.empty() != 0) return kNone;
  }
}

}  // namespace pairport

#endif  // PAIRPORT_CORE_CODE_TABLE_H_

// SPDX-License-Identifier: MIT
// Invariants: let 2^n be the largest power of two up to segment_count_. Segments below segment_count_ - 2^n, and from
// 2^n on, hold the entries whose hash has the segment's number in its last n + 1 bits. The other segments hold the
// entries with their number in the last n bits. A segment has at least one page and at most kPageLoad entries for each
// page, so every probe ends. All blocks from an entry's home block to the block before the entry are full. Blocks
// behind a segment's pages are zero, and so is all memory behind the last segment.
#include "core/store/code_table.h"

#include <algorithm>

#include "core/base/check.h"

namespace pairport {

CodeTable::CodeTable(std::size_t max_entries) noexcept
    : blocks_((max_entries / kAverage + 1) * kMaxBlocks),
      pages_(max_entries / kAverage + 1),
      counts_(max_entries / kAverage + 1) {
  if (*this) set_pages(0, 1);
}

// REQUIRES: the segment has room.
void CodeTable::place(std::size_t segment, Slot slot) noexcept {
  const std::size_t size = size_of(segment);
  std::size_t i = home_of(slot.hash, size);
  unsigned empty = block_of(segment, i).empty();
  while (empty == 0) {
    i = next_block(i, size);
    empty = block_of(segment, i).empty();
  }
  block_of(segment, i).set(static_cast<std::size_t>(std::countr_zero(empty)), slot);
}

// Leaves the segment empty; it keeps its pages.
void CodeTable::take_out(std::size_t segment, Copy& copy) noexcept {
  const std::size_t size = size_of(segment);
  std::size_t count = copy.count;
  for (std::size_t i = 0; i < size; ++i) {
    Block& block = block_of(segment, i);
    for (std::size_t k = 0; k < kBlockSlots; ++k) {
      // No branch: which slots are empty is random, so a branch would mispredict.
      const Slot slot = block.slot(k);
      copy.slots[count] = slot;
      count += slot.inverted_ref != 0 ? 1U : 0U;
    }
    block = {};
  }
  copy.count = count;
  counts_[segment] = 0;
}

// REQUIRES: the segment is empty and has enough pages.
void CodeTable::put_in(std::size_t segment, const Copy& copy) noexcept {
  for (std::size_t i = 0; i < copy.count; ++i) place(segment, copy.slots[i]);
  counts_[segment] = static_cast<std::uint16_t>(copy.count);
}

// REQUIRES: the segment is empty.
void CodeTable::set_pages(std::size_t segment, std::size_t pages) noexcept {
  const std::size_t before = pages_[segment];
  if (pages < before) {
    blocks_.discard(segment * kMaxBlocks + pages * kPageBlocks, (before - pages) * kPageBlocks);
  }
  page_count_ = page_count_ - before + pages;
  pages_[segment] = static_cast<std::uint8_t>(pages);
}

void CodeTable::split() noexcept {
  const std::size_t half = (mask_ + 1) / 2;
  const std::size_t upper = segment_count_;
  const std::size_t lower = upper - half;
  Copy both;
  take_out(lower, both);
  Copy moving;
  std::size_t staying = 0;
  for (std::size_t i = 0; i < both.count; ++i) {
    const Slot slot = both.slots[i];
    const std::size_t moves = (slot.hash & half) != 0 ? 1 : 0;
    moving.slots[moving.count] = slot;
    moving.count += moves;
    both.slots[staying] = slot;
    staying += 1 - moves;
  }
  both.count = staying;
  // Room for one more entry in each: an insertion that splits then needs no growth.
  set_pages(lower, std::min(pages_for(staying + 1), kMaxPages));
  set_pages(upper, std::min(pages_for(moving.count + 1), kMaxPages));
  if (++segment_count_ > mask_) mask_ = 2 * mask_ + 1;
  put_in(lower, both);
  put_in(upper, moving);
}

// REQUIRES: the segment has fewer than kMaxPages pages.
void CodeTable::add_page(std::size_t segment) noexcept {
  Copy copy;
  take_out(segment, copy);
  set_pages(segment, std::size_t{pages_[segment]} + 1);
  put_in(segment, copy);
}

bool CodeTable::reserve(std::uint32_t hash) noexcept {
  if (wants_split(kMargin)) split();
  const std::size_t i = index_of(hash);
  if (counts_[i] < pages_[i] * kPageLoad) return true;
  if (pages_[i] == kMaxPages) return false;
  add_page(i);
  return true;
}

bool CodeTable::prepare(std::uint32_t hash) noexcept {
  if (wants_split(0)) {
    split();
    return true;
  }
  const std::size_t i = index_of(hash);
  if (counts_[i] + kMargin < pages_[i] * kPageLoad || pages_[i] == kMaxPages) return false;
  add_page(i);
  return true;
}

void CodeTable::insert(std::uint32_t hash, std::uint32_t ref) noexcept {
  const std::size_t i = index_of(hash);
  PAIRPORT_CHECK(counts_[i] < pages_[i] * kPageLoad);
  place(i, {hash, ~ref});
  ++counts_[i];
  ++count_;
}

void CodeTable::erase(std::uint32_t hash, std::uint32_t ref) noexcept {
  const std::size_t segment = index_of(hash);
  const std::size_t size = size_of(segment);
  // The distance from block `from` to block `to`, around the end.
  const auto distance = [size](std::size_t from, std::size_t to) { return to >= from ? to - from : to + size - from; };
  const auto place_in = [&](const Block& block) {
    std::size_t k = 0;
    while (k < kBlockSlots && (block.hashes[k] != hash || block.inverted_refs[k] != ~ref)) ++k;
    return k;
  };

  std::size_t at = home_of(hash, size);
  while (place_in(block_of(segment, at)) == kBlockSlots) {
    PAIRPORT_CHECK(block_of(segment, at).empty() == 0);
    at = next_block(at, size);
  }
  std::size_t hole = place_in(block_of(segment, at));
  // Close the gap (Knuth, TAOCP 3, 6.4, algorithm R, by blocks). This leaves no tombstones, so look-ups do not get
  // slower with age. Only an entry that has passed a full block may belong into that block.
  bool was_full = block_of(segment, at).empty() == 0;
  for (std::size_t i = next_block(at, size); was_full; i = next_block(i, size)) {
    const Block& block = block_of(segment, i);
    was_full = block.empty() == 0;
    for (std::size_t k = 0; k < kBlockSlots; ++k) {
      const Slot slot = block.slot(k);
      if (slot.inverted_ref == 0 || distance(home_of(slot.hash, size), i) < distance(at, i)) continue;
      block_of(segment, at).set(hole, slot);
      at = i;
      hole = k;
      break;
    }
  }
  block_of(segment, at).set(hole, {});
  --counts_[segment];
  --count_;
}

// Undoes the last split. Segments that are not merged keep their pages: as a table empties, every segment is merged in
// the end.
void CodeTable::trim() noexcept {
  PAIRPORT_CHECK(trimmable());
  const std::size_t upper = segment_count_ - 1;
  const std::size_t lower = buddy_of_last();
  const std::size_t pages = merged_pages();
  Copy both;
  take_out(lower, both);
  take_out(upper, both);
  set_pages(lower, pages);
  set_pages(upper, 0);
  --segment_count_;
  if (segment_count_ <= mask_ / 2) mask_ /= 2;
  put_in(lower, both);
}

}  // namespace pairport

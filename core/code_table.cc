// SPDX-License-Identifier: MIT
// Invariants: with 2^n the largest power of two up to segment_count_, segments below segment_count_ - 2^n and from 2^n
// on hold the entries whose hash has their number in its last n + 1 bits, the others those with their number in the
// last n. A segment has one page at least and at most kPageLoad entries for each page, so every probe ends. The blocks
// from an entry's home block to the one before its own are full. Slots behind a segment's pages are zero, and so is
// everything behind the last segment.
#include "code_table.h"

#include <algorithm>
#include <cassert>

namespace pairport {

CodeTable::CodeTable(std::size_t max_entries) noexcept
    : slots_((max_entries / kAverage + 1) * kMaxSlots),
      pages_(max_entries / kAverage + 1),
      counts_(max_entries / kAverage + 1) {
  if (*this) set_pages(0, 1);
}

void CodeTable::place(Slot* slots, std::size_t size, Slot slot) noexcept {
  std::size_t block = home_of(slot.hash, size);
  unsigned empty = empty_in(slots + block);
  while (empty == 0) {
    block = next_block(block, size);
    empty = empty_in(slots + block);
  }
  slots[block + static_cast<std::size_t>(std::countr_zero(empty))] = slot;
}

// Leaves the segment empty, with the pages that it has.
void CodeTable::take_out(std::size_t segment, Copy& copy) noexcept {
  const std::size_t size = size_of(segment);
  Slot* slots = &slots_[segment * kMaxSlots];
  std::size_t count = copy.count;
  for (std::size_t i = 0; i < size; ++i) {
    // Without a branch that could be mispredicted: slots are empty as if by the throw of a die.
    copy.slots[count] = slots[i];
    count += slots[i].empty() ? 0U : 1U;
    slots[i] = {};
  }
  copy.count = count;
  counts_[segment] = 0;
}

// REQUIRES: the segment is empty and has pages enough.
void CodeTable::put_in(std::size_t segment, const Copy& copy) noexcept {
  const std::size_t size = size_of(segment);
  Slot* slots = &slots_[segment * kMaxSlots];
  for (std::size_t i = 0; i < copy.count; ++i) place(slots, size, copy.slots[i]);
  counts_[segment] = static_cast<std::uint16_t>(copy.count);
}

// REQUIRES: the segment is empty.
void CodeTable::set_pages(std::size_t segment, std::size_t pages) noexcept {
  const std::size_t before = pages_[segment];
  if (pages < before) {
    slots_.discard(segment * kMaxSlots + pages * kPageSlots, (before - pages) * kPageSlots);
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
  // With room for one more each: an insertion that splits needs no growth then.
  set_pages(lower, std::min(pages_for(staying + 1), kMaxPages));
  set_pages(upper, std::min(pages_for(moving.count + 1), kMaxPages));
  if (++segment_count_ > mask_) mask_ = 2 * mask_ + 1;
  put_in(lower, both);
  put_in(upper, moving);
}

// REQUIRES: it has less than kMaxPages.
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
  assert(counts_[i] < pages_[i] * kPageLoad);
  place(&slots_[i * kMaxSlots], size_of(i), {hash, ~ref});
  ++counts_[i];
  ++count_;
}

void CodeTable::erase(std::uint32_t hash, std::uint32_t ref) noexcept {
  const std::size_t segment = index_of(hash);
  const std::size_t size = size_of(segment);
  Slot* slots = &slots_[segment * kMaxSlots];
  // How far it is from block `from` to block `to`, around the end.
  const auto distance = [size](std::size_t from, std::size_t to) { return to >= from ? to - from : to + size - from; };

  std::size_t block = home_of(hash, size);
  const auto place_in = [&](const Slot* all) {
    std::size_t i = 0;
    while (i < kBlockSlots && (all[i].hash != hash || all[i].inverted_ref != ~ref)) ++i;
    return i;
  };
  while (place_in(slots + block) == kBlockSlots) {
    assert(empty_in(slots + block) == 0);
    block = next_block(block, size);
  }
  std::size_t hole = block + place_in(slots + block);
  // Close the gap (Knuth, TAOCP 3, 6.4, algorithm R, by blocks): no tombstones, so look-ups never get slower with age.
  // Only what has gone past a full block may belong into it.
  bool was_full = empty_in(slots + block) == 0;
  for (std::size_t i = next_block(block, size); was_full; i = next_block(i, size)) {
    was_full = empty_in(slots + i) == 0;
    for (std::size_t k = i; k < i + kBlockSlots; ++k) {
      if (slots[k].empty() || distance(home_of(slots[k].hash, size), i) < distance(block, i)) continue;
      slots[hole] = slots[k];
      hole = k;
      block = i;
      break;
    }
  }
  slots[hole] = {};
  --counts_[segment];
  --count_;
}

// Undoes the last split. Segments that are not merged keep their pages: a table that empties comes to all of them.
void CodeTable::trim() noexcept {
  assert(trimmable());
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

// SPDX-License-Identifier: MIT
// Invariants: the directory has 2^depth_ entries; a segment of depth d is pointed to by 2^(depth_-d) neighbouring
// entries and holds exactly the entries whose first d hash bits are its own. Every segment keeps at least a quarter of
// its slots empty, so every probe ends.
#include "code_table.h"

#include <algorithm>
#include <cassert>
#include <new>

namespace pairport {

CodeTable::~CodeTable() {
  if (directory_ == nullptr) return;
  const std::size_t size = std::size_t{1} << depth_;
  for (std::size_t i = 0; i < size;) {
    Segment* segment = directory_[i];
    i += std::size_t{1} << (depth_ - segment->depth);
    delete segment;
  }
}

void CodeTable::point(std::size_t first, std::size_t count, Segment* segment) noexcept {
  std::fill_n(directory_.get() + first, count, segment);
}

bool CodeTable::double_directory() noexcept {
  if (depth_ == kMaxDepth) return false;
  const std::size_t size = std::size_t{1} << depth_;
  std::unique_ptr<Segment*[]> larger(new (std::nothrow) Segment*[size * 2]);
  if (larger == nullptr) return false;
  for (std::size_t i = 0; i < size; ++i) larger[2 * i] = larger[2 * i + 1] = directory_[i];
  directory_ = std::move(larger);
  ++depth_;
  return true;
}

bool CodeTable::split(std::uint32_t hash) noexcept {
  Segment* segment = directory_[index_of(hash, depth_)];
  if (segment->depth == depth_ && !double_directory()) return false;
  auto* upper = new (std::nothrow) Segment;
  if (upper == nullptr) return false;
  ++segments_;

  const unsigned depth = ++segment->depth;
  upper->depth = depth;
  const std::array<Slot, kSlots> slots = segment->slots;
  segment->clear();
  for (const Slot& slot : slots) {
    if (slot.ref == kNone) continue;
    (index_of(slot.hash, depth) % 2 == 0 ? segment : upper)->add(slot);
  }
  const std::size_t span = std::size_t{1} << (depth_ - depth);
  const std::size_t upper_prefix = index_of(hash, depth) | 1U;
  point(upper_prefix * span, span, upper);
  return true;
}

bool CodeTable::reserve(std::uint32_t hash) noexcept {
  if (directory_ == nullptr) {
    directory_.reset(new (std::nothrow) Segment*[1]);
    if (directory_ == nullptr) return false;
    directory_[0] = new (std::nothrow) Segment;
    if (directory_[0] == nullptr) {
      directory_.reset();
      return false;
    }
    segments_ = 1;
  }
  while (directory_[index_of(hash, depth_)]->count >= kMaxLoad) {
    if (!split(hash)) return false;
  }
  return true;
}

void CodeTable::insert(std::uint32_t hash, std::uint32_t ref) noexcept {
  Segment* segment = directory_[index_of(hash, depth_)];
  assert(segment->count < kMaxLoad);
  segment->add({hash, ref});
}

void CodeTable::erase(std::uint32_t hash, std::uint32_t ref) noexcept {
  Segment& segment = *directory_[index_of(hash, depth_)];
  std::size_t hole = hash & kSlotMask;
  while (segment.slots[hole].hash != hash || segment.slots[hole].ref != ref) {
    assert(segment.slots[hole].ref != kNone);
    hole = (hole + 1) & kSlotMask;
  }
  // Close the gap (Knuth, TAOCP 3, 6.4, algorithm R): no tombstones, so look-ups never get slower with age.
  for (std::size_t i = (hole + 1) & kSlotMask; segment.slots[i].ref != kNone; i = (i + 1) & kSlotMask) {
    const std::size_t home = segment.slots[i].hash & kSlotMask;
    if (((i - home) & kSlotMask) >= ((i - hole) & kSlotMask)) {
      segment.slots[hole] = segment.slots[i];
      hole = i;
    }
  }
  segment.slots[hole] = {0, kNone};
  --segment.count;
  if (segment.count < kMergeLoad / 2) merge(hash);
}

void CodeTable::merge(std::uint32_t hash) noexcept {
  while (true) {
    Segment* segment = directory_[index_of(hash, depth_)];
    if (segment->depth == 0) break;
    const unsigned depth = segment->depth;
    const std::size_t prefix = index_of(hash, depth);
    const std::size_t span = std::size_t{1} << (depth_ - depth);
    Segment* buddy = directory_[(prefix ^ 1U) * span];
    if (buddy->depth != depth || segment->count + buddy->count >= kMergeLoad) break;
    for (const Slot& slot : buddy->slots) {
      if (slot.ref != kNone) segment->add(slot);
    }
    --segment->depth;
    point((prefix & ~std::size_t{1}) * span, 2 * span, segment);
    delete buddy;
    --segments_;
  }
  // Halve the directory once it is far larger than its segments need. The check costs O(1), the halving the copy of an
  // array that was doubled before; both are rare.
  while (depth_ > 0 && segments_ * 4 <= std::size_t{1} << depth_) {
    const std::size_t size = std::size_t{1} << (depth_ - 1);
    for (std::size_t i = 0; i < size; ++i) {
      if (directory_[2 * i] != directory_[2 * i + 1]) return;
    }
    std::unique_ptr<Segment*[]> smaller(new (std::nothrow) Segment*[size]);
    if (smaller == nullptr) return;
    for (std::size_t i = 0; i < size; ++i) smaller[i] = directory_[2 * i];
    directory_ = std::move(smaller);
    --depth_;
  }
}

}  // namespace pairport

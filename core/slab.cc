// SPDX-License-Identifier: MIT
// Invariants: a page in use belongs to one size class and is in partial_[class] exactly when it has a slot left; a page
// not in use is in free_pages_ exactly when its chunk is mapped. in_use_[c] counts the pages in use of chunk c;
// empty_chunks_ counts the mapped chunks where that is 0, and there is at most one of them between calls.
#include "slab.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace pairport {

// Steps of 16 bytes up to 512, 64 up to 1024, 256 up to 3584: typical deposits (100 to 300 bytes) lose 8 bytes on
// average, the rare large ones at most a fifth.
std::size_t Slab::class_of(std::size_t size) noexcept {
  if (size <= 512) return (size - 1) / 16;
  if (size <= 1024) return 32 + (size - 513) / 64;
  return 40 + (size - 1025) / 256;
}

std::size_t Slab::size_of_class(std::size_t size_class) noexcept {
  if (size_class < 32) return (size_class + 1) * 16;
  if (size_class < 40) return 512 + (size_class - 31) * 64;
  return 1024 + (size_class - 39) * 256;
}

void Slab::push(std::uint32_t& list, std::uint32_t page) noexcept {
  pages_[page].next = list;
  pages_[page].prev = kNoPage;
  if (list != kNoPage) pages_[list].prev = page;
  list = page;
}

void Slab::remove(std::uint32_t& list, std::uint32_t page) noexcept {
  Page& node = pages_[page];
  if (node.prev != kNoPage) {
    pages_[node.prev].next = node.next;
  } else {
    list = node.next;
  }
  if (node.next != kNoPage) pages_[node.next].prev = node.prev;
  node.next = node.prev = kNoPage;
}

bool Slab::map_chunk(std::size_t allowed_bytes) noexcept {
  if (mapped_bytes() + kChunkSize > allowed_bytes) return false;
  if (holes_.empty() && chunks_.size() == kMaxChunks) return false;
  SecretBlock block = SecretBlock::map(kChunkSize, minimum_);
  if (!block) return false;
  if (holes_.empty()) {
    // Everything that may fail comes first, so that a failure leaves nothing half done.
    try {
      const std::size_t count = chunks_.size() + 1;
      const auto room = [](auto& vector, std::size_t wanted) {
        if (vector.capacity() < wanted) vector.reserve(std::max(wanted, vector.capacity() * 2));
      };
      room(chunks_, count);
      room(bases_, count);
      room(in_use_, count);
      room(holes_, count);
      room(pages_, count * kPagesPerChunk);
    } catch (const std::bad_alloc&) {
      return false;
    }
    holes_.push_back(static_cast<std::uint32_t>(chunks_.size()));
    chunks_.emplace_back();
    bases_.push_back(nullptr);
    in_use_.push_back(0);
    pages_.resize(pages_.size() + kPagesPerChunk);
  }
  const std::uint32_t chunk = holes_.back();
  holes_.pop_back();
  level_ = std::min(level_, block.level());
  bases_[chunk] = block.data();
  chunks_[chunk] = std::move(block);
  ++live_chunks_;
  ++empty_chunks_;
  // Pushed last to first, so that records come one behind the other in memory.
  for (std::size_t i = kPagesPerChunk; i-- > 0;) {
    push(free_pages_, static_cast<std::uint32_t>(chunk * kPagesPerChunk + i));
  }
  return true;
}

void Slab::unmap_chunk(std::uint32_t chunk) noexcept {
  for (std::size_t i = 0; i < kPagesPerChunk; ++i) {
    remove(free_pages_, static_cast<std::uint32_t>(chunk * kPagesPerChunk + i));
  }
  chunks_[chunk] = SecretBlock();
  bases_[chunk] = nullptr;
  holes_.push_back(chunk);  // map_chunk() reserved the room
  --live_chunks_;
  --empty_chunks_;
}

Slab::Ref Slab::allocate(std::size_t size, std::size_t allowed_bytes) noexcept {
  assert(size > 0 && size <= kMaxSize);
  const std::size_t size_class = class_of(size);
  std::uint32_t page = partial_[size_class];
  if (page == kNoPage) {
    if (free_pages_ == kNoPage && !map_chunk(allowed_bytes)) return kNone;
    page = free_pages_;
    remove(free_pages_, page);
    Page& fresh = pages_[page];
    fresh.live = 0;
    fresh.fresh = 0;
    fresh.free_slot = kNoSlot;
    fresh.size_class = static_cast<std::uint8_t>(size_class);
    fresh.in_use = true;
    if (in_use_[page / kPagesPerChunk]++ == 0) --empty_chunks_;
    push(partial_[size_class], page);
  }

  Page& node = pages_[page];
  const std::size_t slot_size = size_of_class(size_class);
  std::uint16_t slot = node.free_slot;
  std::byte* base = page_base(page);
  if (slot != kNoSlot) {
    std::byte* memory = base + slot * slot_size;
    std::memcpy(&node.free_slot, memory, sizeof(node.free_slot));
    std::memset(memory, 0, sizeof(node.free_slot));
  } else {
    slot = node.fresh++;
  }
  ++node.live;
  if (node.free_slot == kNoSlot && (node.fresh + std::size_t{1}) * slot_size > kPageSize) {
    remove(partial_[size_class], page);
  }
  const std::size_t offset = (page % kPagesPerChunk) * kPageSize + slot * slot_size;
  return static_cast<Ref>((page / kPagesPerChunk) << kChunkBits | offset >> kUnitBits);
}

void Slab::release(Ref ref, std::size_t size) noexcept {
  const std::size_t slot_size = size_of_class(class_of(size));
  const std::uint32_t chunk = ref >> kChunkBits;
  const std::size_t offset = static_cast<std::size_t>(ref & kUnitMask) << kUnitBits;
  const auto page = static_cast<std::uint32_t>(chunk * kPagesPerChunk + (offset >> kPageBits));
  Page& node = pages_[page];
  assert(node.in_use && node.live > 0 && size_of_class(node.size_class) == slot_size);
  const bool was_full = node.free_slot == kNoSlot && (node.fresh + std::size_t{1}) * slot_size > kPageSize;

  const auto slot = static_cast<std::uint16_t>((offset & (kPageSize - 1)) / slot_size);
  std::memcpy(at(ref), &node.free_slot, sizeof(node.free_slot));
  node.free_slot = slot;
  if (was_full) push(partial_[node.size_class], page);
  if (--node.live != 0) return;

  remove(partial_[node.size_class], page);
  node.in_use = false;
  // The chain of free slots is the only thing left in the page; fresh pages are all zero.
  std::memset(page_base(page), 0, kPageSize);
  push(free_pages_, page);
  if (--in_use_[chunk] == 0 && ++empty_chunks_ > 1) unmap_chunk(chunk);
}

}  // namespace pairport

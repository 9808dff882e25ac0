// SPDX-License-Identifier: MIT
// Invariants: a page in use belongs to one size class and is in partial_[class] exactly when it has a slot left; a page
// not in use is in free_pages_ exactly when its chunk has another page in use. A mapped chunk without a page in use is
// in empty_, and all its bytes are zero. An index without a chunk is in holes_ or not below chunk_count_.
#include "core/store/slab.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "core/base/check.h"

namespace pairport {
namespace {

// Doubly linked lists of array elements, by index. `head` is the first element, or kEnd.
constexpr std::uint32_t kEnd = 0xffffffffU;

template <typename Nodes>
void push(Nodes& nodes, std::uint32_t& head, std::uint32_t i) noexcept {
  nodes[i].next = head;
  nodes[i].prev = kEnd;
  if (head != kEnd) nodes[head].prev = i;
  head = i;
}

template <typename Nodes>
void remove(Nodes& nodes, std::uint32_t& head, std::uint32_t i) noexcept {
  auto& node = nodes[i];
  (node.prev != kEnd ? nodes[node.prev].next : head) = node.next;
  if (node.next != kEnd) nodes[node.next].prev = node.prev;
  node.next = node.prev = kEnd;
}

}  // namespace

Slab::~Slab() {
  for (std::uint32_t i = 0; i < chunk_count_; ++i) std::destroy_at(&blocks_[i]);
}

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

bool Slab::map_chunk(std::size_t allowed_bytes) noexcept {
  if (mapped_bytes() + kChunkSize > allowed_bytes) return false;
  if (holes_ == kNoChunk && chunk_count_ == kMaxChunks) return false;
  SecretBlock block = SecretBlock::map(kChunkSize, minimum_);
  if (!block) return false;
  std::uint32_t chunk = holes_;
  if (chunk != kNoChunk) {
    remove(chunks_, holes_, chunk);
  } else {
    chunk = chunk_count_++;
    std::construct_at(&blocks_[chunk]);
    std::construct_at(&chunks_[chunk]);
    for (std::size_t i = 0; i < kPagesPerChunk; ++i) std::construct_at(&pages_[chunk * kPagesPerChunk + i]);
  }
  level_ = std::min(level_, block.level());
  bases_[chunk] = block.data();
  blocks_[chunk] = std::move(block);
  push(chunks_, empty_, chunk);
  ++live_chunks_;
  ++empty_chunks_;
  return true;
}

void Slab::trim() noexcept {
  PAIRPORT_CHECK(trimmable());
  const std::uint32_t chunk = empty_;
  remove(chunks_, empty_, chunk);
  --empty_chunks_;
  --live_chunks_;
  blocks_[chunk].unmap_wiped();
  bases_[chunk] = nullptr;
  push(chunks_, holes_, chunk);
}

// A page of zero bytes, or kNoPage. Prefers chunks that are in use already, so that others can become empty.
std::uint32_t Slab::take_page(std::size_t allowed_bytes) noexcept {
  if (free_pages_ == kNoPage) {
    if (empty_ == kNoChunk && !map_chunk(allowed_bytes)) return kNoPage;
    const std::uint32_t chunk = empty_;
    remove(chunks_, empty_, chunk);
    --empty_chunks_;
    // From last to first, so that records are allocated in the order of their addresses.
    for (std::size_t i = kPagesPerChunk; i-- > 0;) {
      push(pages_, free_pages_, static_cast<std::uint32_t>(chunk * kPagesPerChunk + i));
    }
  }
  const std::uint32_t page = free_pages_;
  remove(pages_, free_pages_, page);
  ++chunks_[page / kPagesPerChunk].pages_in_use;
  return page;
}

void Slab::give_page(std::uint32_t page) noexcept {
  push(pages_, free_pages_, page);
  const auto chunk = static_cast<std::uint32_t>(page / kPagesPerChunk);
  if (--chunks_[chunk].pages_in_use != 0) return;
  for (std::size_t i = 0; i < kPagesPerChunk; ++i) {
    remove(pages_, free_pages_, static_cast<std::uint32_t>(chunk * kPagesPerChunk + i));
  }
  push(chunks_, empty_, chunk);
  ++empty_chunks_;
}

Slab::Ref Slab::allocate(std::size_t size, std::size_t allowed_bytes) noexcept {
  PAIRPORT_CHECK(size > 0 && size <= kMaxSize);
  const std::size_t size_class = class_of(size);
  std::uint32_t page = partial_[size_class];
  if (page == kNoPage) {
    page = take_page(allowed_bytes);
    if (page == kNoPage) return kNone;
    Page& fresh = pages_[page];
    fresh.live = 0;
    fresh.fresh = 0;
    fresh.free_slot = kNoSlot;
    fresh.size_class = static_cast<std::uint8_t>(size_class);
    fresh.in_use = true;
    push(pages_, partial_[size_class], page);
  }

  Page& node = pages_[page];
  const std::size_t slot_size = size_of_class(size_class);
  std::uint16_t slot = node.free_slot;
  std::byte* base = page_base(page);
  if (slot != kNoSlot) {
    std::byte* memory = base + slot * slot_size;
    std::memcpy(&node.free_slot, memory, sizeof(node.free_slot));
    std::memset(memory, 0, sizeof(node.free_slot));
    new_memory_ = false;
  } else {
    slot = node.fresh++;
    // Whether the record begins or crosses a kernel page, at the smallest size of a kernel page.
    constexpr std::size_t kKernelPage = 4096;
    const std::size_t begin = slot * slot_size;
    new_memory_ = begin % kKernelPage == 0 || begin / kKernelPage != (begin + slot_size - 1) / kKernelPage;
  }
  ++node.live;
  if (node.free_slot == kNoSlot && (node.fresh + std::size_t{1}) * slot_size > kPageSize) {
    remove(pages_, partial_[size_class], page);
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
  PAIRPORT_CHECK(node.in_use && node.live > 0 && size_of_class(node.size_class) == slot_size);
  const bool was_full = node.free_slot == kNoSlot && (node.fresh + std::size_t{1}) * slot_size > kPageSize;

  const auto slot = static_cast<std::uint16_t>((offset & (kPageSize - 1)) / slot_size);
  std::memcpy(at(ref), &node.free_slot, sizeof(node.free_slot));
  node.free_slot = slot;
  if (was_full) push(pages_, partial_[node.size_class], page);
  if (--node.live != 0) return;

  remove(pages_, partial_[node.size_class], page);
  node.in_use = false;
  // Clear the chain of free slots, which is the only data left in the page: a free page is all zero.
  std::memset(page_base(page), 0, kPageSize);
  give_page(page);
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Slabs for the store's records: size classes in pages of secret memory. A reference to a record has 31 bits.
#ifndef PAIRPORT_CORE_SLAB_H_
#define PAIRPORT_CORE_SLAB_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/memory/secret_block.h"
#include "core/store/reserved_array.h"

namespace pairport {

// Allocates zero-filled or wiped memory; the user wipes memory before it releases it. Never moves a record. Grows by
// one chunk at a time, without copies: it reserves the address space for its bookkeeping at the start. Keeps empty
// chunks until trim() is called. One thread at a time.
class Slab {
 public:
  using Ref = std::uint32_t;
  static constexpr Ref kNone = 0x7fffffffU;
  static constexpr std::size_t kMaxSize = 3584;
  static constexpr std::size_t kChunkSize = 256 * 1024;

  // Converts to false when the kernel refuses the address space for the bookkeeping; do not use the slab then.
  explicit Slab(SecretLevel minimum) noexcept : minimum_(minimum) { partial_.fill(kNoPage); }
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  explicit operator bool() const noexcept { return blocks_ && bases_ && chunks_ && pages_; }

  // Room for `size` bytes. kNone when the kernel gives no more memory, or when `allowed_bytes` are mapped already.
  // REQUIRES: 0 < size <= kMaxSize
  Ref allocate(std::size_t size, std::size_t allowed_bytes) noexcept;

  // Whether the memory of the last allocate() may not have a physical page yet. The page fault at its first use takes
  // as long as a hundred allocations.
  bool touched_new_memory() const noexcept { return new_memory_; }
  // Maps a chunk in advance when the next page needs one. A failure is harmless.
  void prepare(std::size_t allowed_bytes) noexcept {
    if (free_pages_ == kNoPage && empty_ == kNoChunk) static_cast<void>(map_chunk(allowed_bytes));
  }

  // REQUIRES: `ref` came from allocate(size) and its memory is wiped.
  void release(Ref ref, std::size_t size) noexcept;

  // Valid until release(ref).
  std::byte* at(Ref ref) const noexcept {
    return bases_[ref >> kChunkBits] + (static_cast<std::size_t>(ref & kUnitMask) << kUnitBits);
  }

  // Whether more empty chunks are mapped than the one in reserve.
  bool trimmable() const noexcept { return empty_chunks_ > 1; }
  // Unmaps an empty chunk, which takes as long as a hundred releases or more. REQUIRES: trimmable()
  void trim() noexcept;

  // Bytes of record memory mapped now.
  std::size_t mapped_bytes() const noexcept { return live_chunks_ * kChunkSize; }
  // The weakest level of all chunks so far; kMemfdSecret before the first chunk.
  SecretLevel level() const noexcept { return level_; }

 private:
  static constexpr unsigned kUnitBits = 4;   // records are multiples of 16 bytes
  static constexpr unsigned kPageBits = 15;  // 32 KiB, all of one size class
  static constexpr std::size_t kPageSize = std::size_t{1} << kPageBits;
  static constexpr std::size_t kPagesPerChunk = kChunkSize / kPageSize;
  static constexpr unsigned kChunkBits = 14;  // units per chunk: 256 KiB / 16
  static constexpr std::uint32_t kUnitMask = (1U << kChunkBits) - 1;
  static constexpr std::size_t kMaxChunks = std::size_t{1} << (31 - kChunkBits);
  static constexpr std::uint32_t kNoPage = 0xffffffffU;
  static constexpr std::uint32_t kNoChunk = 0xffffffffU;
  static constexpr std::uint16_t kNoSlot = 0xffffU;
  static_assert(kChunkSize >> kUnitBits == 1U << kChunkBits);

  struct Page {
    std::uint32_t next = kNoPage;  // in the list of pages of its class with room, or of free pages
    std::uint32_t prev = kNoPage;
    std::uint16_t live = 0;
    std::uint16_t fresh = 0;            // slots from this one on were never used
    std::uint16_t free_slot = kNoSlot;  // first of the released slots; each holds the index of the next
    std::uint8_t size_class = 0;
    bool in_use = false;
  };

  static constexpr std::size_t kClasses = 32 + 8 + 10;
  static std::size_t class_of(std::size_t size) noexcept;
  static std::size_t size_of_class(std::size_t size_class) noexcept;

  std::byte* page_base(std::uint32_t page) const noexcept {
    return bases_[page / kPagesPerChunk] + (page % kPagesPerChunk) * kPageSize;
  }
  bool map_chunk(std::size_t allowed_bytes) noexcept;
  std::uint32_t take_page(std::size_t allowed_bytes) noexcept;
  void give_page(std::uint32_t page) noexcept;

  struct Chunk {
    std::uint32_t pages_in_use = 0;
    std::uint32_t next = kNoChunk;  // in the list of empty chunks or of holes
    std::uint32_t prev = kNoChunk;
  };

  SecretLevel minimum_;
  SecretLevel level_ = SecretLevel::kMemfdSecret;
  ReservedArray<SecretBlock> blocks_{kMaxChunks};  // the ones below chunk_count_ are constructed
  ReservedArray<std::byte*> bases_{kMaxChunks};    // blocks_[i].data(), dense for look-ups
  ReservedArray<Chunk> chunks_{kMaxChunks};
  ReservedArray<Page> pages_{kMaxChunks * kPagesPerChunk};
  std::array<std::uint32_t, kClasses> partial_;
  std::uint32_t free_pages_ = kNoPage;  // of chunks with other pages in use
  std::uint32_t empty_ = kNoChunk;      // mapped chunks without a page in use
  std::uint32_t holes_ = kNoChunk;      // indexes whose chunk was unmapped
  std::uint32_t chunk_count_ = 0;       // indexes that were ever used
  bool new_memory_ = false;
  std::size_t live_chunks_ = 0;
  std::size_t empty_chunks_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_CORE_SLAB_H_

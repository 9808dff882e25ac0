// SPDX-License-Identifier: MIT
// Where secrets lie while the library works on them: mapped memory, buffers of other libraries, and the stack.
#ifndef PAIRPORT_SECRET_BLOCK_H_
#define PAIRPORT_SECRET_BLOCK_H_

#include <cstddef>
#include <type_traits>
#include <utility>

#include <pairport/export.h>
#include <pairport/secret_memory.h>

namespace pairport {

// wipe() for a value of a few bytes, without a call.
template <typename Value>
void wipe_value(Value& value) noexcept {
  static_assert(std::is_trivially_copyable_v<Value>);
  value = Value{};
  asm volatile("" : : "r"(&value) : "memory");  // it reads the value, so the write before stays
}

// Wipes 16 KiB of the stack below the caller's frame and the vector registers (x86-64, AArch64), where functions that
// have returned, a parser for example, may have left pieces of what they worked on. Costs about 0.15 microseconds.
PAIRPORT_EXPORT void wipe_stack() noexcept;

// Wipes the vector registers alone, where copying a value leaves its last bytes: some 25 instructions.
PAIRPORT_EXPORT void wipe_vector_registers() noexcept;

// For a buffer that a library has allocated: locks the pages that it lies on, neighbours included, and leaves them out
// of core dumps. At most kLocked; kPlain when the kernel does not grant that. Undone when the pages are unmapped.
PAIRPORT_EXPORT SecretLevel lock_in_place(void* data, std::size_t size) noexcept;

// One mapping of zeroed, page-aligned memory, wiped and unmapped on destruction. The kernel finds memory for a page at
// its first use and locks it then; so a mapping costs little, and nothing for what is not used. Movable, not copyable.
// Not synchronised: one thread at a time.
class PAIRPORT_EXPORT SecretBlock {
 public:
  SecretBlock() noexcept = default;
  ~SecretBlock();
  SecretBlock(SecretBlock&& other) noexcept { *this = std::move(other); }
  SecretBlock& operator=(SecretBlock&& other) noexcept;
  SecretBlock(const SecretBlock&) = delete;
  SecretBlock& operator=(const SecretBlock&) = delete;

  // Maps at least `size` bytes, rounded up to whole pages, at the best level that the kernel grants but not below
  // `minimum`. On failure (limit RLIMIT_MEMLOCK, no memory) the block is empty and nothing is held.
  static SecretBlock map(std::size_t size, SecretLevel minimum = SecretLevel::kPlain) noexcept;

  // Unmaps without wiping once more; the block is then empty. REQUIRES: everything written to it is wiped.
  void unmap_wiped() noexcept;

  explicit operator bool() const noexcept { return data_ != nullptr; }
  // Valid until this object is destroyed or assigned to.
  std::byte* data() const noexcept { return data_; }
  // Bytes mapped, at least what was asked for.
  std::size_t size() const noexcept { return size_; }
  SecretLevel level() const noexcept { return level_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  SecretLevel level_ = SecretLevel::kPlain;
};

}  // namespace pairport

#endif  // PAIRPORT_SECRET_BLOCK_H_

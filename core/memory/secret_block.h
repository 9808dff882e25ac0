// SPDX-License-Identifier: MIT
// Memory that holds secrets while the library works on them: mappings, buffers of other libraries, and the stack.
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
  asm volatile("" : : "r"(&value) : "memory");  // it reads the value, so the compiler keeps the write
}

// Wipes 16 KiB of the stack below the caller's frame and the vector registers (x86-64, AArch64). Functions that have
// returned, a parser for example, may have left pieces of secrets there. Costs about 0.15 microseconds.
PAIRPORT_EXPORT void wipe_stack() noexcept;

// Wipes only the vector registers, in some 25 instructions. Copying a value leaves its last bytes in them.
PAIRPORT_EXPORT void wipe_vector_registers() noexcept;

// For a buffer that a library has allocated: locks all its pages, including neighbours on the same pages, and excludes
// them from core dumps. Returns kLocked, or kPlain when the kernel refuses. Unmapping the pages undoes it.
PAIRPORT_EXPORT SecretLevel lock_in_place(void* data, std::size_t size) noexcept;

// One mapping of zeroed, page-aligned memory; the destructor wipes and unmaps it. The kernel allocates and locks a page
// at its first use, so a mapping costs little, and unused pages cost nothing. Movable, not copyable. One thread at a
// time.
class PAIRPORT_EXPORT SecretBlock {
 public:
  SecretBlock() noexcept = default;
  ~SecretBlock();
  SecretBlock(SecretBlock&& other) noexcept { *this = std::move(other); }
  SecretBlock& operator=(SecretBlock&& other) noexcept;
  SecretBlock(const SecretBlock&) = delete;
  SecretBlock& operator=(const SecretBlock&) = delete;

  // Maps at least `size` bytes, rounded up to whole pages, at the best level that the kernel gives, but not below
  // `minimum`. On failure (RLIMIT_MEMLOCK, no memory) the block is empty and nothing is mapped.
  static SecretBlock map(std::size_t size, SecretLevel minimum = SecretLevel::kPlain) noexcept;

  // Unmaps without another wipe; the block is empty then. REQUIRES: all bytes that were written are wiped.
  void unmap_wiped() noexcept;

  explicit operator bool() const noexcept { return data_ != nullptr; }
  // Valid until this object is destroyed or assigned to.
  std::byte* data() const noexcept { return data_; }
  // Mapped bytes, at least the requested ones.
  std::size_t size() const noexcept { return size_; }
  SecretLevel level() const noexcept { return level_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  SecretLevel level_ = SecretLevel::kPlain;
};

}  // namespace pairport

#endif  // PAIRPORT_SECRET_BLOCK_H_

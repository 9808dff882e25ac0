// SPDX-License-Identifier: MIT
// Memory for credentials: kept out of swap, core dumps and child processes as far as the kernel allows.
#ifndef PAIRPORT_SECRET_MEMORY_H_
#define PAIRPORT_SECRET_MEMORY_H_

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include <pairport/export.h>

namespace pairport {

// Overwrites `size` bytes with zeros; the compiler never removes the write. `size` may be 0.
PAIRPORT_EXPORT void wipe(void* data, std::size_t size) noexcept;

// The same for a value of a few bytes, without a call.
template <typename Value>
void wipe_value(Value& value) noexcept {
  static_assert(std::is_trivially_copyable_v<Value>);
  value = Value{};
  asm volatile("" : : "r"(&value) : "memory");  // it reads the value, so the write before stays
}

// Wipes 16 KiB of the stack below the caller's frame and the vector registers (x86-64, AArch64), where functions that
// have returned, a parser for example, may have left pieces of what they worked on. Costs about 0.15 microseconds.
PAIRPORT_EXPORT void wipe_stack() noexcept;

// How well memory is protected, weakest first, so that std::min gives the level in force.
enum class SecretLevel {
  kPlain,        // swappable; only excluded from core dumps and from forked children
  kLocked,       // mlock(2): never swapped; excluded from core dumps and from forked children
  kMemfdSecret,  // memfd_secret(2): locked, and not even mapped in the kernel's own address space
};

// "plain", "locked" or "memfd_secret"; a static string.
PAIRPORT_EXPORT std::string_view to_string(SecretLevel level) noexcept;

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

#endif  // PAIRPORT_SECRET_MEMORY_H_

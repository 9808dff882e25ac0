// SPDX-License-Identifier: MIT
// Memory for credentials: kept out of swap, core dumps and child processes as far as the kernel allows. And the random
// bytes that codes and keys are made of.
#ifndef PAIRPORT_SECRET_MEMORY_H_
#define PAIRPORT_SECRET_MEMORY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <pairport/export.h>

namespace pairport {

// A source of random bytes: the kernel in the program, a fixed sequence in tests.
class PAIRPORT_EXPORT RandomSource {
 public:
  virtual ~RandomSource() = default;
  // Fills `out` with uniformly distributed, unpredictable bytes and returns true, or returns false and `out` is
  // undefined.
  virtual bool fill(std::span<std::uint8_t> out) noexcept = 0;
};

// Uses getrandom(2), which blocks only early at boot, until the kernel has gathered entropy. Has no state: any thread.
class PAIRPORT_EXPORT KernelRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override;
};

// Overwrites `size` bytes with zeros; the compiler never removes the write. `size` may be 0.
PAIRPORT_EXPORT void wipe(void* data, std::size_t size) noexcept;

// How well memory is protected, weakest first, so that std::min gives the level in force.
enum class SecretLevel {
  kPlain,        // swappable; only excluded from core dumps and from forked children
  kLocked,       // mlock(2): never swapped; excluded from core dumps and from forked children
  kMemfdSecret,  // memfd_secret(2): locked, and not even mapped in the kernel's own address space
};

// "plain", "locked" or "memfd_secret"; a static string.
PAIRPORT_EXPORT std::string_view to_string(SecretLevel level) noexcept;

// A pool of objects of T, each in secret memory of its own. Up to kKept released objects stay mapped for the next user,
// so a steady flow of requests maps nothing. The destructor of T wipes what T holds. Public only because Connection has
// members of this type; its functions are private to the library. One thread at a time.
template <typename T>
class SecretPool {
 public:
  struct Deleter {
    SecretPool* pool = nullptr;
    void operator()(T* object) const noexcept { pool->release(object); }
  };
  // Returns to the pool on destruction; the pool outlives it.
  using Pointer = std::unique_ptr<T, Deleter>;

  // Objects get memory of at least `minimum`, or none.
  explicit SecretPool(SecretLevel minimum) noexcept : minimum_(minimum) {}
  SecretPool(const SecretPool&) = delete;
  SecretPool& operator=(const SecretPool&) = delete;
  ~SecretPool();

  // Null when there is no memory.
  Pointer acquire() noexcept;

  // In a forked child: forgets the objects that are kept, because they are not in its memory.
  void forget_kept() noexcept { kept_count_ = 0; }

 private:
  static constexpr std::size_t kKept = 64;
  struct Slot;

  Slot* map() noexcept;
  static void unmap(Slot* slot) noexcept;
  void release(T* object) noexcept;

  SecretLevel minimum_;
  std::array<Slot*, kKept> kept_;
  std::size_t kept_count_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_SECRET_MEMORY_H_

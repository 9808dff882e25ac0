// SPDX-License-Identifier: MIT
// A pool of objects that hold credentials for a short time.
#ifndef PAIRPORT_SECRET_POOL_H_
#define PAIRPORT_SECRET_POOL_H_

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include <pairport/secret_memory.h>

namespace pairport {

// Hands out objects of T, each in secret memory of its own, and keeps the last kKept released ones mapped for the next
// user, so that a steady flow of requests maps nothing. T wipes what it holds in its destructor. One thread at a time.
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

  // Null when there is no memory.
  Pointer acquire() noexcept {
    SecretBlock block = kept_count_ > 0 ? std::move(kept_[--kept_count_]) : SecretBlock::map(sizeof(Slot), minimum_);
    if (!block) return Pointer(nullptr, {this});
    auto* slot = new (block.data()) Slot;
    slot->block = std::move(block);
    return Pointer(&slot->object, {this});
  }

 private:
  static constexpr std::size_t kKept = 64;

  // The mapping's own handle lives inside the mapping while the object is in use. `object` comes first, so that a
  // pointer to it is one to the slot.
  struct Slot {
    T object;
    SecretBlock block;
  };

  void release(T* object) noexcept {
    auto* slot = reinterpret_cast<Slot*>(object);
    SecretBlock block = std::move(slot->block);
    slot->~Slot();
    if (kept_count_ < kKept) kept_[kept_count_++] = std::move(block);
  }

  SecretLevel minimum_;
  std::array<SecretBlock, kKept> kept_;
  std::size_t kept_count_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_SECRET_POOL_H_

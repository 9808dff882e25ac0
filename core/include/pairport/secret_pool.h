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

  ~SecretPool() {
    while (kept_count_ > 0) unmap(kept_[--kept_count_]);
  }

  // Null when there is no memory.
  Pointer acquire() noexcept {
    Slot* slot = kept_count_ > 0 ? kept_[--kept_count_] : map();
    return Pointer(slot == nullptr ? nullptr : new (&slot->object) T, {this});
  }

 private:
  static constexpr std::size_t kKept = 64;

  // The mapping's own handle lives inside the mapping. `object` comes first, so that a pointer to it is one to the
  // slot, and exists while it is in use.
  struct Slot {
    Slot() noexcept {}
    ~Slot() {}
    union {
      T object;
    };
    SecretBlock block;
  };

  Slot* map() noexcept {
    SecretBlock block = SecretBlock::map(sizeof(Slot), minimum_);
    if (!block) return nullptr;
    auto* slot = new (block.data()) Slot;
    slot->block = std::move(block);
    return slot;
  }
  static void unmap(Slot* slot) noexcept {
    const SecretBlock block = std::move(slot->block);
    slot->~Slot();
  }

  void release(T* object) noexcept {
    auto* slot = reinterpret_cast<Slot*>(object);
    std::destroy_at(object);
    if (kept_count_ < kKept) {
      kept_[kept_count_++] = slot;
    } else {
      unmap(slot);
    }
  }

  SecretLevel minimum_;
  std::array<Slot*, kKept> kept_;
  std::size_t kept_count_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_SECRET_POOL_H_

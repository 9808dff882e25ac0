// SPDX-License-Identifier: MIT
// The implementation of SecretPool, which <pairport/secret_memory.h> declares.
#ifndef PAIRPORT_SECRET_POOL_H_
#define PAIRPORT_SECRET_POOL_H_

#include <memory>
#include <new>
#include <utility>

#include <pairport/secret_memory.h>

#include "core/memory/secret_block.h"

namespace pairport {

// The mapping holds its own handle. `object` comes first, so that a pointer to it is a pointer to the slot. `object`
// exists only while the slot is in use.
template <typename T>
struct SecretPool<T>::Slot {
  Slot() noexcept {}
  ~Slot() {}
  union {
    T object;
  };
  SecretBlock block;
};

template <typename T>
SecretPool<T>::~SecretPool() {
  while (kept_count_ > 0) unmap(kept_[--kept_count_]);
}

template <typename T>
typename SecretPool<T>::Pointer SecretPool<T>::acquire() noexcept {
  Slot* slot = kept_count_ > 0 ? kept_[--kept_count_] : map();
  return Pointer(slot == nullptr ? nullptr : new (&slot->object) T, {this});
}

template <typename T>
typename SecretPool<T>::Slot* SecretPool<T>::map() noexcept {
  SecretBlock block = SecretBlock::map(sizeof(Slot), minimum_);
  if (!block) return nullptr;
  auto* slot = new (block.data()) Slot;
  slot->block = std::move(block);
  return slot;
}

template <typename T>
void SecretPool<T>::unmap(Slot* slot) noexcept {
  const SecretBlock block = std::move(slot->block);
  slot->~Slot();
}

template <typename T>
void SecretPool<T>::release(T* object) noexcept {
  auto* slot = reinterpret_cast<Slot*>(object);
  std::destroy_at(object);
  if (kept_count_ < kKept) {
    kept_[kept_count_++] = slot;
  } else {
    unmap(slot);
  }
}

}  // namespace pairport

#endif  // PAIRPORT_SECRET_POOL_H_

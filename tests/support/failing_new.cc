// SPDX-License-Identifier: MIT
// In a file of its own: inlined into their callers, GCC takes these for mismatched pairs.
#include "support/failing_new.h"

#include <new>

void* operator new(std::size_t size) {
  void* memory = pairport::testing::Allocations::allocate(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return pairport::testing::Allocations::allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return pairport::testing::Allocations::allocate(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}

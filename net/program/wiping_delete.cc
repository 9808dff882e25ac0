// SPDX-License-Identifier: MIT
// Wipes memory that the program frees before the allocator gets it back. The parser of the configuration file keeps its
// input, with the password of a static deposit, in its own buffers and strings. After it frees them, a later core image
// or a read of uninitialised memory could still find the password. Serving frees almost nothing, so this costs nothing
// there.
#include <malloc.h>

#include <cstdlib>
#include <new>

#include <pairport/secret_memory.h>

// Sanitizers have their own operators, which detect errors.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

void* operator new(std::size_t size) {
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  pairport::wipe(memory, malloc_usable_size(memory));
  std::free(memory);
}

// The other forms for memory of ordinary alignment call the two above (N4868 17.6.3), except this one.
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}

#endif

// SPDX-License-Identifier: MIT
// Memory that the program frees is wiped before it goes back to the allocator. The parser of the configuration file
// keeps what it reads, a static deposit's password among it, in buffers and strings of its own; when it frees them, a
// later core image, or a reader of uninitialised memory, would still find it. Serving frees next to nothing, so that
// this costs nothing there.
#include <malloc.h>

#include <cstdlib>
#include <new>

#include <pairport/secret_memory.h>

// Sanitizers have operators of their own, which find errors.
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

// The other forms for memory of ordinary alignment end in these two (N4868 17.6.3), but for this one.
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}

#endif

// SPDX-License-Identifier: MIT
#include "allocation_count.h"

#include <cstddef>

namespace {
std::uint64_t count = 0;
}  // namespace

// A program's own malloc takes the place of glibc's for every library, and glibc keeps its own under these names.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier)
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t items, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(std::size_t size) {
  ++count;
  return __libc_malloc(size);
}
void* calloc(std::size_t items, std::size_t size) {
  ++count;
  return __libc_calloc(items, size);
}
void* realloc(void* old, std::size_t size) {
  ++count;
  return __libc_realloc(old, size);
}
}

namespace pairport::bench {

std::uint64_t allocation_count() noexcept {
  return count;
}

}  // namespace pairport::bench

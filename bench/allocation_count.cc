// SPDX-License-Identifier: MIT
#include "allocation_count.h"

#include <cstddef>

namespace {
std::uint64_t count = 0;
}  // namespace

// The malloc of a program replaces that of glibc for every library. glibc has its own malloc under these names, too.
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

// SPDX-License-Identifier: MIT
// Invariants: a block is empty (data_ null, size_ 0) or owns exactly one mapping of size_ bytes.
#include <pairport/secret_memory.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <utility>

namespace pairport {
namespace {

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

void* map_memfd_secret(std::size_t size) noexcept {
  const int fd = static_cast<int>(syscall(SYS_memfd_secret, 0U));
  if (fd < 0) return nullptr;
  void* data = MAP_FAILED;
  if (ftruncate(fd, static_cast<off_t>(size)) == 0) {
    data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  close(fd);
  if (data == MAP_FAILED) return nullptr;
  // The mapping is shared, so a child would see it: keep it out of children altogether.
  if (madvise(data, size, MADV_DONTFORK) != 0) {
    munmap(data, size);
    return nullptr;
  }
  return data;
}

void* map_anonymous(std::size_t size) noexcept {
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  // Best effort: kernels that know neither still give memory that works.
  madvise(data, size, MADV_DONTDUMP);
  madvise(data, size, MADV_WIPEONFORK);
  return data;
}

// Locks each page when it is touched first: to fault in all of them at once takes longer than one operation of the
// store may. Kernels before 4.4 know only the latter.
bool lock(void* data, std::size_t size) noexcept {
  return mlock2(data, size, MLOCK_ONFAULT) == 0 || (errno == ENOSYS && mlock(data, size) == 0);
}

}  // namespace

void wipe(void* data, std::size_t size) noexcept {
  if (size != 0) explicit_bzero(data, size);
}

// Not inlined: as part of the caller's frame, the array would lie beside the remains instead of over them. What is
// called on the way to an answer goes down about 4 KiB; tests/memory_scan_test.cc looks for what that leaves.
[[gnu::noinline]] void wipe_stack() noexcept {
  std::array<std::byte, 8 * 1024> remains;
  wipe(remains.data(), remains.size());
}

std::string_view to_string(SecretLevel level) noexcept {
  switch (level) {
    case SecretLevel::kPlain:
      return "plain";
    case SecretLevel::kLocked:
      return "locked";
    case SecretLevel::kMemfdSecret:
      return "memfd_secret";
  }
  return "unknown";
}

SecretLevel lock_in_place(void* data, std::size_t size) noexcept {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(data) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(data) + size + page - 1) / page * page;
  void* const pages = reinterpret_cast<void*>(begin);
  madvise(pages, end - begin, MADV_DONTDUMP);
  return mlock(pages, end - begin) == 0 ? SecretLevel::kLocked : SecretLevel::kPlain;
}

SecretBlock SecretBlock::map(std::size_t size, SecretLevel minimum) noexcept {
  SecretBlock block;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (size == 0 || size > static_cast<std::size_t>(-1) / 2) return block;
  size = (size + page - 1) / page * page;

  void* data = map_memfd_secret(size);
  SecretLevel level = SecretLevel::kMemfdSecret;
  if (data == nullptr && minimum < SecretLevel::kMemfdSecret) {
    data = map_anonymous(size);
    if (data == nullptr) return block;
    level = lock(data, size) ? SecretLevel::kLocked : SecretLevel::kPlain;
    if (level < minimum) {
      munmap(data, size);
      return block;
    }
  }
  if (data == nullptr) return block;
  block.data_ = static_cast<std::byte*>(data);
  block.size_ = size;
  block.level_ = level;
  return block;
}

SecretBlock::~SecretBlock() {
  wipe(data_, size_);
  unmap_wiped();
}

void SecretBlock::unmap_wiped() noexcept {
  if (data_ != nullptr) munmap(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

SecretBlock& SecretBlock::operator=(SecretBlock&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(level_, other.level_);
  return *this;
}

}  // namespace pairport

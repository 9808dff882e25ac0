// SPDX-License-Identifier: MIT
// Invariants: a block is empty (data_ null, size_ 0) or owns exactly one mapping of size_ bytes.
#include "core/memory/secret_block.h"

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
  // The mapping is shared, so a child would see its content: exclude the mapping from children.
  if (madvise(data, size, MADV_DONTFORK) != 0) {
    munmap(data, size);
    return nullptr;
  }
  return data;
}

void* map_anonymous(std::size_t size) noexcept {
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  // Both are hints; a kernel that ignores them still returns usable memory.
  madvise(data, size, MADV_DONTDUMP);
  madvise(data, size, MADV_WIPEONFORK);
  return data;
}

// Locks each page at its first use, because faulting in all pages at once would take longer than one operation of the
// store may take. Kernels before 4.4 can only lock all pages at once.
bool lock(void* data, std::size_t size) noexcept {
  return mlock2(data, size, MLOCK_ONFAULT) == 0 || (errno == ENOSYS && mlock(data, size) == 0);
}

}  // namespace

void wipe(void* data, std::size_t size) noexcept {
  if (size != 0) explicit_bzero(data, size);
}

// memcpy(3) leaves the last bytes that it copied in vector registers. The dynamic linker saves these registers on the
// stack at the first call of each lazily bound function, and so does the kernel when it delivers a signal.
[[gnu::noinline]] void wipe_vector_registers() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx")) {
    asm volatile("vzeroall" ::
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15");
  } else {
    asm volatile(
        "pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2; pxor %%xmm3, %%xmm3;"
        "pxor %%xmm4, %%xmm4; pxor %%xmm5, %%xmm5; pxor %%xmm6, %%xmm6; pxor %%xmm7, %%xmm7;"
        "pxor %%xmm8, %%xmm8; pxor %%xmm9, %%xmm9; pxor %%xmm10, %%xmm10; pxor %%xmm11, %%xmm11;"
        "pxor %%xmm12, %%xmm12; pxor %%xmm13, %%xmm13; pxor %%xmm14, %%xmm14; pxor %%xmm15, %%xmm15" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
              "xmm13", "xmm14", "xmm15");
  }
  // The upper sixteen registers of AVX-512. Writing the lowest 128 bits clears the rest. The caller keeps no value in
  // these registers, because a call clobbers them.
  if (__builtin_cpu_supports("avx512vl")) {
    asm volatile(
        "vpxord %%xmm16, %%xmm16, %%xmm16; vpxord %%xmm17, %%xmm17, %%xmm17; vpxord %%xmm18, %%xmm18, %%xmm18;"
        "vpxord %%xmm19, %%xmm19, %%xmm19; vpxord %%xmm20, %%xmm20, %%xmm20; vpxord %%xmm21, %%xmm21, %%xmm21;"
        "vpxord %%xmm22, %%xmm22, %%xmm22; vpxord %%xmm23, %%xmm23, %%xmm23; vpxord %%xmm24, %%xmm24, %%xmm24;"
        "vpxord %%xmm25, %%xmm25, %%xmm25; vpxord %%xmm26, %%xmm26, %%xmm26; vpxord %%xmm27, %%xmm27, %%xmm27;"
        "vpxord %%xmm28, %%xmm28, %%xmm28; vpxord %%xmm29, %%xmm29, %%xmm29; vpxord %%xmm30, %%xmm30, %%xmm30;"
        "vpxord %%xmm31, %%xmm31, %%xmm31" ::);
  }
#elif defined(__aarch64__)
  asm volatile(
      "movi v0.2d, #0; movi v1.2d, #0; movi v2.2d, #0; movi v3.2d, #0; movi v4.2d, #0; movi v5.2d, #0;"
      "movi v6.2d, #0; movi v7.2d, #0; movi v16.2d, #0; movi v17.2d, #0; movi v18.2d, #0; movi v19.2d, #0;"
      "movi v20.2d, #0; movi v21.2d, #0; movi v22.2d, #0; movi v23.2d, #0; movi v24.2d, #0; movi v25.2d, #0;"
      "movi v26.2d, #0; movi v27.2d, #0; movi v28.2d, #0; movi v29.2d, #0; movi v30.2d, #0; movi v31.2d, #0" ::
          : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",
            "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
#endif
}

// Not inlined: in the caller's frame, the array would lie beside the remains and not over them. The functions that make
// an answer use about 4 KiB of stack, and with lazy binding the dynamic linker saves 3 KiB more.
// tests/net/loop/memory_scan_test.cc searches for remains.
[[gnu::noinline]] void wipe_stack() noexcept {
  std::array<std::byte, 16 * 1024> remains;
  wipe(remains.data(), remains.size());
  wipe_vector_registers();
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
  const std::size_t before = reinterpret_cast<std::uintptr_t>(data) % page;
  void* const pages = static_cast<char*>(data) - before;
  const std::size_t bytes = (before + size + page - 1) / page * page;
  madvise(pages, bytes, MADV_DONTDUMP);
  return mlock(pages, bytes) == 0 ? SecretLevel::kLocked : SecretLevel::kPlain;
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

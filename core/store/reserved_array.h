// SPDX-License-Identifier: MIT
// Arrays that grow without copies.
#ifndef PAIRPORT_CORE_RESERVED_ARRAY_H_
#define PAIRPORT_CORE_RESERVED_ARRAY_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace pairport {

// Address space for `capacity` elements of zero bytes. The kernel adds memory at the first write to each page, so an
// array can be reserved at its largest size. The user constructs and destroys elements of a type that is not trivial.
// Not locked and not secret, only excluded from core dumps. One thread at a time.
template <typename T>
class ReservedArray {
 public:
  // On failure the array is empty.
  explicit ReservedArray(std::size_t capacity) noexcept {
    if (capacity == 0 || capacity > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T)) return;
    void* data =
        mmap(nullptr, capacity * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) return;
    // Without huge pages: the first write to one zeroes 2 MiB, which costs far more than one operation may. Both calls
    // are hints; a kernel that ignores them still returns usable memory.
    madvise(data, capacity * sizeof(T), MADV_NOHUGEPAGE);
    madvise(data, capacity * sizeof(T), MADV_DONTDUMP);
    data_ = static_cast<T*>(data);
    capacity_ = capacity;
  }
  ~ReservedArray() {
    if (data_ != nullptr) munmap(data_, capacity_ * sizeof(T));
  }
  ReservedArray(const ReservedArray&) = delete;
  ReservedArray& operator=(const ReservedArray&) = delete;

  explicit operator bool() const noexcept { return data_ != nullptr; }
  std::size_t capacity() const noexcept { return capacity_; }
  // Valid as long as the array lives. REQUIRES: i < capacity()
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }

  // Sets `count` elements from `first` on to zero, and returns the whole pages among them to the kernel. REQUIRES:
  // first + count <= capacity()
  void discard(std::size_t first, std::size_t count) noexcept {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    if (count == 0) return;
    T* begin = data_ + first;
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t size = count * sizeof(T);
    const bool whole = reinterpret_cast<std::uintptr_t>(begin) % page == 0 && size % page == 0;
    if (!whole || madvise(begin, size, MADV_DONTNEED) != 0) std::memset(static_cast<void*>(begin), 0, size);
  }

 private:
  T* data_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_CORE_RESERVED_ARRAY_H_

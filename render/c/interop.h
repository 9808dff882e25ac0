// SPDX-License-Identifier: MIT
// Conversions between the C interface and the C++ one, for the implementation of the C interface in both libraries.
#ifndef PAIRPORT_C_INTEROP_H_
#define PAIRPORT_C_INTEROP_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>

#include <pairport/code.h>
#include <pairport/export.h>
#include <pairport/pairport.h>
#include <pairport/service.h>

namespace pairport {

// The service and its source of random bytes; both live as long as the handle.
PAIRPORT_EXPORT Service& service_of(pairport_service& service) noexcept;
PAIRPORT_EXPORT RandomSource& random_of(pairport_service& service) noexcept;
// Whether the caller is a forked child of the process that created the service, and so lacks its secret memory.
PAIRPORT_EXPORT bool is_inherited(const pairport_service& service) noexcept;

// Whether `text` is valid: NULL is allowed only with length 0.
inline bool is_string(const pairport_string& text) noexcept {
  return text.data != nullptr || text.size == 0;
}

// A view of the same bytes. Its pointer is never null, because its user may call memcpy().
// REQUIRES: is_string(text)
inline std::string_view view(const pairport_string& text) noexcept {
  return text.size == 0 ? std::string_view("") : std::string_view(text.data, text.size);
}

inline pairport_string string_of(std::string_view text) noexcept {
  return {text.empty() ? "" : text.data(), text.size()};  // never null: C code passes it to memcpy() and fwrite()
}

// Copies `text` and a NUL to `out`, cut to `size` bytes; `out` may be null with 0.
inline void copy_text(std::string_view text, char* out, std::size_t size) noexcept {
  if (out == nullptr || size == 0) return;
  const std::size_t count = std::min(text.size(), size - 1);
  std::copy_n(text.data(), count, out);  // a view of nothing may be one of a null pointer
  out[count] = '\0';
}

// Reads a structure that begins with its size into `known`. The structure may be shorter or longer than ours; `known`
// holds the defaults for the members that a shorter one lacks. False, and nothing is read, when it is null, shorter
// than `first_size` (the size of its first version), or has a non-zero byte behind our members.
template <typename T>
bool read_sized(const T* given, std::size_t first_size, T& known) noexcept {
  if (given == nullptr) return false;
  const std::size_t size = given->size;
  if (size < first_size) return false;
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) return false;
  }
  std::memcpy(&known, given, std::min(size, sizeof(T)));
  return true;
}

// Writes `known` to a structure of the caller's, whose `size` may be shorter or longer than ours: of a shorter one what
// it has, and zeros to what a longer one has on top.
template <typename T>
void write_sized(T known, T* out) noexcept {
  const std::size_t size = out->size;
  known.size = size;
  auto* const bytes = reinterpret_cast<unsigned char*>(out);
  std::memcpy(bytes, &known, std::min(size, sizeof(known)));
  if (size > sizeof(known)) std::memset(bytes + sizeof(known), 0, size - sizeof(known));
}

// Fills a structure of options, which has `size` bytes for the caller, with defaults. Bytes behind our members become
// zero. `make_defaults` may allocate. `first_size` as in read_sized().
template <typename T>
int init_options(T* options, std::size_t size, std::size_t first_size, T (*make_defaults)()) noexcept {
  if (options == nullptr || size < first_size) return PAIRPORT_INVALID_ARGUMENT;
  try {
    const T defaults = make_defaults();
    std::memset(static_cast<void*>(options), 0, size);
    std::memcpy(options, &defaults, std::min(size, sizeof(defaults)));
  } catch (const std::bad_alloc&) {
    return PAIRPORT_OUT_OF_MEMORY;
  }
  options->size = size;
  return PAIRPORT_OK;
}

}  // namespace pairport

#endif  // PAIRPORT_C_INTEROP_H_

// SPDX-License-Identifier: MIT
#include <pairport/secret_memory.h>

#include <sys/random.h>

#include <cerrno>
#include <cstddef>

namespace pairport {

bool KernelRandom::fill(std::span<std::uint8_t> out) noexcept {
  while (!out.empty()) {
    const ssize_t count = getrandom(out.data(), out.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace pairport

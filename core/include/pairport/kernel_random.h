// SPDX-License-Identifier: MIT
// Randomness from the kernel, for programs.
#ifndef PAIRPORT_KERNEL_RANDOM_H_
#define PAIRPORT_KERNEL_RANDOM_H_

#include <cstdint>
#include <span>

#include <pairport/code.h>
#include <pairport/export.h>

namespace pairport {

// getrandom(2). Blocks only before the kernel has gathered entropy, early in its start. Has no state: any thread.
class PAIRPORT_EXPORT KernelRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override;
};

}  // namespace pairport

#endif  // PAIRPORT_KERNEL_RANDOM_H_

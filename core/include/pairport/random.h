// SPDX-License-Identifier: MIT
// Where random bytes come from, for pairing codes and for keys of hash tables.
#ifndef PAIRPORT_RANDOM_H_
#define PAIRPORT_RANDOM_H_

#include <cstdint>
#include <span>

#include <pairport/export.h>

namespace pairport {

// Where random bytes come from: the kernel in the program, a fixed sequence in tests.
class PAIRPORT_EXPORT RandomSource {
 public:
  virtual ~RandomSource() = default;
  // Fills `out` with uniformly distributed, unpredictable bytes and returns true, or returns false and `out` is
  // undefined.
  virtual bool fill(std::span<std::uint8_t> out) noexcept = 0;
};

// getrandom(2). Blocks only before the kernel has gathered entropy, early in its start. Has no state: any thread.
class PAIRPORT_EXPORT KernelRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override;
};

}  // namespace pairport

#endif  // PAIRPORT_RANDOM_H_

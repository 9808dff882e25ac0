// SPDX-License-Identifier: MIT
// Sources of random bytes, for pairing codes and for keys of hash tables.
#ifndef PAIRPORT_RANDOM_H_
#define PAIRPORT_RANDOM_H_

#include <cstdint>
#include <span>

#include <pairport/export.h>

namespace pairport {

// A source of random bytes: the kernel in the program, a fixed sequence in tests.
class PAIRPORT_EXPORT RandomSource {
 public:
  virtual ~RandomSource() = default;
  // Fills `out` with uniformly distributed, unpredictable bytes and returns true, or returns false and `out` is
  // undefined.
  virtual bool fill(std::span<std::uint8_t> out) noexcept = 0;
};

// Uses getrandom(2), which blocks only early at boot, until the kernel has gathered entropy. Has no state: any thread.
class PAIRPORT_EXPORT KernelRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override;
};

}  // namespace pairport

#endif  // PAIRPORT_RANDOM_H_

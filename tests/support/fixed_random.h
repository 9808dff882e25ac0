// SPDX-License-Identifier: MIT
// A random source that is none: what the test says first, then a fixed sequence.
#ifndef PAIRPORT_TESTS_SUPPORT_FIXED_RANDOM_H_
#define PAIRPORT_TESTS_SUPPORT_FIXED_RANDOM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <span>

#include <pairport/code.h>

namespace pairport::testing {

class FixedRandom final : public RandomSource {
 public:
  explicit FixedRandom(std::uint32_t seed = 20260101) : engine_(seed) {}

  bool fill(std::span<std::uint8_t> out) noexcept override {
    ++fills;
    if (failing) {
      // "false and `out` is undefined": leave something that must not be used.
      for (std::uint8_t& byte : out) byte = 0;
      return false;
    }
    for (std::uint8_t& byte : out) {
      if (!first.empty()) {
        byte = first.front();
        first.pop_front();
      } else {
        byte = static_cast<std::uint8_t>(engine_() >> 8);
      }
    }
    return true;
  }

  std::deque<std::uint8_t> first;  // handed out before anything else
  bool failing = false;
  std::size_t fills = 0;

 private:
  std::mt19937 engine_;
};

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_FIXED_RANDOM_H_

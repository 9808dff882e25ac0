// SPDX-License-Identifier: MIT
// The time of a loop: read once after each return from the kernel.
#ifndef PAIRPORT_NET_LOOP_CLOCK_H_
#define PAIRPORT_NET_LOOP_CLOCK_H_

#include <cstdint>

#include <pairport/service.h>

#include "net/base/clock.h"

namespace pairport {

// libuv's time stands still while the machine is suspended, so this clock uses CLOCK_BOOTTIME. It reads the wall clock
// once a tick, and advances it by CLOCK_BOOTTIME in between. One thread at a time.
class LoopClock {
 public:
  // Length of a tick, in milliseconds.
  static constexpr std::uint64_t kTickMs = 1U << 7;

  // Valid until the next call of forget().
  const Now& now() noexcept {
    if (!known_) read();
    return now_;
  }
  std::uint64_t ms() noexcept { return now().monotonic_ms; }

  // Call this before the loop sleeps: the known time is out of date when the loop wakes up.
  void forget() noexcept { known_ = false; }

 private:
  void read() noexcept {
    known_ = true;
    const std::uint64_t boot_ms = boot_time_ms();
    if (!wall_known_ || boot_ms - wall_read_at_ >= kTickMs) {
      unix_ms_ = wall_time_ms();
      wall_read_at_ = boot_ms;
      wall_known_ = true;
    }
    now_ = {boot_ms, (unix_ms_ + static_cast<std::int64_t>(boot_ms - wall_read_at_)) / 1000};
  }

  Now now_{};
  std::uint64_t wall_read_at_ = 0;
  std::int64_t unix_ms_ = 0;
  bool known_ = false;
  bool wall_known_ = false;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_LOOP_CLOCK_H_

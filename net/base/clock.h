// SPDX-License-Identifier: MIT
// The clocks of a server and the program; all code below gets the time as an argument.
#ifndef PAIRPORT_NET_CLOCK_H_
#define PAIRPORT_NET_CLOCK_H_

#include <time.h>

#include <cstdint>

namespace pairport {

// Milliseconds of CLOCK_BOOTTIME, which also runs while the machine is suspended. CLOCK_MONOTONIC, and with it libuv's
// time, stands still then, so a code would live longer.
inline std::uint64_t boot_time_ms() noexcept {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1000 + static_cast<std::uint64_t>(time.tv_nsec) / 1'000'000;
}

inline std::int64_t wall_time_ms() noexcept {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

}  // namespace pairport

#endif  // PAIRPORT_NET_CLOCK_H_

// SPDX-License-Identifier: MIT
// What the kernel says about this process.
#ifndef PAIRPORT_TESTS_SUPPORT_PROCESS_MEMORY_H_
#define PAIRPORT_TESTS_SUPPORT_PROCESS_MEMORY_H_

#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PAIRPORT_TEST_SANITIZED 1
#else
#define PAIRPORT_TEST_SANITIZED 0
#endif

namespace pairport::testing {

// Sanitizers keep freed memory and add their own: figures of the process mean nothing then.
inline constexpr bool kSanitized = PAIRPORT_TEST_SANITIZED == 1;

inline std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// CPU time of this thread: what a busy machine does to the wall clock does not count.
inline std::uint64_t cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_PROCESS_MEMORY_H_

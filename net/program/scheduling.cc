// SPDX-License-Identifier: MIT
#include "net/program/scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace pairport {

void prefer_short_turns() noexcept {
  // Another policy is the operator's decision: keep it.
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  // sched_attr of <linux/sched/types.h>, which cannot be included together with <sched.h>.
  struct {
    std::uint32_t size = sizeof(*this);
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 1;  // SCHED_FLAG_RESET_ON_FORK
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 100'000;  // nanoseconds of a slice
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
  } attributes;
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace pairport

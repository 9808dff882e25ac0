// SPDX-License-Identifier: MIT
// How the kernel is to schedule the thread of a loop; for programs, which own their threads.
#ifndef PAIRPORT_NET_SCHEDULING_H_
#define PAIRPORT_NET_SCHEDULING_H_

namespace pairport {

// Asks for short turns for the calling thread, which works for some microseconds at a time while somebody waits for
// each: it then runs as soon as it is woken, although others hold the core. Threads that it starts do not inherit that.
// Linux 6.12 and later know how (EEVDF, sched_setattr(2)); an older kernel changes nothing, nor is a thread changed
// that has another policy than SCHED_OTHER.
void prefer_short_turns() noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_SCHEDULING_H_

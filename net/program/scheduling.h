// SPDX-License-Identifier: MIT
// Scheduling of the thread of a loop. For programs only, because a library does not own its threads.
#ifndef PAIRPORT_NET_SCHEDULING_H_
#define PAIRPORT_NET_SCHEDULING_H_

namespace pairport {

// Requests short time slices for the calling thread, whose work comes in pieces of a few microseconds with a client
// waiting for each. The thread then runs as soon as it is woken, even while other threads use the core. Threads that it
// starts do not inherit the request. Linux 6.12 and later support it (EEVDF, sched_setattr(2)). An older kernel ignores
// it. A thread with another policy than SCHED_OTHER is left unchanged.
void prefer_short_turns() noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_SCHEDULING_H_

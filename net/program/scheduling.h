// SPDX-License-Identifier: MIT
// How the kernel schedules the thread of a loop. For programs: a library does not own its threads.
#ifndef PAIRPORT_NET_SCHEDULING_H_
#define PAIRPORT_NET_SCHEDULING_H_

namespace pairport {

// Requests short time slices for the calling thread, whose work comes in pieces of a few microseconds with a client
// waiting for each: it then runs as soon as it is woken, even while others hold the core. Threads that it starts do not
// inherit the request. Linux 6.12 and later support it (EEVDF, sched_setattr(2)); an older kernel changes nothing, and
// a thread with another policy than SCHED_OTHER stays as it is.
void prefer_short_turns() noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_SCHEDULING_H_

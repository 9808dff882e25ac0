// SPDX-License-Identifier: MIT
// Invariants that guard memory.
#ifndef PAIRPORT_CHECK_H_
#define PAIRPORT_CHECK_H_

#include <cassert>

// An assertion that stays on in release builds: one comparison and a branch that is never taken. It guards invariants
// without which memory would be overwritten, used after free or freed twice; a service that holds credentials must stop
// then. Use assert() for all other invariants. With NDEBUG a failure raises SIGILL and the program holds no text for
// it; otherwise the message names the place.
#ifdef NDEBUG
#define PAIRPORT_CHECK(condition) (__builtin_expect(static_cast<bool>(condition), 1) ? void(0) : __builtin_trap())
#else
#define PAIRPORT_CHECK(condition) assert(condition)
#endif

#endif  // PAIRPORT_CHECK_H_

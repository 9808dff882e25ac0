// SPDX-License-Identifier: MIT
// Invariants that guard memory.
#ifndef PAIRPORT_CHECK_H_
#define PAIRPORT_CHECK_H_

#include <cassert>

// Ends the process when an invariant does not hold without which memory would be overwritten, used after its end or
// given back twice. A service that holds credentials rather stops than goes on with such memory. An assertion that
// stays on in release builds: one comparison and a branch that is never taken. Everything else is for assert(). With
// assertions the message names the place; without, the process gets SIGILL there, and no text is in the program.
#ifdef NDEBUG
#define PAIRPORT_CHECK(condition) (__builtin_expect(static_cast<bool>(condition), 1) ? void(0) : __builtin_trap())
#else
#define PAIRPORT_CHECK(condition) assert(condition)
#endif

#endif  // PAIRPORT_CHECK_H_

// SPDX-License-Identifier: MIT
// Counts the heap allocations of a program that is linked with allocation_count.cc.
#ifndef PAIRPORT_BENCH_ALLOCATION_COUNT_H_
#define PAIRPORT_BENCH_ALLOCATION_COUNT_H_

#include <cstdint>

namespace pairport::bench {

// Calls of malloc, calloc and realloc so far, also by libraries; operator new calls malloc. Not exact when several
// threads allocate.
std::uint64_t allocation_count() noexcept;

}  // namespace pairport::bench

#endif  // PAIRPORT_BENCH_ALLOCATION_COUNT_H_

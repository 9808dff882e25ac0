// SPDX-License-Identifier: MIT
// Comparison of secrets.
#ifndef PAIRPORT_CONSTANT_TIME_H_
#define PAIRPORT_CONSTANT_TIME_H_

#include "core/base/bytes.h"

namespace pairport {

// Whether both are the same bytes. The time depends only on the sizes, which are no secret. So an attacker cannot
// measure how many bytes of a guess are right. Any thread.
[[nodiscard]] bool equal_in_constant_time(Bytes one, Bytes other) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_CONSTANT_TIME_H_

// SPDX-License-Identifier: MIT
#include "core/crypto/constant_time.h"

#include <cstddef>

// The header of 2.28 and 3.6 does not say that its functions are C.
extern "C" {
#include <mbedtls/constant_time.h>
}

namespace pairport {

bool equal_in_constant_time(Bytes one, Bytes other) noexcept {
  return one.size() == other.size() && (one.empty() || mbedtls_ct_memcmp(one.data(), other.data(), one.size()) == 0);
}

}  // namespace pairport

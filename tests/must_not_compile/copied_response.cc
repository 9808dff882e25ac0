// SPDX-License-Identifier: MIT
// Its fragments would point into the other one.
// EXPECT: (use of deleted function|call to deleted constructor)
#include <pairport/http.h>

void use(const pairport::Response& response) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  const pairport::Response copy = response;
  (void)copy;
#else
  [[maybe_unused]] const pairport::Response& same = response;
#endif
}

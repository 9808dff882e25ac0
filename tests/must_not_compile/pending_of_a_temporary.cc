// SPDX-License-Identifier: MIT
// What pending() gives points into the response, which is gone here.
// EXPECT: (use of deleted function|attempt to use a deleted function|call to deleted)
#include <pairport/http.h>

void use(const pairport::Response& response) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  [[maybe_unused]] const auto& view = pairport::Response().pending();
  (void)response;
#else
  [[maybe_unused]] const auto& view = response.pending();
#endif
}

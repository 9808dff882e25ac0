// SPDX-License-Identifier: MIT
// What body() gives points into the response, which is gone here.
// EXPECT: (use of deleted function|attempt to use a deleted function|call to deleted)
#include <pairport/http.h>

void use(const pairport::Response& response) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  [[maybe_unused]] auto view = pairport::Response().body();
  (void)response;
#else
  [[maybe_unused]] auto view = response.body();
#endif
}

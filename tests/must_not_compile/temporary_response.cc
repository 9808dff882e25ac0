// SPDX-License-Identifier: MIT
// Fragments of an answer point into the response, so it must outlive the call.
// EXPECT: (cannot bind non-const lvalue reference|expects an lvalue)
#include <pairport/service.h>

void use(pairport::Service& service, const pairport::Request& request, const pairport::Now& now,
         pairport::Response& response) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  service.handle(request, now, pairport::Response());
  (void)response;
#else
  service.handle(request, now, response);
#endif
}

// SPDX-License-Identifier: MIT
// Its responses would point to what is gone.
// EXPECT: (use of deleted function|overload resolution selected deleted operator)
#include <pairport/service.h>

void use(pairport::Service& service, pairport::Service& other) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  service = static_cast<pairport::Service&&>(other);
#else
  pairport::Service* chosen = &service;
  chosen = &other;
  (void)chosen;
#endif
}

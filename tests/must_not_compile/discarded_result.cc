// SPDX-License-Identifier: MIT
// A service that was created for nothing, or not at all.
// EXPECT: ignoring return(ed)? value.*nodiscard
#include <pairport/service.h>

void use(pairport::RandomSource& random, const pairport::Now& now) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  pairport::Service::create({}, random, now);
#else
  const auto created = pairport::Service::create({}, random, now);
  if (!created.ok()) return;
#endif
}

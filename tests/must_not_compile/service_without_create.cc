// SPDX-License-Identifier: MIT
// A service whose creation cannot fail does not exist.
// EXPECT: (no matching function for call|no matching constructor)
#include <pairport/service.h>

bool use(const pairport::ServiceOptions& options, pairport::RandomSource& random, const pairport::Now& now) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  (void)now;
  return pairport::Service(options, random).is_inherited();
#else
  return pairport::Service::create(options, random, now).ok();
#endif
}

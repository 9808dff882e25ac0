// SPDX-License-Identifier: MIT
// The service keeps the source of random numbers, so it must not be a temporary.
// EXPECT: (cannot bind non-const lvalue reference|expects an lvalue)
#include <pairport/secret_memory.h>
#include <pairport/service.h>

pairport::Result<std::unique_ptr<pairport::Service>> use(const pairport::Now& now) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  return pairport::Service::create({}, pairport::KernelRandom(), now);
#else
  static pairport::KernelRandom random;
  return pairport::Service::create({}, random, now);
#endif
}

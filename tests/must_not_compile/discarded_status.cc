// SPDX-License-Identifier: MIT
// An error that nobody looks at.
// EXPECT: ignoring return(ed)? value.*nodiscard
#include <pairport/options.h>

void use(const pairport::ServiceOptions& options) {
#ifdef PAIRPORT_MUST_NOT_COMPILE
  pairport::check_options(options);
#else
  if (!pairport::check_options(options).ok()) return;
#endif
}

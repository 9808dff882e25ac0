// SPDX-License-Identifier: MIT
#include <cstdio>

#include <pairport/status.h>

int main(int argc, char**) {
  unsigned char narrow = argc;       // -Wconversion
  const int argc_old = (int)narrow;  // -Wold-style-cast
  std::printf("%s\n", pairport::to_string(pairport::StatusCode::kOk).data());
  return argc_old == 1 ? 0 : 1;
}

// SPDX-License-Identifier: MIT
// Codes for tests.
#ifndef PAIRPORT_TESTS_SUPPORT_CODES_H_
#define PAIRPORT_TESTS_SUPPORT_CODES_H_

#include <cstddef>
#include <random>
#include <string>

#include <pairport/code.h>

namespace pairport::testing {

inline std::string random_code(std::mt19937_64& engine, std::size_t length) {
  std::string code;
  while (code.size() < length) code += kCodeAlphabet[engine() % kCodeAlphabet.size()];
  return code;
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_CODES_H_

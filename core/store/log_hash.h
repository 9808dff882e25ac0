// SPDX-License-Identifier: MIT
// How logs name codes.
#ifndef PAIRPORT_LOG_HASH_H_
#define PAIRPORT_LOG_HASH_H_

#include <cstdint>
#include <string_view>

#include <pairport/export.h>

#include "core/crypto/hmac.h"

namespace pairport {

// short_code_hash() with one seed for any number of codes, in half of its time. Any thread, several at once; never
// allocates. Wiped on destruction.
class LogHash {
 public:
  PAIRPORT_EXPORT explicit LogHash(std::uint64_t seed) noexcept;
  PAIRPORT_EXPORT ~LogHash();
  LogHash(const LogHash&) = delete;
  LogHash& operator=(const LogHash&) = delete;

  // 0 when the cryptographic library fails.
  PAIRPORT_EXPORT std::uint32_t operator()(std::string_view code) const noexcept;

 private:
  HmacKey key_;
};

}  // namespace pairport

#endif  // PAIRPORT_LOG_HASH_H_

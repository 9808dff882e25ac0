// SPDX-License-Identifier: MIT
// Bodies of deposits: JSON, multipart/form-data and application/x-www-form-urlencoded.
#ifndef PAIRPORT_BODY_H_
#define PAIRPORT_BODY_H_

#include <cstddef>
#include <memory>
#include <string_view>

#include <pairport/deposit.h>
#include <pairport/export.h>
#include <pairport/http.h>
#include <pairport/secret_memory.h>
#include <pairport/status.h>

namespace pairport {

enum class BodyError {
  kNone,
  kUnsupportedType,  // Content-Type is none of the three, or missing
  kMalformed,        // not valid by the rules of its Content-Type
  kOutOfMemory,
};

struct BodyVerdict {
  BodyError error = BodyError::kNone;
  // With kMalformed: the cause and the remedy. A static string that holds no value of the body.
  std::string_view detail;
};

// Finds the fields of a deposit in a body. Owns the buffers, so that no body allocates. One thread at a time.
class PAIRPORT_EXPORT BodyDecoder {
 public:
  // Errors: kOutOfMemory, kMemoryNotLocked.
  static Result<std::unique_ptr<BodyDecoder>> create(SecretLevel minimum = SecretLevel::kPlain) noexcept;
  ~BodyDecoder();
  BodyDecoder(const BodyDecoder&) = delete;
  BodyDecoder& operator=(const BodyDecoder&) = delete;

  // On success fills `input`, whose values point into `body` or into this object and are valid until the next
  // decode() or wipe(). Ignores unknown fields. A field that is missing, repeated or not a string is no error here:
  // `input` reports it. On failure `input` is undefined.
  // REQUIRES: body.size() <= kMaxBody
  BodyVerdict decode(std::string_view content_type, std::string_view body, DepositInput& input) noexcept;

  // Overwrites every trace of the last body in this object.
  void wipe() noexcept;

 private:
  struct PAIRPORT_LOCAL Impl;
  explicit BodyDecoder(std::unique_ptr<Impl> impl) noexcept;
  BodyVerdict decode_json(std::string_view body, DepositInput& input) noexcept;
  BodyVerdict decode_urlencoded(std::string_view body, DepositInput& input) noexcept;

  std::unique_ptr<Impl> impl_;
};

}  // namespace pairport

#endif  // PAIRPORT_BODY_H_

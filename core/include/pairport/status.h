// SPDX-License-Identifier: MIT
// The type that every fallible function of pairport returns, and the table of all errors.
#ifndef PAIRPORT_STATUS_H_
#define PAIRPORT_STATUS_H_

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/export.h>

namespace pairport {

// Codes are 0 or negative and are never renumbered: the C interface returns them as they are.
// X(enumerator, constant of the C interface, code, text)
#define PAIRPORT_STATUS_TABLE(X)                                                                 \
  X(kOk, PAIRPORT_OK, 0, "success")                                                              \
  X(kOutOfMemory, PAIRPORT_OUT_OF_MEMORY, -1, "out of memory")                                   \
  X(kStoreFull, PAIRPORT_STORE_FULL, -2, "the store holds as many deposits as it may")           \
  X(kAlreadyExists, PAIRPORT_ALREADY_EXISTS, -3, "the pairing code is in use")                   \
  X(kRandomFailed, PAIRPORT_RANDOM_FAILED, -4, "the random source failed")                       \
  X(kInvalidArgument, PAIRPORT_INVALID_ARGUMENT, -5, "invalid argument")                         \
  X(kBadTemplate, PAIRPORT_BAD_TEMPLATE, -6, "a script template is not valid")                   \
  X(kBadConfiguration, PAIRPORT_BAD_CONFIGURATION, -7, "the configuration is not valid")         \
  X(kMemoryNotLocked, PAIRPORT_MEMORY_NOT_LOCKED, -8, "memory for credentials cannot be locked") \
  X(kSystem, PAIRPORT_SYSTEM, -9, "a system call failed")                                        \
  X(kNotFound, PAIRPORT_NOT_FOUND, -10, "there is no deposit with this code")                    \
  X(kLater, PAIRPORT_LATER, -11, "the answer comes later")                                       \
  X(kUnavailable, PAIRPORT_UNAVAILABLE, -12, "the store cannot be asked now")

enum class StatusCode : int {
#define PAIRPORT_STATUS_ENUMERATOR(name, c_name, value, text) name = value,
  PAIRPORT_STATUS_TABLE(PAIRPORT_STATUS_ENUMERATOR)
#undef PAIRPORT_STATUS_ENUMERATOR
};

// The table's text for `code`; a static string.
PAIRPORT_EXPORT std::string_view to_string(StatusCode code) noexcept;

// Success, or a code with an optional detail that names cause and remedy. Creating one without a detail never
// allocates. No detail ever holds a credential or a pairing code. Safe to copy and to use from any thread.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(StatusCode code) noexcept : code_(code) {}  // NOLINT(google-explicit-constructor): `return StatusCode::kOk;`
  Status(StatusCode code, std::string detail) noexcept : code_(code), detail_(std::move(detail)) {}

  bool ok() const noexcept { return code_ == StatusCode::kOk; }
  StatusCode code() const noexcept { return code_; }
  // The detail, or the text of the table when there is none. Valid as long as this object is not changed.
  std::string_view message() const noexcept { return detail_.empty() ? to_string(code_) : std::string_view(detail_); }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string detail_;
};

// A value, or the status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor): `return value;`
  // REQUIRES: !status.ok()
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }  // NOLINT(google-explicit-constructor)
  Result(StatusCode code) : Result(Status(code)) {}                              // NOLINT(google-explicit-constructor)

  bool ok() const noexcept { return status_.ok(); }
  const Status& status() const noexcept { return status_; }
  // REQUIRES: ok()
  T& value() & noexcept { return *value_; }
  const T& value() const& noexcept { return *value_; }
  T value() && noexcept { return std::move(*value_); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace pairport

#endif  // PAIRPORT_STATUS_H_

// SPDX-License-Identifier: MIT
// A deposit: the four values that a client needs to connect, and the rules for them.
#ifndef PAIRPORT_DEPOSIT_H_
#define PAIRPORT_DEPOSIT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <pairport/export.h>

namespace pairport {

// Limits in bytes of UTF-8.
inline constexpr std::size_t kMaxConnectUrl = 2048;
inline constexpr std::size_t kMaxClientId = 256;
inline constexpr std::size_t kMaxPassword = 1024;
inline constexpr std::size_t kFingerprintText = 47;

// An SSH host key fingerprint (MD5, RFC 4716 section 4), in binary.
struct Fingerprint {
  std::array<std::uint8_t, 16> bytes{};

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

// Writes 16 lower-case hexadecimal pairs joined by ':' to `out`, which has room for kFingerprintText bytes. Lower case,
// because the client compares fingerprints case-sensitively with a lower-case one.
PAIRPORT_EXPORT void write_fingerprint(const Fingerprint& fingerprint, char* out) noexcept;

// A view of a valid deposit. Owns nothing; the function that returns one says how long it is valid.
struct DepositView {
  std::string_view connect_url;
  Fingerprint fingerprint;
  std::string_view client_id;
  std::string_view password;
};

// The fields of a deposit, with their names in requests. Reports and all arrays with an element per field have this
// order.
enum class DepositField : std::uint8_t { kConnectUrl, kFingerprint, kClientId, kPassword };
inline constexpr std::size_t kDepositFieldCount = 4;
inline constexpr std::array<std::string_view, kDepositFieldCount> kDepositFieldNames = {"connect_url", "fingerprint",
                                                                                        "client_id", "password"};

// A view of one field of a request body, before validation.
struct FieldInput {
  enum class Kind : std::uint8_t { kMissing, kString, kNotAString, kRepeated };
  Kind kind = Kind::kMissing;
  std::string_view value;  // only with kString
};

// A view of the known fields of a request body, valid or not.
struct DepositInput {
  std::array<FieldInput, kDepositFieldCount> fields;

  FieldInput& operator[](DepositField field) noexcept { return fields[static_cast<std::size_t>(field)]; }
  const FieldInput& operator[](DepositField field) const noexcept { return fields[static_cast<std::size_t>(field)]; }
};

// The fault of a field; deposit.cc has the texts.
enum class FieldProblem : std::uint8_t {
  kNone,
  kMissing,
  kNotAString,
  kRepeated,
  kEmpty,
  kTooLong,
  kNotUtf8,
  kControlCharacter,
  kBadUrl,
  kUrlWithoutHost,
  kUrlWithUserInfo,
  kBadPort,
  kBadFingerprint,
  kColon,
};

// The result of a check of a DepositInput: all fields, at most one problem each.
struct DepositReport {
  std::array<FieldProblem, kDepositFieldCount> problems{};

  bool ok() const noexcept {
    for (const FieldProblem problem : problems) {
      if (problem != FieldProblem::kNone) return false;
    }
    return true;
  }
};

// Bytes that describe() needs at most.
inline constexpr std::size_t kMaxReportText = 1536;

// Writes every wrong field and the expected value to `out` (room for kMaxReportText bytes), as one line of ASCII that
// holds no given value. Returns its length; 0 for a report without problems.
PAIRPORT_EXPORT std::size_t describe(const DepositReport& report, std::span<char> out) noexcept;

// The rule for a connect_url, after the checks of its length and characters: `host:port`, or http, https, ws or wss
// with a host; no user, no fragment, valid percent escapes in the path, a port from 1 to 65535 (RFC 3986 section 3).
// Pure.
PAIRPORT_EXPORT FieldProblem check_connect_url(std::string_view url) noexcept;

// Whether validate() could have returned `deposit`: for a deposit that comes back from a store that might lie. Pure;
// any thread.
PAIRPORT_EXPORT bool is_valid(const DepositView& deposit) noexcept;

// Checks `input` by the rules of the real client. On success fills `deposit`, whose views point to the same bytes as
// `input`; otherwise leaves it unchanged. Pure; any thread.
PAIRPORT_EXPORT DepositReport validate(const DepositInput& input, DepositView& deposit) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_DEPOSIT_H_

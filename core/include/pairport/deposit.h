// SPDX-License-Identifier: MIT
// A deposit: the values that a client needs to connect, and the rules for them.
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

// The fields of a deposit, as TEXT or FINGERPRINT(field, name, bytes at most, whether it is required). The name is that
// in requests, of members and of the slots in templates. An optional field that is missing is empty. Reports, and all
// arrays with an element per field, have this order. deposit_fields.h has the rules for the values.
#define PAIRPORT_DEPOSIT_FIELDS(TEXT, FINGERPRINT)               \
  TEXT(kConnectUrl, connect_url, kMaxConnectUrl, true)           \
  FINGERPRINT(kFingerprint, fingerprint, kFingerprintText, true) \
  TEXT(kClientId, client_id, kMaxClientId, true)                 \
  TEXT(kPassword, password, kMaxPassword, true)
#define PAIRPORT_NO_FIELD(field, name, limit, required)

#define PAIRPORT_ENUMERATOR(field, name, limit, required) field,
enum class DepositField : std::uint8_t { PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_ENUMERATOR, PAIRPORT_ENUMERATOR) };
#undef PAIRPORT_ENUMERATOR

#define PAIRPORT_NAME(field, name, limit, required) std::string_view(#name),
inline constexpr std::array kDepositFieldNames = {PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_NAME, PAIRPORT_NAME)};
#undef PAIRPORT_NAME
inline constexpr std::size_t kDepositFieldCount = kDepositFieldNames.size();

// A view of a valid deposit, with a member for each field. Owns nothing; the function that returns one says how long it
// is valid.
struct DepositView {
#define PAIRPORT_TEXT(field, name, limit, required) std::string_view name;
#define PAIRPORT_FINGERPRINT(field, name, limit, required) Fingerprint name;
  PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_TEXT, PAIRPORT_FINGERPRINT)
#undef PAIRPORT_TEXT
#undef PAIRPORT_FINGERPRINT
};

// The fields that are texts.
struct DepositText {
  std::string_view DepositView::*member;
  std::size_t limit;
  bool is_required;
};
#define PAIRPORT_TEXT(field, name, limit, required) DepositText{&DepositView::name, limit, required},
inline constexpr std::array kDepositTexts = {PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_TEXT, PAIRPORT_NO_FIELD)};
#undef PAIRPORT_TEXT

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
  kSha256Fingerprint,
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

// What describe() says that `field` should be, without "expected". Static storage.
PAIRPORT_EXPORT std::string_view expectation(DepositField field) noexcept;

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

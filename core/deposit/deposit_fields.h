// SPDX-License-Identifier: MIT
// The fields of a deposit, one row each. Validation, messages, bodies and slots of templates use the rows.
#ifndef PAIRPORT_CORE_DEPOSIT_FIELDS_H_
#define PAIRPORT_CORE_DEPOSIT_FIELDS_H_

#include <array>
#include <cstddef>
#include <string_view>

#include <pairport/deposit.h>

namespace pairport {

// The rules of a single field. The value is not empty, within the limit, UTF-8, and without control characters.
inline FieldProblem check_client_id(std::string_view id) noexcept {
  return id.find(':') == std::string_view::npos ? FieldProblem::kNone : FieldProblem::kColon;
}
inline FieldProblem check_nothing(std::string_view) noexcept {
  return FieldProblem::kNone;
}

struct DepositFieldRow {
  DepositField field;
  bool is_required;                                  // an optional field may be missing, and is empty then
  std::size_t limit;                                 // in bytes of UTF-8
  std::string_view DepositView::*text;               // the member for its value; null: DepositView::fingerprint
  FieldProblem (*check)(std::string_view) noexcept;  // not for the fingerprint
  std::string_view expectation;                      // completes "<field> <problem> (...)"
};

// The rules for the values of a field.
struct DepositFieldRule {
  DepositField field;
  FieldProblem (*check)(std::string_view) noexcept;
  std::string_view expectation;
};
inline constexpr std::array<DepositFieldRule, kDepositFieldCount> kDepositFieldRules = {{
    {DepositField::kConnectUrl, check_connect_url,
     "expected an http, https, ws or wss URL with a host, or host:port, of at most 2048 bytes, with IPv6 addresses in "
     "brackets and a port from 1 to 65535, without user info, spaces or fragment"},
    {DepositField::kFingerprint, nullptr,
     "expected 16 two-digit hexadecimal groups joined by ':' (47 characters), or the 32 digits alone; MD5: may be "
     "before them"},
    {DepositField::kClientId, check_client_id,
     "expected 1 to 256 bytes of UTF-8 without control characters and without ':'"},
    {DepositField::kPassword, check_nothing, "expected 1 to 1024 bytes of UTF-8 without control characters"},
}};

// In the order of DepositField. kDepositFieldNames has the names of the fields in bodies and of their slots.
inline constexpr std::array<DepositFieldRow, kDepositFieldCount> kDepositFields = [] {
  constexpr auto rule = [](DepositField field) { return kDepositFieldRules[static_cast<std::size_t>(field)]; };
#define PAIRPORT_TEXT(field, name, limit, required) \
  DepositFieldRow{DepositField::field,              \
                  required,                         \
                  limit,                            \
                  &DepositView::name,               \
                  rule(DepositField::field).check,  \
                  rule(DepositField::field).expectation},
#define PAIRPORT_FINGERPRINT(field, name, limit, required) \
  DepositFieldRow{DepositField::field, required, limit, nullptr, nullptr, rule(DepositField::field).expectation},
  return std::array{PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_TEXT, PAIRPORT_FINGERPRINT)};
#undef PAIRPORT_TEXT
#undef PAIRPORT_FINGERPRINT
}();

constexpr const DepositFieldRow& field_row(DepositField field) noexcept {
  return kDepositFields[static_cast<std::size_t>(field)];
}
static_assert([] {
  for (std::size_t i = 0; i < kDepositFieldRules.size(); ++i) {
    if (static_cast<std::size_t>(kDepositFieldRules[i].field) != i) return false;
  }
  return true;
}());

// A field as a program gives it, with a text for every field: an optional field that is empty is missing.
constexpr FieldInput given_field(const DepositFieldRow& row, std::string_view value) noexcept {
  if (value.empty() && !row.is_required) return {};
  return {FieldInput::Kind::kString, value};
}

// The field of that name, or null.
constexpr const DepositFieldRow* find_field(std::string_view name) noexcept {
  for (const DepositFieldRow& row : kDepositFields) {
    if (kDepositFieldNames[static_cast<std::size_t>(row.field)] == name) return &row;
  }
  return nullptr;
}

}  // namespace pairport

#endif  // PAIRPORT_CORE_DEPOSIT_FIELDS_H_

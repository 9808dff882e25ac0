// SPDX-License-Identifier: MIT
// Invariants: a value is checked in this order: present, a string, not empty, not too long, UTF-8, no control
// characters, then the rule of its own field. So a rule may rely on the earlier checks. No text from here holds a part
// of a value.
#include <pairport/deposit.h>

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#include "core/base/ascii.h"
#include "core/base/writer.h"
#include "core/deposit/deposit_fields.h"

namespace pairport {

namespace {

// Reads pairs of digits, each `kStep` characters behind the one before, with a colon between them if there is room.
template <std::size_t kStep>
bool read_pairs(std::string_view text, Fingerprint& fingerprint) noexcept {
  if (text.size() != kStep * fingerprint.bytes.size() - (kStep - 2)) return false;
  for (std::size_t i = 0; i < fingerprint.bytes.size(); ++i) {
    const std::size_t begin = i * kStep;
    const int byte = hex_byte(text, begin);
    if (byte < 0 || (kStep == 3 && begin + 2 < text.size() && text[begin + 2] != ':')) return false;
    fingerprint.bytes[i] = static_cast<std::uint8_t>(byte);
  }
  return true;
}

// Whether `text` begins with `lower_prefix`, in whatever case.
bool has_prefix(std::string_view text, std::string_view lower_prefix) noexcept {
  return text.size() >= lower_prefix.size() && equals_ignoring_case(text.substr(0, lower_prefix.size()), lower_prefix);
}

// The form of rportd; that of OpenSSH (`ssh-keygen -l -E md5` writes "MD5:" before it); the digits alone.
FieldProblem parse_fingerprint(std::string_view text, Fingerprint& fingerprint) noexcept {
  if (read_pairs<3>(text, fingerprint)) return FieldProblem::kNone;
  static constexpr std::string_view kMd5 = "md5:";
  if (has_prefix(text, "sha256:")) return FieldProblem::kSha256Fingerprint;
  if (has_prefix(text, kMd5)) text.remove_prefix(kMd5.size());
  const bool is_valid = read_pairs<3>(text, fingerprint) || read_pairs<2>(text, fingerprint);
  return is_valid ? FieldProblem::kNone : FieldProblem::kBadFingerprint;
}

FieldProblem check_text(const DepositFieldRow& row, std::string_view value) noexcept {
  if (value.size() > row.limit) return FieldProblem::kTooLong;
  if (!simdjson::validate_utf8(value.data(), value.size())) return FieldProblem::kNotUtf8;
  if (has_control(value)) return FieldProblem::kControlCharacter;
  return row.check(value);
}

FieldProblem check(const DepositFieldRow& row, const FieldInput& input, Fingerprint& fingerprint) noexcept {
  switch (input.kind) {
    case FieldInput::Kind::kMissing:
      return row.is_required ? FieldProblem::kMissing : FieldProblem::kNone;
    case FieldInput::Kind::kNotAString:
      return FieldProblem::kNotAString;
    case FieldInput::Kind::kRepeated:
      return FieldProblem::kRepeated;
    case FieldInput::Kind::kString:
      break;
  }
  const std::string_view value = input.value;
  if (value.empty()) return FieldProblem::kEmpty;
  if (row.text == nullptr) return parse_fingerprint(value, fingerprint);
  return check_text(row, value);
}

constexpr std::string_view text_of(FieldProblem problem) noexcept {
  switch (problem) {
    case FieldProblem::kNone:
      return "is valid";
    case FieldProblem::kMissing:
      return "is missing";
    case FieldProblem::kNotAString:
      return "is not a string";
    case FieldProblem::kRepeated:
      return "is given more than once";
    case FieldProblem::kEmpty:
      return "is empty";
    case FieldProblem::kTooLong:
      return "is too long";
    case FieldProblem::kNotUtf8:
      return "is not valid UTF-8";
    case FieldProblem::kControlCharacter:
      return "contains a control character";
    case FieldProblem::kBadUrl:
      return "is not a server address";
    case FieldProblem::kUrlWithoutHost:
      return "has no host";
    case FieldProblem::kUrlWithUserInfo:
      return "contains user info";
    case FieldProblem::kBadPort:
      return "has no valid port";
    case FieldProblem::kBadFingerprint:
      return "is not a fingerprint";
    case FieldProblem::kSha256Fingerprint:
      return "is a SHA256 fingerprint, but the client compares MD5 ones";
    case FieldProblem::kColon:
      return "contains a colon";
  }
  return "is not valid";
}

}  // namespace

void write_fingerprint(const Fingerprint& fingerprint, char* out) noexcept {
  // The two digits of a byte, and the colon behind them.
  static constexpr auto kHex = [] {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::array<char, 4>, 256> table{};
    for (std::size_t byte = 0; byte < table.size(); ++byte) table[byte] = {kDigits[byte >> 4], kDigits[byte & 15], ':'};
    return table;
  }();
  const auto& bytes = fingerprint.bytes;
#pragma GCC unroll 15
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) std::memcpy(out + 3 * i, kHex[bytes[i]].data(), 4);
  std::memcpy(out + 3 * (bytes.size() - 1), kHex[bytes.back()].data(), 2);
}

bool is_valid(const DepositView& deposit) noexcept {
  return std::all_of(kDepositFields.begin(), kDepositFields.end(), [&deposit](const DepositFieldRow& row) {
    if (row.text == nullptr) return true;  // any 16 bytes are a fingerprint
    const std::string_view value = deposit.*row.text;
    return value.empty() ? !row.is_required : check_text(row, value) == FieldProblem::kNone;
  });
}

DepositReport validate(const DepositInput& input, DepositView& deposit) noexcept {
  DepositReport report;
  Fingerprint fingerprint;
  // Unrolled, so that the compiler knows the content of each row.
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
    report.problems[i] = check(kDepositFields[i], input.fields[i], fingerprint);
  }
  if (report.ok()) {
    deposit.fingerprint = fingerprint;
    for (const DepositFieldRow& row : kDepositFields) {
      if (row.text != nullptr) deposit.*row.text = input[row.field].value;
    }
  }
  return report;
}

// describe() need not check its room: kMaxReportText holds the longest texts of all fields.
static_assert([] {
  std::size_t longest = 0;
  for (int problem = 0; problem <= static_cast<int>(FieldProblem::kColon); ++problem) {
    longest = std::max(longest, text_of(static_cast<FieldProblem>(problem)).size());
  }
  std::size_t all = 0;
  for (const DepositFieldRow& row : kDepositFields) {
    all += std::string_view("; ").size() + kDepositFieldNames[static_cast<std::size_t>(row.field)].size() + 1 +
           longest + std::string_view(" ()").size() + row.expectation.size();
  }
  return all <= kMaxReportText;
}());

std::string_view expectation(DepositField field) noexcept {
  return field_row(field).expectation.substr(std::string_view("expected ").size());
}
static_assert(std::all_of(kDepositFields.begin(), kDepositFields.end(),
                          [](const DepositFieldRow& row) { return row.expectation.starts_with("expected "); }));

std::size_t describe(const DepositReport& report, std::span<char> out) noexcept {
  Writer writer(out);
  for (const DepositFieldRow& row : kDepositFields) {
    const auto i = static_cast<std::size_t>(row.field);
    if (report.problems[i] == FieldProblem::kNone) continue;
    if (!writer.written().empty()) writer.text("; ");
    writer.text(kDepositFieldNames[i]).text(" ").text(text_of(report.problems[i]));
    writer.text(" (").text(row.expectation).text(")");
  }
  return writer.written().size();
}

}  // namespace pairport

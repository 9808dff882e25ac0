// SPDX-License-Identifier: MIT
// Deposits for tests: a good one, and the same with one thing wrong.
#ifndef PAIRPORT_TESTS_SUPPORT_DEPOSITS_H_
#define PAIRPORT_TESTS_SUPPORT_DEPOSITS_H_

#include <array>
#include <string>
#include <string_view>

#include <pairport/deposit.h>

namespace pairport::testing {

inline constexpr std::string_view kGoodUrl = "http://rport.example.com:8080";
inline constexpr std::string_view kGoodFingerprint = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24";
inline constexpr std::string_view kGoodId = "client1";
inline constexpr std::string_view kGoodPassword = "foobaz";

inline FieldInput text(std::string_view value) {
  return {FieldInput::Kind::kString, value};
}

inline DepositInput good_input() {
  DepositInput input;
  input[DepositField::kConnectUrl] = text(kGoodUrl);
  input[DepositField::kFingerprint] = text(kGoodFingerprint);
  input[DepositField::kClientId] = text(kGoodId);
  input[DepositField::kPassword] = text(kGoodPassword);
  return input;
}

inline DepositInput input_with(DepositField field, FieldInput value) {
  DepositInput input = good_input();
  input[field] = value;
  return input;
}

inline FieldProblem problem_of(DepositField field, const DepositReport& report) {
  return report.problems[static_cast<std::size_t>(field)];
}

inline std::string description(const DepositReport& report) {
  std::array<char, kMaxReportText> out;
  return {out.data(), describe(report, out)};
}

inline std::string fingerprint_text(const Fingerprint& fingerprint) {
  std::string out(kFingerprintText, '\0');
  write_fingerprint(fingerprint, out.data());
  return out;
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_DEPOSITS_H_

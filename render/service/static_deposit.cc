// SPDX-License-Identifier: MIT
#include "render/service/static_deposit.h"

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include <pairport/code.h>
#include <pairport/service.h>

#include "core/deposit/deposit_fields.h"
#include "render/service/target.h"

namespace pairport {

Status view_static_deposit(const StaticDeposit& deposit, DepositView& view) {
  const auto bad = [](std::string what) { return Status(StatusCode::kInvalidArgument, std::move(what)); };
  if (!is_plausible_code(deposit.code) || Target::is_reserved(deposit.code)) {
    return bad("static-deposit: code must be 1 to 32 letters and digits, and none of the paths of the service");
  }
  DepositInput input;
  for (const DepositFieldRow& row : kDepositFields) {
    input[row.field] = given_field(row, deposit.*StaticDeposit::kFields[static_cast<std::size_t>(row.field)]);
  }
  if (const DepositReport report = validate(input, view); !report.ok()) {
    std::array<char, kMaxReportText> text;
    return bad("static-deposit: " + std::string(text.data(), describe(report, text)));
  }
  return StatusCode::kOk;
}

Status check_static_deposit(const StaticDeposit& deposit) {
  DepositView view;
  return view_static_deposit(deposit, view);
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Deposits, their four values one behind the other in lines: what is accepted keeps the rules and arrives unchanged in
// a store and in scripts of both languages.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pairport/deposit.h>
#include "core/store/local_store.h"

#include "core/base/ascii.h"
#include "deposit_values.h"
#include "input.h"
#include "literals.h"
#include "render/scripts/template.h"

namespace pairport::fuzz {
namespace {

std::string fingerprint_text(const Fingerprint& fingerprint) {
  std::string text(kFingerprintText, '\0');
  write_fingerprint(fingerprint, text.data());
  return text;
}

void expect_same(const DepositView& a, const DepositView& b) {
  expect(a.connect_url == b.connect_url && a.fingerprint == b.fingerprint && a.client_id == b.client_id &&
             a.password == b.password,
         "a deposit arrives unchanged");
}

struct Script {
  Dialect dialect;
  Template compiled;
};

// Assignments of the dialect: PowerShell's begin with a $.
Script script(Dialect dialect) {
  auto compiled = Template::compile("a/b", dialect,
                                    [dialect](std::string_view) {
                                      const std::string mark = dialect == Dialect::kPowerShell ? "$" : "";
                                      return std::optional<std::string>("begin\n" + mark + "url={{connect_url}}\n" +
                                                                        mark + "fingerprint={{fingerprint}}\n" + mark +
                                                                        "id={{client_id}}\n" + mark +
                                                                        "password={{password}}\nend\n");
                                    },
                                    {});
  expect(compiled.ok(), "the template is good");
  return {dialect, std::move(compiled).value()};
}

void check_rendered(const Script& script, const DepositView& deposit) {
  std::vector<char> block(Template::kMaxBlock);
  const std::size_t size = script.compiled.render({deposit, {}}, block.data());
  expect(size <= Template::kMaxBlock, "a block is bounded");
  const std::string rendered =
      std::string(script.compiled.prefix()) + std::string(block.data(), size) + std::string(script.compiled.suffix());
  std::string_view text = rendered;
  const auto skip = [&text](std::string_view expected) {
    expect(text.starts_with(expected), "a script is its template with literals in it");
    text.remove_prefix(expected.size());
  };
  const std::string mark = script.dialect == Dialect::kPowerShell ? "$" : "";
  skip("begin\n" + mark + "url=");
  expect(read_literal(script.dialect, text) == deposit.connect_url, "a script reads the URL");
  skip("\n" + mark + "fingerprint=");
  expect(read_literal(script.dialect, text) == fingerprint_text(deposit.fingerprint), "a script reads the fingerprint");
  skip("\n" + mark + "id=");
  expect(read_literal(script.dialect, text) == deposit.client_id, "a script reads the client id");
  skip("\n" + mark + "password=");
  expect(read_literal(script.dialect, text) == deposit.password, "a script reads the password");
  skip("\nend\n");
  expect(text.empty(), "nothing is behind the script");
}

void check_accepted(const DepositInput& given, const DepositView& deposit) {
  expect_valid(deposit);
  const std::string fingerprint = fingerprint_text(deposit.fingerprint);
  std::string digits(given[DepositField::kFingerprint].value);
  if (digits.size() > 3 && equals_ignoring_case(std::string_view(digits).substr(0, 4), "md5:")) digits.erase(0, 4);
  std::erase(digits, ':');
  std::string kept = fingerprint;
  std::erase(kept, ':');
  expect(equals_ignoring_case(digits, kept), "a fingerprint is kept");

  DepositInput again;
  again[DepositField::kConnectUrl] = {FieldInput::Kind::kString, deposit.connect_url};
  again[DepositField::kFingerprint] = {FieldInput::Kind::kString, fingerprint};
  again[DepositField::kClientId] = {FieldInput::Kind::kString, deposit.client_id};
  again[DepositField::kPassword] = {FieldInput::Kind::kString, deposit.password};
  DepositView second;
  expect(validate(again, second).ok(), "what was accepted is accepted once more");
  expect_same(second, deposit);

  static const std::unique_ptr<LocalStore> store = [] {
    auto created = LocalStore::create({}, 1'000);
    expect(created.ok(), "there is a store");
    return std::move(created).value();
  }();
  expect(store->insert("code", deposit, 2'000).ok(), "the store takes it");
  const StoredDeposit stored = store->look_up("code", 1'999);
  expect(static_cast<bool>(stored), "the store finds it");
  const DepositView found = stored.view();
  expect_same(found, deposit);
  static const std::array<Script, 2> scripts = {script(Dialect::kPosixShell), script(Dialect::kPowerShell)};
  for (const Script& each : scripts) check_rendered(each, found);
  expect(!store->look_up("code", 2'000), "it is not found when its time is over");
  expect(store->erase("code"), "the store forgets it");
}

// Problems that can be told without knowing anything of URLs.
FieldProblem simple_problem(std::string_view value, std::size_t most, bool may_have_colon) {
  if (value.empty()) return FieldProblem::kEmpty;
  if (value.size() > most) return FieldProblem::kTooLong;
  if (!is_utf8(value)) return FieldProblem::kNotUtf8;
  if (!is_printable(value)) return FieldProblem::kControlCharacter;
  if (!may_have_colon && value.find(':') != std::string_view::npos) return FieldProblem::kColon;
  return FieldProblem::kNone;
}

void run(Input input) {
  DepositInput given;
  std::vector<std::unique_ptr<Exact>> copies;
  for (std::size_t i = 0; i < kDepositFieldCount && !input.empty(); ++i) {
    const std::string_view value = i + 1 < kDepositFieldCount ? input.text_until("\n") : input.rest();
    copies.push_back(std::make_unique<Exact>(value));
    given.fields[i] = {FieldInput::Kind::kString, copies.back()->view()};
  }

  static constexpr std::string_view kUntouched = "untouched";
  DepositView deposit{kUntouched, {}, kUntouched, kUntouched};
  const DepositReport report = validate(given, deposit);
  const auto problem = [&report](DepositField field) { return report.problems[static_cast<std::size_t>(field)]; };
  for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
    const bool missing = given.fields[i].kind == FieldInput::Kind::kMissing;
    expect((report.problems[i] == FieldProblem::kMissing) == missing, "what is missing is reported as missing");
  }
  for (const auto& [field, most] :
       {std::pair(DepositField::kClientId, kMaxClientId), {DepositField::kPassword, kMaxPassword}}) {
    if (given[field].kind == FieldInput::Kind::kMissing) continue;
    expect(problem(field) == simple_problem(given[field].value, most, field == DepositField::kPassword),
           "the rules for client id and password are these");
  }

  std::vector<char> text(kMaxReportText);
  const std::size_t size = describe(report, text);
  expect((size == 0) == report.ok(), "a report without problems has no text");
  expect(is_printable({text.data(), size}), "a report is one line");
  if (report.ok()) {
    check_accepted(given, deposit);
  } else {
    expect(deposit.connect_url == kUntouched && deposit.password == kUntouched, "a refused deposit changes nothing");
  }
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

// SPDX-License-Identifier: MIT
#include "render/scripts/template.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/deposits.h"
#include "support/shell.h"

namespace pairport::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TemplateTest : public ::testing::Test {
 protected:
  Result<Template> compile(std::string_view name = "linux/a.sh", Dialect dialect = Dialect::kPosixShell) {
    const auto loader = [this](std::string_view file) -> std::optional<std::string> {
      const auto found = files.find(file);
      return found == files.end() ? std::nullopt : std::optional(found->second);
    };
    return Template::compile(name, dialect, loader, constants);
  }
  std::string error(std::string_view name = "linux/a.sh") {
    const Result<Template> result = compile(name);
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.status().code(), StatusCode::kBadTemplate);
    return std::string(result.status().message());
  }
  // The script as a client gets it.
  static std::string script(const Template& compiled, const SlotValues& values) {
    // Exactly the room that is promised to be enough, so that a sanitizer sees any byte beyond it.
    std::vector<char> block(Template::kMaxBlock);
    const std::size_t size = compiled.render(values, block.data());
    EXPECT_LE(size, block.size());
    return std::string(compiled.prefix()) + std::string(block.data(), size) + std::string(compiled.suffix());
  }
  std::string render(const SlotValues& values = good_values(), Dialect dialect = Dialect::kPosixShell) {
    const Result<Template> result = compile("linux/a.sh", dialect);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? script(result.value(), values) : "";
  }
  static SlotValues good_values() {
    SlotValues values;
    EXPECT_TRUE(validate(good_input(), values.deposit).ok());
    values.code = "abcdefg";
    return values;
  }

  std::map<std::string, std::string, std::less<>> files;
  Template::Constants constants = {{"version", "1.2'3"}, {"empty", ""}, {"sha256", "a\nb"}};
};

TEST_F(TemplateTest, CommentsOnTheTemplateAreNotServed) {
  files["linux/a.sh"] =
      "#!/bin/sh\n## {{no slot}} here\n### BEGIN INIT INFO\n\t ## one\n# served\n{{> b.sh}}\n##\necho 1 ## 2\n## last";
  files["linux/b.sh"] = "## nothing else\n";
  EXPECT_EQ(render(), "#!/bin/sh\n### BEGIN INIT INFO\n# served\n##\necho 1 ## 2\n");
}

TEST_F(TemplateTest, TextWithoutSlotsIsCopied) {
  files["linux/a.sh"] = "#!/bin/sh\necho 'a }} { } {x}' \"$x\"\n";
  EXPECT_EQ(render(), files["linux/a.sh"]);
  EXPECT_FALSE(compile().value().has_slots());
  files["linux/a.sh"] = "";
  EXPECT_EQ(render(), "");
  files["linux/a.sh"] = "no line break at the end";
  EXPECT_EQ(render(), "no line break at the end");
  files["linux/a.sh"] = "\n\n";
  EXPECT_EQ(render(), "\n\n");
}

TEST_F(TemplateTest, SlotsBecomeCompleteLiterals) {
  files["linux/a.sh"] = "a\nU={{connect_url}}\nF={{fingerprint}}\nI={{client_id}}\nP={{password}}\nz\n";
  SlotValues values = good_values();
  values.deposit.password = "it's `$(id)`\"\\";
  EXPECT_EQ(render(values), "a\nU='" + std::string(kGoodUrl) + "'\nF='" + std::string(kGoodFingerprint) +
                                "'\nI='client1'\nP='it'\\''s `$(id)`\"\\'\nz\n");
  files["linux/a.sh"] = "a\n$U = {{connect_url}}\n$F = {{fingerprint}}\n$I = {{client_id}}\n$P = {{password}}\nz\n";
  EXPECT_EQ(render(values, Dialect::kPowerShell), "a\n$U = '" + std::string(kGoodUrl) + "'\n$F = '" +
                                                      std::string(kGoodFingerprint) +
                                                      "'\n$I = 'client1'\n$P = 'it''s `$(id)`\"\\'\nz\n");
}

TEST_F(TemplateTest, ASplitTemplateHasStaticTextAroundOneBlock) {
  files["linux/a.sh"] = "before\nI={{client_id}}\nP={{password}} # after";
  const Result<Template> result = compile();
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.value().has_slots());
  EXPECT_EQ(result.value().prefix(), "before\nI=");
  EXPECT_EQ(result.value().suffix(), " # after");
}

TEST_F(TemplateTest, SlotsMayTouchEachOtherAndTheEnds) {
  files["linux/a.sh"] = "#{{code}}{{code}}";
  EXPECT_EQ(render(), "#abcdefgabcdefg");
  files["linux/a.sh"] = "P={{password}}";
  EXPECT_EQ(render(), "P='foobaz'");
}

TEST_F(TemplateTest, ValuesAreNeverLookedAtForSlots) {
  files["linux/a.sh"] = "I={{client_id}}\nP={{password}}\n";
  SlotValues values = good_values();
  values.deposit.client_id = "{{password}}";
  values.deposit.password = "{{> lib/x.sh}}";
  EXPECT_EQ(render(values), "I='{{password}}'\nP='{{> lib/x.sh}}'\n");
  constants["version"] = "{{password}}";
  files["linux/a.sh"] = "V={{version}}";
  EXPECT_EQ(render(), "V='{{password}}'");
}

TEST_F(TemplateTest, ConstantsAreFilledInWhenCompiled) {
  files["linux/a.sh"] = "V={{version}}\nE={{empty}}\nS={{sha256}}\n";
  EXPECT_EQ(render(), "V='1.2'\\''3'\nE=''\nS='a\nb'\n");
  EXPECT_FALSE(compile().value().has_slots());
  files["linux/a.sh"] = "$V = {{version}}\n$E = {{empty}}\n$S = {{sha256}}\n";
  EXPECT_EQ(render({}, Dialect::kPowerShell),
            "$V = '1.2''3'\n$E = ''\n$S = ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('YQpi')))\n");
}

TEST_F(TemplateTest, ACodeIsShownBareAndHarmless) {
  files["linux/a.sh"] = "#No {{code}}\n";
  SlotValues values;
  values.code = "abcXYZ019._~-";
  EXPECT_EQ(render(values), "#No abcXYZ019._~-\n");
  values.code = "a\nrm -rf /;'\"`$(){}<>|&\r";
  EXPECT_EQ(render(values), "#No a?rm?-rf????????????????\n");
  values.code = std::string_view("\0\x7f\xE2\x80\x99", 5);
  EXPECT_EQ(render(values), "#No ?????\n");
  for (int c = 0; c < 256; ++c) {
    const std::string code(1, static_cast<char>(c));
    values.code = code;
    const bool harmless = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                          c == '_' || c == '~' || c == '-';
    EXPECT_EQ(render(values), "#No " + (harmless ? code : "?") + "\n") << c;
  }
  values.code = "";
  EXPECT_EQ(render(values), "#No \n");
}

TEST_F(TemplateTest, ACodeIsALiteralInAnAssignment) {
  SlotValues values;
  values.code = "reboot;'x";
  files["linux/a.sh"] = "# {{code}}\nCODE={{code}} # gone\necho \"no pairing $CODE\"\n";
  EXPECT_EQ(render(values), "# reboot??x\nCODE='reboot??x' # gone\necho \"no pairing $CODE\"\n");
  files["linux/a.sh"] = "<# {{code}}\n{{code}} #>\n$Code = {{code}}\n";
  EXPECT_EQ(render(values, Dialect::kPowerShell), "<# reboot??x\nreboot??x #>\n$Code = 'reboot??x'\n");
}

TEST_F(TemplateTest, ACodeAnywhereElseIsRefused) {
  for (const std::string_view bad :
       {"{{code}}", "echo {{code}}", "sh -c \"{{code}}\"", "echo a#{{code}}", "echo '\n# {{code}}\n'",
        "cat <<E\n# {{code}}\nE", "echo \\# {{code}}", "echo \"$(echo x)#\" ${x:-# {{code}}}"}) {
    files["linux/a.sh"] = std::string(bad) + "\n";
    EXPECT_THAT(error(),
                HasSubstr("{{code}} must be the whole right side of an assignment on a line of its own, such as "
                          "NAME={{code}}, or stand in a comment"))
        << bad;
  }
  for (const std::string_view bad : {"iex \"{{code}}\"", "{{code}}", "<#\n$Code = {{code}}\n#>"}) {
    files["windows/a.ps1"] = std::string(bad) + "\n";
    EXPECT_FALSE(compile("windows/a.ps1", Dialect::kPowerShell).ok()) << bad;
  }
}

TEST_F(TemplateTest, TimesAreShownBareAlsoBehindAQuote) {
  files["linux/a.sh"] = "# it's made {{made_at}}, until {{valid_until}}\n";
  SlotValues values;
  values.made_at = "2026-01-31T23:49:59Z";
  values.valid_until = std::string_view("a text of 64 characters and not one more: the longest one shown.");
  ASSERT_EQ(values.valid_until.size(), Template::kMaxShownTime);
  EXPECT_EQ(render(values), "# it's made 2026-01-31T23:49:59Z, until " + std::string(values.valid_until) + "\n");
  EXPECT_EQ(render({}), "# it's made , until \n");
  files["linux/a.sh"] = "T={{made_at}}\n";
  EXPECT_EQ(render(values), "T='2026-01-31T23:49:59Z'\n");
  files["linux/a.sh"] = "echo {{made_at}}\n";
  EXPECT_THAT(error(), HasSubstr("{{made_at}} must be the whole right side of an assignment"));
}

TEST_F(TemplateTest, AConstantOfUrlCharactersIsShownBareInAComment) {
  constants["pairing_url"] = "https://[::1]:8080/a,b@c%20~_-.+=";
  files["linux/a.sh"] = "# for {{pairing_url}}, it's\nU={{pairing_url}}\n";
  EXPECT_EQ(render(), "# for https://[::1]:8080/a,b@c%20~_-.+=, it's\nU='https://[::1]:8080/a,b@c%20~_-.+='\n");
  for (const std::string_view bad :
       {"a b", "a\nb", "a#>b", "it's", "a\"b", "a`b", "$a", "a;b", "a\\", "<a>", "\xC3\xA4"}) {
    constants["pairing_url"] = bad;
    EXPECT_THAT(error(), HasSubstr("{{pairing_url}} must be the whole right side of an assignment")) << bad;
  }
}

TEST_F(TemplateTest, ALongCodeIsCut) {
  files["linux/a.sh"] = "#{{code}}";
  SlotValues values;
  for (const std::size_t size : {63U, 64U, 65U, 128U}) {
    const std::string code(size, 'a');
    values.code = code;
    EXPECT_EQ(render(values).size(), 1 + std::min<std::size_t>(size, 64));
  }
}

TEST_F(TemplateTest, TheWorstValuesFit) {
  files["linux/a.sh"] = "U={{connect_url}}\nF={{fingerprint}}\nI={{client_id}}\nP={{password}}\nC={{code}}\n";
  const std::string url = "http://h/" + std::string(kMaxConnectUrl - 9, '\'');
  const std::string quotes(kMaxPassword, '\'');
  SlotValues values = good_values();
  values.deposit.connect_url = url;
  values.deposit.client_id = std::string_view(quotes).substr(0, kMaxClientId);
  values.deposit.password = quotes;
  values.code = quotes;
  EXPECT_EQ(render(values).size(),
            9 + 2 + 4 * (kMaxConnectUrl - 9) + 49 + 2 + 4 * kMaxClientId + 2 + 4 * kMaxPassword + 66 + 15);
  std::string encoded;
  while (encoded.size() < kMaxPassword) encoded += "\xF0\x9F\x94\x91";
  values.deposit.password = encoded;
  files["linux/a.sh"] =
      "$U = {{connect_url}}\n$F = {{fingerprint}}\n$I = {{client_id}}\n$P = {{password}}\n$C = {{code}}\n";
  render(values, Dialect::kPowerShell);
}

TEST_F(TemplateTest, IncludesStandInPlaceOfTheirLine) {
  files["linux/a.sh"] = "one\n{{> lib/b.sh}}\nfour\n";
  files["linux/lib/b.sh"] = "two\n{{> lib/c.sh}}\n";
  files["linux/lib/c.sh"] = "three={{password}}\n";
  EXPECT_EQ(render(), "one\ntwo\nthree='foobaz'\nfour\n");
}

TEST_F(TemplateTest, AnIncludeWithoutALineBreakAtItsEndDoesNotSwallowTheNextLine) {
  files["linux/a.sh"] = "one\n{{> lib/b.sh}}\nthree\n{{> lib/b.sh}}";
  files["linux/lib/b.sh"] = "two";
  EXPECT_EQ(render(), "one\ntwo\nthree\ntwo");
  files["linux/lib/b.sh"] = "";
  EXPECT_EQ(render(), "one\nthree\n");
  files["linux/lib/b.sh"] = "P={{password}}";
  files["linux/a.sh"] = "{{> lib/b.sh}}\nthree\n";
  EXPECT_EQ(render(), "P='foobaz'\nthree\n");
}

TEST_F(TemplateTest, IncludesNestEightLevelsDeep) {
  files["linux/a.sh"] = "{{> 1}}\n";
  for (int level = 1; level <= 7; ++level) {
    files["linux/" + std::to_string(level)] = "{{> " + std::to_string(level + 1) + "}}\n";
  }
  files["linux/8"] = "deep\n";
  EXPECT_EQ(render(), "deep\n");
  files["linux/8"] = "{{> 9}}\n";
  files["linux/9"] = "too deep\n";
  EXPECT_EQ(error(), "linux/8:1: includes are nested too deeply");
}

TEST_F(TemplateTest, AnIncludeOfItselfEnds) {
  files["linux/a.sh"] = "x\n{{> a.sh}}\n{{> a.sh}}\n";
  EXPECT_EQ(error(), "linux/a.sh:2: includes are nested too deeply");
}

TEST_F(TemplateTest, ErrorsNameFileAndLine) {
  files["linux/a.sh"] = "one\n\n{{> lib/b.sh}}\n";
  files["linux/lib/b.sh"] = "x\ny {{nonsense}}\n";
  EXPECT_EQ(error(),
            "linux/lib/b.sh:2: there is no slot {{nonsense}}; known are: client_id code connect_url fingerprint "
            "made_at password valid_until empty sha256 version");
  files["linux/lib/b.sh"] = "x\n\n\n  P={{password}} {{ password }}\n";
  EXPECT_EQ(error(), "linux/lib/b.sh:4: expected {{name}} with a name of a-z, 0-9 and _");
}

TEST_F(TemplateTest, AMissingTemplateIsNamed) {
  EXPECT_EQ(error("linux/none.sh"), "linux/none.sh: there is no such template");
  files["linux/a.sh"] = "{{> lib/none.sh}}\n";
  EXPECT_EQ(error(), "linux/lib/none.sh: there is no such template");
}

TEST_F(TemplateTest, OnlyLineFeedsEndLines) {
  files["linux/a.sh"] = "one\r\ntwo\r\n";
  EXPECT_EQ(error(), "linux/a.sh: contains a carriage return or a NUL; lines must end in LF alone");
  files["linux/a.sh"] = std::string("one\n\0two\n", 9);
  EXPECT_EQ(error(), "linux/a.sh: contains a carriage return or a NUL; lines must end in LF alone");
  files["linux/a.sh"] = "{{> b}}\n";
  files["linux/b"] = "x\r";
  EXPECT_THAT(error(), HasSubstr("linux/b: "));
}

TEST_F(TemplateTest, AnythingElseBehindTwoBracesIsAnError) {
  for (const std::string_view bad : {"{{", "{{}}", "{{ password}}", "{{password }}", "{{Password}}", "{{pass-word}}",
                                     "{{password}", "{{password", "{{{password}}}", "{{pass\nword}}", "{{#if}}",
                                     "{{!x}}", "x {{> lib/b.sh}}", " {{> lib/b.sh}}", "{{>lib/b.sh}}"}) {
    files["linux/a.sh"] = std::string(bad) + "\n";
    EXPECT_THAT(error(), HasSubstr("linux/a.sh:1: expected {{name}}")) << bad;
  }
  for (const std::string_view bad : {"{{> lib/b.sh}} x", "{{> lib/b.sh", "{{> lib/b.sh}}}", "{{> a}}{{> b}}"}) {
    files["linux/a.sh"] = std::string(bad) + "\n";
    EXPECT_EQ(error(), "linux/a.sh:1: an include stands alone on its line: {{> name}}") << bad;
  }
  files["linux/a.sh"] = "P={{password}} #}}";
  EXPECT_EQ(render(), "P='foobaz' #}}") << "only two opening braces mean something";
}

struct Case {
  std::string_view before;  // lines
  std::string_view line;
  std::string_view behind;
};

// Each shell script prints the value of P at its end, if it is right.
constexpr Case kGoodShell[] = {
    {"", "P={{password}}", ""},
    {"", "  \tP={{password}}  ", ""},
    {"", "export P={{password}}", ""},
    {"", "readonly  P={{password}} # it's the password", ""},
    {"f() {\n", "local P={{password}}\nprintf %s \"$P\"", "}; f; P=\n"},
    {"if true; then\n", "\tP={{password}}", "fi\n"},
    {"case x in\nx)\n", "P={{password}}", ";;\nesac\n"},
    {"echo 'it' \"is $(echo \"a \\\" b\" 'c)' `echo d`) ${x:-\"}\"}\" >/dev/null # isn't\n", "P={{password}}", ""},
    {"cat >/dev/null <<E 1<<-'F G'; echo \"a\nb\" >/dev/null\nit's\nE \n E\nE\n\t\"\n\tF G\n", "P={{password}}", ""},
    {"cat >/dev/null <<\\E\n\\\nE\n", "P={{password}}", ""},
    {": ${x#\"'\"} ${x%'#'} ${#x} $# x#' \n' \\' \\\\\n", "P={{password}}", ""},
    {": $((1 << 2)) $(( (1 + 2) * 3 )) $(echo \\) \\\" # ')\n)\n", "P={{password}}", ""},
    {"{ # it's\n:\n}\n(:)# it's\n:;# it's\n:&#it's\nwait\n", "P={{password}}", ""},
    {"## it's not served\n", "P={{password}}", ""},
    {": \"\\\\\"\n: a\\\nb '\\'\n", "P={{password}}", ""},
    {": $(echo a)\"it's\" $( (echo b) )\"it's\"\n", "P={{password}}", ""},
};

constexpr Case kBadShell[] = {
    {"", "P=\"{{password}}\"", ""},
    {"", "P='{{password}}'", ""},
    {"", "P=`{{password}}`", ""},
    {"", "P=x{{password}}", ""},
    {"", "P={{password}}x", ""},
    {"", "P={{password}}#", ""},
    {"", "P={{password}}; :", ""},
    {"", "P={{password}} sh -c :", ""},
    {"", "P={{password}} \\", ""},
    {"", "P={{password}}{{client_id}}", ""},
    {"", "P= {{password}}", ""},
    {"", "P ={{password}}", ""},
    {"", "P+={{password}}", ""},
    {"", "1P={{password}}", ""},
    {"", "$P={{password}}", ""},
    {"", "A='x' P={{password}}", ""},
    {"", ":; P={{password}}", ""},
    {"", "env P={{password}}", ""},
    {"", "eval P={{password}}", ""},
    {"", "eval {{password}}", ""},
    {"", "sh -c {{password}}", ""},
    {"", "echo \"pw: {{password}} \"", ""},
    {"", "{{password}}", ""},
    {"", "# {{password}}", ""},
    {"", "P={{client_id}} # {{password}}", ""},
    {"P='\n", "P={{password}}", "'\n"},
    {"eval \"\n", "P={{password}}", "\"\n"},
    {"eval \"$x\n", "P={{password}}", "\"\n"},
    {"eval \"$(echo \"a\")\n", "P={{password}}", "\"\n"},
    {"eval 'it'\\''s' '\n", "P={{password}}", "'\n"},
    {"eval \\\n", "P={{password}}", ""},
    {"eval x=1 \\\\\\\n", "P={{password}}", ""},
    {"eval `\n", "P={{password}}", "`\n"},
    {"eval $(\n", "P={{password}}", ")\n"},
    {"eval $( (:)\n", "P={{password}}", ")\n"},
    {"eval \"$(cat <<E\n", "P={{password}}", "E\n)\"\n"},
    {": ${x:=\n", "P={{password}}", "}\n"},
    {": $((\n", "P={{password}}", "))\n"},
    {"sh <<E\n", "P={{password}}", "E\n"},
    {"sh <<-'E F'\n", "P={{password}}", "\tE F\n"},
    {"sh <<E\n E\n", "P={{password}}", "E\n"},
    {"sh <<E\n\tE\n", "P={{password}}", "E\n"},
    {"sh <<A; sh <<B\n:\nA\n", "P={{password}}", "B\n"},
    {"echo x#'\n", "P={{password}}", "'\n"},
    {"echo }#'\n", "P={{password}}", "'\n"},
    {"echo \\#'\n", "P={{password}}", "'\n"},
    {"echo ''#'\n", "P={{password}}", "'\n"},
    {"echo $#'\n", "P={{password}}", "'\n"},
    {"echo a\\\n#'\n", "P={{password}}", "'\n"},
    {"# it's a comment \\\nP='\n", "P={{password}}", "'\n"},
    // Not followed, so refused.
    {"cat <<E\n\\\nE\n", "P={{password}}", ""},
    {"echo $'it\\'s'\n", "P={{password}}", ""},
    {"x=$(case x in x) echo;; esac)\n", "P={{password}}", ""},
    {"x=`echo \\`echo a\\``\n", "P={{password}}", ""},
    {"x=`echo '`'`\n", "P={{password}}", ""},
    {"x=\"${y:-it's}\"\n", "P={{password}}", ""},
};

// A value that does harm wherever it is not a literal, in a single or a double quote, a here-document or a comment.
constexpr std::string_view kNasty = "'; echo EXECUTED; '\"; echo EXECUTED; \"$(echo EXECUTED)`echo EXECUTED`\\";

TEST_F(TemplateTest, AValueIsTheWholeRightSideOfAnAssignment) {
  for (const Case& each : kGoodShell) {
    files["linux/a.sh"] =
        std::string(each.before) + std::string(each.line) + "\n" + std::string(each.behind) + "printf %s \"$P\"\n";
    const Result<Template> result = compile();
    ASSERT_TRUE(result.ok()) << each.before << each.line << ": " << result.status().message();
    SlotValues values = good_values();
    values.deposit.password = kNasty;
    const ShellResult ran = run_shell(script(result.value(), values));
    EXPECT_EQ(ran.out, kNasty) << each.before << each.line << ran.err;
  }
}

TEST_F(TemplateTest, AValueAnywhereElseIsRefused) {
  for (const Case& each : kBadShell) {
    files["linux/a.sh"] = std::string(each.before) + std::string(each.line) + "\n" + std::string(each.behind);
    const auto line = static_cast<std::size_t>(std::count(each.before.begin(), each.before.end(), '\n')) + 1;
    EXPECT_THAT(error(), ::testing::StartsWith("linux/a.sh:" + std::to_string(line) + ": {{"))
        << each.before << each.line;
    EXPECT_THAT(error(),
                HasSubstr("}} must be the whole right side of an assignment on a line of its own, such as NAME={{"));
    EXPECT_THAT(error(), Not(HasSubstr("or stand in a comment"))) << "a value may have line breaks";
  }
}

constexpr Case kGoodPowerShell[] = {
    {"", "$P = {{password}}", ""},
    {"", "\t$Script:P={{password}} # it's the password", ""},
    {"", "  [string] $env:P = {{password}}", ""},
    {"function F {\n  if ($x) {\n", "$P = {{password}}", "}}\n"},
    {"<# it's\n\"a\" #>\n# don't\n", "$P = {{password}}", ""},
    {"$x = 'it''s' + \"say \"\"$('a')\"\" `\" \"\n", "$P = {{password}}", ""},
    {"$x = @'\nit's \"\n '@\n'@\n$y = @\"\nsay \"\" it's\n\"@\n", "$P = {{password}}", ""},
    {"$x = @{ A = 1\n  B = @(1, 2)\n}\n$y = $x[\"A\"] + ${it's}; Write-Host `' a`\n b\n", "$P = {{password}}", ""},
    {"$x = '\u2019\u2018' + \"\u201d\u201c\"\n", "$P = {{password}}", ""},
    {"Write-Host `\n# it's\n", "$P = {{password}}", ""},
};

constexpr Case kBadPowerShell[] = {
    {"", "$P = \"{{password}}\"", ""},
    {"", "$P = '{{password}}'", ""},
    {"", "P={{password}}", ""},
    {"", "$P = {{password}}; 1", ""},
    {"", "$P = {{password}} | iex", ""},
    {"", "$P = {{password}} `", ""},
    {"", "$P += {{password}}", ""},
    {"", "$P.Q = {{password}}", ""},
    {"", "iex {{password}}", ""},
    {"", "& {{password}}", ""},
    {"", "{{password}}", ""},
    {"", "# {{password}}", ""},
    {"", "<# #> $P = {{password}}", ""},
    {"<#\n", "$P = {{password}}", "#>\n"},
    {"iex (\n", "$P = {{password}}", ")\n"},
    {"iex $(\n", "$P = {{password}}", ")\n"},
    {"iex @(if (1) {\n", "$P = {{password}}", "})\n"},
    {"$x = @{\n", "$P = {{password}}", "}\n"},
    {"$x = $y[\n", "$P = {{password}}", "]\n"},
    {"iex '\n", "$P = {{password}}", "'\n"},
    {"iex 'it''\n", "$P = {{password}}", "'\n"},
    {"iex \"\n", "$P = {{password}}", "\"\n"},
    {"iex \"`\"\n", "$P = {{password}}", "\"\n"},
    {"iex \"$(\"a\")\n", "$P = {{password}}", "\"\n"},
    {"iex \u2018\n", "$P = {{password}}", "'\n"},
    {"iex \u201e\n", "$P = {{password}}", "\"\n"},
    {"iex @'\n", "$P = {{password}}", "'@\n"},
    {"iex @'\n '@\n", "$P = {{password}}", "'@\n"},
    {"iex @\"\n'@\n", "$P = {{password}}", "\"@\n"},
    {"iex `\n", "$P = {{password}}", ""},
    // Not followed, so refused.
    {"Write-Host a#b\n", "$P = {{password}}", ""},
    {"Write-Host a`\n#b\n", "$P = {{password}}", ""},
    {"Write-Host a<# #>\n", "$P = {{password}}", ""},
    {"cmd --% /c \"\n", "$P = {{password}}", ""},
    {"Write-Host :)\n", "$P = {{password}}", ""},
};

TEST_F(TemplateTest, InPowerShellAValueIsTheWholeRightSideOfAnAssignment) {
  for (const Case& each : kGoodPowerShell) {
    const std::string text = std::string(each.before) + std::string(each.line) + "\n" + std::string(each.behind);
    files["linux/a.sh"] = text;
    std::string expected = text;
    expected.replace(expected.find("{{password}}"), 12, "'foobaz'");
    EXPECT_EQ(render(good_values(), Dialect::kPowerShell), expected);
  }
}

TEST_F(TemplateTest, InPowerShellAValueAnywhereElseIsRefused) {
  for (const Case& each : kBadPowerShell) {
    files["linux/a.sh"] = std::string(each.before) + std::string(each.line) + "\n" + std::string(each.behind);
    const Result<Template> result = compile("linux/a.sh", Dialect::kPowerShell);
    ASSERT_FALSE(result.ok()) << each.before << each.line;
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("such as $Name = {{password}}")) << each.before;
  }
}

TEST_F(TemplateTest, ConstantsObeyTheSameRule) {
  for (const std::string_view bad : {"eval {{version}}", "V=\"{{version}}\"", "# {{sha256}}", "V='\n{{version}}\n'"}) {
    files["linux/a.sh"] = std::string(bad) + "\n";
    EXPECT_THAT(error(), HasSubstr("}} must be the whole right side of an assignment")) << bad;
  }
}

TEST_F(TemplateTest, WhatIsOpenIsFollowedThroughIncludesAndNamed) {
  files["linux/a.sh"] = "x\n{{> b.sh}}\n\nP={{password}}\n";
  files["linux/b.sh"] = "y\necho \"open";
  EXPECT_EQ(
      error(),
      "linux/a.sh:4: {{password}} must be the whole right side of an assignment on a line of its own, such as "
      "NAME={{password}}, and not behind a quote that was opened in linux/b.sh:2. Anywhere else its value might be "
      "executed: write the assignment first, and use the variable there");
  files["linux/b.sh"] = "cat <<E";
  EXPECT_THAT(error(), HasSubstr("not behind a here-document that began in linux/b.sh:1"));
  files["linux/b.sh"] = "eval \\";
  files["linux/a.sh"] = "{{> b.sh}}\nP={{password}}\n";
  EXPECT_THAT(error(), HasSubstr("not behind a command that began in linux/b.sh:1"));
  files["linux/b.sh"] = "x=$'it'";
  EXPECT_THAT(error(),
              HasSubstr("not behind $'...', which not every shell knows, in linux/b.sh:1, behind which quotes cannot"));
  files["linux/a.sh"] = "P={{password}}\n{{> b.sh}}\n";
  EXPECT_EQ(render(), "P='foobaz'\nx=$'it'\n") << "what comes later does not matter";
}

TEST_F(TemplateTest, SlotsThatAreTooFarApartAreRefused) {
  files["linux/a.sh"] = "U={{connect_url}}\n" + std::string(Template::kMaxBlock, 'x') + "\nP={{password}}";
  EXPECT_THAT(error(), HasSubstr("must stand close together"));
  files["linux/a.sh"] = "U={{connect_url}}\nV={{connect_url}}";
  EXPECT_THAT(error(), HasSubstr("each once"));
  // What lies before the first and behind the last does not count.
  files["linux/a.sh"] = std::string(100'000, 'x') + "\nP={{password}}\n" + std::string(100'000, 'y');
  EXPECT_EQ(render().size(), 200'012U);
}

TEST_F(TemplateTest, TheBoundOnTheBlockIsExact) {
  // Whatever compiles must render the worst values within the bound.
  std::size_t largest = 0;
  for (std::size_t gap = 0; gap < 3000; ++gap) {
    files["linux/a.sh"] =
        "U={{connect_url}}\nF={{fingerprint}}\nI={{client_id}}\n" + std::string(gap, 'x') + "\nP={{password}}";
    const Result<Template> result = compile();
    if (!result.ok()) break;
    largest = gap;
  }
  EXPECT_GT(largest, 500U) << "room for a few assignments";
  EXPECT_LT(largest, 2999U);
  files["linux/a.sh"] =
      "U={{connect_url}}\nF={{fingerprint}}\nI={{client_id}}\n" + std::string(largest, 'x') + "\nP={{password}}";
  const std::string url(kMaxConnectUrl, '\'');
  SlotValues values = good_values();
  values.deposit.connect_url = url;
  values.deposit.client_id = std::string_view(url).substr(0, kMaxClientId);
  values.deposit.password = std::string_view(url).substr(0, kMaxPassword);
  render(values);
}

TEST_F(TemplateTest, TextBetweenSlotsMayHaveAnyLength) {
  for (std::size_t gap = 0; gap < 100; ++gap) {
    const std::string text(gap, 'x');
    files["linux/a.sh"] = "I={{client_id}}\n" + text + "\nP={{password}}";
    EXPECT_EQ(render(), "I='client1'\n" + text + "\nP='foobaz'");
  }
}

TEST_F(TemplateTest, ErrorsNeverHoldAConstantsValue) {
  constants["version"] = "SECRET";
  files["linux/a.sh"] = "V={{version}}\n{{nonsense}}";
  EXPECT_THAT(error(), Not(HasSubstr("SECRET")));
}

}  // namespace
}  // namespace pairport::testing

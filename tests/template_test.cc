// SPDX-License-Identifier: MIT
#include <pairport/template.h>

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/deposits.h"

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
  EXPECT_EQ(render(values, Dialect::kPowerShell), "a\nU='" + std::string(kGoodUrl) + "'\nF='" +
                                                      std::string(kGoodFingerprint) +
                                                      "'\nI='client1'\nP='it''s `$(id)`\"\\'\nz\n");
}

TEST_F(TemplateTest, ASplitTemplateHasStaticTextAroundOneBlock) {
  files["linux/a.sh"] = "before\n{{client_id}} {{password}}after";
  const Result<Template> result = compile();
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.value().has_slots());
  EXPECT_EQ(result.value().prefix(), "before\n");
  EXPECT_EQ(result.value().suffix(), "after");
}

TEST_F(TemplateTest, SlotsMayTouchEachOtherAndTheEnds) {
  files["linux/a.sh"] = "{{client_id}}{{password}}";
  EXPECT_EQ(render(), "'client1''foobaz'");
}

TEST_F(TemplateTest, ValuesAreNeverLookedAtForSlots) {
  files["linux/a.sh"] = "{{client_id}} {{password}}\n";
  SlotValues values = good_values();
  values.deposit.client_id = "{{password}}";
  values.deposit.password = "{{> lib/x.sh}}";
  EXPECT_EQ(render(values), "'{{password}}' '{{> lib/x.sh}}'\n");
  constants["version"] = "{{password}}";
  files["linux/a.sh"] = "{{version}}";
  EXPECT_EQ(render(), "'{{password}}'");
}

TEST_F(TemplateTest, ConstantsAreFilledInWhenCompiled) {
  files["linux/a.sh"] = "V={{version}}\nE={{empty}}\nS={{sha256}}\n";
  EXPECT_EQ(render(), "V='1.2'\\''3'\nE=''\nS='a\nb'\n");
  EXPECT_FALSE(compile().value().has_slots());
  EXPECT_EQ(render({}, Dialect::kPowerShell),
            "V='1.2''3'\nE=''\nS=([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('YQpi')))\n");
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

TEST_F(TemplateTest, ALongCodeIsCut) {
  files["linux/a.sh"] = "{{code}}";
  SlotValues values;
  for (const std::size_t size : {63U, 64U, 65U, 128U}) {
    const std::string code(size, 'a');
    values.code = code;
    EXPECT_EQ(render(values).size(), std::min<std::size_t>(size, 64));
  }
}

TEST_F(TemplateTest, TheWorstValuesFit) {
  files["linux/a.sh"] = "{{connect_url}}\n{{fingerprint}}\n{{client_id}}\n{{password}}\n{{code}}\n";
  const std::string url = "http://h/" + std::string(kMaxConnectUrl - 9, '\'');
  const std::string quotes(kMaxPassword, '\'');
  SlotValues values = good_values();
  values.deposit.connect_url = url;
  values.deposit.client_id = std::string_view(quotes).substr(0, kMaxClientId);
  values.deposit.password = quotes;
  values.code = quotes;
  EXPECT_EQ(render(values).size(),
            9 + 2 + 4 * (kMaxConnectUrl - 9) + 49 + 2 + 4 * kMaxClientId + 2 + 4 * kMaxPassword + 64 + 5);
  std::string encoded;
  while (encoded.size() < kMaxPassword) encoded += "\xF0\x9F\x94\x91";
  values.deposit.password = encoded;
  render(values, Dialect::kPowerShell);
}

TEST_F(TemplateTest, IncludesStandInPlaceOfTheirLine) {
  files["linux/a.sh"] = "one\n{{> lib/b.sh}}\nfour\n";
  files["linux/lib/b.sh"] = "two\n{{> lib/c.sh}}\n";
  files["linux/lib/c.sh"] = "three {{password}}\n";
  EXPECT_EQ(render(), "one\ntwo\nthree 'foobaz'\nfour\n");
}

TEST_F(TemplateTest, AnIncludeWithoutALineBreakAtItsEndDoesNotSwallowTheNextLine) {
  files["linux/a.sh"] = "one\n{{> lib/b.sh}}\nthree\n{{> lib/b.sh}}";
  files["linux/lib/b.sh"] = "two";
  EXPECT_EQ(render(), "one\ntwo\nthree\ntwo");
  files["linux/lib/b.sh"] = "";
  EXPECT_EQ(render(), "one\nthree\n");
  files["linux/lib/b.sh"] = "{{password}}";
  files["linux/a.sh"] = "{{> lib/b.sh}}\nthree\n";
  EXPECT_EQ(render(), "'foobaz'\nthree\n");
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
            "password empty sha256 version");
  files["linux/lib/b.sh"] = "x\n\n\n  {{password}} {{ password }}\n";
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
  files["linux/a.sh"] = "{{password}}}}";
  EXPECT_EQ(render(), "'foobaz'}}") << "only two opening braces mean something";
}

TEST_F(TemplateTest, AValueInsideOfQuotesIsRefused) {
  for (const std::string_view bad :
       {"P=\"{{password}}\"", "P='{{password}}'", "P=`{{password}}`", "echo \"pw: {{password}} \"",
        "A='x' P={{password}}", "A={{client_id}} P=\"{{password}}\""}) {
    files["linux/a.sh"] = "x\n" + std::string(bad) + "\n";
    EXPECT_THAT(error(), HasSubstr("linux/a.sh:2: a quote stands before {{password}}")) << bad;
  }
  files["linux/a.sh"] = "A='x'\nP={{password}} # it's fine here\n# '{{code}}'\n";
  EXPECT_THAT(render(), HasSubstr("P='foobaz' # it's fine here"));
}

TEST_F(TemplateTest, SlotsThatAreTooFarApartAreRefused) {
  files["linux/a.sh"] = "{{connect_url}}" + std::string(Template::kMaxBlock, 'x') + "{{password}}";
  EXPECT_THAT(error(), HasSubstr("must stand close together"));
  files["linux/a.sh"] = "{{connect_url}}{{connect_url}}";
  EXPECT_THAT(error(), HasSubstr("each once"));
  // What lies before the first and behind the last does not count.
  files["linux/a.sh"] = std::string(100'000, 'x') + "{{password}}" + std::string(100'000, 'y');
  EXPECT_EQ(render().size(), 200'008U);
}

TEST_F(TemplateTest, TheBoundOnTheBlockIsExact) {
  // Whatever compiles must render the worst values within the bound.
  std::size_t largest = 0;
  for (std::size_t gap = 0; gap < 3000; ++gap) {
    files["linux/a.sh"] = "{{connect_url}}{{fingerprint}}{{client_id}}" + std::string(gap, 'x') + "{{password}}";
    const Result<Template> result = compile();
    if (!result.ok()) break;
    largest = gap;
  }
  EXPECT_GT(largest, 500U) << "room for a few assignments";
  EXPECT_LT(largest, 2999U);
  files["linux/a.sh"] = "{{connect_url}}{{fingerprint}}{{client_id}}" + std::string(largest, 'x') + "{{password}}";
  const std::string url(kMaxConnectUrl, '\'');
  SlotValues values = good_values();
  values.deposit.connect_url = url;
  values.deposit.client_id = std::string_view(url).substr(0, kMaxClientId);
  values.deposit.password = std::string_view(url).substr(0, kMaxPassword);
  render(values);
}

TEST_F(TemplateTest, ErrorsNeverHoldAConstantsValue) {
  constants["version"] = "SECRET";
  files["linux/a.sh"] = "{{version}} {{nonsense}}";
  EXPECT_THAT(error(), Not(HasSubstr("SECRET")));
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
#include "render/scripts/quote.h"

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "support/shell.h"
#include "support/unicode.h"

namespace pairport::testing {
namespace {

using ::testing::StartsWith;

// Quotes into exactly the room that is promised to be enough, so that a sanitizer sees any byte beyond it.
std::string quoted(char* (*quote)(std::string_view, char*) noexcept, std::string_view value) {
  std::vector<char> out(max_quoted(value.size()));
  const char* end = quote(value, out.data());
  const auto size = static_cast<std::size_t>(end - out.data());
  EXPECT_LE(size, out.size());
  bool printable = true;
  for (const char c : value) printable = printable && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (printable) {
    EXPECT_LE(size, max_quoted_printable(value.size()));
  }
  return {out.data(), size};
}
std::string posix(std::string_view value) {
  return quoted(quote_posix, value);
}
std::string powershell(std::string_view value) {
  return quoted(quote_powershell, value);
}
std::string json(std::string_view value) {
  return quoted(quote_json, value);
}

// Values that a shell might trip over.
std::vector<std::string> nasty_values() {
  std::vector<std::string> values = {"",
                                     "'",
                                     "''",
                                     "'''",
                                     "\\'",
                                     "'\\''",
                                     "\\",
                                     "\\\\",
                                     "a\\",
                                     "\"",
                                     "`id`",
                                     "$(id)",
                                     "${IFS}",
                                     "$HOME",
                                     "$'a'",
                                     ";id;",
                                     "&",
                                     "|",
                                     " ",
                                     "  a  ",
                                     "\t",
                                     "\n",
                                     "\n\n",
                                     "a\n",
                                     "\na",
                                     "\r\n",
                                     "-n",
                                     "-e",
                                     "--",
                                     "~",
                                     "*",
                                     "?",
                                     "[a-z]",
                                     "!x",
                                     "#",
                                     "a #b",
                                     "%s%n%%",
                                     "{a,b}",
                                     "<f",
                                     ">f",
                                     "EOF\n",
                                     "'; touch /tmp/canary; '",
                                     "' || exit 7; '",
                                     "{{password}}",
                                     std::string(1024, '\''),
                                     std::string(1024, '\\')};
  for (int c = 1; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    values.push_back(std::string(1, byte));
    values.push_back("'" + std::string(1, byte) + "'");
    values.push_back("a" + std::string(1, byte));
  }
  std::mt19937 engine(10);
  constexpr std::string_view kAlphabet = "'\"\\`$(){}[];&|<>*?!#~%=-+ \t\n\r/aA1\x80\xff\x01";
  for (int i = 0; i < 3000; ++i) {
    std::string value(engine() % 30, 'x');
    for (char& c : value) c = kAlphabet[engine() % kAlphabet.size()];
    values.push_back(value);
  }
  for_sampled_code_points([&, count = 0](const std::string& text) mutable {
    if (++count % 10 == 0) values.push_back(text);
  });
  return values;
}

TEST(QuotePosix, WritesOneLiteral) {
  EXPECT_EQ(posix(""), "''");
  EXPECT_EQ(posix("abc"), "'abc'");
  EXPECT_EQ(posix("it's"), R"('it'\''s')");
  EXPECT_EQ(posix("'"), R"(''\''')");
  EXPECT_EQ(posix("a\\b\"$`"), "'a\\b\"$`'");
  EXPECT_EQ(posix(std::string(100, '\'')).size(), 402U);
}

TEST(QuotePosix, IsReadBackByTheRealShellByteForByte) {
  const std::vector<std::string> values = nasty_values();
  // Each literal must be one word: the function reports how many it got.
  std::string script = "f() { printf '%s:%s\\0' \"$#\" \"$1\"; }\n";
  for (const std::string& value : values) script += "f " + posix(value) + "\n";
  script += "printf end\n";
  const ShellResult result = run_shell(script);
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  std::size_t at = 0;
  for (const std::string& value : values) {
    const std::size_t end = result.out.find('\0', at);
    ASSERT_NE(end, std::string::npos);
    ASSERT_EQ(result.out.substr(at, end - at), "1:" + value);
    at = end + 1;
  }
  EXPECT_EQ(result.out.substr(at), "end");
}

// What PowerShell would make of a literal that quote_powershell() may write; nothing when it would be anything else.
std::optional<std::string> read_powershell(std::string_view literal) {
  constexpr std::string_view kPrefix = "([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('";
  constexpr std::string_view kSuffix = "')))";
  for (const char c : literal) {
    if (c < 0x20 || c > 0x7e) return std::nullopt;
  }
  if (literal.starts_with("'")) {
    std::string value;
    for (std::size_t i = 1; i < literal.size(); ++i) {
      if (literal[i] != '\'') {
        value += literal[i];
      } else if (i + 1 == literal.size()) {
        return value;
      } else if (literal[++i] == '\'') {
        value += '\'';
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }
  if (!literal.starts_with(kPrefix) || !literal.ends_with(kSuffix)) return std::nullopt;
  literal = literal.substr(kPrefix.size(), literal.size() - kPrefix.size() - kSuffix.size());
  if (literal.size() % 4 != 0) return std::nullopt;
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string value;
  for (std::size_t i = 0; i < literal.size(); i += 4) {
    std::uint32_t bits = 0;
    std::size_t digits = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t digit = kDigits.find(literal[i + k]);
      if (digit == std::string_view::npos) {
        if (literal[i + k] != '=' || i + 4 != literal.size() || k < 2) return std::nullopt;
        bits <<= 6;
        continue;
      }
      if (digits != k) return std::nullopt;
      ++digits;
      bits = bits << 6 | static_cast<std::uint32_t>(digit);
    }
    for (std::size_t k = 0; k + 1 < digits; ++k) value += static_cast<char>(bits >> (16 - 8 * k));
  }
  return value;
}

TEST(QuotePowerShell, WritesPlainTextAsALiteral) {
  EXPECT_EQ(powershell(""), "''");
  EXPECT_EQ(powershell("it's $(here) `n"), "'it''s $(here) `n'");
}

TEST(QuotePowerShell, CarriesEverythingElseEncoded) {
  EXPECT_EQ(powershell("\xC3\xA4"), "([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('w6Q=')))");
  for (const std::uint32_t quote : {0x2018U, 0x2019U, 0x201aU, 0x201bU, 0x201cU, 0x201dU, 0x201eU, 0xff07U}) {
    EXPECT_THAT(powershell(utf8(quote)), StartsWith("([Text.Encoding]")) << quote;
  }
  for (const char control : {'\t', '\n', '\r', '\x01', '\x1f', '\x7f'}) {
    EXPECT_THAT(powershell(std::string(1, control)), StartsWith("([Text.Encoding]"));
  }
  EXPECT_THAT(powershell(std::string(1, '\0')), StartsWith("([Text.Encoding]"));
}

TEST(QuotePowerShell, IsPureAsciiAndReadBackByteForByte) {
  for (const std::string& value : nasty_values()) ASSERT_EQ(read_powershell(powershell(value)), value);
  for_sampled_code_points([](const std::string& text) {
    ASSERT_EQ(read_powershell(powershell(text)), text);
    ASSERT_EQ(read_powershell(powershell("'" + text + "a")), "'" + text + "a");
  });
}

TEST(QuotePowerShell, PadsEveryLength) {
  std::string value = "\x01";
  for (int i = 0; i < 100; ++i, value += 'x') ASSERT_EQ(read_powershell(powershell(value)), value);
}

class QuoteJson : public ::testing::Test {
 protected:
  void expect_read_back(std::string_view value) {
    std::string document = "[";
    document += json(value);
    document += "]";
    std::string_view read;
    ASSERT_EQ(parser_.parse(document).at(0).get_string().get(read), simdjson::SUCCESS) << document;
    ASSERT_EQ(read, value);
  }
  simdjson::dom::parser parser_;
};

TEST_F(QuoteJson, WritesOneString) {
  EXPECT_EQ(json(""), "\"\"");
  EXPECT_EQ(json("a\"b\\c\n"), R"("a\"b\\c\n")");
  EXPECT_EQ(json(std::string("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
  EXPECT_EQ(json("\xC3\xA4'<>&/"), "\"\xC3\xA4'<>&/\"");
}

TEST_F(QuoteJson, IsReadBackByAParser) {
  for (int c = 0; c < 0x80; ++c) {
    expect_read_back(std::string(1, static_cast<char>(c)));
    expect_read_back("a" + std::string(1, static_cast<char>(c)) + "\\");
  }
  for_sampled_code_points([this](const std::string& text) { expect_read_back(text); });
  expect_read_back(std::string(2000, '\0'));
  expect_read_back(std::string(2000, '"'));
}

}  // namespace
}  // namespace pairport::testing

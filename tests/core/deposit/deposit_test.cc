// SPDX-License-Identifier: MIT
#include <pairport/deposit.h>

#include <cctype>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/deposit/deposit_fields.h"
#include "support/deposits.h"

namespace pairport::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr DepositField kFields[] = {DepositField::kConnectUrl, DepositField::kFingerprint, DepositField::kClientId,
                                    DepositField::kPassword};

DepositReport check(DepositField field, std::string_view value) {
  DepositView view;
  return validate(input_with(field, text(value)), view);
}
FieldProblem problem(DepositField field, std::string_view value) {
  const DepositReport report = check(field, value);
  for (const DepositField other : kFields) {
    if (other != field) {
      EXPECT_EQ(problem_of(other, report), FieldProblem::kNone);
    }
  }
  return problem_of(field, report);
}
FieldProblem url(std::string_view value) {
  return problem(DepositField::kConnectUrl, value);
}
FieldProblem id(std::string_view value) {
  return problem(DepositField::kClientId, value);
}
FieldProblem password(std::string_view value) {
  return problem(DepositField::kPassword, value);
}
FieldProblem fingerprint(std::string_view value) {
  return problem(DepositField::kFingerprint, value);
}

TEST(Deposit, AGoodOneIsHandedOnByteForByte) {
  DepositView view;
  const DepositInput input = good_input();
  ASSERT_TRUE(validate(input, view).ok());
  EXPECT_EQ(view.connect_url, kGoodUrl);
  EXPECT_EQ(view.client_id, kGoodId);
  EXPECT_EQ(view.password, kGoodPassword);
  EXPECT_EQ(fingerprint_text(view.fingerprint), kGoodFingerprint);
  EXPECT_EQ(view.password.data(), kGoodPassword.data()) << "a view of what was given, not of a copy";
  EXPECT_EQ(description(validate(input, view)), "");
}

TEST(Deposit, ABadOneLeavesTheViewAlone) {
  DepositView view;
  view.password = "before";
  EXPECT_FALSE(validate(input_with(DepositField::kClientId, text("a:b")), view).ok());
  EXPECT_EQ(view.password, "before");
  EXPECT_EQ(view.connect_url, "");
}

TEST(Deposit, EveryFieldIsRequired) {
  for (const DepositField field : kFields) {
    DepositView view;
    EXPECT_EQ(problem_of(field, validate(input_with(field, {}), view)), FieldProblem::kMissing);
    EXPECT_EQ(problem_of(field, validate(input_with(field, text("")), view)), FieldProblem::kEmpty);
    EXPECT_EQ(problem_of(field, validate(input_with(field, {FieldInput::Kind::kNotAString, {}}), view)),
              FieldProblem::kNotAString);
    EXPECT_EQ(problem_of(field, validate(input_with(field, {FieldInput::Kind::kRepeated, {}}), view)),
              FieldProblem::kRepeated);
  }
}

TEST(Deposit, AnEmptyTextIsMissingOnlyWhereTheFieldIsOptional) {
  DepositFieldRow row = field_row(DepositField::kPassword);
  EXPECT_EQ(given_field(row, "").kind, FieldInput::Kind::kString) << "an empty password is a fault of its own";
  row.is_required = false;
  EXPECT_EQ(given_field(row, "").kind, FieldInput::Kind::kMissing);
  EXPECT_EQ(given_field(row, "x").kind, FieldInput::Kind::kString);
  EXPECT_EQ(given_field(row, "x").value, "x");
}

TEST(Deposit, LimitsAreExact) {
  const std::string host = "http://h/";
  EXPECT_EQ(url(host + std::string(kMaxConnectUrl - host.size() - 1, 'a')), FieldProblem::kNone);
  EXPECT_EQ(url(host + std::string(kMaxConnectUrl - host.size(), 'a')), FieldProblem::kNone);
  EXPECT_EQ(url(host + std::string(kMaxConnectUrl - host.size() + 1, 'a')), FieldProblem::kTooLong);
  EXPECT_EQ(id("a"), FieldProblem::kNone);
  EXPECT_EQ(id(std::string(kMaxClientId - 1, 'a')), FieldProblem::kNone);
  EXPECT_EQ(id(std::string(kMaxClientId, 'a')), FieldProblem::kNone);
  EXPECT_EQ(id(std::string(kMaxClientId + 1, 'a')), FieldProblem::kTooLong);
  EXPECT_EQ(password("a"), FieldProblem::kNone);
  EXPECT_EQ(password(std::string(kMaxPassword - 1, 'a')), FieldProblem::kNone);
  EXPECT_EQ(password(std::string(kMaxPassword, 'a')), FieldProblem::kNone);
  EXPECT_EQ(password(std::string(kMaxPassword + 1, 'a')), FieldProblem::kTooLong);
}

TEST(Deposit, LimitsCountBytesNotCharacters) {
  std::string emoji;
  for (int i = 0; i < 256; ++i) emoji += "\xF0\x9F\x94\x91";
  EXPECT_EQ(password(emoji), FieldProblem::kNone) << "1024 bytes, 256 characters";
  EXPECT_EQ(password(emoji + "x"), FieldProblem::kTooLong);
}

TEST(Deposit, ControlCharactersAreRefusedAtEveryPlace) {
  for (int c = 0; c < 256; ++c) {
    const bool control = c < 0x20 || c == 0x7f;
    if (c >= 0x80) continue;
    const char byte = static_cast<char>(c);
    const FieldProblem expected = control ? FieldProblem::kControlCharacter : FieldProblem::kNone;
    EXPECT_EQ(password(std::string(1, byte)), expected) << c;
    EXPECT_EQ(password("a" + std::string(1, byte)), expected) << c;
    EXPECT_EQ(password(std::string(1, byte) + "a"), expected) << c;
    if (byte != ':') {
      EXPECT_EQ(id("a" + std::string(1, byte) + "b"), expected) << c;
    }
    if (control) {
      EXPECT_EQ(url("http://h/" + std::string(1, byte)), expected) << c;
      EXPECT_EQ(url("http://h" + std::string(1, byte)), expected) << c;
    }
  }
  // C1 controls and line separators are text for the real client.
  EXPECT_EQ(password("a\xC2\x85"
                     "b\xE2\x80\xA8"
                     "c"),
            FieldProblem::kNone);
}

TEST(Deposit, OnlyUtf8IsTaken) {
  for (const std::string_view bad : {
           "\x80",              // a continuation alone
           "\xC3",              // truncated
           "\xC0\xAF",          // overlong /
           "\xE0\x80\xAF",      // overlong
           "\xED\xA0\x80",      // a surrogate
           "\xF4\x90\x80\x80",  // beyond U+10FFFF
           "\xF8\x88\x80\x80\x80",
           "\xFF",
           "\xFE",
           "good\xE2\x82",
       }) {
    EXPECT_EQ(password(bad), FieldProblem::kNotUtf8);
    EXPECT_EQ(id(bad), FieldProblem::kNotUtf8);
    EXPECT_EQ(url("http://h/" + std::string(bad)), FieldProblem::kNotUtf8);
    EXPECT_EQ(url("http://h" + std::string(bad)), FieldProblem::kNotUtf8);
    EXPECT_EQ(fingerprint(std::string(kGoodFingerprint.substr(0, 46)) + bad.front()), FieldProblem::kBadFingerprint);
  }
  for (const std::string_view good : {"\xC2\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(password(good), FieldProblem::kNone);
  }
}

TEST(Deposit, WhatShellsFearIsFine) {
  for (const std::string_view nasty : {"'",
                                       "\"",
                                       "\\",
                                       "`id`",
                                       "$(id)",
                                       "${HOME}",
                                       ";",
                                       "&",
                                       "|",
                                       " ",
                                       "  a  ",
                                       "!",
                                       "#",
                                       "%",
                                       "*",
                                       "<>",
                                       "{{password}}",
                                       "-x",
                                       "~",
                                       "\xF0\x9F\x92\xA9",
                                       "\xE2\x80\x99"}) {
    EXPECT_EQ(password(nasty), FieldProblem::kNone) << nasty;
    EXPECT_EQ(id(nasty), FieldProblem::kNone) << nasty;
  }
}

TEST(Deposit, OnlyTheClientIdMustNotHoldAColon) {
  EXPECT_EQ(id(":"), FieldProblem::kColon);
  EXPECT_EQ(id("a:"), FieldProblem::kColon);
  EXPECT_EQ(id(":a"), FieldProblem::kColon);
  EXPECT_EQ(id("a:b"), FieldProblem::kColon);
  EXPECT_EQ(password(":"), FieldProblem::kNone);
  EXPECT_EQ(password("a:b:c"), FieldProblem::kNone);
  EXPECT_EQ(id("a\xEF\xBC\x9A"
               "b"),
            FieldProblem::kNone)
      << "U+FF1A only looks like one";
}

TEST(Deposit, FingerprintsBecomeLowerCase) {
  std::string upper(kGoodFingerprint);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string digits(kGoodFingerprint);
  std::erase(digits, ':');
  const std::string openssh = "MD5:" + std::string(kGoodFingerprint);
  for (const std::string& given :
       {upper, std::string(kGoodFingerprint), digits, openssh, "md5:" + upper, "MD5:" + digits}) {
    DepositView view;
    ASSERT_TRUE(validate(input_with(DepositField::kFingerprint, text(given)), view).ok());
    EXPECT_EQ(fingerprint_text(view.fingerprint), kGoodFingerprint);
  }
}

TEST(Deposit, EveryHexPairIsKept) {
  for (int value = 0; value < 256; ++value) {
    Fingerprint in;
    for (std::size_t i = 0; i < in.bytes.size(); ++i)
      in.bytes[i] = static_cast<std::uint8_t>(value + static_cast<int>(i) * 17);
    const std::string written = fingerprint_text(in);
    ASSERT_EQ(written.size(), kFingerprintText);
    DepositView view;
    ASSERT_TRUE(validate(input_with(DepositField::kFingerprint, text(written)), view).ok());
    EXPECT_EQ(view.fingerprint, in);
  }
}

TEST(Deposit, AnyWrongByteInAFingerprintIsSeen) {
  for (std::size_t place = 0; place < kFingerprintText; ++place) {
    for (int c = 0; c < 256; ++c) {
      std::string changed(kGoodFingerprint);
      changed[place] = static_cast<char>(c);
      const bool good = place % 3 == 2 ? c == ':' : c < 0x80 && std::isxdigit(c) != 0;
      EXPECT_EQ(fingerprint(changed), good ? FieldProblem::kNone : FieldProblem::kBadFingerprint) << place << " " << c;
    }
  }
  EXPECT_EQ(fingerprint(kGoodFingerprint.substr(0, 46)), FieldProblem::kBadFingerprint);
  EXPECT_EQ(fingerprint(kGoodFingerprint.substr(0, 44)), FieldProblem::kBadFingerprint);
  EXPECT_EQ(fingerprint(std::string(kGoodFingerprint) + ":"), FieldProblem::kBadFingerprint);
  EXPECT_EQ(fingerprint(std::string(kGoodFingerprint) + ":00"), FieldProblem::kBadFingerprint);
  EXPECT_EQ(fingerprint(" " + std::string(kGoodFingerprint)), FieldProblem::kBadFingerprint);
  EXPECT_EQ(fingerprint("SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDNN3VcPzCQ8YnrN2o"), FieldProblem::kSha256Fingerprint);
  EXPECT_EQ(fingerprint("sha256:"), FieldProblem::kSha256Fingerprint);
  for (const std::string& bad :
       {"MD5:" + std::string(kGoodFingerprint.substr(0, 46)), "MD5:MD5:" + std::string(kGoodFingerprint),
        std::string("MD5:"), std::string("MD5"), std::string(31, 'a'), std::string(33, 'a'), std::string(31, 'a') + "g",
        std::string(31, 'a') + ":", "SHA1:" + std::string(40, 'a')}) {
    EXPECT_EQ(fingerprint(bad), FieldProblem::kBadFingerprint) << bad;
  }
  EXPECT_EQ(fingerprint(std::string(100'000, 'a')), FieldProblem::kBadFingerprint);
}

struct UrlCase {
  std::string_view url;
  FieldProblem problem;
};

class ConnectUrl : public ::testing::TestWithParam<UrlCase> {};

TEST_P(ConnectUrl, IsJudgedLikeTheClientDoes) {
  EXPECT_EQ(url(GetParam().url), GetParam().problem) << GetParam().url;
}

constexpr FieldProblem kGood = FieldProblem::kNone;

INSTANTIATE_TEST_SUITE_P(
    Good, ConnectUrl,
    ::testing::Values(
        UrlCase{"http://h", kGood}, UrlCase{"https://h", kGood}, UrlCase{"ws://h", kGood}, UrlCase{"wss://h", kGood},
        UrlCase{"HTTP://h", kGood}, UrlCase{"hTtPs://h", kGood}, UrlCase{"WSS://h", kGood}, UrlCase{"http://h/", kGood},
        UrlCase{"http://h:1", kGood}, UrlCase{"http://h:65535", kGood}, UrlCase{"http://h:080", kGood},
        UrlCase{"http://h:80/", kGood}, UrlCase{"http://h/a/b/c", kGood}, UrlCase{"http://h/a?b=c&d=e", kGood},
        UrlCase{"http://h?x", kGood}, UrlCase{"http://h/a'b\"c`d$e", kGood}, UrlCase{"http://h/$(id);|&", kGood},
        UrlCase{"http://h/a@b:c", kGood}, UrlCase{"http://h/a//b://c", kGood}, UrlCase{"http://h/%20", kGood},
        UrlCase{"http://h/%C3%a4%2F", kGood}, UrlCase{"http://h/?100%", kGood}, UrlCase{"http://h?%zz", kGood},
        UrlCase{"http://h/\xC3\xA4", kGood}, UrlCase{"http://192.0.2.1:8080", kGood},
        UrlCase{"http://my-host_1.example.com.", kGood}, UrlCase{"http://m\xC3\xBCnchen.example", kGood},
        UrlCase{"http://xn--mnchen-3ya.example", kGood}, UrlCase{"http://[::1]", kGood}, UrlCase{"http://[::]", kGood},
        UrlCase{"http://[2001:db8::1]:8080/a", kGood}, UrlCase{"http://[1:2:3:4:5:6:7:8]", kGood},
        UrlCase{"http://[1:2:3:4:5:6:7::]", kGood}, UrlCase{"http://[::ffff:192.0.2.1]", kGood},
        UrlCase{"http://[1:2:3:4:5:6:192.0.2.1]", kGood}, UrlCase{"http://[FE80::1%25eth0]", kGood},
        UrlCase{"http://[fe80::1%25en.1_x-y~z]:80", kGood}, UrlCase{"h:80", kGood},
        UrlCase{"rport.example.com:8080", kGood}, UrlCase{"192.0.2.1:1", kGood}, UrlCase{"[::1]:65535", kGood},
        UrlCase{"m\xC3\xBCnchen.example:80", kGood}, UrlCase{"http:80", kGood}));

INSTANTIATE_TEST_SUITE_P(
    Port, ConnectUrl,
    ::testing::Values(
        UrlCase{"http://h:", FieldProblem::kBadPort}, UrlCase{"http://h:0", FieldProblem::kBadPort},
        UrlCase{"http://h:00000", FieldProblem::kBadPort}, UrlCase{"http://h:65536", FieldProblem::kBadPort},
        UrlCase{"http://h:99999", FieldProblem::kBadPort}, UrlCase{"http://h:100000", FieldProblem::kBadPort},
        UrlCase{"http://h:000080", FieldProblem::kBadPort}, UrlCase{"http://h:4294967376", FieldProblem::kBadPort},
        UrlCase{"http://h:18446744073709551696", FieldProblem::kBadPort},
        UrlCase{"http://h:-1", FieldProblem::kBadPort}, UrlCase{"http://h:+80", FieldProblem::kBadPort},
        UrlCase{"http://h:8 0", FieldProblem::kBadUrl}, UrlCase{"http://h:80a", FieldProblem::kBadPort},
        UrlCase{"http://h:0x50", FieldProblem::kBadPort}, UrlCase{"http://h:80:81", FieldProblem::kBadPort},
        UrlCase{"http://h:\xD9\xA8\xD9\xA0", FieldProblem::kBadPort}, UrlCase{"http://[::1]:0", FieldProblem::kBadPort},
        UrlCase{"http://[::1]:65536", FieldProblem::kBadPort}, UrlCase{"http://[::1]:", FieldProblem::kBadPort},
        UrlCase{"h:0", FieldProblem::kBadPort}, UrlCase{"h:65536", FieldProblem::kBadPort},
        UrlCase{"h:", FieldProblem::kBadPort}, UrlCase{"h", FieldProblem::kBadPort},
        UrlCase{"[::1]", FieldProblem::kBadPort}, UrlCase{"localhost", FieldProblem::kBadPort},
        UrlCase{"ftp://h:80", FieldProblem::kBadUrl}, UrlCase{"httpx://h", FieldProblem::kBadUrl},
        UrlCase{"http:/h:80", FieldProblem::kBadPort}, UrlCase{"javascript://h", FieldProblem::kBadUrl},
        UrlCase{"fe80::1:8080", FieldProblem::kBadPort}));

INSTANTIATE_TEST_SUITE_P(Host, ConnectUrl,
                         ::testing::Values(UrlCase{"http://", FieldProblem::kUrlWithoutHost},
                                           UrlCase{"http:///a", FieldProblem::kUrlWithoutHost},
                                           UrlCase{"http://:80", FieldProblem::kUrlWithoutHost},
                                           UrlCase{"http://?a", FieldProblem::kUrlWithoutHost},
                                           UrlCase{"wss://:80/a", FieldProblem::kUrlWithoutHost},
                                           UrlCase{":80", FieldProblem::kUrlWithoutHost},
                                           UrlCase{"://h", FieldProblem::kUrlWithoutHost},
                                           UrlCase{"::1", FieldProblem::kUrlWithoutHost},
                                           UrlCase{"http://u@h", FieldProblem::kUrlWithUserInfo},
                                           UrlCase{"http://u:p@h:80", FieldProblem::kUrlWithUserInfo},
                                           UrlCase{"http://@h", FieldProblem::kUrlWithUserInfo},
                                           UrlCase{"http://h\\@evil", FieldProblem::kUrlWithUserInfo},
                                           UrlCase{"u:p@h:80", FieldProblem::kUrlWithUserInfo},
                                           UrlCase{"http://u@[::1]", FieldProblem::kUrlWithUserInfo}));

INSTANTIATE_TEST_SUITE_P(
    Form, ConnectUrl,
    ::testing::Values(
        UrlCase{"http://h#", FieldProblem::kBadUrl}, UrlCase{"http://h/a#b", FieldProblem::kBadUrl},
        UrlCase{"h:80#a", FieldProblem::kBadUrl}, UrlCase{" http://h", FieldProblem::kBadUrl},
        UrlCase{"http://h ", FieldProblem::kBadUrl}, UrlCase{"http://h/a b", FieldProblem::kBadUrl},
        UrlCase{"http://a'b", FieldProblem::kBadUrl}, UrlCase{"http://a\"b", FieldProblem::kBadUrl},
        UrlCase{"http://a`b", FieldProblem::kBadUrl}, UrlCase{"http://$(id)", FieldProblem::kBadUrl},
        UrlCase{"http://a;b", FieldProblem::kBadUrl}, UrlCase{"http://a\\b", FieldProblem::kBadUrl},
        UrlCase{"http://a,b", FieldProblem::kBadUrl}, UrlCase{"http://a%41", FieldProblem::kBadUrl},
        UrlCase{"http://[", FieldProblem::kBadUrl}, UrlCase{"http://[]", FieldProblem::kBadUrl},
        UrlCase{"http://[::1", FieldProblem::kBadUrl}, UrlCase{"http://::1]", FieldProblem::kUrlWithoutHost},
        UrlCase{"http://[::1]80", FieldProblem::kBadUrl}, UrlCase{"http://[::1]a:80", FieldProblem::kBadUrl},
        UrlCase{"http://a[::1]", FieldProblem::kBadUrl}, UrlCase{"http://[h]", FieldProblem::kBadUrl},
        UrlCase{"http://[192.0.2.1]", FieldProblem::kBadUrl}, UrlCase{"http://[:]", FieldProblem::kBadUrl},
        UrlCase{"http://[:::]", FieldProblem::kBadUrl}, UrlCase{"http://[1::2::3]", FieldProblem::kBadUrl},
        UrlCase{"http://[1:2:3:4:5:6:7]", FieldProblem::kBadUrl},
        UrlCase{"http://[1:2:3:4:5:6:7:8:9]", FieldProblem::kBadUrl},
        UrlCase{"http://[1:2:3:4:5:6:7:8::]", FieldProblem::kBadUrl},
        UrlCase{"http://[12345::]", FieldProblem::kBadUrl}, UrlCase{"http://[g::]", FieldProblem::kBadUrl},
        UrlCase{"http://[::ffff:256.0.0.1]", FieldProblem::kBadUrl},
        UrlCase{"http://[::ffff:1.2.3]", FieldProblem::kBadUrl},
        UrlCase{"http://[::ffff:1.2.3.4.5]", FieldProblem::kBadUrl},
        UrlCase{"http://[::1.2.3.4:1]", FieldProblem::kBadUrl}, UrlCase{"http://[1.2.3.4::]", FieldProblem::kBadUrl},
        UrlCase{"http://[::1%]", FieldProblem::kBadUrl}, UrlCase{"http://[%25eth0]", FieldProblem::kBadUrl},
        UrlCase{"http://[::1%25a b]", FieldProblem::kBadUrl}, UrlCase{"http://[::1%25a'b]", FieldProblem::kBadUrl},
        UrlCase{"http://[::1%25a/b]", FieldProblem::kBadUrl}, UrlCase{"http://h/%", FieldProblem::kBadUrl},
        UrlCase{"http://h/%4", FieldProblem::kBadUrl}, UrlCase{"http://h/%zz", FieldProblem::kBadUrl},
        UrlCase{"http://h/a%4?b", FieldProblem::kBadUrl}, UrlCase{"wss://[::1]:80/100%", FieldProblem::kBadUrl}));

TEST(Deposit, TheFirstRuleThatIsBrokenIsReported) {
  EXPECT_EQ(password(std::string(kMaxPassword + 1, '\xFF')), FieldProblem::kTooLong);
  EXPECT_EQ(password("\xFF\x01"), FieldProblem::kNotUtf8);
  EXPECT_EQ(id("\x01:"), FieldProblem::kControlCharacter);
  EXPECT_EQ(url("ftp://\x7f"), FieldProblem::kControlCharacter);
}

TEST(Deposit, AllFieldsAreReportedAtOnceAndInOrder) {
  DepositInput input;
  input[DepositField::kConnectUrl] = text("http://");
  input[DepositField::kFingerprint] = {FieldInput::Kind::kNotAString, {}};
  input[DepositField::kClientId] = text("a:b");
  DepositView view;
  EXPECT_EQ(
      description(validate(input, view)),
      "connect_url has no host (expected an http, https, ws or wss URL with a host, or host:port, of at most 2048 "
      "bytes, with IPv6 addresses in brackets and a port from 1 to 65535, without user info, spaces or fragment); "
      "fingerprint is not a string (expected 16 two-digit hexadecimal groups joined by ':' (47 characters), or the 32 "
      "digits alone; MD5: may be before them); "
      "client_id contains a colon (expected 1 to 256 bytes of UTF-8 without control characters and without ':'); "
      "password is missing (expected 1 to 1024 bytes of UTF-8 without control characters)");
}

TEST(Deposit, EveryProblemHasAWordingOfItsOwn) {
  const std::vector<std::pair<FieldProblem, std::string_view>> wordings = {
      {FieldProblem::kMissing, "password is missing ("},
      {FieldProblem::kNotAString, "password is not a string ("},
      {FieldProblem::kRepeated, "password is given more than once ("},
      {FieldProblem::kEmpty, "password is empty ("},
      {FieldProblem::kTooLong, "password is too long ("},
      {FieldProblem::kNotUtf8, "password is not valid UTF-8 ("},
      {FieldProblem::kControlCharacter, "password contains a control character ("},
      {FieldProblem::kBadUrl, "password is not a server address ("},
      {FieldProblem::kUrlWithoutHost, "password has no host ("},
      {FieldProblem::kUrlWithUserInfo, "password contains user info ("},
      {FieldProblem::kBadPort, "password has no valid port ("},
      {FieldProblem::kBadFingerprint, "password is not a fingerprint ("},
      {FieldProblem::kSha256Fingerprint, "password is a SHA256 fingerprint, but the client compares MD5 ones ("},
      {FieldProblem::kColon, "password contains a colon ("},
  };
  for (const auto& [problem, wording] : wordings) {
    DepositReport report;
    report.problems[3] = problem;
    EXPECT_EQ(description(report).substr(0, wording.size()), wording);
  }
}

TEST(Deposit, TheLongestReportFitsItsRoomAndIsOneAsciiLine) {
  for (int problem = 1; problem <= static_cast<int>(FieldProblem::kColon); ++problem) {
    DepositReport report;
    report.problems.fill(static_cast<FieldProblem>(problem));
    const std::string text = description(report);
    EXPECT_LT(text.size(), kMaxReportText);
    for (const char c : text) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << text;
  }
}

TEST(Deposit, NoMessageEverHoldsAValue) {
  // The same problem gives the same text, whatever the value was; and a marker never comes back.
  const std::string marker = "Zq7xKw";
  const std::vector<std::string> values = {
      marker,
      marker + "\xFF",
      marker + "\x01",
      "http://" + marker + "@" + marker,
      "http://" + marker + ":0",
      "http://" + marker + "#" + marker,
      "ftp://" + marker,
      marker + ":" + marker,
      std::string(3000, 'Z') + marker,
  };
  for (const DepositField field : kFields) {
    for (const std::string& value : values) {
      const std::string text = description(check(field, value));
      EXPECT_THAT(text, Not(HasSubstr(marker)));
      EXPECT_THAT(text, Not(HasSubstr("Zq7")));
      EXPECT_THAT(text, Not(HasSubstr("ZZ")));
    }
  }
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
#include "render/http/body.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pairport/secret_memory.h>

#include "core/memory/secret_block.h"
#include "support/deposits.h"
#include "support/forked_child.h"
#include "support/process_memory.h"

namespace pairport::testing {
namespace {

using ::testing::HasSubstr;
using Kind = FieldInput::Kind;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kForm = "application/x-www-form-urlencoded";
constexpr std::string_view kMultipart = "multipart/form-data; boundary=XX";

class BodyTest : public ::testing::Test {
 protected:
  BodyTest() {
    auto created = BodyDecoder::create();
    EXPECT_TRUE(created.ok());
    decoder_ = std::move(created).value();
  }
  // Decodes a copy of exactly this size, so that a sanitizer sees every byte read beyond it.
  BodyVerdict decode(std::string_view type, std::string_view body) {
    body_.reset(new char[body.size()]);
    std::copy(body.begin(), body.end(), body_.get());
    return decoder_->decode(type, {body_.get(), body.size()}, input_);
  }
  void expect_good(std::string_view type, std::string_view body) {
    const BodyVerdict verdict = decode(type, body);
    ASSERT_EQ(verdict.error, BodyError::kNone) << verdict.detail << " for " << type << "\n" << body;
  }
  void expect_malformed(std::string_view type, std::string_view body, std::string_view detail = {}) {
    const BodyVerdict verdict = decode(type, body);
    EXPECT_EQ(verdict.error, BodyError::kMalformed) << body;
    EXPECT_NE(verdict.detail, "");
    if (!detail.empty()) {
      EXPECT_THAT(std::string(verdict.detail), HasSubstr(std::string(detail))) << body;
    }
  }
  Kind kind(DepositField field) const { return input_[field].kind; }
  std::string value(DepositField field) const {
    EXPECT_EQ(kind(field), Kind::kString);
    return std::string(input_[field].value);
  }
  std::string password() const { return value(DepositField::kPassword); }
  void expect_the_good_deposit() const {
    EXPECT_EQ(value(DepositField::kConnectUrl), kGoodUrl);
    EXPECT_EQ(value(DepositField::kFingerprint), kGoodFingerprint);
    EXPECT_EQ(value(DepositField::kClientId), kGoodId);
    EXPECT_EQ(value(DepositField::kPassword), kGoodPassword);
  }

  std::unique_ptr<BodyDecoder> decoder_;
  std::unique_ptr<char[]> body_;
  DepositInput input_;
};

// ---- Content-Type

TEST_F(BodyTest, OnlyThreeTypesAreTaken) {
  for (const std::string_view type :
       {"", "text/plain", "application/jsonx", "application/", "json", "multipart/mixed; boundary=XX", "text/json",
        "application/json-patch+json", "application/xml", ";application/json", "application/json,text/plain", "\xff"}) {
    EXPECT_EQ(decode(type, "{}").error, BodyError::kUnsupportedType) << type;
  }
  for (const std::string_view type : {"application/json", "Application/JSON", "application/json; charset=utf-8",
                                      "application/json;", "application/json ;charset=x", " application/json"}) {
    EXPECT_EQ(decode(type, "{}").error, BodyError::kNone) << type;
  }
}

// ---- JSON

TEST_F(BodyTest, JsonGivesTheFields) {
  expect_good(kJson, "{\"connect_url\":\"" + std::string(kGoodUrl) + "\",\"fingerprint\":\"" +
                         std::string(kGoodFingerprint) + "\",\"client_id\":\"client1\",\"password\":\"foobaz\"}");
  expect_the_good_deposit();
}

TEST_F(BodyTest, JsonOfUnknownFieldsIsIgnored) {
  expect_good(kJson, R"( { "a": [1, {"password": "inner"}], "Password": "x", "password ": 1, "b": null, "c": 1.5e300,
                          "password": "outer", "": true } )");
  EXPECT_EQ(password(), "outer");
  EXPECT_EQ(kind(DepositField::kClientId), Kind::kMissing);
  expect_good(kJson, "{}");
  for (const FieldInput& field : input_.fields) EXPECT_EQ(field.kind, Kind::kMissing);
}

TEST_F(BodyTest, JsonOfAWrongTypeIsReportedWithTheField) {
  for (const std::string_view wrong :
       {"null", "true", "false", "1", "-1.5", "[]", "[\"x\"]", "{}", "{\"password\":\"x\"}", "18446744073709551615"}) {
    expect_good(kJson, "{\"client_id\":\"a\",\"password\":" + std::string(wrong) + "}");
    EXPECT_EQ(kind(DepositField::kPassword), Kind::kNotAString) << wrong;
    EXPECT_EQ(value(DepositField::kClientId), "a");
  }
}

TEST_F(BodyTest, JsonWithAKnownKeyTwiceIsReportedWithTheField) {
  for (const std::string_view second : {"\"password\"", "\"pass\\u0077ord\"", "\"\\u0070\\u0061ssword\""}) {
    expect_good(kJson, "{\"password\":\"a\",\"client_id\":\"i\"," + std::string(second) + ":\"b\"}");
    EXPECT_EQ(kind(DepositField::kPassword), Kind::kRepeated) << second;
  }
  expect_good(kJson, R"({"password":1,"password":"b"})");
  EXPECT_EQ(kind(DepositField::kPassword), Kind::kRepeated);
  expect_good(kJson, R"({"password":"b","password":"b","password":"b"})");
  EXPECT_EQ(kind(DepositField::kPassword), Kind::kRepeated);
}

TEST_F(BodyTest, JsonWithAnUnknownKeyTwiceIsRefused) {
  expect_malformed(kJson, R"({"x":1,"password":"a","x":2})", "same key more than once");
  expect_malformed(kJson, R"({"x":1,"\u0078":2})", "same key more than once");
  expect_malformed(kJson, R"({"password":"a","password":"a","x":1,"x":2})", "same key more than once");
  expect_malformed(kJson, R"({"":1,"":2})", "same key more than once");
}

TEST_F(BodyTest, JsonThatIsNotOneObjectIsRefused) {
  for (const std::string_view body : {"[]", "\"x\"", "1", "null", "true", "[{\"password\":\"x\"}]"}) {
    expect_malformed(kJson, body, "not an object");
  }
  for (const std::string_view body : {"", " ", "\n\t\r "}) expect_malformed(kJson, body, "empty");
}

TEST_F(BodyTest, JsonWithAnythingBehindItIsRefused) {
  for (const std::string_view behind : {"x", "{}", ",", "\"", "1", "]", "}", "//", "/* */", "null"}) {
    expect_malformed(kJson, "{\"password\":\"a\"}" + std::string(behind));
  }
  expect_malformed(kJson, std::string_view("{\"password\":\"a\"}\0", 17));
  expect_good(kJson, "{\"password\":\"a\"} \r\n\t ");
}

TEST_F(BodyTest, JsonThatIsMalformedIsRefused) {
  for (const std::string_view body : {"{",
                                      "}",
                                      "{\"password\"",
                                      "{\"password\":",
                                      "{\"password\":\"a",
                                      "{\"password\":\"a\"",
                                      "{\"password\":\"a\",}",
                                      "{\"password\" \"a\"}",
                                      "{password:\"a\"}",
                                      "{'password':'a'}",
                                      "{\"password\":\"a\" \"client_id\":\"b\"}",
                                      "{,}",
                                      "{\"password\":}",
                                      "{\"password\":tru}",
                                      "{\"password\":01}",
                                      "{\"password\":1.}",
                                      "{\"password\":.5}",
                                      "{\"password\":+1}",
                                      "{\"password\":NaN}",
                                      "{\"password\":Infinity}",
                                      "{\"password\":0x1}",
                                      "{\"password\":\"a\nb\"}",
                                      "{\"password\":\"a\tb\"}",
                                      "{\"password\":\"\\x\"}",
                                      "{\"password\":\"\\u12\"}",
                                      "{\"password\":\"\\u12g4\"}",
                                      "{\"password\":\"\\\"}",
                                      "{1:\"a\"}",
                                      "{null:1}",
                                      "{\"a\":[1,]}",
                                      "{\"a\":[}",
                                      "// x\n{}",
                                      "{\"a\":1}//x"}) {
    expect_malformed(kJson, body);
  }
  expect_malformed(kJson, std::string("{\"password\":\"a\0b\"}", 18));
  expect_malformed(kJson, std::string("\0{}", 3));
}

TEST_F(BodyTest, JsonSurrogatesMustComeInPairs) {
  expect_good(kJson, R"({"password":"\ud83d\udd11"})");
  EXPECT_EQ(password(), "\xF0\x9F\x94\x91");
  for (const std::string_view bad :
       {"\\ud83d", "\\udd11", "\\ud83dx", "\\ud83d\\u0041", "\\udd11\\ud83d", "\\ud83d\\ud83d"}) {
    expect_malformed(kJson, "{\"password\":\"" + std::string(bad) + "\"}");
    expect_malformed(kJson, "{\"" + std::string(bad) + "\":1}");
  }
}

TEST_F(BodyTest, JsonEscapesAreDecoded) {
  expect_good(kJson, R"({"password":"\"\\\/\b\f\n\r\t\u0000\u00e4\u20ac"})");
  EXPECT_EQ(password(), std::string("\"\\/\b\f\n\r\t\0\xC3\xA4\xE2\x82\xAC", 14));
  expect_good(kJson, R"({"\u0070assword":"x"})");
  EXPECT_EQ(password(), "x");
}

TEST_F(BodyTest, JsonMustBeUtf8) {
  for (const std::string_view bad : {"\x80", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    expect_malformed(kJson, "{\"password\":\"" + std::string(bad) + "\"}", "UTF-8");
    expect_malformed(kJson, "{\"" + std::string(bad) + "\":\"a\"}", "UTF-8");
  }
  expect_malformed(kJson, std::string("\xFF\xFE{\0}\0", 6));
  expect_malformed(kJson, std::string("{\0}\0", 4));
}

TEST_F(BodyTest, JsonWithAByteOrderMarkIsRefusedWithItsName) {
  // Whatever the parser of the day thinks of one (RFC 8259 section 8.1 leaves it open).
  expect_malformed(kJson, "\xEF\xBB\xBF{\"password\":\"a\"}", "byte order mark");
}

TEST_F(BodyTest, JsonThatIsNestedDeeplyIsRefused) {
  const auto nested = [](std::size_t depth) {
    return "{\"password\":\"a\",\"x\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  expect_good(kJson, nested(20));
  expect_malformed(kJson, nested(100), "nested too deeply");
  expect_malformed(kJson, nested(8000), "nested too deeply");
  expect_malformed(kJson, std::string(kMaxBody, '['));
  expect_malformed(kJson, std::string(kMaxBody, '{'));
}

TEST_F(BodyTest, JsonOfTheLargestSizeFits) {
  const std::string head = "{\"password\":\"";
  std::string body = head + std::string(kMaxBody - head.size() - 2, 'p') + "\"}";
  ASSERT_EQ(body.size(), kMaxBody);
  expect_good(kJson, body);
  EXPECT_EQ(password().size(), kMaxBody - head.size() - 2);
  std::string many = "{";
  for (int i = 0; many.size() < kMaxBody - 20; ++i) many += "\"" + std::to_string(i) + "\":0,";
  many += "\"\":0}";
  expect_good(kJson, many);
  std::string escapes = head;
  while (escapes.size() < kMaxBody - 8) escapes += "\\u20ac";
  expect_good(kJson, escapes + "\"}");
}

TEST_F(BodyTest, JsonCutAnywhereIsRefused) {
  const std::string whole =
      "{\"connect_url\":\"http://"
      "h\",\"fingerprint\":\"\\u0041\",\"client_id\":\"\xC3\xA4\",\"x\":[1,{}],\"password\":\"p\"}";
  expect_good(kJson, whole);
  for (std::size_t size = 0; size < whole.size(); ++size) expect_malformed(kJson, whole.substr(0, size));
}

// ---- multipart/form-data

std::string part(std::string_view name, std::string_view value) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" + std::string(value) +
         "\r\n";
}

TEST_F(BodyTest, MultipartGivesTheFields) {
  expect_good(kMultipart, part("connect_url", kGoodUrl) + part("fingerprint", kGoodFingerprint) +
                              part("client_id", kGoodId) + part("password", kGoodPassword) + "--XX--\r\n");
  expect_the_good_deposit();
}

TEST_F(BodyTest, MultipartOfUnknownFieldsAndEmptyValues) {
  expect_good(kMultipart, part("other", "x") + part("password", "") + part("Password", "y") + part("", "z") + "--XX--");
  EXPECT_EQ(password(), "");
  EXPECT_EQ(kind(DepositField::kClientId), Kind::kMissing);
}

TEST_F(BodyTest, MultipartWithAFieldTwiceIsReportedWithTheField) {
  expect_good(kMultipart,
              part("password", "a") + part("other", "x") + part("other", "x") + part("password", "b") + "--XX--");
  EXPECT_EQ(kind(DepositField::kPassword), Kind::kRepeated);
}

TEST_F(BodyTest, MultipartValuesAreTakenByteForByte) {
  for (const std::string_view nasty :
       {"\r\n",      "\r\n\r\n",  "--X",        "\r\n-",         "\r\n--",   "\r\n--X",    "\r\n--XY",
        "\r\n--XXX", "\r\n--XX-", "\r\n--XX -", "\r\n--XXa\r\n", "\n--XX\n", "\n--XX--\n", "a\r\n--xx\r\nb",
        " a ",       "\xFF\xFE",  "%41+",       "&a=b",          "\r",       "\r\n--XX\r"}) {
    expect_good(kMultipart, part("password", nasty) + part("client_id", "i") + "--XX--\r\n");
    EXPECT_EQ(password(), nasty);
    EXPECT_EQ(value(DepositField::kClientId), "i");
  }
  expect_good(kMultipart, part("password", std::string_view("a\0b", 3)) + "--XX--");
  EXPECT_EQ(password(), std::string("a\0b", 3));
}

TEST_F(BodyTest, MultipartBoundaryThatIsThePrefixOfAnotherIsNotConfused) {
  // The longer boundary begins like the shorter one.
  expect_good("multipart/form-data; boundary=A",
              "--A\r\nContent-Disposition: form-data; name=password\r\n\r\n--AB\r\n--A--");
  EXPECT_EQ(password(), "--AB");
  expect_good("multipart/form-data; boundary=AB",
              "--AB\r\nContent-Disposition: form-data; name=password\r\n\r\n--A\r\n--A--\r\n--AB--");
  EXPECT_EQ(password(), "--A\r\n--A--");
}

TEST_F(BodyTest, MultipartBoundaryMayBeQuotedAndAnywhereAmongTheParameters) {
  for (const std::string_view type :
       {"multipart/form-data; boundary=\"XX\"", "multipart/form-data;boundary=XX",
        "multipart/form-data ; Boundary=XX ; x=y", "multipart/form-data; charset=\"a;boundary=YY\"; boundary=XX",
        "Multipart/Form-Data; x; boundary=XX", "multipart/form-data; boundary=\"XX\" ; charset=utf-8"}) {
    expect_good(type, part("password", "p") + "--XX--");
    EXPECT_EQ(password(), "p") << type;
  }
  expect_good("multipart/form-data; boundary=\"a b:=?\"",
              "--a b:=?\r\nContent-Disposition: form-data; name=password\r\n\r\np\r\n--a b:=?--");
  EXPECT_EQ(password(), "p");
}

TEST_F(BodyTest, MultipartBoundaryHas1To70Characters) {
  for (const std::size_t size : {1U, 69U, 70U}) {
    const std::string boundary(size, 'b');
    expect_good("multipart/form-data; boundary=" + boundary,
                "--" + boundary + "\r\nContent-Disposition: form-data; name=password\r\n\r\np\r\n--" + boundary + "--");
    EXPECT_EQ(password(), "p");
  }
  for (const std::string& type : std::vector<std::string>{
           "multipart/form-data", "multipart/form-data;", "multipart/form-data; boundary",
           "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"", "multipart/form-data; boundary=\"XX",
           "multipart/form-data; xboundary=XX", "multipart/form-data; boundary=" + std::string(71, 'b'),
           "multipart/form-data; x=\"; boundary=XX", "multipart/form-data; boundary=\"XX\\"}) {
    expect_malformed(type, part("password", "p") + "--XX--", "boundary parameter");
  }
}

TEST_F(BodyTest, MultipartWithAnotherBoundaryThanNamedIsRefused) {
  for (const std::string_view body : {"", "--", "--YY\r\n", "--XX", "--XXX\r\n", "-XX--", "XX--", "{}"}) {
    expect_malformed(kMultipart, body, "does not occur");
  }
  expect_malformed("multipart/form-data; boundary=YY", part("password", "p") + "--XX--\r\n", "does not occur");
  expect_malformed("multipart/form-data; boundary=xx", part("password", "p") + "--XX--\r\n", "does not occur");
}

TEST_F(BodyTest, MultipartCutAnywhereIsRefused) {
  const std::string whole = part("client_id", "i") + part("password", "p") + "--XX--";
  expect_good(kMultipart, whole);
  for (std::size_t size = 0; size < whole.size(); ++size) expect_malformed(kMultipart, whole.substr(0, size));
}

TEST_F(BodyTest, MultipartPreambleEpilogueAndPaddingAreTolerated) {
  expect_good(kMultipart, "a preamble\r\n" + part("password", "p") + "--XX--\r\nan epilogue\r\n--XX\r\n");
  EXPECT_EQ(password(), "p");
  expect_good(kMultipart, "\r\n" + part("password", "p") + "--XX--");
  EXPECT_EQ(password(), "p");
  expect_good(kMultipart, "--XX \t \r\nContent-Disposition: form-data; name=password\r\n\r\np\r\n--XX--");
  EXPECT_EQ(password(), "p");
  expect_good(kMultipart, "--XX--");
}

TEST_F(BodyTest, MultipartPartsNeedAName) {
  for (const std::string_view header :
       {"", "Content-Type: text/plain\r\n", "Content-Disposition: form-data\r\n",
        "Content-Disposition: form-data; filename=name\r\n", "Content-Disposition: form-data; name\r\n",
        "Content-Disposition: form-data; name=\"password\r\n", "Content-Disposition: form-data; xname=password\r\n",
        "Content-Disposition: form-data; filename=\"; name=password\"\r\n"}) {
    expect_malformed(kMultipart, "--XX\r\n" + std::string(header) + "\r\np\r\n--XX--", "a name");
  }
}

TEST_F(BodyTest, MultipartHeadersAreStrict) {
  expect_malformed(kMultipart, "--XX\r\nnonsense\r\n\r\np\r\n--XX--", "no colon");
  expect_malformed(kMultipart, "--XX\r\nContent-Disposition: attachment; name=password\r\n\r\np\r\n--XX--",
                   "not form-data");
  expect_malformed(kMultipart, "--XX\r\nContent-Disposition: ; name=password\r\n\r\np\r\n--XX--", "not form-data");
  for (const std::string_view first : {"form-data; name=password", "form-data; name=x", "form-data"}) {
    expect_malformed(kMultipart,
                     "--XX\r\nContent-Disposition: " + std::string(first) +
                         "\r\ncontent-disposition: form-data; name=password\r\n\r\np\r\n--XX--",
                     "more than one Content-Disposition");
  }
  for (const std::string_view encoding : {"base64", "quoted-printable", "x", ""}) {
    expect_malformed(kMultipart,
                     "--XX\r\nContent-Disposition: form-data; name=password\r\nContent-Transfer-Encoding: " +
                         std::string(encoding) + "\r\n\r\np\r\n--XX--",
                     "Content-Transfer-Encoding");
  }
  for (const std::string_view encoding : {"binary", "8bit", "7bit", "BINARY"}) {
    expect_good(kMultipart, "--XX\r\nContent-Disposition: form-data; name=password\r\nContent-Transfer-Encoding: " +
                                std::string(encoding) + "\r\n\r\np\r\n--XX--");
  }
}

TEST_F(BodyTest, MultipartNamesAreReadAsCurlAndBrowsersWriteThem) {
  for (const std::string_view disposition :
       {"form-data; name=password", "form-data; name=\"password\"", "Form-Data;name=\"password\"",
        "form-data; filename=\"a.txt\"; name=\"password\"",
        "form-data; filename=\"a\\\"; name=\\\"x\"; name=\"password\"",
        "form-data; name=\"password\"; filename=\"secret.txt\"", "form-data; name*=utf-8''x; name=\"password\""}) {
    expect_good(kMultipart, "--XX\r\ncontent-disposition:" + std::string(disposition) +
                                "\r\nContent-Type: application/octet-stream\r\n\r\np\r\n--XX--");
    EXPECT_EQ(password(), "p") << disposition;
  }
}

TEST_F(BodyTest, MultipartOfTheLargestSizeFits) {
  const std::string rest = part("password", "") + "--XX--";
  expect_good(kMultipart, part("password", std::string(kMaxBody - rest.size(), 'p')) + "--XX--");
  EXPECT_EQ(password().size(), kMaxBody - rest.size());
  // Text that keeps looking like the beginning of a delimiter.
  std::string almost;
  while (almost.size() < kMaxBody - rest.size() - 6) almost += "\r\n--X";
  expect_good(kMultipart, part("password", almost) + "--XX--");
  EXPECT_EQ(password(), almost);
}

// ---- application/x-www-form-urlencoded

TEST_F(BodyTest, UrlencodedGivesTheFields) {
  expect_good(kForm, "connect_url=http%3A%2F%2Frport.example.com:8080&fingerprint=" + std::string(kGoodFingerprint) +
                         "&client_id=client1&password=foobaz");
  expect_the_good_deposit();
}

TEST_F(BodyTest, UrlencodedIsDecoded) {
  expect_good(kForm, "password=a+b%20c%2B%26%3D%25%00%ff%C3%a4=x&client_id=&pass%77ord2=1");
  EXPECT_EQ(password(), std::string("a b c+&=%\0\xff\xC3\xA4=x", 15));
  EXPECT_EQ(value(DepositField::kClientId), "");
  expect_good(kForm, "pass%77ord=x");
  EXPECT_EQ(password(), "x");
  expect_good(kForm, "password");
  EXPECT_EQ(password(), "");
  expect_good(kForm, "&&password=x&&=y&");
  EXPECT_EQ(password(), "x");
  expect_good(kForm, "");
  EXPECT_EQ(kind(DepositField::kPassword), Kind::kMissing);
}

TEST_F(BodyTest, UrlencodedWithAFieldTwiceIsReportedWithTheField) {
  expect_good(kForm, "password=a&pass%77ord=b&client_id=i&x=1&x=2");
  EXPECT_EQ(kind(DepositField::kPassword), Kind::kRepeated);
  EXPECT_EQ(value(DepositField::kClientId), "i");
}

TEST_F(BodyTest, UrlencodedWithAMalformedEscapeIsRefused) {
  for (const std::string_view bad : {"%", "%4", "%zz", "%4z", "%z4", "a%", "%%", "%-1", "% 41"}) {
    expect_malformed(kForm, "password=" + std::string(bad), "% escape");
    expect_malformed(kForm, "password=" + std::string(bad) + "&x=y", "% escape");
    expect_malformed(kForm, "x" + std::string(bad) + "=y", "% escape");
  }
}

TEST_F(BodyTest, UrlencodedOfTheLargestSizeFits) {
  expect_good(kForm, "password=" + std::string(kMaxBody - 9, 'p'));
  EXPECT_EQ(password().size(), kMaxBody - 9);
  expect_good(kForm, std::string(kMaxBody, '&'));
  expect_good(kForm, std::string(kMaxBody, '+'));
}

// ---- state

TEST_F(BodyTest, NothingOfOneBodyIsLeftForTheNext) {
  expect_good(kJson, R"({"password":"a","client_id":"b"})");
  expect_good(kForm, "client_id=c");
  EXPECT_EQ(kind(DepositField::kPassword), Kind::kMissing);
  expect_malformed(kJson, "{");
  expect_good(kJson, "{}");
  EXPECT_EQ(kind(DepositField::kClientId), Kind::kMissing);
}

TEST_F(BodyTest, ValuesStayUntilTheyAreWiped) {
  expect_good(kJson, R"({"password":"secret"})");
  const std::string_view view = input_[DepositField::kPassword].value;
  EXPECT_EQ(view, "secret");
  decoder_->wipe();
  for (const char c : view) EXPECT_EQ(c, '\0');
  expect_good(kForm, "password=secret");
  const std::string_view other = input_[DepositField::kPassword].value;
  decoder_->wipe();
  for (const char c : other) EXPECT_EQ(c, '\0');
  decoder_->wipe();
}

// Looks through all writable memory of this process. The markers are computed, so that the test holds none itself.
class Traces : public BodyTest {
 protected:
  static constexpr std::size_t kMarker = 16;
  static char marker(std::size_t i) { return static_cast<char>('A' + (i * 7 + 3) % 26); }
  static constexpr std::uint64_t kNumberHalf = 1'122'334'455'667'788;

  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "a sanitizer's own copies of freed memory would be found";
  }
  // Decodes `before` + marker + `after`, forgets the body and wipes.
  void decode_and_wipe(std::string_view type, std::string_view before, std::string_view after) {
    const std::size_t size = before.size() + kMarker + after.size();
    ASSERT_LE(size, buffer_.size());
    char* out = std::copy(before.begin(), before.end(), buffer_.data());
    for (std::size_t i = 0; i < kMarker; ++i) *out++ = marker(i);
    std::copy(after.begin(), after.end(), out);
    decoder_->decode(type, {buffer_.data(), size}, input_);
    pairport::wipe(buffer_.data(), buffer_.size());
    decoder_->wipe();
  }
  template <typename Matches>
  static std::size_t count_in_memory(std::size_t length, std::size_t step, Matches&& matches) {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    std::vector<std::pair<std::uintptr_t, std::uintptr_t>> ranges;
    while (std::getline(maps, line)) {
      unsigned long begin = 0;
      unsigned long end = 0;
      char mode[5] = {};
      if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode) == 3 && mode[0] == 'r' && mode[1] == 'w' &&
          line.find("[stack]") == std::string::npos) {
        ranges.emplace_back(begin, end);
      }
    }
    std::size_t count = 0;
    for (const auto& [begin, end] : ranges) {
      for (std::uintptr_t at = begin; at + length <= end; at += step) {
        if (matches(reinterpret_cast<const char*>(at))) ++count;
      }
    }
    return count;
  }
  static std::size_t markers_in_memory() {
    return count_in_memory(kMarker, 1, [](const char* at) {
      for (std::size_t i = 0; i < kMarker; ++i) {
        if (at[i] != marker(i)) return false;
      }
      return true;
    });
  }
  static inline std::array<char, 1024> buffer_;
};

TEST_F(Traces, AreFoundWhereThereAreSome) {
  for (std::size_t i = 0; i < kMarker; ++i) buffer_[i] = marker(i);
  EXPECT_EQ(markers_in_memory(), 1U);
  pairport::wipe(buffer_.data(), buffer_.size());
  EXPECT_EQ(markers_in_memory(), 0U);
}

TEST_F(Traces, NoneOfAGoodBodyAreLeft) {
  decode_and_wipe(kJson, "{\"password\":\"", "\"}");
  EXPECT_EQ(markers_in_memory(), 0U);
  decode_and_wipe(kForm, "password=", "");
  EXPECT_EQ(markers_in_memory(), 0U);
  decode_and_wipe(kMultipart, "--XX\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n", "\r\n--XX--");
  EXPECT_EQ(markers_in_memory(), 0U);
}

TEST_F(Traces, NoneOfABadBodyAreLeft) {
  decode_and_wipe(kJson, "{\"password\":\"", "");
  EXPECT_EQ(markers_in_memory(), 0U);
  decode_and_wipe(kJson, "{\"password\":\"", "\"} x");
  EXPECT_EQ(markers_in_memory(), 0U);
  decode_and_wipe(kJson, "{\"a\":\"", "\",\"b\":\"\\ud800\"}");
  EXPECT_EQ(markers_in_memory(), 0U);
  decode_and_wipe(kForm, "password=", "%");
  EXPECT_EQ(markers_in_memory(), 0U) << "a % that stands for itself is the most likely mistake in a password";
  decode_and_wipe(kForm, "", "%zz=");
  EXPECT_EQ(markers_in_memory(), 0U);
}

TEST_F(Traces, NoneOfANumberAreLeft) {
  // Somebody whose passwords are digits forgets the quotes: the parser keeps numbers in binary.
  const auto number_in_memory = [] {
    return count_in_memory(8, 8, [](const char* at) {
      std::uint64_t word = 0;
      std::copy(at, at + 8, reinterpret_cast<char*>(&word));
      return word % 2 == 0 && word / 2 == kNumberHalf;
    });
  };
  std::string body = "{\"password\":" + std::to_string(kNumberHalf * 2) + "}";
  decoder_->decode(kJson, body, input_);
  pairport::wipe(body.data(), body.size());
  EXPECT_EQ(kind(DepositField::kPassword), Kind::kNotAString);
  EXPECT_EQ(number_in_memory(), 1U);
  decoder_->wipe();
  EXPECT_EQ(number_in_memory(), 0U);
}

TEST(BodyMemory, IsLockedWhereTheServiceDemandsIt) {
  if (!SecretBlock::map(std::size_t{1} << 20, SecretLevel::kLocked)) GTEST_SKIP() << "SKIPPED: no locked memory here";
  EXPECT_TRUE(BodyDecoder::create(SecretLevel::kLocked).ok());
}

TEST(BodyMemory, WithoutLockedMemoryThereIsADecoderOnlyIfPlainMemoryWillDo) {
  if (kSanitized) GTEST_SKIP() << "sanitizers turn mlock(2) into nothing that always succeeds";
  EXPECT_TRUE(in_a_forked_child([] {
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)) return false;
    return BodyDecoder::create(SecretLevel::kPlain).ok() &&
           BodyDecoder::create(SecretLevel::kLocked).status().code() == StatusCode::kMemoryNotLocked;
  }));
}

}  // namespace
}  // namespace pairport::testing

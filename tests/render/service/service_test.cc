// SPDX-License-Identifier: MIT
#include <pairport/service.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "render/scripts/quote.h"
#include "support/forked_child.h"
#include "support/gunzip.h"
#include "support/service_fixture.h"
#include "support/shell.h"
#include "support/vector_registers.h"

namespace pairport::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kProblem = "application/problem+json";
constexpr std::string_view kText = "text/plain; charset=utf-8";

std::size_t lines(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
}

std::string json_deposit(std::string_view url, std::string_view id, std::string_view password,
                         std::string_view fingerprint = kGoodFingerprint) {
  const auto quoted = [](std::string_view value) {
    std::string out(max_quoted(value.size()), '\0');
    out.resize(static_cast<std::size_t>(quote_json(value, out.data()) - out.data()));
    return out;
  };
  return "{\"connect_url\":" + quoted(url) + ",\"fingerprint\":" + quoted(fingerprint) +
         ",\"client_id\":" + quoted(id) + ",\"password\":" + quoted(password) + "}";
}

// ---- Deposit

TEST_F(ServiceTest, ADepositIsAnsweredWithItsCodeAndTheCommands) {
  ASSERT_EQ(post(kGoodJson), 200);
  EXPECT_EQ(header("Content-Type"), "application/json");
  EXPECT_EQ(header("Cache-Control"), "no-store");
  EXPECT_EQ(response.retry_after(), 0U);
  simdjson::dom::parser parser;
  const simdjson::dom::element answer = parser.parse(body());
  std::set<std::string_view> keys;
  for (const auto field : answer.get_object()) keys.insert(field.key);
  EXPECT_EQ(keys, (std::set<std::string_view>{"pairing_code", "expires", "installers"}));
  const std::string code{std::string_view(answer["pairing_code"])};
  EXPECT_EQ(code.size(), 10U);
  EXPECT_EQ(code.find_first_not_of(kCodeAlphabet), std::string::npos);
  EXPECT_EQ(std::string_view(answer["expires"]), "2026-09-21T14:23:20Z");

  const std::string posix{std::string_view(answer["installers"]["linux"])};
  EXPECT_EQ(lines(posix), 2U) << posix;
  EXPECT_THAT(posix, EndsWith("\nsudo sh rport-installer.sh")) << "options are appended to it";
  EXPECT_THAT(posix, HasSubstr(" https://pair.example.com/" + code + ".sh.gz "));
  EXPECT_THAT(posix, Not(HasSubstr("\r")));
  const std::string windows{std::string_view(answer["installers"]["windows"])};
  EXPECT_THAT(windows, EndsWith("\\rport-installer.ps1"));
  EXPECT_THAT(windows, HasSubstr("'https://pair.example.com/" + code + "'"));
  const std::string one_line{std::string_view(answer["installers"]["linux_oneline"])};
  EXPECT_EQ(lines(one_line), 1U) << one_line;
  EXPECT_THAT(one_line, EndsWith(" sh rport-installer.sh"));
  EXPECT_THAT(one_line, Not(HasSubstr("'"))) << "it is written between single quotes";
  EXPECT_THAT(one_line, Not(HasSubstr(": "))) << "it is a plain scalar of YAML";
  EXPECT_THAT(one_line, Not(HasSubstr(" #"))) << "it is a plain scalar of YAML";
  const std::string wget{std::string_view(answer["installers"]["linux_wget"])};
  EXPECT_EQ(lines(wget), 2U) << wget;
  EXPECT_THAT(wget, EndsWith("\nsudo sh rport-installer.sh"));
  EXPECT_THAT(wget, HasSubstr("wget -O rport-installer.sh.gz https://pair.example.com/" + code + ".sh.gz "));
  const std::string curl{std::string_view(answer["installers"]["windows_curl"])};
  EXPECT_THAT(curl, EndsWith("\\rport-installer.ps1"));
  EXPECT_THAT(curl, HasSubstr("curl.exe -fsSL -o rport-installer.ps1 'https://pair.example.com/" + code + ".ps1'"));
  EXPECT_THAT(body(), Not(HasSubstr("foobaz"))) << "the answer holds the code, not the credentials";
}

TEST_F(ServiceTest, TheFirstLineFailsLoudlyAndLeavesNoFile) {
  ServiceOptions options = unlimited();
  options.url = "http://127.0.0.1:1";  // nobody listens there
  open(options);
  deposit();
  std::string_view posix;
  simdjson::dom::parser parser;
  ASSERT_EQ(parser.parse(body())["installers"]["linux"].get_string().get(posix), simdjson::SUCCESS);
  const std::string first(posix.substr(0, posix.find('\n')));
  const ShellResult result =
      run_shell("cd \"$(mktemp -d)\" || exit 99\necho stale > rport-installer.sh\n" + first +
                "\nstatus=$?\ntest -e rport-installer.sh && echo there\nrmdir \"$PWD\"\nexit $status\n");
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("Download failed"));
}

TEST_F(ServiceTest, ATimeOfDayIsWrittenInFull) {
  now.unix_seconds = 951'782'400 - 600 + 3;  // 2000-02-29T00:00:03Z, a leap day
  deposit();
  EXPECT_EQ(string_after("\"expires\":\""), "2000-02-29T00:00:03Z");
  now.unix_seconds = 4'102'444'799 - 600;
  deposit();
  EXPECT_EQ(string_after("\"expires\":\""), "2099-12-31T23:59:59Z");
}

TEST_F(ServiceTest, AScriptSaysWhenItWasMadeAndWhenItsCodeEnds) {
  now.unix_seconds = 1'767'225'599 - 300;  // five minutes before the last second of 2025: the code ends in 2026
  const std::string code = "/" + deposit();
  for (const std::uint64_t later : {0U, 1'000U, 298'000U, 300'000U}) {
    wait(later);
    for (const std::string_view suffix : {"", ".ps1"}) {
      get(code + std::string(suffix));
      EXPECT_THAT(body(), HasSubstr("\n# made 2025-12-31T23:54:59Z, valid until 2026-01-01T00:04:59Z\n")) << later;
      const std::string script = body();
      const std::size_t begin = script.find("\n# values: begin\n");
      const std::size_t end = script.find("\n# values: end\n");
      ASSERT_LT(begin, end);
      ASSERT_NE(end, std::string::npos);
      for (const std::string_view value : {"made ", "'foobaz'", "'client1'", "'http://rport.example.com:8080'"}) {
        EXPECT_GT(script.find(value, begin), begin);
        EXPECT_LT(script.find(value, begin), end) << value;
      }
      EXPECT_EQ(script.find("foobaz", end), std::string::npos);
    }
  }
}

// The seconds of the two clocks do not begin together.
TEST_F(ServiceTest, AScriptSaysTheSameTimesUntilTheWallClockIsSet) {
  const std::string code = "/" + deposit();
  const std::int64_t begin = now.unix_seconds;
  struct Moment {
    std::uint64_t later_ms;
    std::int64_t later_seconds;
    std::string_view made;
  };
  for (const auto& [later_ms, later_seconds, made] : {Moment{0, 0, "2026-09-21T14:13:20Z"},
                                                      {400, 1, "2026-09-21T14:13:20Z"},
                                                      {1'000, 0, "2026-09-21T14:13:20Z"},
                                                      {1'400, 2, "2026-09-21T14:13:20Z"},
                                                      {2'000, 2, "2026-09-21T14:13:20Z"},
                                                      {2'000, 4, "2026-09-21T14:13:22Z"},
                                                      {3'000, 4, "2026-09-21T14:13:22Z"},
                                                      {3'000, 3, "2026-09-21T14:13:20Z"},
                                                      {4'000, 3'604, "2026-09-21T15:13:20Z"}}) {
    now.monotonic_ms = 5'000'000 + later_ms;
    now.unix_seconds = begin + later_seconds;
    EXPECT_EQ(get(code), 200);
    EXPECT_THAT(body(), HasSubstr("\n# made " + std::string(made))) << later_ms << " ms, " << later_seconds << " s";
  }
}

TEST_F(ServiceTest, WhatIsNotBetweenTheMarksOfValuesIsTheSameForEveryDeposit) {
  const auto constant_part = [this](std::string_view target) {
    get(target);
    std::string script = body();
    const std::size_t begin = script.find("\n# values: begin\n");
    const std::size_t end = script.find("\n# values: end\n");
    EXPECT_LT(begin, end);
    return script.erase(begin, end - begin);
  };
  const std::string one = "/" + deposit();
  wait(2'000);
  const std::string other = "/" + deposit(json_deposit("https://other.example.com", "it's", "another"));
  for (const std::string_view suffix : {"", ".ps1"}) {
    EXPECT_TRUE(constant_part(one + std::string(suffix)) == constant_part(other + std::string(suffix)));
  }
}

TEST_F(ServiceTest, StepsOfTheWallClockNeitherKillNorKeepACode) {
  const std::string code = "/" + deposit();
  for (const std::int64_t step : {86'400 * 400LL, -86'400 * 800LL, -1'000'000'000LL}) {
    now.unix_seconds += step;
    service->expire(now, 1000);
    EXPECT_EQ(get(code), 200) << step;
  }
  now.monotonic_ms += 600'000 - 1;
  EXPECT_EQ(get(code), 200);
  now.monotonic_ms += 1;
  EXPECT_EQ(get(code), 404);
  // Limits neither: tokens come back with monotonic time alone.
  ServiceOptions options = unlimited();
  options.miss_limit = {1, 20};
  open(options);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/ABCDEFG"), 404);
  now.unix_seconds += 86'400;
  EXPECT_EQ(get("/ABCDEFG"), 429);
  now.monotonic_ms += 1000;
  EXPECT_EQ(get("/ABCDEFG"), 404);
}

TEST_F(ServiceTest, AllThreeFormatsMakeTheSameDeposit) {
  const std::string by_json = deposit();
  ASSERT_EQ(
      post("connect_url=http%3A%2F%2Frport.example.com%3A8080&fingerprint=2a%3Ac4%3A79%3A04%3A80%3Aba%3A7c%3A60%3A05%"
           "3Ae5%3A2c%3A49%3A6d%3A74%3A56%3A24&client_id=client1&password=foobaz",
           "application/x-www-form-urlencoded"),
      200);
  const std::string by_form = string_after("\"pairing_code\":\"");
  std::string parts;
  for (const auto& [name, value] : {std::pair(std::string_view("connect_url"), kGoodUrl),
                                    {"fingerprint", kGoodFingerprint},
                                    {"client_id", kGoodId},
                                    {"password", kGoodPassword}}) {
    parts += "--X\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" + std::string(value) +
             "\r\n";
  }
  ASSERT_EQ(post(parts + "--X--\r\n", "multipart/form-data; boundary=X"), 200);
  const std::string by_multipart = string_after("\"pairing_code\":\"");
  ASSERT_EQ(get("/" + by_json), 200);
  const std::string script = body();
  for (const std::string& code : {by_form, by_multipart}) {
    ASSERT_EQ(get("/" + code), 200);
    EXPECT_EQ(body(), script);
  }
}

TEST_F(ServiceTest, InvalidInputNamesEveryFieldAndNoValue) {
  EXPECT_EQ(post(R"({"connect_url":"http://sEcReT@h","fingerprint":"sEcReT","client_id":"sEcReT:x","password":""})"),
            400);
  EXPECT_THAT(body(), AllOf(StartsWith("input validation failed: connect_url contains user info"),
                            HasSubstr("; fingerprint is not a fingerprint"), HasSubstr("; client_id contains a colon"),
                            HasSubstr("; password is empty"), EndsWith(")\n"), Not(HasSubstr("sEcReT"))));
  EXPECT_EQ(header("Content-Type"), kText);
  EXPECT_EQ(service->store().stats().deposits, 0U);
}

TEST_F(ServiceTest, MalformedBodiesAreRefusedAndNothingIsStored) {
  for (const auto& [type, text] : std::vector<std::pair<std::string_view, std::string>>{
           {"application/json", ""},
           {"application/json", "null"},
           {"application/json", "[]"},
           {"application/json", "{"},
           {"application/json", std::string(kGoodJson) + "x"},
           {"application/json", R"({"x":1,"x":2})"},
           {"application/json", "{\"password\":\"\xff\"}"},
           {"application/json", R"({"password":"\ud800"})"},
           {"application/json", R"({"connect_url":{"password":"x"}})"},
           {"application/json", R"({"connect_url":null,"fingerprint":null,"client_id":null,"password":null})"},
           {"application/json", json_deposit(kGoodUrl, kGoodId, std::string("a\0b", 3))},
           {"application/json", R"({"password":"a","password":"b"})"},
           {"application/x-www-form-urlencoded", "password=%"},
           {"multipart/form-data", "x"},
           {"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsec"},
       }) {
    EXPECT_EQ(post(text, type), 400) << text;
    EXPECT_THAT(body(), StartsWith("input validation failed: ")) << text;
    EXPECT_THAT(body(), EndsWith("\n"));
    EXPECT_EQ(lines(body()), 2U) << "one line and its end";
  }
  EXPECT_EQ(service->store().stats().deposits, 0U);
}

TEST_F(ServiceTest, OtherTypesAreRefusedWithTheListOfThoseTaken) {
  for (const std::string_view type : {"", "text/plain", "application/xml"}) {
    EXPECT_EQ(post(kGoodJson, type), 415);
    for (const std::string_view taken :
         {"application/json", "multipart/form-data", "application/x-www-form-urlencoded"}) {
      EXPECT_THAT(body(), HasSubstr(std::string(taken)));
    }
  }
  EXPECT_EQ(service->store().stats().deposits, 0U);
}

TEST_F(ServiceTest, ErrorsAreProblemDocumentsForWhoPrefersJson) {
  for (const std::string_view accept : {"application/json", "application/problem+json"}) {
    EXPECT_EQ(post("{}", "application/json", accept), 400);
    EXPECT_EQ(header("Content-Type"), kProblem);
    simdjson::dom::parser parser;
    const simdjson::dom::element problem = parser.parse(body());
    EXPECT_EQ(std::string_view(problem["type"]), "about:blank");
    EXPECT_EQ(std::string_view(problem["title"]), "Bad Request");
    EXPECT_EQ(std::int64_t(problem["status"]), 400);
    EXPECT_THAT(std::string(std::string_view(problem["detail"])),
                StartsWith("input validation failed: connect_url is missing"));
  }
  for (const std::string_view target : {"/abcdefg", "/a/b", "/%", "/update?os=x"}) {
    EXPECT_GE(get(target, "curl", "application/json"), 400);
    EXPECT_EQ(header("Content-Type"), kProblem) << target;
    simdjson::dom::parser parser;
    EXPECT_EQ(std::int64_t(parser.parse(body())["status"]), response.status()) << target;
  }
  EXPECT_EQ(post("{}", "application/json", "application/json, text/plain, */*"), 400);
  EXPECT_EQ(header("Content-Type"), kText);
}

TEST_F(ServiceTest, CodesAreNeverHandedOutTwice) {
  std::set<std::string> codes;
  for (int i = 0; i < 2000; ++i) EXPECT_TRUE(codes.insert(deposit()).second);
  EXPECT_EQ(service->store().stats().deposits, 2000U);
}

// Random bytes that make the code `text`.
std::vector<std::uint8_t> bytes_for(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::uint8_t>(kCodeAlphabet.find(c)));
  return bytes;
}

TEST_F(ServiceTest, ACodeInUseIsDrawnAgain) {
  for (const std::string_view text : {"aaaaaaaaaa", "aaaaaaaaaa", "aaaaaaaaaa", "bbbbbbbbbb"}) {
    for (const std::uint8_t byte : bytes_for(text)) random.first.push_back(byte);
  }
  // The service draws its seeds first.
  std::deque<std::uint8_t> codes;
  codes.swap(random.first);
  open(unlimited());
  random.first.swap(codes);
  EXPECT_EQ(deposit(), "aaaaaaaaaa");
  EXPECT_EQ(deposit(), "bbbbbbbbbb");
}

TEST_F(ServiceTest, ReservedWordsAreDrawnAgain) {
  // Those that can be drawn: not too short, and without an o.
  for (const std::string_view word : {"healthz", "metrics", "sitemap", "security", "packages", "uninstall"}) {
    ServiceOptions options = unlimited();
    options.code_length = word.size();
    open(options);
    const std::string_view other = std::string_view("abcdefghi").substr(0, word.size());
    random.first.clear();
    for (const std::string_view text : {word, other}) {
      for (const std::uint8_t byte : bytes_for(text)) random.first.push_back(byte);
    }
    EXPECT_EQ(deposit(), other) << word;
  }
}

TEST_F(ServiceTest, CodesHaveTheLengthThatIsConfigured) {
  for (const std::size_t length : {7U, 8U, 9U, 11U, 31U, 32U}) {
    ServiceOptions options = unlimited();
    options.code_length = length;
    open(options);
    const std::string code = deposit();
    EXPECT_EQ(code.size(), length);
    EXPECT_EQ(get("/" + code), 200);
  }
}

TEST_F(ServiceTest, WithoutRandomnessThereIsNoCode) {
  open(unlimited());
  random.failing = true;
  EXPECT_EQ(post(kGoodJson), 503);
  EXPECT_GT(response.retry_after(), 0U);
  EXPECT_THAT(body(), HasSubstr("random"));
  EXPECT_EQ(service->store().stats().deposits, 0U);
  random.failing = false;
  EXPECT_EQ(post(kGoodJson), 200);
}

TEST_F(ServiceTest, AFullStoreRefusesAndKeepsWhatLives) {
  ServiceOptions options = unlimited();
  options.store.max_deposits = 2;
  open(options);
  const std::string first = deposit();
  const std::string second = deposit();
  EXPECT_EQ(post(kGoodJson), 503);
  EXPECT_GT(response.retry_after(), 0U);
  EXPECT_EQ(header("Cache-Control"), "no-store");
  EXPECT_EQ(get("/" + first), 200);
  EXPECT_EQ(get("/" + second), 200);
  wait(700'000);
  EXPECT_TRUE(service->expire(now, 1000));
  EXPECT_EQ(post(kGoodJson), 200);
}

// ---- Look-up

TEST_F(ServiceTest, ACodeGivesTheInstallerWithTheCredentials) {
  const std::string code = deposit();
  for (int times = 0; times < 3; ++times) {
    ASSERT_EQ(get("/" + code), 200) << "any number of times";
    EXPECT_THAT(body(),
                AllOf(HasSubstr("'http://rport.example.com:8080'"), HasSubstr("'client1'"), HasSubstr("'foobaz'"),
                      HasSubstr("'" + std::string(kGoodFingerprint) + "'"), Not(HasSubstr("{{"))));
    EXPECT_EQ(header("Content-Type"), kText);
    EXPECT_EQ(header("Content-Disposition"), "attachment; filename=\"rport-installer.sh\"");
    EXPECT_EQ(header("Cache-Control"), "no-store");
    EXPECT_EQ(header("ETag"), "(none)");
  }
}

TEST_F(ServiceTest, TheSystemIsChosenByAgentSuffixOrQuery) {
  const std::string code = deposit();
  const auto file = [this] { return header("Content-Disposition"); };
  const std::string sh = "attachment; filename=\"rport-installer.sh\"";
  const std::string ps1 = "attachment; filename=\"rport-installer.ps1\"";
  get("/" + code, "");
  EXPECT_EQ(file(), sh);
  get("/" + code, kWindowsAgent);
  EXPECT_EQ(file(), ps1);
  get("/" + code, "Mozilla/5.0 (Windows NT 10.0)");
  EXPECT_EQ(file(), sh) << "a browser on Windows is not PowerShell";
  get("/" + code, "powershell");
  EXPECT_EQ(file(), sh) << "compat: as it is spelled";
  get("/" + code + ".sh", kWindowsAgent);
  EXPECT_EQ(file(), sh);
  get("/" + code + ".ps1");
  EXPECT_EQ(file(), ps1);
  get("/" + code + "?os=windows");
  EXPECT_EQ(file(), ps1);
  get("/" + code + "?os=linux", kWindowsAgent);
  EXPECT_EQ(file(), sh);
  for (const auto& [target, name] : {std::pair("/update", "rport-update.sh"),
                                     {"/update.ps1", "rport-update.ps1"},
                                     {"/uninstall", "rport-uninstall.sh"},
                                     {"/uninstall?os=windows", "rport-uninstall.ps1"}}) {
    EXPECT_EQ(get(target), 200);
    EXPECT_EQ(file(), "attachment; filename=\"" + std::string(name) + "\"");
  }
  EXPECT_EQ(get("/" + code + "?os=macos"), 400);
  EXPECT_EQ(get("/" + code + ".sh?os=windows"), 400);
}

TEST_F(ServiceTest, TargetsAreReadAsTheyAreMeant) {
  const std::string code = deposit();
  std::string escaped;
  for (const char c : code) {
    char text[4];
    std::snprintf(text, sizeof(text), "%%%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    escaped += text;
  }
  for (const std::string& target : {"//" + code, "/" + code + "/", "/" + escaped, "http://pair.example.com/" + code,
                                    "/" + code + "?x=y", "/" + code + "?", "/%2F" + code}) {
    EXPECT_EQ(get(target), 200) << target;
  }
  std::string other_case = code;
  for (char& c : other_case) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) c = static_cast<char>(c ^ 0x20);
  }
  EXPECT_EQ(get("/" + other_case), 404) << "codes are case-sensitive";
  EXPECT_EQ(get("/" + code + "%00"), 404);
  EXPECT_EQ(get("/" + code.substr(0, 6)), 404);
  EXPECT_EQ(get("/" + code + "%"), 400);
}

TEST_F(ServiceTest, AnExpiredCodeIsDeadToTheMillisecond) {
  const std::string code = deposit();
  wait(599'999);
  EXPECT_EQ(get("/" + code), 200);
  wait(1);
  EXPECT_EQ(get("/" + code), 404) << "though nothing was reclaimed yet";
  EXPECT_EQ(service->store().stats().deposits, 1U);
}

TEST_F(ServiceTest, AnAnswerOutlivesItsDeposit) {
  const std::string code = deposit();
  ASSERT_EQ(get("/" + code), 200);
  const std::string before = body();
  wait(10'000'000);
  while (!service->expire(now, 100)) {
  }
  EXPECT_EQ(service->store().stats().deposits, 0U);
  Response other;
  service->handle(deposit_of(kGoodJson), now, other);
  EXPECT_EQ(body(), before);
}

TEST_F(ServiceTest, AnAnswerDoesNotPointIntoItsRequest) {
  auto target = std::make_unique<std::string>("/" + deposit());
  ASSERT_EQ(get(*target), 200);
  const std::string installer = body();
  auto dead = std::make_unique<std::string>("/ABCDEFG");
  Response not_found;
  service->handle(request_of(Method::kGet, *dead), now, not_found);
  target->assign(target->size(), 'x');
  target.reset();
  dead->assign(dead->size(), 'x');
  dead.reset();
  EXPECT_EQ(body(), installer);
  EXPECT_THAT(std::string(not_found.body()[1].data, not_found.body()[1].size), HasSubstr("ABCDEFG"));
}

TEST_F(ServiceTest, TheWorstValuesFit) {
  const std::string url = "http://h/" + std::string(kMaxConnectUrl - 9, '\'');
  const std::string code = deposit(json_deposit(url, std::string(kMaxClientId, '\''), std::string(kMaxPassword, '\'')));
  ASSERT_EQ(get("/" + code), 200);
  EXPECT_EQ(body().size(), response.content_length());
  std::string quotes;
  for (std::size_t i = 0; i < kMaxPassword; ++i) quotes += "'\\''";
  EXPECT_THAT(body(), HasSubstr("'" + quotes + "'"));
  ASSERT_EQ(get("/" + code, kWindowsAgent), 200);
  EXPECT_EQ(body().size(), response.content_length());
  for (const char c : body())
    ASSERT_TRUE(c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f)) << "scripts for Windows are ASCII";
  std::string keys;
  while (keys.size() < kMaxPassword) keys += "\xF0\x9F\x94\x91";
  const std::string other = deposit(json_deposit(kGoodUrl, kGoodId, keys));
  ASSERT_EQ(get("/" + other, kWindowsAgent), 200);
  for (const char c : body()) ASSERT_TRUE(c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f));
}

// ---- Dead codes

TEST_F(ServiceTest, ADeadCodeGivesAScriptThatFails) {
  ASSERT_EQ(get("/ABCDEFG"), 404);
  EXPECT_THAT(body(), StartsWith("#No pairing found by pairing code ABCDEFG\n"));
  EXPECT_EQ(header("Content-Type"), kText);
  EXPECT_EQ(header("Cache-Control"), "no-store");
  EXPECT_EQ(header("Content-Disposition"), "(none)");
  const ShellResult result = run_shell(body());
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("unknown or has expired"));
  ASSERT_EQ(get("/ABCDEFG", kWindowsAgent), 404);
  EXPECT_THAT(body(), AllOf(StartsWith("#No pairing found by pairing code ABCDEFG\n"), EndsWith("exit 1\n")));
}

TEST_F(ServiceTest, AHostileCodeStaysInItsComment) {
  for (const std::string_view hostile :
       {"/%0atouch%20canary", "/x%0d%0aexit%200", "/%27;id;%27", "/$(id)", "/`id`", "/a%00b", "/%e2%80%a8exit",
        "/{{password}}", "/%ff", "/ABCDEFG%0Aexit%200.sh"}) {
    ASSERT_EQ(get(hostile), 404) << hostile;
    const std::string script = body();
    const std::string first = script.substr(0, script.find('\n'));
    EXPECT_EQ(first.find_first_not_of("#No pairing found by pairing code "
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-?"),
              std::string::npos)
        << first;
    EXPECT_EQ(run_shell(script).exit_status, 1) << hostile;
    ASSERT_EQ(get("/ABCDEFG"), 404);
    EXPECT_EQ(script.substr(script.find('\n')), body().substr(body().find('\n'))) << "only the first line differs";
  }
}

TEST_F(ServiceTest, NothingElseIsHere) {
  for (const std::string_view target : {"/a/b", "/update/x", "/abcdefg/.sh", "*", "/etc/passwd"}) {
    EXPECT_EQ(get(target), 404) << target;
    EXPECT_EQ(body(), "404 page not found\n") << target;
    EXPECT_EQ(header("Content-Type"), kText);
  }
  EXPECT_EQ(ask(Method::kPost, "/a/b"), 404);
  EXPECT_EQ(ask(Method::kOther, "/a/b"), 404);
  for (const std::string_view target : {"", "abc", "/%", "http://"}) EXPECT_EQ(get(target), 400) << target;
}

// ---- Methods and headers

TEST_F(ServiceTest, OtherMethodsAreRefusedWithThoseAllowed) {
  const std::string code = deposit();
  EXPECT_EQ(ask(Method::kOther, "/"), 405);
  EXPECT_EQ(header("Allow"), "POST, GET, OPTIONS, HEAD");
  EXPECT_EQ(ask(Method::kPost, "/healthz"), 405);
  EXPECT_EQ(header("Allow"), "GET, OPTIONS, HEAD");
  for (const std::string& target :
       {std::string("/update"), std::string("/uninstall"), "/" + code, std::string("/ABCDEFG")}) {
    for (const Method method : {Method::kPost, Method::kOther}) {
      Request request = deposit_of(kGoodJson);
      request.method = method;
      request.target = target;
      EXPECT_EQ(handle(request), 405);
      EXPECT_EQ(header("Allow"), "GET, OPTIONS, HEAD");
      EXPECT_THAT(body(), Not(HasSubstr("foobaz")));
    }
  }
  EXPECT_EQ(service->store().stats().deposits, 1U);
}

TEST_F(ServiceTest, OptionsOfAnythingIsAPreflight) {
  for (const std::string_view target : {"/", "*", "/update", "/abcdefg", "/a/b/c", "/%", "", "http://x"}) {
    EXPECT_EQ(ask(Method::kOptions, target), 204) << target;
    EXPECT_EQ(response.route(), Route::kPreflight) << target;
    EXPECT_EQ(header("Access-Control-Allow-Origin"), "*");
    EXPECT_THAT(header("Access-Control-Allow-Methods"), StartsWith("POST, GET, OPTIONS"));
    EXPECT_EQ(header("Access-Control-Max-Age"), "3600");
    EXPECT_EQ(header("Access-Control-Allow-Headers"),
              "Content-Type, Access-Control-Allow-Headers, Authorization, X-Requested-With, baggage, sentry-trace, "
              "traceparent, tracestate");
    EXPECT_TRUE(response.body().empty());
    EXPECT_FALSE(response.has_content_length());
  }
}

TEST_F(ServiceTest, HeadIsGetWithoutABody) {
  const std::string code = deposit();
  for (const std::string& target :
       {"/" + code, "/" + code + ".ps1", std::string("/update"), std::string("/uninstall.ps1"), std::string("/ABCDEFG"),
        std::string("/a/b"), std::string("/%"), std::string("/update?os=x"), std::string("/"),
        std::string("/healthz")}) {
    for (const std::string_view accept : {"*/*", "application/json"}) {
      const int status = get(target, "curl", accept);
      const std::string wire(response.headers().wire());
      const std::size_t length = response.content_length();
      EXPECT_EQ(body().size(), length) << target;
      EXPECT_GT(length, 0U) << target;
      EXPECT_EQ(head(target, "curl", accept), status) << target;
      EXPECT_EQ(response.headers().wire(), wire) << target;
      EXPECT_EQ(response.content_length(), length) << target;
      EXPECT_TRUE(response.body().empty()) << target;
    }
  }
}

// A page that may read look-ups makes its visitors guess; one that may not read deposits cannot show their errors.
TEST_F(ServiceTest, OnlyDepositsAndPreflightsMayBeReadByOtherOrigins) {
  const std::string code = deposit();
  const auto readable = [this](std::string_view what) {
    EXPECT_EQ(header("Access-Control-Allow-Origin"), "*") << what << response.status();
    EXPECT_EQ(header("Access-Control-Expose-Headers"), "Retry-After, ETag") << what << response.status();
  };
  const auto hidden = [this](std::string_view what) {
    EXPECT_EQ(header("Access-Control-Allow-Origin"), "(none)") << what << response.status();
    EXPECT_EQ(header("Access-Control-Expose-Headers"), "(none)") << what << response.status();
  };
  for (const std::string_view accept : {"*/*", "application/json"}) {
    for (const std::string& target :
         {"/" + code, "/" + code + ".ps1", std::string("/ABCDEFGHIJ"), std::string("/update"),
          std::string("/uninstall.ps1"), std::string("/a/b"), std::string("/"), std::string("/healthz"),
          std::string("/metrics"), std::string("/%"), std::string("/x?os=y")}) {
      get(target, "curl", accept);
      hidden(target);
      head(target, "curl", accept);
      hidden(target);
    }
    EXPECT_EQ(post(kGoodJson, "application/json", accept), 200);
    readable("deposit ");
    EXPECT_EQ(post("{}", "application/json", accept), 400);
    readable("deposit ");
    EXPECT_EQ(post("x", "text/plain", accept), 415);
    readable("deposit ");
    random.failing = true;
    for (int i = 0; i < 200 && post(kGoodJson, "application/json", accept) != 503; ++i) readable("deposit ");
    EXPECT_EQ(response.status(), 503);
    readable("deposit ");
    random.failing = false;
    for (const int status : {400, 408, 411, 413, 417, 431, 503}) {
      for (const Method method : {Method::kPost, Method::kOther, Method::kOptions}) {
        service->refuse(status, "some text", accept, method, response);
        readable("refused ");
      }
      service->refuse(status, "some text", accept, Method::kGet, response);
      hidden("refused ");
    }
  }
  for (const std::string& target : {std::string("/"), "/" + code, std::string("*"), std::string("/a/b")}) {
    ask(Method::kOptions, target);
    readable(target);
  }
  ServiceOptions options = unlimited();
  options.deposit_limit = {0.1, 1};
  options.miss_limit = {0.1, 1};
  open(options);
  EXPECT_EQ(post(kGoodJson), 200);
  EXPECT_EQ(post(kGoodJson), 429);
  readable("deposit ");
  EXPECT_EQ(get("/ABCDEFGHIJ"), 404);
  EXPECT_EQ(get("/ABCDEFGHIJ"), 429);
  hidden("look-up ");
}

TEST_F(ServiceTest, HealthAndReservedPathsAreNoGuesses) {
  ServiceOptions options = unlimited();
  options.miss_limit = {0.001, 1};
  open(options);
  for (int i = 0; i < 5; ++i) {
    for (const Method method : {Method::kGet, Method::kHead}) {
      EXPECT_EQ(ask(method, "/healthz"), 200);
      EXPECT_EQ(response.route(), Route::kHealth);
      EXPECT_EQ(response.content_length(), 3U);
      EXPECT_EQ(body(), method == Method::kGet ? "ok\n" : "");
      EXPECT_EQ(header("Content-Type"), kText);
      EXPECT_EQ(header("Cache-Control"), "no-store");
    }
    for (const std::string_view path :
         {"/health", "/readyz", "/livez", "/metrics", "/status", "/ping", "/v1", "/openapi.json", "/pairport.js",
          "/favicon.ico", "/robots.txt", "/sitemap.xml", "/ads.txt", "/security.txt", "/apple-touch-icon.png",
          "/packages", "/.well-known/security.txt"}) {
      EXPECT_EQ(get(path), 404) << path;
      EXPECT_EQ(body(), "404 page not found\n") << path;
      EXPECT_EQ(response.route(), Route::kOther) << path;
    }
  }
  EXPECT_EQ(get("/ABCDEFGHIJ"), 404) << "the one guess is still there";
  EXPECT_EQ(get("/ABCDEFGHIJ"), 429);
  EXPECT_EQ(get("/healthz"), 200) << "health has no limit";
}

TEST_F(ServiceTest, TheRootSaysWhatThisIs) {
  for (const std::string_view accept : {"", "*/*", "text/plain", "application/json", "text/html,*/*;q=0.8"}) {
    EXPECT_EQ(get("/", "curl", accept), 200) << accept;
    EXPECT_EQ(header("Content-Type"), kText);
    EXPECT_EQ(response.route(), Route::kAbout);
    const std::string text = body();
    EXPECT_THAT(text, AllOf(HasSubstr("POST"), EndsWith("\n")));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    const std::uint64_t length = response.content_length();
    EXPECT_EQ(head("/", "curl", accept), 200) << accept;
    EXPECT_EQ(response.content_length(), length);
    EXPECT_EQ(body(), "");
  }
}

ClientKey key_of(const std::string& address) {
  return ClientAddress::parse(address).value_or(ClientAddress{}).key();
}

// One host with a /48 has 65,536 networks of 64 bits to guess from.
TEST_F(ServiceTest, AWholeIpv6NetworkGuessesLikeSixteenClients) {
  ServiceOptions options = unlimited();
  options.miss_limit = {1, 20};
  open(options);
  const std::string code = deposit();
  std::array<char, 64> address;
  int misses = 0;
  for (unsigned i = 0; i < 30'000; ++i) {
    std::snprintf(address.data(), address.size(), "2001:db8:7:%x::1", i * 2);
    client = key_of(address.data());
    if (get("/ABCDEFGHIJ") == 404) ++misses;
  }
  EXPECT_EQ(misses, 320);
  EXPECT_EQ(service->counters().misses, 320U) << "of all clients together";
  EXPECT_EQ(service->counters().look_ups_limited, 30'000U - 320);
  EXPECT_EQ(get("/" + code), 429) << "the same answer whether the code exists or not";
  client = key_of("2001:db8:8::1");
  EXPECT_EQ(get("/" + code), 200) << "nobody else has to wait";
  client = key_of("192.0.2.1");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/ABCDEFGHIJ"), 404) << "what all miss together refuses nobody";
}

TEST_F(ServiceTest, DepositsOfAWholeIpv6NetworkHaveABudget) {
  ServiceOptions options = unlimited();
  options.deposit_limit = {5, 50};
  open(options);
  std::array<char, 64> address;
  int deposits = 0;
  for (unsigned i = 0; i < 3000; ++i) {
    std::snprintf(address.data(), address.size(), "2001:db8:7:%x::1", i);
    client = key_of(address.data());
    if (post(kGoodJson) == 200) ++deposits;
  }
  EXPECT_EQ(deposits, 800);
  EXPECT_EQ(service->counters().deposits_limited, 3000U - 800);
}

TEST_F(ServiceTest, OneNetworkCannotFillMoreThanItsShareOfAStoreThatIsHalfFull) {
  ServiceOptions options = unlimited();
  options.store.max_deposits = 1600;
  open(options);
  const auto deposits_of = [this](const std::string& network, int count) {
    int taken = 0;
    for (int i = 0; i < count; ++i) {
      client = key_of(network + std::to_string(1 + i % 250));
      const int status = post(kGoodJson);
      if (status == 200) ++taken;
      EXPECT_TRUE(status == 200 || status == 429) << status;
    }
    return taken;
  };
  EXPECT_EQ(deposits_of("192.0.2.", 900), 801) << "up to half of it by whoever comes";
  EXPECT_GE(response.retry_after(), 1U);
  EXPECT_EQ(deposits_of("198.51.100.", 300), 100) << "a sixteenth";
  EXPECT_EQ(deposits_of("2001:db8:1::", 300), 100);
  EXPECT_EQ(deposits_of("2001:db8:1:ffff::", 10), 0) << "the same /48";
  EXPECT_EQ(deposits_of("2001:db8:2::", 300), 100);
  EXPECT_EQ(deposits_of("203.0.113.", 10), 10) << "others are served";
  client = {};
  for (int i = 0; i < 200; ++i) EXPECT_EQ(post(kGoodJson), 200) << "a peer without an address has no network";
  wait(options.ttl_ms / 10);
  EXPECT_EQ(deposits_of("198.51.100.", 300), 10) << "a share comes back within one life";

  options.network_share = 0;
  open(options);
  EXPECT_EQ(deposits_of("192.0.2.", 1600), 1600) << "switched off";
}

// Else large deposits would fill the memory long before the share of the count is used up.
TEST_F(ServiceTest, SharesCountTheBytesOfDeposits) {
  ServiceOptions options = unlimited();
  options.store.max_deposits = 100'000;
  options.store.max_bytes = 32U << 20;
  open(options);
  const std::string large = R"({"connect_url":"http://h/)" + std::string(2000, 'u') +
                            R"(","fingerprint":"2A:C4:79:04:80:BA:7C:60:05:E5:2C:49:6D:74:56:24","client_id":")" +
                            std::string(250, 'i') + R"(","password":")" + std::string(1000, 'p') + R"("})";
  client = {};
  while (service->store().stats().load <= 0.5) ASSERT_EQ(post(large), 200);
  client = key_of("198.51.100.1");
  std::size_t taken = 0;
  while (post(large) == 200) ++taken;
  EXPECT_EQ(response.status(), 429);
  // A sixteenth of 32 MiB, in records of about 3.3 KiB.
  EXPECT_NEAR(static_cast<double>(taken), 2.0 * 1024 * 1024 / 3310, 20);
}

// The head guard of the program stops these before; at this level nobody does.
TEST_F(ServiceTest, NoTargetEndsALineOfTheLocation) {
  for (const std::string_view target :
       {"/abc\r\nSet-Cookie: a=b", "/abc?x=\r\nX: y", "/abc\n", "/abc\r", "http://h/a\r\nX: y", "/a b", "/a\t", "/\x7f",
        "/\xc3\xa4", "\r\n", "/abc#\r\nx"}) {
    for (const Method method : {Method::kGet, Method::kHead}) {
      service->redirect(request_of(method, target), response);
      EXPECT_EQ(response.status(), 400) << target;
      EXPECT_EQ(response.extra_headers(), "") << target;
    }
    EXPECT_EQ(get(target), 400) << target;
  }
  service->redirect(request_of(Method::kGet, "/abc%0d%0aX:%20y?z=%0d"), response);
  EXPECT_EQ(response.extra_headers(), "Location: https://pair.example.com/abc%0d%0aX:%20y?z=%0d\r\n")
      << "still escaped";
}

TEST_F(ServiceTest, ATargetThatIsTooLongIsNotRedirected) {
  for (const std::size_t size : {std::size_t{512}, std::size_t{513}, std::size_t{8000}}) {
    const std::string target = "/" + std::string(size - 1, 'a');
    for (const Method method : {Method::kGet, Method::kHead}) {
      service->redirect(request_of(method, target), response);
      EXPECT_EQ(response.status(), size <= 512 ? 308 : 414) << size;
      EXPECT_EQ(response.extra_headers(), size <= 512 ? "Location: https://pair.example.com" + target + "\r\n" : "");
      EXPECT_EQ(body().empty(), method == Method::kHead) << size;
    }
  }
}

TEST_F(ServiceTest, EveryAnswerCarriesTheCommonHeaders) {
  const std::string code = deposit();
  const auto check = [this](const char* what) {
    EXPECT_EQ(header("X-Content-Type-Options"), "nosniff") << what;
    EXPECT_EQ(header("Referrer-Policy"), "no-referrer") << what;
    EXPECT_NE(header("Cache-Control"), "(none)") << what;
    EXPECT_LE(response.body().size(), 3U) << what;
    for (const Fragment& fragment : response.body()) EXPECT_GT(fragment.size, 0U) << what;
    std::string wire;
    for (const Header& line : response.headers().list()) {
      wire.append(line.name).append(": ").append(line.value).append("\r\n");
    }
    EXPECT_EQ(response.headers().wire(), wire) << what;
    for (const std::string_view other : {"Date", "Content-Length", "Connection", "Retry-After"}) {
      EXPECT_EQ(header(other), "(none)") << what << ": the business of who speaks HTTP";
    }
  };
  post(kGoodJson);
  check("deposit");
  post("{}");
  check("400");
  post("{}", "application/json", "application/json");
  check("400 problem");
  post("x", "text/plain");
  check("415");
  for (const std::string& target :
       {"/" + code, std::string("/ABCDEFG"), std::string("/update"), std::string("/uninstall.ps1"), std::string("/a/b"),
        std::string("/"), std::string("/%"), std::string("/x?os=y")}) {
    get(target);
    check(target.c_str());
  }
  ask(Method::kOptions, "/");
  check("preflight");
  for (const int status : {400, 408, 411, 413, 417, 431, 503}) {
    service->refuse(status, "some text", "", Method::kGet, response);
    check("refused");
  }
}

TEST_F(ServiceTest, RefusalsForWhoSpeaksHttpLookLikeAllOthers) {
  service->refuse(413, "the body is too large", "*/*", Method::kGet, response);
  EXPECT_EQ(response.status(), 413);
  EXPECT_EQ(body(), "the body is too large\n");
  EXPECT_EQ(header("Content-Type"), kText);
  service->refuse(431, "too \"large\"", "application/json", Method::kGet, response);
  EXPECT_EQ(header("Content-Type"), kProblem);
  EXPECT_EQ(body(),
            "{\"type\":\"about:blank\",\"title\":\"Request Header Fields Too Large\",\"status\":431,\"detail\":\"too "
            "\\\"large\\\"\"}\n");
}

TEST_F(ServiceTest, EveryStatusHasItsReason) {
  for (const int status : {200, 204, 304, 400, 404, 405, 408, 411, 413, 415, 417, 429, 431, 500, 501, 503, 505}) {
    EXPECT_NE(reason_phrase(status), "Status") << status;
    EXPECT_NE(reason_phrase(status), "") << status;
  }
  EXPECT_EQ(reason_phrase(299), "Status");
}

// ---- Update and uninstall

TEST_F(ServiceTest, StaticScriptsAreCacheable) {
  for (const std::string_view target : {"/update", "/uninstall", "/update.ps1", "/uninstall.ps1"}) {
    ASSERT_EQ(get(target), 200);
    EXPECT_EQ(header("Content-Type"), kText);
    EXPECT_THAT(header("Cache-Control"), Not(HasSubstr("no-store")));
    EXPECT_EQ(header("Vary"), "User-Agent, Accept-Encoding");
    const std::string etag = header("ETag");
    EXPECT_EQ(etag.size(), 34U);
    EXPECT_THAT(etag, AllOf(StartsWith("\""), EndsWith("\"")));
    for (const Method method : {Method::kGet, Method::kHead}) {
      for (const std::string& condition : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
        EXPECT_EQ(ask_if_changed(method, target, condition), 304) << condition;
        EXPECT_TRUE(response.body().empty());
        EXPECT_FALSE(response.has_content_length());
        EXPECT_EQ(header("ETag"), etag);
        EXPECT_EQ(header("Vary"), "User-Agent, Accept-Encoding");
      }
      EXPECT_EQ(ask_if_changed(method, target, "\"x\""), 200);
    }
  }
}

TEST_F(ServiceTest, EntityTagsTellTheScriptsApart) {
  std::set<std::string> tags;
  for (const std::string_view target : {"/update", "/uninstall", "/update.ps1", "/uninstall.ps1"}) {
    get(target);
    EXPECT_TRUE(tags.insert(header("ETag")).second) << target;
  }
  get("/update", kWindowsAgent);
  EXPECT_FALSE(tags.insert(header("ETag")).second) << "the same script by another way";
  ServiceOptions options = unlimited();
  options.installer.version = "9.9.9";
  open(options);
  get("/update");
  EXPECT_TRUE(tags.insert(header("ETag")).second) << "the configuration is part of it";
}

TEST_F(ServiceTest, AConditionDoesNotReviveOrHideADeposit) {
  const std::string code = deposit();
  EXPECT_EQ(ask_if_changed(Method::kGet, "/" + code, "*"), 200);
  EXPECT_EQ(ask_if_changed(Method::kGet, "/ABCDEFG", "*"), 404);
}

// ---- Limits per address

class Limited : public ServiceTest {
 protected:
  Limited() {
    ServiceOptions options = unlimited();
    options.deposit_limit = {5, 50};
    options.miss_limit = {1, 20};
    open(options);
  }
  static ClientKey address(std::uint8_t last) {
    ClientKey key;
    key.bytes[0] = last;  // another network at every width
    return key;
  }
};

TEST_F(Limited, GuessingEndsWithTheSameAnswerForLiveAndDeadCodes) {
  const std::string code = deposit();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/guess" + std::to_string(i)), 404);
  ASSERT_EQ(get("/ABCDEFG"), 429);
  const std::string dead = body();
  const std::string dead_headers(response.headers().wire());
  const std::uint32_t dead_retry = response.retry_after();
  EXPECT_EQ(dead_retry, 1U);
  ASSERT_EQ(get("/" + code), 429);
  EXPECT_EQ(body(), dead);
  EXPECT_EQ(response.headers().wire(), dead_headers);
  EXPECT_EQ(response.retry_after(), dead_retry);
  ASSERT_EQ(head("/" + code), 429);
  ASSERT_EQ(get("/" + code, "x", "application/json"), 429);
  EXPECT_EQ(header("Content-Type"), kProblem);
  ASSERT_EQ(get("/" + code, kWindowsAgent), 429);
  EXPECT_THAT(body(), EndsWith("exit 1\n"));

  client = address(1);
  EXPECT_EQ(get("/" + code), 200) << "others are not concerned";
  client = {};
  wait(999);
  EXPECT_EQ(get("/" + code), 429);
  wait(1);
  EXPECT_EQ(get("/" + code), 200);
  EXPECT_EQ(get("/" + code), 200) << "a successful look-up takes no token";
  EXPECT_EQ(get("/ABCDEFG"), 404);
  EXPECT_EQ(get("/" + code), 429);
}

TEST_F(Limited, ARefusedLookUpIsAScriptThatFails) {
  for (int i = 0; i < 21; ++i) get("/ABCDEFG");
  ASSERT_EQ(response.status(), 429);
  const ShellResult result = run_shell(body());
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("too many requests"));
  EXPECT_EQ(result.err.find("not found"), std::string::npos) << "no line runs as a command by accident: " << result.err;
}

TEST_F(Limited, ASuccessfulLookUpCostsNothing) {
  const std::string code = deposit();
  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(get("/" + code), 200);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/ABCDEFG"), 404) << "all tokens were still there";
}

TEST_F(Limited, WhatIsNoGuessCostsNothing) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(get("/favicon.ico"), 404);
    ASSERT_EQ(get("/a/b"), 404);
    ASSERT_EQ(get("/update"), 200);
    ASSERT_EQ(get("/uninstall"), 200);
    ASSERT_EQ(get("/%"), 400);
    ASSERT_EQ(ask(Method::kOther, "/ABCDEFG"), 405);
  }
  EXPECT_EQ(get("/ABCDEFG"), 404);
}

TEST_F(Limited, UpdateWorksForWhoMayNotLookUpAnyMore) {
  for (int i = 0; i < 30; ++i) get("/ABCDEFG");
  EXPECT_EQ(get("/update"), 200);
  EXPECT_EQ(get("/uninstall"), 200);
  EXPECT_EQ(post(kGoodJson), 200) << "deposits have tokens of their own";
}

TEST_F(Limited, DepositsHaveABurstAndARate) {
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(post(i % 2 == 0 ? kGoodJson : "{}"), i % 2 == 0 ? 200 : 400) << "bad ones count too";
  EXPECT_EQ(post(kGoodJson), 429);
  EXPECT_EQ(response.retry_after(), 1U);
  EXPECT_EQ(header("Content-Type"), kText);
  EXPECT_EQ(post(kGoodJson, "application/json", "application/json"), 429);
  EXPECT_EQ(header("Content-Type"), kProblem);
  EXPECT_EQ(service->store().stats().deposits, 25U);
  client = address(1);
  EXPECT_EQ(post(kGoodJson), 200);
  client = {};
  wait(200);
  EXPECT_EQ(post(kGoodJson), 200);
  EXPECT_EQ(post(kGoodJson), 429);
}

TEST_F(Limited, LongWaitsAreSaidInWholeSecondsRoundedUp) {
  ServiceOptions options = unlimited();
  options.miss_limit = {0.01, 1};
  open(options);
  EXPECT_EQ(get("/ABCDEFG"), 404);
  EXPECT_EQ(get("/ABCDEFG"), 429);
  EXPECT_EQ(response.retry_after(), 100U);
  wait(500);
  EXPECT_EQ(get("/ABCDEFG"), 429);
  EXPECT_EQ(response.retry_after(), 100U);
}

// ---- Static deposit

class WithStaticDeposit : public ServiceTest {
 protected:
  static ServiceOptions with(StaticDeposit deposit) {
    ServiceOptions options = unlimited();
    options.static_deposit = std::move(deposit);
    return options;
  }
  static StaticDeposit good() {
    return {"0000000", std::string(kGoodUrl), std::string(kGoodFingerprint), std::string(kGoodId),
            std::string(kGoodPassword)};
  }
};

TEST_F(WithStaticDeposit, ItNeverExpires) {
  open(with(good()));
  EXPECT_EQ(get("/0000000"), 200);
  wait(std::uint64_t{100} * 365 * 24 * 3600 * 1000);
  EXPECT_TRUE(service->expire(now, 1000));
  EXPECT_EQ(get("/0000000"), 200);
  EXPECT_THAT(body(), HasSubstr("'foobaz'"));
}

TEST_F(WithStaticDeposit, ItsScriptSaysThatItDoesNotEnd) {
  open(with(good()));
  for (const std::string_view target : {"/0000000", "/0000000.ps1"}) {
    get(target);
    EXPECT_THAT(body(), HasSubstr("\n# made with the configuration of the service, valid until it is removed there\n"));
  }
}

TEST_F(WithStaticDeposit, ItsCodeIsTheOperatorsChoice) {
  for (const std::string code : {"0", "test", "ooo0OOO", "abcdefghijklmnopqrstuvwxyz012345"}) {
    StaticDeposit deposit = good();
    deposit.code = code;
    open(with(deposit));
    EXPECT_EQ(get("/" + code), 200) << code;
  }
  for (const std::string code :
       {"", "update", "uninstall", "a b", "a/b", "a.sh", "\xC3\xA4", "abcdefghijklmnopqrstuvwxyz0123456"}) {
    StaticDeposit deposit = good();
    deposit.code = code;
    EXPECT_THAT(refused(with(deposit)), HasSubstr("static-deposit: code")) << code;
  }
}

TEST_F(WithStaticDeposit, ItIsCheckedLikeAnyOtherAndNoValueIsSaid) {
  StaticDeposit deposit = good();
  deposit.password = "sEcReT\n";
  deposit.client_id = "sEcReT:x";
  EXPECT_THAT(refused(with(deposit)),
              AllOf(StartsWith("static-deposit: client_id contains a colon"),
                    HasSubstr("password contains a control character"), Not(HasSubstr("sEcReT"))));
}

// ---- Options

TEST_F(ServiceTest, BadOptionsAreNamed) {
  const auto with = [](auto change) {
    ServiceOptions options = unlimited();
    change(options);
    return options;
  };
  for (const std::size_t length : {0U, 6U, 33U}) {
    EXPECT_THAT(refused(with([&](ServiceOptions& o) { o.code_length = length; })), HasSubstr("code_length"));
  }
  for (const std::uint64_t ttl :
       {0ULL, 1ULL, 999ULL, 1001ULL, 18'446'744'073'709'551'000ULL, 9'223'372'036'854'775'000ULL}) {
    EXPECT_THAT(refused(with([&](ServiceOptions& o) { o.ttl_ms = ttl; })), HasSubstr("ttl")) << ttl;
  }
  for (const std::string& url :
       {std::string(), std::string("pair.example.com"), std::string("ftp://x"), std::string("http://"),
        std::string("http://x/"), std::string("http://x y"), std::string("http://x'y"), std::string("http://x\"y"),
        std::string("http://x`y"), std::string("http://x$y"), std::string("http://x;y"), std::string("http://x?y"),
        std::string("http://x#y"), std::string("http://x\ny"), std::string("http://x\0y", 10),
        std::string("http://x\xC3\xA4"), std::string("http://x&y"), std::string("http://x(y)"),
        "http://" + std::string(kMaxServiceUrl - 6, 'x')}) {
    EXPECT_THAT(refused(with([&](ServiceOptions& o) { o.url = url; })), HasSubstr("url")) << url;
  }
  random.failing = true;
  EXPECT_THAT(refused(unlimited()), HasSubstr("random"));
}

TEST_F(ServiceTest, InstallerOptionsWithControlCharactersAreRefused) {
  // A NUL would end the line of a script early in some shells.
  for (const auto& [name, field, start] : {std::tuple("version: expected", &InstallerOptions::version, "x"),
                                           {"linux_url: expected", &InstallerOptions::linux_url, "http://x/"},
                                           {"repo_keys: expected", &InstallerOptions::repo_keys, "http://x/"}}) {
    ServiceOptions options = unlimited();
    for (const std::string& end : {std::string("\0y", 2), std::string("\ny")}) {
      (options.installer.*field) = start + end;
      EXPECT_THAT(refused(options), HasSubstr(name));
    }
  }
  ServiceOptions options = unlimited();
  options.installer.sha256 = {{"a\nb", std::string(64, 'a')}};
  EXPECT_THAT(refused(options), HasSubstr("sha256"));
}

TEST_F(ServiceTest, TheLongestUrlFitsEveryAnswer) {
  ServiceOptions options = unlimited();
  options.url = "https://" + std::string(kMaxServiceUrl - 8, 'x');
  options.code_length = kMaxCodeLength;
  open(options);
  const std::string code = deposit();
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(body()).error(), simdjson::SUCCESS);
  EXPECT_EQ(get("/" + code), 200);
}

TEST_F(ServiceTest, OwnTemplatesOverrideTheBuiltInOnes) {
  std::map<std::string, std::string> files = {
      {"linux/installer.sh",
       "U={{connect_url}}\nI={{client_id}}\nP={{password}}\nF={{fingerprint}}\nS={{pairing_url}}\n"}};
  ServiceOptions options = unlimited();
  options.templates = [&files](std::string_view name) -> std::optional<std::string> {
    const auto found = files.find(std::string(name));
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  open(options);
  const std::string code = deposit();
  ASSERT_EQ(get("/" + code), 200);
  EXPECT_EQ(body(), "U='http://rport.example.com:8080'\nI='client1'\nP='foobaz'\nF='" + std::string(kGoodFingerprint) +
                        "'\nS='https://pair.example.com'\n");
  EXPECT_EQ(get("/" + code, kWindowsAgent), 200) << "the others are built in";
  files["linux/update.sh"] = "P={{password}}\n";
  EXPECT_THAT(refused(options), HasSubstr("linux/update.sh: this script is the same for everyone"));
  files["linux/update.sh"] = "\n{{nonsense}}\n";
  EXPECT_THAT(refused(options), HasSubstr("linux/update.sh:2: "));
}

// ---- Secrets

bool holds(const Response& response, std::string_view text) {
  return std::string_view(reinterpret_cast<const char*>(&response), sizeof(response)).find(text) !=
         std::string_view::npos;
}

TEST_F(ServiceTest, AResponseForgetsWhatItHeld) {
  // Zeros to begin with: what a response never writes may hold what the heap held before.
  std::destroy_at(&response);
  std::construct_at(&response);
  const std::string code = deposit();
  ASSERT_EQ(get("/" + code), 200);
  ASSERT_TRUE(holds(response, "foobaz"));
  response.reset();
  EXPECT_FALSE(holds(response, "foobaz"));
  EXPECT_EQ(response.status(), 0);
  EXPECT_TRUE(response.body().empty());
  EXPECT_EQ(response.content_length(), 0U);
  EXPECT_EQ(response.headers().wire(), "");

  ASSERT_EQ(get("/" + code), 200);
  ASSERT_EQ(get("/update"), 200);
  EXPECT_FALSE(holds(response, "foobaz")) << "wiped when it is used again";
  ASSERT_EQ(head("/" + code), 200);
  EXPECT_TRUE(response.body().empty());
  response.reset();
  EXPECT_FALSE(holds(response, "foobaz")) << "also what HEAD did not send";
  deposit();
  ASSERT_TRUE(holds(response, "pairing_code"));
  response.reset();
  EXPECT_FALSE(holds(response, "pairing_code"));
}

// Whoever calls next may save them: the dynamic linker does on the stack, the kernel when a signal comes.
TEST_F(ServiceTest, NoCredentialIsLeftInVectorRegisters) {
  ServiceOptions options = unlimited();
  options.static_deposit = StaticDeposit{"0000000", "http://rport.example.com:8080",
                                         "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24", "client1", ""};
  for (int i = 0; i < 40; ++i) options.static_deposit->password += "Kq7xZ2mW9p";
  open(options);
  const std::string password = options.static_deposit->password;
  std::string copy(password.size(), '.');
  std::memcpy(copy.data(), password.data(), password.size());
  const bool left_by_copying = vector_registers().find("7xZ2mW9p") != std::string_view::npos;
  Request request = request_of(Method::kGet, "/0000000");
  request.client = client;
  service->handle(request, now, response);
  EXPECT_EQ(vector_registers().find("7xZ2mW9p"), std::string_view::npos);
  EXPECT_EQ(response.status(), 200);
  if (!left_by_copying) GTEST_SKIP() << "copying leaves nothing in the registers of this processor that can be seen";
}

TEST_F(ServiceTest, AResponseIsWipedWhenItEnds) {
  alignas(Response) static std::array<char, sizeof(Response)> memory;
  const std::string code = deposit();
  auto* answer = new (memory.data()) Response;
  service->handle(request_of(Method::kGet, "/" + code), now, *answer);
  EXPECT_NE(std::string_view(memory.data(), memory.size()).find("foobaz"), std::string_view::npos);
  answer->~Response();
  EXPECT_EQ(std::string_view(memory.data(), memory.size()).find("foobaz"), std::string_view::npos);
}

TEST(HeaderBlock, MovesWithItsText) {
  using Headers = std::vector<std::pair<std::string_view, std::string>>;
  HeaderBlock first(Headers{{"A", "b"}});
  const HeaderBlock second(std::move(first));
  first = HeaderBlock(Headers{{"X", "y"}});
  EXPECT_EQ(second.wire(), "A: b\r\n");
  ASSERT_EQ(second.list().size(), 1U);
  EXPECT_EQ(second.list()[0].name, "A");
  EXPECT_EQ(second.list()[0].value, "b");
  EXPECT_EQ(second.list()[0].name.data(), second.wire().data()) << "a view of its own text, also when that is short";
  static_assert(!std::is_copy_constructible_v<HeaderBlock>, "a copy would point into the original");
}

// ---- Compression

class Compressed : public ServiceTest {
 protected:
  int get_gzip(std::string_view target, Method method = Method::kGet, std::string_view etag = "") {
    Request request = request_of(method, target);
    request.accept_encoding = "gzip, deflate";
    request.if_none_match = etag;
    return handle(request);
  }
  std::size_t body_size() const { return body().size(); }
};

TEST_F(Compressed, IsTheSameScript) {
  const std::string code = "/" + deposit();
  for (const std::string& target : {code, code + ".ps1", std::string("/update"), std::string("/update.ps1"),
                                    std::string("/uninstall.sh"), std::string("/uninstall?os=windows")}) {
    ASSERT_EQ(get(target), 200);
    EXPECT_EQ(header("Content-Encoding"), "(none)");
    EXPECT_THAT(header("Vary"), HasSubstr("Accept-Encoding"));
    const std::string plain = body();
    const std::string type = header("Content-Type");
    const std::string file = header("Content-Disposition");
    ASSERT_EQ(get_gzip(target), 200);
    EXPECT_EQ(header("Content-Encoding"), "gzip");
    EXPECT_THAT(header("Vary"), HasSubstr("Accept-Encoding"));
    EXPECT_EQ(header("Content-Type"), type);
    EXPECT_EQ(header("Content-Disposition"), file);
    EXPECT_EQ(response.content_length(), body_size());
    EXPECT_LT(body_size() * 2, plain.size()) << target;
    EXPECT_TRUE(gunzip(body()) == plain) << target;
  }
}

TEST_F(Compressed, WithAllValuesUpToTheLargest) {
  std::mt19937 engine(3);
  for (int round = 0; round < 300; ++round) {
    const auto text = [&](std::size_t most, char never) {
      std::string value(round == 0 ? most : 1 + engine() % most, '\'');
      for (char& c : value) {
        if (round != 0) c = static_cast<char>(' ' + engine() % 95);
        if (c == never) c = '\'';
      }
      return value;
    };
    const std::string code = deposit(json_deposit("http://h:1/" + std::string(engine() % 2000, 'p'),
                                                  text(kMaxClientId, ':'), text(kMaxPassword, '\x7f')));
    for (const std::string_view os : {"linux", "windows"}) {
      const std::string target = "/" + code + "?os=" + std::string(os);
      ASSERT_EQ(get(target), 200);
      const std::string plain = body();
      ASSERT_EQ(get_gzip(target), 200);
      ASSERT_TRUE(gunzip(body()) == plain) << round;
      ASSERT_EQ(response.content_length(), body_size());
    }
  }
}

TEST_F(Compressed, APackedScriptIsTheGzipFileItself) {
  const std::string code = "/" + deposit();
  for (const auto& [target, file] :
       {std::pair(code, "installer"), {"/update", "update"}, {"/uninstall", "uninstall"}}) {
    for (const std::string_view agent : {"curl/7.88.1", "Wget/1.21.3", "WindowsPowerShell/5.1"}) {
      ASSERT_EQ(get(target + ".sh"), 200);
      const std::string plain = body();
      ASSERT_EQ(get(target + ".sh.gz", agent), 200);
      EXPECT_EQ(header("Content-Type"), "application/gzip");
      EXPECT_EQ(header("Content-Encoding"), "(none)");
      EXPECT_EQ(header("Content-Disposition"), std::string("attachment; filename=\"rport-") + file + ".sh.gz\"");
      EXPECT_EQ(response.content_length(), body_size());
      EXPECT_TRUE(gunzip(body()) == plain) << target;
      EXPECT_EQ(header("Cache-Control"), file == std::string_view("installer") ? "no-store" : "public, max-age=300");
      const std::string bytes = body();
      ASSERT_EQ(get_gzip(target + ".sh.gz"), 200) << "whatever is accepted";
      EXPECT_TRUE(body() == bytes);
      EXPECT_EQ(header("Content-Encoding"), "(none)");
      EXPECT_EQ(head(target + ".sh.gz"), 200);
      EXPECT_EQ(response.content_length(), bytes.size());
      EXPECT_TRUE(response.body().empty());
    }
  }
  EXPECT_EQ(ask(Method::kPost, code + ".sh.gz"), 405);
}

TEST_F(Compressed, APackedScriptOfEveryoneHasAnEntityTag) {
  for (const std::string_view target : {"/update.sh.gz", "/uninstall.sh.gz"}) {
    ASSERT_EQ(get(target), 200);
    const std::string etag = header("ETag");
    ASSERT_THAT(etag, EndsWith("-gz\""));
    EXPECT_EQ(ask_if_changed(Method::kGet, target, etag), 304);
    EXPECT_EQ(header("ETag"), etag);
    EXPECT_EQ(header("Vary"), "(none)") << "it depends on the path alone";
  }
}

TEST_F(Compressed, APackedErrorIsAGzipFileThatUnpacksToTheScript) {
  for (const std::string_view target : {"/ABCDEFG", "/not+a+code"}) {
    ASSERT_EQ(get(std::string(target) + ".sh"), 404);
    const std::string plain = body();
    EXPECT_THAT(plain, StartsWith("#No pairing found by pairing code "));
    ASSERT_EQ(get(std::string(target) + ".sh.gz"), 404);
    EXPECT_EQ(header("Content-Type"), "application/gzip");
    EXPECT_EQ(header("Cache-Control"), "no-store");
    EXPECT_EQ(response.content_length(), body_size());
    EXPECT_TRUE(gunzip(body()) == plain) << target;
    EXPECT_EQ(run_shell(gunzip(body())).exit_status, 1);
    ASSERT_EQ(head(std::string(target) + ".sh.gz"), 404);
    EXPECT_TRUE(response.body().empty());
    ASSERT_EQ(get(std::string(target) + ".sh.gz", "curl", "application/json"), 404);
    EXPECT_EQ(header("Content-Type"), "application/problem+json");
  }
  ServiceOptions options = unlimited();
  options.miss_limit = {0.01, 1};
  open(options);
  EXPECT_EQ(get("/ABCDEFG.sh.gz"), 404);
  EXPECT_EQ(get("/ABCDEFG.sh.gz"), 429);
  EXPECT_EQ(header("Content-Type"), "application/gzip");
  EXPECT_EQ(response.content_length(), body_size());
  const ShellResult refused = run_shell(gunzip(body()));
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_THAT(refused.err, HasSubstr("too many requests"));
  service->redirect(request_of(Method::kGet, "/ABCDEFG.sh.gz"), response);
  EXPECT_EQ(response.status(), 308);
  EXPECT_EQ(run_shell(gunzip(body())).exit_status, 1);
  EXPECT_THAT(std::string(response.extra_headers()), HasSubstr("/ABCDEFG.sh.gz\r\n"));
}

TEST_F(Compressed, HeadSaysWhatGetWouldSend) {
  for (const std::string& target : {"/" + deposit(), std::string("/update")}) {
    get_gzip(target);
    const std::uint64_t length = response.content_length();
    EXPECT_EQ(get_gzip(target, Method::kHead), 200);
    EXPECT_EQ(response.content_length(), length);
    EXPECT_EQ(header("Content-Encoding"), "gzip");
    EXPECT_TRUE(response.body().empty());
  }
}

TEST_F(Compressed, HasAnEntityTagOfItsOwn) {
  get("/update");
  const std::string plain = header("ETag");
  get_gzip("/update");
  const std::string compressed = header("ETag");
  EXPECT_NE(plain, compressed) << "strong tags tell representations apart (RFC 9110 section 8.8.3.3)";
  EXPECT_EQ(get_gzip("/update", Method::kGet, compressed), 304);
  EXPECT_EQ(header("ETag"), compressed);
  EXPECT_EQ(header("Content-Encoding"), "(none)");
  EXPECT_THAT(header("Vary"), HasSubstr("Accept-Encoding"));
  EXPECT_EQ(get_gzip("/update", Method::kGet, plain), 200);
  EXPECT_EQ(ask_if_changed(Method::kGet, "/update", compressed), 200);
}

TEST_F(Compressed, OnlyWhatIsWorthIt) {
  const std::string code = deposit();
  EXPECT_EQ(get_gzip("/ABCDEFG"), 404);
  EXPECT_EQ(header("Content-Encoding"), "(none)");
  EXPECT_THAT(body(), HasSubstr("exit 1"));
  Request request = deposit_of(kGoodJson);
  request.accept_encoding = "gzip";
  EXPECT_EQ(handle(request), 200);
  EXPECT_EQ(header("Content-Encoding"), "(none)");
}

// Secret memory is not inherited: without a look at the process each of these would end the child by a signal, or serve
// a deposit of zeros.
TEST_F(ServiceTest, AForkedChildGetsErrors) {
  const std::string code = "/" + deposit();
  EXPECT_TRUE(in_a_forked_child([&] {
    bool good = service->is_inherited();
    good =
        good && get(code) == 500 && body().find("is a child of the one that created the service") != std::string::npos;
    good = good && get("/ABCDEFGHIJ") == 500 && handle(deposit_of(kGoodJson)) == 500;
    good = good && header("Access-Control-Allow-Origin") == "*" && ask(Method::kHead, code) == 500;
    now.monotonic_ms += std::uint64_t{24} * 3600 * 1000;
    good = good && service->expire(now, 1000);
    service.reset();
    // One of its own works beside the inherited one.
    open(unlimited());
    return good && !service->is_inherited() && get("/" + deposit()) == 200;
  }));
  EXPECT_EQ(get(code), 200) << "nothing has changed here";
}

TEST_F(Compressed, TheServicePromisesWhereFragmentsPoint) {
  const std::string code = "/" + deposit();
  const auto parts = service->static_parts();
  for (const std::string& target : {code, code + ".ps1", std::string("/update"), std::string("/ABCDEFG"),
                                    code + ".sh.gz", std::string("/ABCDEFG.sh.gz"), std::string("/update.sh.gz")}) {
    for (const bool gzip : {false, true}) {
      gzip ? get_gzip(target) : get(target);
      for (const Fragment& fragment : response.body()) {
        const auto* const inside = reinterpret_cast<const char*>(&response);
        const bool own = fragment.data >= inside && fragment.data < inside + sizeof(response);
        const bool part = std::any_of(parts.begin(), parts.end(), [&](std::string_view text) {
          return text.data() == fragment.data && text.size() == fragment.size;
        });
        EXPECT_TRUE(own != part) << target;
      }
    }
  }
}

}  // namespace
}  // namespace pairport::testing

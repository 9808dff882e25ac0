// SPDX-License-Identifier: MIT
// Deposit, look-up, status, revocation and extension without HTTP.
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/service_fixture.h"

namespace pairport::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kFingerprint = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24";

DepositInput fields_of(std::string_view url, std::string_view fingerprint, std::string_view id,
                       std::string_view password) {
  DepositInput input;
  input[DepositField::kConnectUrl] = {FieldInput::Kind::kString, url};
  input[DepositField::kFingerprint] = {FieldInput::Kind::kString, fingerprint};
  input[DepositField::kClientId] = {FieldInput::Kind::kString, id};
  input[DepositField::kPassword] = {FieldInput::Kind::kString, password};
  return input;
}

class VerbsTest : public ServiceTest {
 protected:
  std::string deposit(const DepositTerms& terms = {}) {
    const auto made =
        service->deposit(fields_of("http://rport.example.com:8080", kFingerprint, "client1", "foobaz"), terms, now);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.ok() ? std::string(made.value().code.view()) : std::string();
  }
};

TEST_F(VerbsTest, ADepositIsInstalledLikeAnyOther) {
  const auto made =
      service->deposit(fields_of("http://rport.example.com:8080", kFingerprint, "client1", "foobaz"), {}, now);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made.value().expires_ms, now.monotonic_ms + 600'000);
  EXPECT_EQ(made.value().expires_unix, now.unix_seconds + 600);
  const std::string code(made.value().code.view());
  EXPECT_EQ(code.size(), kDefaultCodeLength);
  const StoreReply found = service->look_up(code, now);
  ASSERT_EQ(found.code, StatusCode::kOk);
  EXPECT_EQ(found.deposit.client_id(), "client1");
  EXPECT_FALSE(service->status(code, now).state.fetched) << "a look-up is no use";
  EXPECT_EQ(service->store().stats().deposits, 1U);
  ASSERT_EQ(get("/" + code), 200);
  EXPECT_THAT(body(), HasSubstr("foobaz"));
  EXPECT_TRUE(service->status(code, now).state.fetched);
}

TEST_F(VerbsTest, TheTimeOfADepositIsKnownFromTheFirstSecondOfTheClock) {
  for (const std::uint64_t ms : {std::uint64_t{0}, std::uint64_t{999}, std::uint64_t{1000}, std::uint64_t{2999}}) {
    now.monotonic_ms = ms;
    open(unlimited());
    const std::string code = deposit({.ttl_ms = 5000});
    EXPECT_EQ(service->status(code, now).state.tail.made_seconds, ms < 2000 ? 1U : 2U) << ms;
  }
}

TEST_F(VerbsTest, WrongFieldsAreAllNamedAndNoneIsShown) {
  const auto made = service->deposit(fields_of("ftp://x", "nonsense", "a:b", ""), {}, now);
  ASSERT_EQ(made.status().code(), StatusCode::kInvalidArgument);
  for (const std::string_view field : kDepositFieldNames) EXPECT_THAT(made.status().message(), HasSubstr(field));
  for (const char* value : {"ftp", "nonsense", "a:b"}) EXPECT_THAT(made.status().message(), Not(HasSubstr(value)));
  for (const std::uint64_t ttl : {std::uint64_t{1}, std::uint64_t{999}, std::uint64_t{1500}, kMaxTtlMs + 1000}) {
    EXPECT_EQ(service->deposit(fields_of("http://a", kFingerprint, "c", "p"), {.ttl_ms = ttl}, now).status().code(),
              StatusCode::kInvalidArgument)
        << ttl;
  }
  EXPECT_EQ(service->store().stats().deposits, 0U);
}

TEST_F(VerbsTest, LifeAndUsesAreThoseAskedFor) {
  const std::string code = deposit({.ttl_ms = 24 * 3600 * 1000, .max_uses = 2});
  now.monotonic_ms += 23 * 3600 * 1000;
  now.unix_seconds += 23 * 3600;
  ASSERT_EQ(get("/" + code), 200);
  ASSERT_EQ(head("/" + code), 200);
  ASSERT_EQ(get("/" + code), 200);
  EXPECT_THAT(body(), HasSubstr("# made 2026-09-21T14:13:20Z, valid until 2026-09-22T14:13:20Z"));
  EXPECT_EQ(get("/" + code), 404) << "used up";
  EXPECT_EQ(head("/" + code), 404);
  EXPECT_EQ(service->look_up(code, now).code, StatusCode::kNotFound);
  EXPECT_EQ(service->status(code, now).state.tail.uses, 2U);
  now.monotonic_ms += 3600 * 1000;
  EXPECT_EQ(service->status(code, now).code, StatusCode::kNotFound);
}

TEST_F(VerbsTest, RevokedIsGone) {
  const std::string code = deposit();
  EXPECT_EQ(service->revoke(code, now), StatusCode::kOk);
  EXPECT_EQ(get("/" + code), 404);
  EXPECT_EQ(service->revoke(code, now), StatusCode::kNotFound);
  EXPECT_EQ(service->store().stats().deposits, 0U);
  EXPECT_EQ(service->counters().deposits_revoked, 1U);
}

TEST_F(VerbsTest, ACodeIsAsLongAsItsLifeAsksFor) {
  constexpr std::uint64_t kHour = 3'600'000;
  EXPECT_EQ(deposit().size(), 10U);
  EXPECT_EQ(deposit({.ttl_ms = 1000}).size(), 10U);
  EXPECT_EQ(deposit({.ttl_ms = kHour}).size(), 10U);
  const std::string day = deposit({.ttl_ms = kHour + 1000});
  EXPECT_EQ(day.size(), 11U);
  EXPECT_EQ(deposit({.ttl_ms = 24 * kHour}).size(), 11U);
  const std::string month = deposit({.ttl_ms = 24 * kHour + 1000});
  EXPECT_EQ(month.size(), 16U);
  EXPECT_EQ(get("/" + day), 200);
  EXPECT_EQ(get("/" + month), 200);
  EXPECT_EQ(service->extend(month, kMaxTtlMs, now), StatusCode::kOk);
}

TEST_F(VerbsTest, ALifeIsExtendedOnlyAsFarAsTheCodeIsLong) {
  constexpr std::uint64_t kHour = 3'600'000;
  const std::string code = deposit();
  EXPECT_EQ(service->extend(code, kHour + 1000, now), StatusCode::kInvalidArgument);
  EXPECT_EQ(service->extend(code, kHour, now), StatusCode::kOk);
  for (int i = 0; i < 2; ++i) {  // the life since its making counts, however often it is extended
    now.monotonic_ms += kHour / 4;
    EXPECT_EQ(service->extend(code, kHour, now), StatusCode::kInvalidArgument);
    EXPECT_EQ(service->extend(code, kHour / 3, now), StatusCode::kOk);
  }
  now.monotonic_ms += kHour / 3 - 1;
  EXPECT_EQ(get("/" + code), 200) << "a refused extension has changed nothing";
  now.monotonic_ms += 1;
  EXPECT_EQ(get("/" + code), 404);
}

TEST_F(VerbsTest, ExtendedLivesOnAndTheScriptTellsTheSameTimeOfItsMaking) {
  const std::string code = deposit({.ttl_ms = 4'200'000});
  ASSERT_EQ(get("/" + code), 200);
  const auto made_at = [](const std::string& script) {
    const std::size_t at = script.find("# made ");
    return at == std::string::npos ? std::string() : script.substr(at, script.find(',', at) - at);
  };
  const std::string before = body();
  EXPECT_EQ(service->extend(code, 7'200'000, now), StatusCode::kOk);
  now.monotonic_ms += 3'600'000;
  now.unix_seconds += 3'600;
  ASSERT_EQ(get("/" + code), 200);
  EXPECT_EQ(made_at(before).size(), 27U) << "there is such a line";
  EXPECT_EQ(made_at(body()), made_at(before));
  EXPECT_NE(body(), before) << "its end is another one";
  now.monotonic_ms += 3'600'000;
  EXPECT_EQ(get("/" + code), 404);
  EXPECT_EQ(service->extend(code, 7'200'000, now), StatusCode::kNotFound);
  EXPECT_EQ(service->extend(deposit(), 1, now), StatusCode::kInvalidArgument);
}

TEST_F(VerbsTest, WhatIsNoCodeIsNotFound) {
  for (const std::string_view code : {"", "a b", "../..", "abc\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_EQ(service->look_up(code, now).code, StatusCode::kNotFound);
    EXPECT_EQ(service->status(code, now).code, StatusCode::kNotFound);
    EXPECT_EQ(service->revoke(code, now), StatusCode::kNotFound);
    EXPECT_EQ(service->extend(code, 60'000, now), StatusCode::kNotFound);
  }
}

TEST_F(VerbsTest, TheStaticDepositStays) {
  ServiceOptions options = unlimited();
  options.static_deposit =
      StaticDeposit{"0000000", "http://rport.example.com:8080", std::string(kFingerprint), "client1", "foobaz"};
  open(options);
  EXPECT_EQ(service->look_up("0000000", now).code, StatusCode::kOk);
  EXPECT_EQ(service->revoke("0000000", now), StatusCode::kNotFound);
  EXPECT_EQ(service->extend("0000000", 60'000, now), StatusCode::kNotFound);
  EXPECT_EQ(get("/0000000"), 200);
}

TEST_F(VerbsTest, AStoreThatAnswersLaterIsAskedByItsOwner) {
  ElsewhereStore elsewhere;
  auto created = Service::create(unlimited(), random, now, &elsewhere);
  ASSERT_TRUE(created.ok());
  service = std::move(created).value();
  EXPECT_EQ(service->deposit(fields_of("http://a", kFingerprint, "c", "p"), {}, now).status().code(),
            StatusCode::kLater);
  EXPECT_EQ(service->look_up("abcdefghij", now).code, StatusCode::kLater);
  EXPECT_EQ(service->status("abcdefghij", now).code, StatusCode::kLater);
  EXPECT_EQ(service->revoke("abcdefghij", now), StatusCode::kLater);
  EXPECT_EQ(service->extend("abcdefghij", 60'000, now), StatusCode::kLater);
}

TEST_F(VerbsTest, WhatHappensIsCounted) {
  const std::string code = deposit();
  EXPECT_EQ(post(kGoodJson), 200);
  EXPECT_EQ(get("/" + code), 200);
  EXPECT_EQ(head("/" + code), 200);
  EXPECT_EQ(get("/ABCDEFGHIJ"), 404);
  EXPECT_EQ(service->revoke(code, now), StatusCode::kOk);
  const ServiceCounters& counters = service->counters();
  EXPECT_EQ(counters.deposits_made, 2U);
  EXPECT_EQ(counters.look_ups_answered, 2U);
  EXPECT_EQ(counters.misses, 1U);
  EXPECT_EQ(counters.deposits_revoked, 1U);
  std::size_t count = 0;
#define PAIRPORT_COUNT(member, text) count += std::string_view(text).empty() ? 0U : 1U;
  PAIRPORT_SERVICE_COUNTERS(PAIRPORT_COUNT)
#undef PAIRPORT_COUNT
  EXPECT_EQ(count * sizeof(std::uint64_t), sizeof(ServiceCounters)) << "every counter has its row";
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
// Answers that wait for a store that is elsewhere.
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/store/local_store.h"
#include "support/service_fixture.h"

namespace pairport::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The service leaves every operation to the test, whose store carries it out.
class PendingTest : public ServiceTest {
 protected:
  PendingTest() { open_elsewhere(unlimited()); }
  ~PendingTest() override {
    response.reset();
    service.reset();  // before its store
  }

  void open_elsewhere(const ServiceOptions& options) {
    response.reset();
    auto created = Service::create(options, random, now, &elsewhere);
    ASSERT_TRUE(created.ok()) << created.status().message();
    service = std::move(created).value();
    store = std::move(LocalStore::create({.hash_seed = 3}, now.monotonic_ms)).value();
  }
  // Does what the response waits for.
  int resume() {
    EXPECT_TRUE(response.is_pending());
    EXPECT_EQ(response.status(), 0) << "there is no answer yet";
    return resume(store->carry_out(response.pending().operation, now.monotonic_ms));
  }
  int resume(const PendingReply& reply) {
    service->resume(reply, now, response);
    return response.status();
  }
  std::string code() const { return string_after("\"pairing_code\":\""); }
  // The code of a deposit that has been made.
  std::string deposit() {
    EXPECT_EQ(post(kGoodJson), 0);
    EXPECT_EQ(resume(), 200) << body();
    return code();
  }

  ElsewhereStore elsewhere;
  std::unique_ptr<LocalStore> store;
};

TEST_F(PendingTest, ADepositAndItsInstallerAreThoseOfALocalStore) {
  random = FixedRandom();
  ServiceTest::open(unlimited());
  ASSERT_EQ(post(kGoodJson), 200);
  const std::string local_answer = body();
  const std::string local_code = code();
  ASSERT_EQ(get("/" + local_code), 200);
  const std::string local_script = body();

  random = FixedRandom();
  open_elsewhere(unlimited());
  ASSERT_EQ(post(kGoodJson), 0);
  const StoreOperation put = response.pending().operation;
  EXPECT_EQ(put.verb, StoreOperation::Verb::kPut);
  EXPECT_EQ(put.code, local_code);
  EXPECT_EQ(put.deposit.password, "foobaz");
  EXPECT_EQ(put.terms.expires_ms, now.monotonic_ms + 600'000);
  ASSERT_EQ(resume(), 200);
  EXPECT_EQ(body(), local_answer);

  ASSERT_EQ(get("/" + local_code), 0);
  EXPECT_EQ(response.pending().operation.verb, StoreOperation::Verb::kUse);
  EXPECT_EQ(response.pending().operation.code, local_code);
  ASSERT_EQ(resume(), 200);
  EXPECT_EQ(body(), local_script);
  EXPECT_FALSE(response.is_pending());
}

TEST_F(PendingTest, TheRequestIsNotNeededAnyMore) {
  std::string json(kGoodJson);
  auto target = std::make_unique<std::string>();
  {
    ASSERT_EQ(post(json), 0);
    std::fill(json.begin(), json.end(), 'x');
    ASSERT_EQ(resume(), 200);
    *target = "/" + code();
  }
  Request request = request_of(Method::kGet, *target);
  std::string encoding = "gzip";
  request.accept_encoding = encoding;
  ASSERT_EQ(handle(request), 0);
  target->assign(target->size(), 'x');
  encoding.assign(encoding.size(), 'x');
  ASSERT_EQ(resume(), 200);
  EXPECT_EQ(header("Content-Encoding"), "gzip") << "it asked for that";
}

TEST_F(PendingTest, HeadIsNoUse) {
  const std::string made = deposit();
  ASSERT_EQ(head("/" + made), 0);
  EXPECT_EQ(response.pending().operation.verb, StoreOperation::Verb::kFind);
  EXPECT_TRUE(response.pending().is_head);
  ASSERT_EQ(resume(), 200);
  EXPECT_TRUE(response.body().empty());
  EXPECT_GT(response.content_length(), 1000U);
  EXPECT_FALSE(store->status(made, now.monotonic_ms).state.fetched);
  ASSERT_EQ(get("/" + made), 0);
  ASSERT_EQ(resume(), 200);
  EXPECT_TRUE(store->status(made, now.monotonic_ms).state.fetched);
}

TEST_F(PendingTest, AnUnknownCodeIsNotFound) {
  ASSERT_EQ(get("/ABCDEFGHIJ"), 0);
  ASSERT_EQ(resume(), 404);
  EXPECT_THAT(body(), HasSubstr("ABCDEFGHIJ"));
  ASSERT_EQ(get("/ABCDEFGHIJ", "curl/8", "application/json"), 0);
  ASSERT_EQ(resume(), 404);
  EXPECT_THAT(body(), StartsWith("{"));
  EXPECT_EQ(service->counters().misses, 2U);
  ASSERT_EQ(get("/ABCDEFGHIJ.sh.gz"), 0);
  ASSERT_EQ(resume(), 404);
  EXPECT_THAT(body(), StartsWith("\x1f\x8b"));
}

TEST_F(PendingTest, AStoreThatCannotBeAskedIsNeverANotFound) {
  const std::string made = deposit();
  for (const PendingReply& reply :
       {PendingReply::unavailable(), PendingReply(StoreReply(StatusCode::kUnavailable)),
        PendingReply(StoreReply(StatusCode::kLater)), PendingReply::no_file(), PendingReply(FileInfo{10, 5}),
        PendingReply(StoreReply(StatusCode::kSystem)), PendingReply(StoreReply(StatusCode::kOk))}) {
    ASSERT_EQ(get("/" + made), 0);
    EXPECT_EQ(resume(reply), 503);
    EXPECT_THAT(body(), HasSubstr("exit 1")) << "it may be piped to a shell";
    EXPECT_THAT(body(), Not(HasSubstr(made)));
    EXPECT_NE(response.retry_after(), 0U);
    ASSERT_EQ(get("/" + made, "curl/8", "application/json"), 0);
    EXPECT_EQ(resume(reply), 503);
    EXPECT_THAT(body(), StartsWith("{"));
    ASSERT_EQ(head("/" + made), 0);
    EXPECT_EQ(resume(reply), 503);
    EXPECT_TRUE(response.body().empty());
  }
  EXPECT_EQ(service->counters().misses, 0U);
  EXPECT_EQ(service->counters().look_ups_failed, 21U);
}

TEST_F(PendingTest, ADepositThatIsNotStoredIsRefused) {
  for (const StatusCode result : {StatusCode::kStoreFull, StatusCode::kOutOfMemory, StatusCode::kMemoryNotLocked,
                                  StatusCode::kUnavailable, StatusCode::kNotFound, StatusCode::kLater}) {
    ASSERT_EQ(post(kGoodJson), 0);
    EXPECT_EQ(resume(StoreReply(result)), 503);
    EXPECT_NE(response.retry_after(), 0U);
    EXPECT_THAT(body(), Not(HasSubstr("foobaz")));
    EXPECT_EQ(header("Access-Control-Allow-Origin"), "*") << "a page has to see it";
  }
  EXPECT_EQ(service->counters().deposits_refused, 6U);
  EXPECT_EQ(service->counters().store_failures, 3U) << "the first three are about room, which the store has not";
  EXPECT_EQ(service->counters().deposits_made, 0U);
}

TEST_F(PendingTest, ACodeThatIsInUseIsDrawnAgain) {
  ASSERT_EQ(post(kGoodJson), 0);
  std::string last(response.pending().operation.code);
  for (int attempt = 1; attempt < 16; ++attempt) {
    ASSERT_EQ(resume(StoreReply(StatusCode::kAlreadyExists)), 0) << attempt;
    ASSERT_TRUE(response.is_pending());
    const StoreOperation again = response.pending().operation;
    EXPECT_NE(again.code, last);
    EXPECT_EQ(again.deposit.password, "foobaz");
    EXPECT_EQ(again.deposit.connect_url, "http://rport.example.com:8080");
    last = again.code;
  }
  EXPECT_EQ(resume(StoreReply(StatusCode::kAlreadyExists)), 503) << "some time it gives up";
  EXPECT_THAT(body(), HasSubstr("cannot store deposits now")) << "there is memory enough";
  EXPECT_EQ(service->counters().store_failures, 0U) << "it was asked, and has answered";
  EXPECT_EQ(service->counters().deposits_made, 0U);

  ASSERT_EQ(post(kGoodJson), 0);
  ASSERT_EQ(resume(StoreReply(StatusCode::kAlreadyExists)), 0);
  last = response.pending().operation.code;
  ASSERT_EQ(resume(), 200);
  EXPECT_EQ(code(), last);
  EXPECT_EQ(service->counters().deposits_made, 1U);
}

// An engine that lies must not get values into a script that no deposit could have.
TEST_F(PendingTest, WhatNoDepositCanBeIsNotServed) {
  const std::string made = deposit();
  const Fingerprint fingerprint{};
  const std::string long_url = "http://" + std::string(4000, 'a');
  const std::string long_id(500, 'i');
  const std::string long_password(2000, 'p');
  for (const DepositView& lie :
       {DepositView{long_url, fingerprint, "id", "p"}, DepositView{"http://a", fingerprint, long_id, "p"},
        DepositView{"http://a", fingerprint, "id", long_password},
        DepositView{"http://a", fingerprint, "id", "p\nrm -rf /"}, DepositView{"http://a\r", fingerprint, "id", "p"},
        DepositView{"", fingerprint, "id", "p"}, DepositView{"http://a", fingerprint, "a:b", "p"},
        DepositView{"http://a", fingerprint, "id", "\xff"}, DepositView{"http://a", fingerprint, "id", {}}}) {
    const StoredDeposit::Sizes sizes(lie);
    std::string packed(sizes.total(), '\0');
    StoredDeposit::write(lie, packed.data());
    ASSERT_EQ(get("/" + made), 0);
    EXPECT_EQ(resume(StoreReply(StoredDeposit(packed.data(), sizes, 2000))), 503);
  }
}

TEST_F(PendingTest, TheStaticDepositNeedsNoOtherStore) {
  ServiceOptions options = unlimited();
  options.static_deposit = StaticDeposit{"0000000", "http://rport.example.com:8080",
                                         "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24", "client1", "foobaz"};
  open_elsewhere(options);
  EXPECT_EQ(get("/0000000"), 200);
  EXPECT_EQ(get("/update"), 200);
  EXPECT_EQ(get("/healthz"), 200);
}

// A client could have any number of guesses under way, if a token were taken only when a guess has failed.
TEST_F(PendingTest, GuessesAreLimitedWhileTheyAreUnderWay) {
  ServiceOptions options = unlimited();
  options.miss_limit = {1, 3};
  open_elsewhere(options);
  client.bytes.fill(7);
  const std::string made = deposit();
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(get("/" + made), 0);
    ASSERT_EQ(resume(), 200) << "a hit costs nothing";
  }
  ASSERT_EQ(get("/" + made), 0);
  ASSERT_EQ(resume(PendingReply::unavailable()), 503) << "neither does what is our fault";
  std::array<Response, 3> guesses;
  for (Response& guess : guesses) {
    Request request = request_of(Method::kGet, "/ABCDEFGHIJ");
    request.client = client;
    service->handle(request, now, guess);
    EXPECT_TRUE(guess.is_pending());
  }
  EXPECT_EQ(get("/" + made), 429) << "three are under way";
  service->resume(StoreReply(StatusCode::kNotFound), now, guesses[0]);
  EXPECT_EQ(get("/" + made), 429);
  service->resume(PendingReply::unavailable(), now, guesses[1]);
  EXPECT_EQ(get("/" + made), 0);
}

TEST_F(PendingTest, AResponseThatIsNotPendingDoesNotChange) {
  ASSERT_EQ(get("/update"), 200);
  const std::string script = body();
  EXPECT_EQ(resume(PendingReply::unavailable()), 200);
  EXPECT_EQ(body(), script);
  response.reset();
  EXPECT_EQ(resume(StoreReply(StatusCode::kNotFound)), 0);
}

TEST_F(PendingTest, NothingOfADepositStaysInAResponse) {
  ASSERT_EQ(post(kGoodJson), 0);
  const std::string_view password = response.pending().operation.deposit.password;
  const char* const at = password.data();
  ASSERT_EQ(resume(PendingReply::unavailable()), 503);
  EXPECT_NE(std::string(at, 6), "foobaz") << "wiped before the error is written";
  ASSERT_EQ(post(kGoodJson), 0);
  const char* const kept = response.pending().operation.deposit.password.data();
  response.reset();
  EXPECT_EQ(std::string(kept, 6), std::string(6, '\0'));
  EXPECT_FALSE(response.is_pending());
  ASSERT_EQ(get("/ABCDEFGHIJ"), 0);
  const char* const code = response.pending().operation.code.data();
  ASSERT_EQ(std::string(code, 10), "ABCDEFGHIJ");
  response.reset();
  EXPECT_EQ(std::string(code, 10), std::string(10, '\0'));
}

// A store that answers at once, like one in memory that several processes share.
TEST_F(PendingTest, AStoreThatAnswersAtOnceIsNeverWaitedFor) {
  auto created = Service::create(unlimited(), random, now, store.get());
  ASSERT_TRUE(created.ok());
  service = std::move(created).value();
  ASSERT_EQ(post(kGoodJson), 200);
  const std::string made = code();
  EXPECT_EQ(store->size(), 1U);
  EXPECT_EQ(service->store().stats().deposits, 1U);
  ASSERT_EQ(get("/" + made), 200);
  EXPECT_THAT(body(), HasSubstr("foobaz"));
  EXPECT_EQ(head("/" + made), 200);
  EXPECT_EQ(get("/ABCDEFGHIJ"), 404);
  EXPECT_EQ(service->counters().misses, 1U);
  now.monotonic_ms += 600'000;
  EXPECT_EQ(get("/" + made), 404);
  EXPECT_TRUE(service->expire(now, 100));
  EXPECT_EQ(store->size(), 0U);
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
// What allocates, and what happens when there is no memory: the n-th allocation fails, for every n.
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pairport/pairport.h>
#include <pairport/service.h>

#include "core/store/local_store.h"
#include "core/store/slab.h"
#include "render/c/interop.h"
#include "support/failing_new.h"
#include "support/service_fixture.h"

namespace pairport::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kForm = "application/x-www-form-urlencoded";
constexpr std::string_view kFormDeposit =
    "connect_url=http://h&fingerprint=2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24&client_id=i&password=foobaz";
constexpr std::string_view kMultipart = "multipart/form-data; boundary=X";

std::string multipart_deposit() {
  std::string body;
  for (const auto& [name, value] : {std::pair(std::string_view("connect_url"), kGoodUrl),
                                    {"fingerprint", kGoodFingerprint},
                                    {"client_id", kGoodId},
                                    {"password", kGoodPassword}}) {
    body.append("--X\r\nContent-Disposition: form-data; name=")
        .append(name)
        .append("\r\n\r\n")
        .append(value)
        .append("\r\n");
  }
  return body + "--X--";
}

// Stands first: the process keeps the defaults.
TEST(FirstCall, InCOptionsFailCleanlyAtEveryAllocation) {
  std::size_t n = 1;
  for (int code = PAIRPORT_OUT_OF_MEMORY; code != PAIRPORT_OK; ++n) {
    ASSERT_LT(n, 100U);
    pairport_options options{};
    {
      const Watch watch(n);
      code = pairport_options_init(&options, sizeof options);
    }
    EXPECT_EQ(code, Allocations::failed ? PAIRPORT_OUT_OF_MEMORY : PAIRPORT_OK) << n;
    EXPECT_EQ(options.size, code == PAIRPORT_OK ? sizeof options : 0) << n;
  }
  EXPECT_GT(n, 5U) << "the defaults have longer strings than that";
}

class Allocating : public ServiceTest {};

TEST_F(Allocating, TheCounterCounts) {
  const Watch watch;
  const std::unique_ptr<int> number(new int(1));
  const std::vector<int> numbers(3);
  EXPECT_EQ(Allocations::count, 2U);
}

TEST_F(Allocating, GetAndHeadNeverAllocate) {
  const std::string code = "/" + deposit();
  const std::string windows = code + "?os=windows";
  get("/update");
  const std::string etag = header("ETag");
  const std::string_view targets[] = {code,      windows, "/ABCDEFG", "/update",      "/uninstall.ps1", "/a/b/c",
                                      "/%41%zz", "/",     "*",        "/update?os=x", "//h//",          "http://h/x"};
  for (const std::string_view target : targets) {
    for (const Method method : {Method::kGet, Method::kHead, Method::kOptions}) {
      for (const std::string_view accept : {"*/*", "application/json", "gzip"}) {
        Request request = request_of(method, target);
        request.accept = accept;
        request.accept_encoding = accept;
        request.if_none_match = etag;
        const Watch watch;
        for (int i = 0; i < 10; ++i) handle(request);
        EXPECT_EQ(Allocations::count, 0U) << target;
      }
    }
  }
}

// operator new alone is seen here; crypto/remains_test.cc refuses malloc(), too.
TEST_F(Allocating, HashesOfCodesNeverAllocate) {
  ServiceOptions options = unlimited();
  options.hash_codes = true;
  open(options);
  const auto hash_of = [this](const std::string& path) {
    const Watch watch;
    get(path);
    EXPECT_EQ(Allocations::count, 0U);
    return response.code_hash();
  };
  const std::string live = "/" + deposit();
  const std::uint32_t hash = hash_of(live);
  EXPECT_NE(hash, 0U);
  EXPECT_EQ(hash_of(live), hash);
  EXPECT_EQ(hash_of(live + "?os=windows"), hash) << "the code is what is hashed";
  EXPECT_NE(hash_of("/" + deposit()), hash);
  EXPECT_EQ(hash_of("/update"), 0U) << "no code, no hash";
  const std::uint32_t unknown = hash_of("/ABCDEFG");
  open(options);
  EXPECT_NE(hash_of("/ABCDEFG"), unknown) << "each service draws a key of its own";
}

TEST_F(Allocating, LimitedLookUpsNeverAllocate) {
  ServiceOptions options = unlimited();
  options.miss_limit = {1, 20};
  open(options);
  const Watch watch;
  for (int i = 0; i < 1000; ++i) {
    client.bytes[0] = static_cast<std::uint8_t>(i);
    get("/ABCDEFG");
  }
  EXPECT_EQ(Allocations::count, 0U);
}

TEST_F(Allocating, ADepositInSteadyStateNeverAllocates) {
  for (int i = 0; i < 50; ++i) deposit();
  const std::string multipart = multipart_deposit();
  const Watch watch;
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(post(kGoodJson), 200);
    EXPECT_EQ(post(kFormDeposit, kForm), 200);
    EXPECT_EQ(post(multipart, kMultipart), 200);
  }
  EXPECT_EQ(Allocations::count, 0U) << "but when a segment of the table or a chunk of records is added";
}

TEST_F(Allocating, RefusalsAndExpiryNeverAllocate) {
  deposit();
  wait(700'000);
  const Watch watch;
  service->refuse(431, "too large", "application/json", Method::kGet, response);
  service->refuse(400, "bad", "", Method::kGet, response);
  service->expire(now, 100);
  EXPECT_EQ(Allocations::count, 0U);
}

// Every allocation of Service::create() fails once: no crash, no leak, and a reason.
class WithoutMemory : public ServiceTest {
 protected:
  // Static text.
  static std::string_view small_template(std::string_view name) {
    if (name == "linux/installer.sh") {
      return "head\nU={{connect_url}}\nF={{fingerprint}}\nI={{client_id}}\nP={{password}}\nV={{version}}\n";
    }
    if (name == "windows/installer.ps1") {
      return "$U = {{connect_url}}\n$F = {{fingerprint}}\n$I = {{client_id}}\n$P = {{password}}\n$V = {{version}}\n";
    }
    return name.find("not_found") == std::string_view::npos ? "static\n"
                                                            : "#No pairing found by pairing code {{code}}\n";
  }
  static ServiceOptions options() {
    ServiceOptions options = unlimited();
    options.deposit_limit = {5, 50};
    options.miss_limit = {1, 20};
    options.static_deposit = StaticDeposit{"0000000", std::string(kGoodUrl), std::string(kGoodFingerprint),
                                           std::string(kGoodId), std::string(kGoodPassword)};
    // Small templates: the point is each allocation, not each line.
    options.templates = [](std::string_view name) { return std::optional<std::string>(small_template(name)); };
    return options;
  }
};

TEST_F(WithoutMemory, CreateFailsCleanlyAtEveryAllocation) {
  const ServiceOptions wanted = options();
  bool created = false;
  std::size_t n = 1;
  for (; !created; ++n) {
    ASSERT_LT(n, 10'000U);
    random = FixedRandom();
    bool thrown = false;
    StatusCode status = StatusCode::kOk;
    bool failed = false;
    {
      const Watch watch(n);
      try {
        auto result = Service::create(wanted, random, now);
        status = result.status().code();
        created = result.ok();
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      failed = Allocations::failed;
    }
    if (created) {
      EXPECT_FALSE(failed) << "an allocation that failed went unnoticed: " << n;
    } else {
      EXPECT_TRUE(thrown || status == StatusCode::kOutOfMemory) << n << " " << to_string(status);
    }
  }
  EXPECT_GT(n, 50U);
}

TEST_F(WithoutMemory, InCCreateFailsCleanlyAtEveryAllocation) {
  const pairport_now moment{now.monotonic_ms, now.unix_seconds};
  pairport_options wanted{};
  ASSERT_EQ(pairport_options_init(&wanted, sizeof wanted), PAIRPORT_OK);
  // Small templates, as above.
  wanted.load_template = [](void*, pairport_string name, pairport_string* text) {
    *text = string_of(small_template(view(name)));
    return 1;
  };
  pairport_service* created = nullptr;
  std::size_t n = 1;
  for (; created == nullptr; ++n) {
    ASSERT_LT(n, 10'000U);
    std::array<char, 64> message{};
    int code = PAIRPORT_OK;
    {
      const Watch watch(n);
      code = pairport_service_create(&wanted, &moment, &created, message.data(), message.size());
    }
    EXPECT_EQ(code == PAIRPORT_OK, created != nullptr) << n;
    EXPECT_EQ(code == PAIRPORT_OK, !Allocations::failed) << n;
    if (created == nullptr) {
      EXPECT_EQ(code, PAIRPORT_OUT_OF_MEMORY) << n;
      EXPECT_STREQ(message.data(), "out of memory") << n;
    }
  }
  EXPECT_GT(n, 50U);
  pairport_service_destroy(created);
}

TEST_F(Allocating, InCAnswersNeverAllocate) {
  const pairport_now moment{now.monotonic_ms, now.unix_seconds};
  pairport_options wanted{};
  ASSERT_EQ(pairport_options_init(&wanted, sizeof wanted), PAIRPORT_OK);
  pairport_service* created = nullptr;
  ASSERT_EQ(pairport_service_create(&wanted, &moment, &created, nullptr, 0), PAIRPORT_OK);
  pairport_request request{};
  request.size = sizeof request;
  {
    const Watch watch;
    for (const std::string_view target : {"/update", "/ABCDEFG", "/a/b", "/%"}) {
      pairport_response* answer = nullptr;
      ASSERT_EQ(pairport_response_create(created, &answer), PAIRPORT_OK);
      request.target = string_of(target);
      EXPECT_EQ(pairport_handle(created, &request, &moment, answer), PAIRPORT_OK);
      pairport_header header{};
      EXPECT_EQ(pairport_response_header(answer, 0, &header), PAIRPORT_OK);
      pairport_response_destroy(answer);
    }
    EXPECT_EQ(Allocations::count, 0U);
  }
  pairport_service_destroy(created);
}

struct Deposits {
  std::string_view type;
  std::string body;
};

// From an empty service through several deposits, look-ups and expiry; the n-th allocation fails, alone or with all
// that come after it.
TEST_F(WithoutMemory, EveryRequestIsAnsweredAtEveryAllocation) {
  const std::vector<Deposits> deposits = {{"application/json", std::string(kGoodJson)},
                                          {kForm, std::string(kFormDeposit)},
                                          {kMultipart, multipart_deposit()}};
  for (const bool all_after : {false, true}) {
    bool through = false;
    std::size_t n = 1;
    for (; !through; ++n) {
      ASSERT_LT(n, 1000U);
      random = FixedRandom();
      open(unlimited());
      int refused = 0;
      std::size_t held = 0;
      std::vector<std::string> codes;
      bool failed = false;
      for (const Deposits& one : deposits) {
        int status = 0;
        {
          // The count runs on over the deposits of one round.
          const std::size_t before = Allocations::count;
          const Watch watch(n, all_after);
          if (&one != &deposits.front()) Allocations::count = before;
          status = post(one.body, one.type);
          failed = failed || Allocations::failed;
        }
        ASSERT_TRUE(status == 200 || status == 503) << status;
        if (status == 200) {
          codes.push_back(string_after("\"pairing_code\":\""));
          ++held;
        } else {
          ++refused;
          EXPECT_GT(response.retry_after(), 0U);
          EXPECT_THAT(body(), HasSubstr("out of memory"));
        }
        ASSERT_EQ(service->store().stats().deposits, held) << "no half state";
        ASSERT_EQ(service->store().stats().expiring, held);
      }
      EXPECT_EQ(refused > 0, failed) << n;
      for (const std::string& code : codes) {
        const Watch watch(1, true);
        EXPECT_EQ(get("/" + code), 200);
      }
      ASSERT_EQ(post(kGoodJson), 200) << "as soon as there is memory, all is well";
      wait(700'000);
      {
        const Watch watch(1, true);
        EXPECT_TRUE(service->expire(now, 1000));
      }
      EXPECT_EQ(service->store().stats().deposits, 0U);
      through = !failed;
    }
    EXPECT_GT(n, 3U);
  }
}

// Also where each step of an answer waits for a store that is elsewhere.
TEST_F(Allocating, AnAnswerThatWaitsNeverAllocates) {
  ElsewhereStore elsewhere;
  auto store = std::move(LocalStore::create({.hash_seed = 5}, now.monotonic_ms)).value();
  response.reset();
  service = std::move(Service::create(unlimited(), random, now, &elsewhere)).value();
  ASSERT_EQ(post(kGoodJson), 0);
  service->resume(store->carry_out(response.pending().operation, now.monotonic_ms), now, response);
  ASSERT_EQ(response.status(), 200);
  const std::string code = "/" + string_after("\"pairing_code\":\"");
  const auto ask_and_resume = [&](Method method, std::string_view target, const PendingReply* reply) {
    const Watch watch(1, true);
    ask(method, target);
    if (reply == nullptr) {
      service->resume(store->carry_out(response.pending().operation, now.monotonic_ms), now, response);
    } else {
      service->resume(*reply, now, response);
    }
    EXPECT_FALSE(Allocations::failed);
    return response.status();
  };
  const PendingReply unavailable = PendingReply::unavailable();
  EXPECT_EQ(ask_and_resume(Method::kGet, code, nullptr), 200);
  EXPECT_EQ(ask_and_resume(Method::kHead, code, nullptr), 200);
  EXPECT_EQ(ask_and_resume(Method::kGet, "/ABCDEFGHIJ", nullptr), 404);
  EXPECT_EQ(ask_and_resume(Method::kGet, code, &unavailable), 503);

  // A deposit allocates while its body is read, and not any more while it waits.
  ASSERT_EQ(post(kGoodJson), 0);
  const Watch watch(1, true);
  service->resume(StoreReply(StatusCode::kAlreadyExists), now, response);
  EXPECT_TRUE(response.is_pending());
  service->resume(store->carry_out(response.pending().operation, now.monotonic_ms), now, response);
  EXPECT_EQ(response.status(), 200);
  EXPECT_FALSE(Allocations::failed);
  service.reset();
}

TEST_F(Allocating, AGrowingStoreNeverAllocates) {
  DepositView view;
  ASSERT_TRUE(validate(good_input(), view).ok());
  const std::string long_password(kMaxPassword, 'p');
  view.password = long_password;
  auto store = std::move(LocalStore::create({.hash_seed = 5}, 0)).value();
  constexpr std::size_t kDeposits = 10'000;
  const Watch watch;
  for (std::size_t i = 0; i < kDeposits; ++i) {
    char code[16];
    const int size = std::snprintf(code, sizeof(code), "code%zu", i);
    ASSERT_TRUE(store->insert({code, static_cast<std::size_t>(size)}, view, 1000 + i).ok());
  }
  EXPECT_GT(store->memory_bytes(), 40 * Slab::kChunkSize) << "it did grow";
  EXPECT_TRUE(store->expire(1'000'000, static_cast<std::size_t>(-1)));
  EXPECT_LE(store->memory_bytes(), 2 * Slab::kChunkSize);
  EXPECT_EQ(store->size(), 0U);
  EXPECT_EQ(Allocations::count, 0U) << "its address space was reserved at the start";
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
// Paths that are an embedder's.
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/service_fixture.h"

namespace pairport::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Paths final : public PathHandler {
 public:
  bool answer(const Request& request, Answer& answer) noexcept override {
    asked.emplace_back(request.target);
    if (request.target == "/nothing/here") return false;
    // A copy that is gone when the answer is sent.
    body = std::string(request.target) + ":" + std::string(request.body);
    reply.body = body;
    answer = reply;
    return true;
  }

  std::vector<std::string> asked;
  Answer reply;
  std::string body;
};

class OtherPathsTest : public ServiceTest {
 protected:
  OtherPathsTest() {
    ServiceOptions options = unlimited();
    options.other_paths = &paths;
    open(options);
  }
  ~OtherPathsTest() override { service.reset(); }

  Paths paths;
};

TEST_F(OtherPathsTest, AreAnsweredByTheirOwner) {
  paths.reply = {.status = 201, .content_type = "text/html", .body = {}, .fixed_body = "<fixed>"};
  EXPECT_EQ(get("/app/index.html?a=b"), 201);
  paths.body.assign(100, 'x');
  EXPECT_EQ(body(), "/app/index.html?a=b:<fixed>");
  EXPECT_EQ(response.extra_headers(), "Content-Type: text/html\r\n");
  EXPECT_EQ(header("Content-Type"), "(none)") << "not twice";
  EXPECT_EQ(header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(response.route(), Route::kOther);
  EXPECT_EQ(head("/app/index.html"), 201);
  EXPECT_TRUE(response.body().empty());
  Request request = request_of(Method::kPost, "/api/x");
  request.body = "sent";
  EXPECT_EQ(handle(request), 201);
  EXPECT_THAT(body(), StartsWith("/api/x:sent"));
}

TEST_F(OtherPathsTest, AreWhatIsNeitherARouteNorMayBeACode) {
  for (const char* path : {"/index.html", "/favicon.ico", "/a/b", "/metrics", "/-", "/packages/a"}) get(path);
  EXPECT_THAT(paths.asked, ElementsAre("/index.html", "/favicon.ico", "/a/b", "/metrics", "/-", "/packages/a"));
  paths.asked.clear();
  for (const char* path : {"/", "/ABCDEFG", "/update", "/uninstall.ps1", "/healthz", "/ABCDEFG.sh", "/%zz", "/a?os=x"})
    get(path);
  post(kGoodJson);
  ask(Method::kOptions, "/a/b");
  EXPECT_THAT(paths.asked, IsEmpty());
}

TEST_F(OtherPathsTest, MayBeNothing) {
  EXPECT_EQ(get("/nothing/here"), 404);
  EXPECT_EQ(get("/nothing/here", "curl/8", "application/json"), 404);
  EXPECT_THAT(body(), StartsWith("{"));
  open(unlimited());
  EXPECT_EQ(get("/app/index.html"), 404) << "without an owner";
}

TEST_F(OtherPathsTest, AnAnswerAtTheBoundsIsSent) {
  const std::string longest_type(PathHandler::kMaxContentType, 'a');
  for (const int status : {200, 599}) {
    paths.reply = {.status = status, .content_type = longest_type};
    EXPECT_EQ(get("/a/b"), status);
    EXPECT_THAT(response.extra_headers(), HasSubstr(longest_type));
  }
}

TEST_F(OtherPathsTest, AnAnswerIsWipedWithItsResponse) {
  EXPECT_EQ(get("/session/of-a-user"), 200);
  const Fragment copied = response.body().front();
  ASSERT_THAT(std::string(copied.data, copied.size), StartsWith("/session/of-a-user"));
  response.reset();
  EXPECT_EQ(std::string(copied.data, copied.size), std::string(copied.size, '\0'));
}

TEST_F(OtherPathsTest, AnAnswerThatBreaksTheRulesIsAnError) {
  const std::string long_type(PathHandler::kMaxContentType + 1, 'a');
  for (const PathHandler::Answer& bad :
       {PathHandler::Answer{.status = 199}, PathHandler::Answer{.status = 600}, PathHandler::Answer{.content_type = ""},
        PathHandler::Answer{.content_type = long_type}, PathHandler::Answer{.content_type = "a\r\nSet-Cookie: x"}}) {
    paths.reply = bad;
    EXPECT_EQ(get("/a/b"), 500);
    EXPECT_EQ(response.extra_headers(), "");
  }
  paths.reply = {};
  Request request = request_of(Method::kPost, "/a/b");
  const std::string largest(PathHandler::kMaxBody - 5, 'b');
  request.body = largest;
  EXPECT_EQ(handle(request), 200);
  EXPECT_EQ(body().size(), PathHandler::kMaxBody);
  const std::string larger = largest + "b";
  request.body = larger;
  EXPECT_EQ(handle(request), 500);
}

TEST_F(OtherPathsTest, AreNotServedUnencrypted) {
  service->redirect(request_of(Method::kGet, "/app/x"), response);
  EXPECT_EQ(response.status(), 308);
  EXPECT_THAT(paths.asked, IsEmpty());
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
#include "render/service/routes.h"

#include <map>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "render/service/target.h"

namespace pairport {
namespace {

TEST(Routes, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const RouteRow& row : kRoutes) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(to_string(row.route), row.name);
    EXPECT_NE(row.handler, nullptr) << row.name;
  }
  EXPECT_EQ(names.size(), 10U);
  EXPECT_EQ(to_string(static_cast<Route>(200)), "other") << "of a number that no route has";
}

TEST(Routes, AllowNamesTheMethodsOfAllRoutesWithThePath) {
  const std::map<Route, std::string> expected = {
      {Route::kDeposit, "POST, GET, OPTIONS, HEAD"}, {Route::kAbout, "POST, GET, OPTIONS, HEAD"},
      {Route::kInstaller, "GET, OPTIONS, HEAD"},     {Route::kUpdate, "GET, OPTIONS, HEAD"},
      {Route::kUninstall, "GET, OPTIONS, HEAD"},     {Route::kPackage, "GET, OPTIONS, HEAD"},
      {Route::kChallenge, "GET, OPTIONS, HEAD"},     {Route::kHealth, "GET, OPTIONS, HEAD"}};
  for (const auto& [route, allowed] : expected) EXPECT_EQ(allowed_methods(route_row(route)), allowed);
}

TEST(Routes, APreflightNamesTheMethodsOfAllRoutes) {
  EXPECT_EQ(all_methods(), "POST, GET, OPTIONS, HEAD");
}

TEST(Routes, EachMethodHasItsName) {
  EXPECT_EQ(to_string(Method::kGet), "GET");
  EXPECT_EQ(to_string(Method::kHead), "HEAD");
  EXPECT_EQ(to_string(Method::kPost), "POST");
  EXPECT_EQ(to_string(Method::kOptions), "OPTIONS");
  EXPECT_EQ(to_string(Method::kOther), "other");
  EXPECT_EQ(to_string(static_cast<Method>(200)), "other") << "of a number that no method has";
}

TEST(Routes, ATargetLeadsToTheRowOfItsPath) {
  for (const RouteRow& row : kRoutes) {
    const std::string path = "/" + std::string(row.path) + (row.match == RouteRow::Match::kPrefix ? "name" : "");
    if (row.match == RouteRow::Match::kNone) continue;
    const Target target(row.match == RouteRow::Match::kCode ? "/abcdefg" : path);
    EXPECT_EQ(target.problem(), Target::Problem::kNone) << row.name;
    EXPECT_TRUE(same_path(route_row(target.route()), row)) << row.name;
    if (row.match == RouteRow::Match::kPrefix) {
      EXPECT_EQ(target.file(), "name") << row.name;
      EXPECT_EQ(Target("/" + std::string(row.path)).route(), Route::kOther) << "a prefix alone is nothing";
      EXPECT_EQ(Target(path + "/more").route(), Route::kOther) << row.name;
    }
  }
}

TEST(Routes, NoCodeIsCalledLikeARoute) {
  for (const RouteRow& row : kRoutes) {
    const std::string_view word = row.path.substr(0, row.path.find_first_of(".-/"));
    if (word.empty()) continue;
    EXPECT_TRUE(Target::is_reserved(word)) << word;
  }
}

TEST(Routes, OnlyScriptsHaveAnOperatingSystem) {
  for (const RouteRow& row : kRoutes) {
    if (row.match != RouteRow::Match::kExact || row.path.empty()) continue;
    const std::string path = "/" + std::string(row.path);
    EXPECT_EQ(Target(path + ".sh").route(), row.has_os ? row.route : Route::kOther) << path;
    EXPECT_EQ(Target(path + "?os=x").problem(), row.has_os ? Target::Problem::kBadOs : Target::Problem::kNone) << path;
  }
}

TEST(Routes, ChallengesAloneAreServedInClear) {
  for (const RouteRow& row : kRoutes) EXPECT_EQ(row.in_clear, row.route == Route::kChallenge) << row.name;
}

}  // namespace
}  // namespace pairport

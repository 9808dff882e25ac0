// SPDX-License-Identifier: MIT
#include "net/program/access_log.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace pairport {
namespace {

AccessEntry entry() {
  return {.route = Route::kInstaller,
          .method = Method::kGet,
          .status = 200,
          .complete = true,
          .bytes = 45231,
          .duration_ms = 3,
          .client = *ClientAddress::parse("192.0.2.77"),
          .code_hash = 0x0badcafe};
}

std::string line(const AccessEntry& entry, AccessFormat format, bool shorten = false) {
  AccessLine buffer;
  return std::string(format_access(entry, format, shorten, buffer));
}

TEST(AccessLogTest, Text) {
  EXPECT_EQ(line(entry(), AccessFormat::kText), "GET installer 200 45231 bytes 3 ms 192.0.2.77 code 0badcafe");
}

TEST(AccessLogTest, Json) {
  EXPECT_EQ(line(entry(), AccessFormat::kJson),
            R"("method":"GET","route":"installer","status":200,"bytes":45231,"complete":true,"ms":3,)"
            R"("client":"192.0.2.77","code":"0badcafe")");
}

TEST(AccessLogTest, OnlyInstallersHaveACode) {
  AccessEntry other = entry();
  other.route = Route::kUpdate;
  EXPECT_EQ(line(other, AccessFormat::kText), "GET update 200 45231 bytes 3 ms 192.0.2.77");
  EXPECT_EQ(line(other, AccessFormat::kJson).find("code"), std::string::npos);
}

TEST(AccessLogTest, SaysWhatWasCutOff) {
  AccessEntry cut = entry();
  cut.complete = false;
  EXPECT_EQ(line(cut, AccessFormat::kText), "GET installer 200 45231 bytes (cut off) 3 ms 192.0.2.77 code 0badcafe");
  EXPECT_NE(line(cut, AccessFormat::kJson).find("\"complete\":false"), std::string::npos);
}

TEST(AccessLogTest, ShortensAddresses) {
  AccessEntry other = entry();
  other.route = Route::kOther;
  EXPECT_EQ(line(other, AccessFormat::kText, true), "GET other 200 45231 bytes 3 ms 192.0.2.0");
  other.client = *ClientAddress::parse("2001:db8:1:2:3:4:5:6");
  EXPECT_EQ(line(other, AccessFormat::kText, true), "GET other 200 45231 bytes 3 ms 2001:db8:1::");
  other.client = {};
  EXPECT_EQ(line(other, AccessFormat::kText, true), "GET other 200 45231 bytes 3 ms unix");
}

TEST(AccessLogTest, AMonitorsRequestsAreLeftOut) {
  AccessEntry health = entry();
  health.route = Route::kHealth;
  for (const Method method : {Method::kGet, Method::kHead}) {
    health.method = method;
    EXPECT_FALSE(is_logged(health));
  }
  health.method = Method::kPost;
  EXPECT_TRUE(is_logged(health)) << "what no monitor does";
  EXPECT_TRUE(is_logged(entry()));
}

TEST(AccessLogTest, TheLongestLineFits) {
  AccessEntry longest = entry();
  longest.method = Method::kOptions;
  longest.status = 503;
  longest.complete = false;
  longest.bytes = longest.duration_ms = std::numeric_limits<std::uint64_t>::max();
  longest.client = *ClientAddress::parse("2001:db80:1111:2222:3333:4444:5555:6666");
  for (const AccessFormat format : {AccessFormat::kText, AccessFormat::kJson}) {
    EXPECT_LT(line(longest, format).size(), AccessLine().size());
  }
}

}  // namespace
}  // namespace pairport

// SPDX-License-Identifier: MIT
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pairport/pairport.h>
#include <pairport/service.h>

#include "support/fixed_random.h"

namespace pairport {
namespace {

using ::testing::StartsWith;

// Every form that a hurried or hostile hand writes, and whether it will do as the URL of the service.
const std::vector<std::pair<const char*, bool>> kUrls = {
    {"http://h", true},
    {"https://pairing.example.com", true},
    {"https://pairing.example.com:8443/below/it", true},
    {"http://[::1]:9978", true},
    {"http://[2001:db8::1]", true},
    {"http://10.0.0.1:1", true},
    {"http://h/%41", true},
    {"", false},
    {"http://", false},
    {"http:///path", false},
    {"http://:80", false},
    {"http://host:abc", false},
    {"http://host:", false},
    {"http://host:0", false},
    {"http://host:65536", false},
    {"http://host:1:2", false},
    {"http://a@b", false},
    {"http://user:password@host", false},
    {"http://[::1", false},
    {"http://::1", false},
    {"http://[::g]", false},
    {"http://[::1]x", false},
    {"http://[::1]:", false},
    {"http://%%", false},
    {"http://h%41", false},
    {"http://h/%4", false},
    {"http://h/%zz", false},
    {"http://h,i", false},
    {"http://h/", false},
    {"http://h?q", false},
    {"http://h#f", false},
    {"http://h/a b", false},
    {"http://h/$(id)", false},
    {"HTTP://h", false},
    {"ws://h", false},
    {"ftp://not a url", false},
    {"host:80", false},
};

TEST(OptionsTest, TheUrlKeepsTheRulesOfConnectUrl) {
  for (const auto& [url, good] : kUrls) EXPECT_EQ(is_service_url(url), good) << url;
  EXPECT_TRUE(is_service_url("http://h/" + std::string(kMaxServiceUrl - 9, 'a')));
  EXPECT_FALSE(is_service_url("http://h/" + std::string(kMaxServiceUrl - 8, 'a')));
}

TEST(OptionsTest, TheDefaultsKeepEveryRule) {
  EXPECT_TRUE(check_options(ServiceOptions()).ok());
  std::set<std::string_view> names;
  for (const OptionRule& rule : option_rules()) EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
}

// The rows of the C header, which nginx reads, are those of the library.
TEST(OptionsTest, TheCInterfaceHasEverySetting) {
  struct Row {
    std::string_view kind;
    std::string_view name;
  };
#define PAIRPORT_ROW(kind, member, name) Row{#kind, name},
  const std::vector<Row> rows = {PAIRPORT_OPTIONS(PAIRPORT_ROW)};
#undef PAIRPORT_ROW
  const std::map<OptionKind, std::string_view> kinds = {
      {OptionKind::kText, "text"},   {OptionKind::kSwitch, "flag"}, {OptionKind::kMilliseconds, "milliseconds"},
      {OptionKind::kCount, "count"}, {OptionKind::kBytes, "bytes"}, {OptionKind::kNumber, "number"}};
  ASSERT_EQ(rows.size(), option_rules().size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].name, option_rules()[i].name);
    EXPECT_EQ(rows[i].kind, kinds.at(option_rules()[i].kind)) << rows[i].name;
  }
}

// One wrong value each, through the door that every front end uses.
TEST(OptionsTest, AWrongValueIsNamedAndRefusedByTheService) {
  using Options = ServiceOptions;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<std::string, std::function<void(Options&)>>> changes = {
      {"url", [](Options& o) { o.url = "http://host:abc"; }},
      {"ttl", [](Options& o) { o.ttl_ms = 48 * 3'600'000; }},
      {"ttl", [](Options& o) { o.ttl_ms = 86'401'000; }},
      {"ttl", [](Options& o) { o.ttl_ms = 0; }},
      {"ttl", [](Options& o) { o.ttl_ms = 1500; }},
      {"code_length", [](Options& o) { o.code_length = 6; }},
      {"code_length", [](Options& o) { o.code_length = 33; }},
      {"max_deposits", [](Options& o) { o.store.max_deposits = 0; }},
      {"max_deposits", [](Options& o) { o.store.max_deposits = 100'000'001; }},
      {"max_memory", [](Options& o) { o.store.max_bytes = (1U << 20) - 1; }},
      {"max_memory", [](Options& o) { o.store.max_bytes = (std::size_t{30} << 30) + 1; }},
      {"deposits_per_second", [](Options& o) { o.deposit_limit.per_second = -1; }},
      {"deposit_burst", [](Options& o) { o.deposit_limit.burst = kInfinity; }},
      {"misses_per_second", [](Options& o) { o.miss_limit.per_second = kNan; }},
      {"miss_burst", [](Options& o) { o.miss_limit.burst = 1'000'001; }},
      {"ipv6_budgets", [](Options& o) { o.ipv6_budgets = "48:16 64:1"; }},
      {"ipv6_budgets", [](Options& o) { o.ipv6_budgets = ""; }},
      {"network_share", [](Options& o) { o.network_share = 1.1; }},
      {"network_share", [](Options& o) { o.network_share = kNan; }},
      {"version", [](Options& o) { o.installer.version = ""; }},
      {"unstable_version", [](Options& o) { o.installer.unstable_version = "1 2"; }},
      {"linux_url", [](Options& o) { o.installer.linux_url = "ftp://not a url"; }},
      {"windows_url", [](Options& o) { o.installer.windows_url = "http://host:abc/{version}.msi"; }},
      {"checksums_url", [](Options& o) { o.installer.checksums_url = "http://[::1/sums"; }},
      {"deb_repo", [](Options& o) { o.installer.deb_repo = "http://%%"; }},
      {"rpm_repo", [](Options& o) { o.installer.rpm_repo = "https://"; }},
      {"repo_keys", [](Options& o) { o.installer.repo_keys = "https://u@"; }},
      {"tacoscript_url", [](Options& o) { o.installer.tacoscript_url = "{pairing_url}.evil/"; }},
      {"sha256", [](Options& o) { o.installer.sha256["file"] = "12"; }},
      {"sha256", [](Options& o) { o.installer.sha256["a file"] = std::string(64, 'a'); }},
      {"sha256", [](Options& o) { o.installer.sha256[""] = std::string(64, 'a'); }},
  };
  std::set<std::string_view> tried;
  for (const auto& [name, change] : changes) {
    ServiceOptions options;
    change(options);
    const Status status = check_options(options);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), StartsWith(name + ": expected ")) << name;
    EXPECT_EQ(status.message().find("; "), std::string_view::npos) << "one wrong value, one problem";
    testing::FixedRandom random;
    EXPECT_EQ(Service::create(options, random, {}).status().message(), status.message());
    tried.insert(name);
  }
  EXPECT_TRUE(tried.erase("sha256")) << "a table, and no single value";
  for (const OptionRule& rule : option_rules()) {
    EXPECT_EQ(tried.contains(rule.name), rule.kind != OptionKind::kSwitch) << "every rule can fail: " << rule.name;
  }
}

TEST(OptionsTest, UrlsOfScriptsMayHoldPlaceholdersAndAUser) {
  for (const char* url :
       {"{pairing_url}/packages/rport_{version}_{os}_{arch}.tar.gz", "https://{os}.example.com:8443/{version}",
        "https://mirror:token@example.com/{version}?a={arch}", "http://[fd00::1]/x#y", "https://example.com"}) {
    ServiceOptions options;
    options.installer.linux_url = url;
    EXPECT_TRUE(check_options(options).ok()) << url;
  }
}

TEST(OptionsTest, EveryProblemIsToldAtOnce) {
  ServiceOptions options;
  options.ttl_ms = 0;
  options.store.max_deposits = 0;
  EXPECT_EQ(check_options(options).message(),
            "ttl: expected a duration from \"1s\" to \"24h\" in whole seconds, such as \"10m\" or \"1h30m\"; "
            "max_deposits: expected a whole number from 1 to 100000000");
}

}  // namespace
}  // namespace pairport

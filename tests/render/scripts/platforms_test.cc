// SPDX-License-Identifier: MIT
#include "render/scripts/platforms.h"

#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "render/scripts/embedded_templates.h"

namespace pairport {
namespace {

TEST(Platforms, AUserAgentWithTheMarkOfARowIsOfThatPlatform) {
  for (const std::string_view agent :
       {"Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1", "PowerShell/7.4.1"}) {
    EXPECT_EQ(os_of_user_agent(agent), Os::kWindows) << agent;
  }
}

TEST(Platforms, EverybodyElseIsOfTheDefault) {
  for (const std::string_view agent : {"", "curl/7.88.1", "Wget/1.21", "powershell", "PowerShel"}) {
    EXPECT_EQ(os_of_user_agent(agent), kDefaultOs) << agent;
  }
  EXPECT_EQ(kDefaultOs, Os::kLinux);
}

TEST(Platforms, EachHasItsTemplates) {
  std::set<std::string_view> names;
  for (const EmbeddedTemplate& embedded : embedded_templates()) names.insert(embedded.name);
  for (const Platform& row : kPlatforms) {
    for (const std::string_view script : {"installer", "not_found", "update", "uninstall"}) {
      const std::string name = std::string(row.name).append("/").append(script).append(row.suffix);
      EXPECT_TRUE(names.contains(name)) << name;
    }
    EXPECT_TRUE(row.packed_suffix.empty() || row.packed_suffix.starts_with(row.suffix)) << row.name;
  }
}

}  // namespace
}  // namespace pairport

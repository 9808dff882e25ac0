// SPDX-License-Identifier: MIT
// Packages: what of a request is kept until its file is known.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "support/service_fixture.h"

namespace pairport::testing {
namespace {

constexpr FileInfo kFile{10, 5};
constexpr std::string_view kEtag = "\"5-a\"";
// Bytes of a condition at most.
constexpr std::size_t kMost = 512;

class PackageTest : public ServiceTest {
 protected:
  PackageTest() {
    ServiceOptions options = unlimited();
    options.serve_packages = true;
    open(options);
  }
  int get_file(const std::string& if_none_match, const std::string& if_range = "", const std::string& range = "") {
    Request request = request_of(Method::kGet, "/packages/a");
    request.if_none_match = if_none_match;
    request.if_range = if_range;
    request.range = range;
    EXPECT_EQ(handle(request), 0);
    EXPECT_EQ(response.file_name(), "a");
    service->answer_file(&kFile, response);
    return response.status();
  }
};

TEST_F(PackageTest, HasAnEtag) {
  EXPECT_EQ(get_file(""), 200);
  EXPECT_EQ(response.extra_headers(), "ETag: " + std::string(kEtag) + "\r\n");
}

TEST_F(PackageTest, AListOfEtagsIsReadUpToALimit) {
  for (const std::size_t size : {kEtag.size(), kMost - 1, kMost, kMost + 1, 15 * 1024UL}) {
    std::string list(kEtag);
    list.insert(0, size - kEtag.size(), ',');
    EXPECT_EQ(get_file(list), size <= kMost ? 304 : 200) << size;
    EXPECT_EQ(response.file_range().size, size <= kMost ? 0U : 10U) << size;
  }
}

TEST_F(PackageTest, ARangeIsReadUpToALimit) {
  for (const std::size_t size : {std::size_t{9}, kMost, kMost + 1, 15 * 1024UL}) {
    std::string range = "bytes=2-6";
    range.insert(6, size - range.size(), '0');
    EXPECT_EQ(get_file("", "", range), size <= kMost ? 206 : 200) << size;
    EXPECT_EQ(response.file_range().size, size <= kMost ? 5U : 10U) << size;
  }
}

// RFC 9110 section 13.1.5: a range of another file is worth nothing.
TEST_F(PackageTest, ARangeOfAnotherFileGetsAllOfThisOneHoweverLongItsNameIs) {
  EXPECT_EQ(get_file("", std::string(kEtag), "bytes=2-6"), 206);
  for (const std::size_t size : {std::size_t{1}, kMost, kMost + 1, 15 * 1024UL}) {
    EXPECT_EQ(get_file("", std::string(size, 'x'), "bytes=2-6"), 200) << size;
    EXPECT_EQ(response.file_range().size, 10U) << size;
  }
}

TEST_F(PackageTest, AllConditionsOfTheLargestSizeAreKeptTogether) {
  const std::string range = "bytes=" + std::string(kMost - 9, '0') + "2-6";
  EXPECT_EQ(get_file(std::string(kMost, 'x'), std::string(kEtag), range), 206);
  EXPECT_EQ(get_file(std::string(kMost, 'x'), std::string(kMost, 'x'), range), 200);
}

}  // namespace
}  // namespace pairport::testing

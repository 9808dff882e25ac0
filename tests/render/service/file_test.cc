// SPDX-License-Identifier: MIT
// Packages: what of a request is kept until its file is known.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

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
    EXPECT_EQ(response.pending().file_name, "a");
    service->resume(kFile, now, response);
    return response.status();
  }
};

TEST_F(PackageTest, IsAskedForAgainWhenItCannotBeRead) {
  EXPECT_EQ(handle(request_of(Method::kGet, "/packages/a")), 0);
  service->resume(PendingReply::unavailable(), now, response);
  EXPECT_EQ(response.status(), 503);
  EXPECT_NE(response.retry_after(), 0U);
}

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

// RFC 9110 section 14.1.2.
TEST_F(PackageTest, ARangeIsOneOfTheBytesThatThereAre) {
  struct Expected {
    std::string_view range;
    int status;
    std::uint64_t offset;
    std::uint64_t size;
    std::string_view header;
  };
  for (const auto& [range, status, offset, size, header] : std::initializer_list<Expected>{
           {"bytes=0-0", 206, 0, 1, "bytes 0-0/10"},
           {"bytes=9-", 206, 9, 1, "bytes 9-9/10"},
           {"bytes=9-9", 206, 9, 1, "bytes 9-9/10"},
           {"bytes=9-99", 206, 9, 1, "bytes 9-9/10"},
           {"bytes=-1", 206, 9, 1, "bytes 9-9/10"},
           {"bytes=-3", 206, 7, 3, "bytes 7-9/10"},
           {"bytes=-10", 206, 0, 10, "bytes 0-9/10"},
           {"bytes=-11", 206, 0, 10, "bytes 0-9/10"},
           {"bytes=0-99999999999999999999", 206, 0, 10, "bytes 0-9/10"},
           {"bytes=10-", 416, 0, 0, "bytes */10"},
           {"bytes=-0", 416, 0, 0, "bytes */10"},
           {"bytes=5-4", 200, 0, 10, ""},
           {"bytes=-", 200, 0, 10, ""},
           {"bytes=1", 200, 0, 10, ""},
           {"bytes=0-1,3-4", 200, 0, 10, ""},
           {"lines=0-1", 200, 0, 10, ""},
       }) {
    EXPECT_EQ(get_file("", "", std::string(range)), status) << range;
    EXPECT_EQ(response.file_range().size, size) << range;
    if (size != 0) {
      EXPECT_EQ(response.file_range().offset, offset) << range;
    }
    const std::string expected = header.empty() ? "" : "Content-Range: " + std::string(header) + "\r\n";
    EXPECT_EQ(response.extra_headers(), "ETag: " + std::string(kEtag) + "\r\n" + expected) << range;
  }
}

TEST_F(PackageTest, OneThatIsMissingIsSaidInTheFormatThatIsAskedFor) {
  for (const auto& [accept, type] :
       {std::pair("*/*", "text/plain; charset=utf-8"), {"application/json", "application/problem+json"}}) {
    Request request = request_of(Method::kGet, "/packages/a");
    request.accept = accept;
    EXPECT_EQ(handle(request), 0);
    service->resume(PendingReply::no_file(), now, response);
    EXPECT_EQ(response.status(), 404);
    EXPECT_EQ(header("Content-Type"), type);
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

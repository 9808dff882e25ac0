// SPDX-License-Identifier: MIT
#include "render/service/target.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <pairport/code.h>

#include "core/base/ascii.h"

namespace pairport {
namespace {

using Problem = Target::Problem;

Problem problem(std::string_view target) {
  return Target(target).problem();
}
// Nothing when there is a problem.
std::optional<Route> route(std::string_view target) {
  const Target parsed(target);
  return parsed.problem() == Problem::kNone ? std::optional(parsed.route()) : std::nullopt;
}
// The code that is asked for; a word that cannot be one when it is another route.
std::string code(std::string_view target) {
  const Target parsed(target);
  return parsed.route() == Route::kInstaller ? std::string(parsed.code()) : "(no code)";
}

TEST(Target, KnowsTheRoutes) {
  EXPECT_EQ(route("/"), Route::kDeposit);
  EXPECT_EQ(route("/update"), Route::kUpdate);
  EXPECT_EQ(route("/uninstall"), Route::kUninstall);
  EXPECT_EQ(code("/abcdefg"), "abcdefg");
  EXPECT_EQ(route("/a/b"), Route::kOther);
  EXPECT_EQ(route("/update/x"), Route::kOther);
  EXPECT_EQ(route("*"), Route::kOther);
  EXPECT_EQ(code("/Update"), "Update") << "paths are case-sensitive";
  EXPECT_EQ(code("/updates"), "updates");
}

TEST(Target, RepeatedAndTrailingSlashesAreTolerated) {
  EXPECT_EQ(route("//"), Route::kDeposit);
  EXPECT_EQ(route("////"), Route::kDeposit);
  EXPECT_EQ(code("//abcdefg"), "abcdefg");
  EXPECT_EQ(code("/abcdefg/"), "abcdefg");
  EXPECT_EQ(code("///abcdefg///"), "abcdefg");
  EXPECT_EQ(route("//update//"), Route::kUpdate);
  EXPECT_EQ(route("/a//b"), Route::kOther);
}

TEST(Target, ASlashAndAWordAreTakenLikeAnyOtherPath) {
  for (std::size_t size = 1; size <= 140; ++size) {
    const std::string word = std::string(size - 1, 'z') + '9';
    EXPECT_EQ(code("/" + word), code("//" + word)) << size;
    EXPECT_EQ(code("/" + word), size <= 128 ? word : "(no code)") << size;
  }
  for (int c = 0; c < 256; ++c) {
    const std::string word = std::string("ab") + static_cast<char>(c) + "cd";
    EXPECT_EQ(route("/" + word), route("//" + word)) << c;
    EXPECT_EQ(code("/" + word), code("//" + word)) << c;
  }
}

TEST(Target, EscapesAreDecodedBeforeMatching) {
  EXPECT_EQ(code("/%61bcdef%67"), "abcdefg");
  EXPECT_EQ(route("/%75pdate"), Route::kUpdate);
  EXPECT_EQ(route("/%2f"), Route::kDeposit);
  EXPECT_EQ(code("/%2Fabcdefg"), "abcdefg");
  EXPECT_EQ(route("/a%2Fb"), Route::kOther);
  EXPECT_EQ(code("/%2561"), "%61") << "once, not twice";
  EXPECT_EQ(code("/a%00b"), std::string("a\0b", 3));
  EXPECT_EQ(code("/a%3Fos=windows"), "a?os=windows") << "an escaped ? starts no query";
  EXPECT_EQ(code("/a+b"), "a+b");
  EXPECT_EQ(code("/%2e%2e"), "..");
  EXPECT_EQ(code("/.."), "..") << "no file system here";
}

TEST(Target, MalformedEscapesAreSeenWhereverTheyAre) {
  for (const std::string_view bad : {"/%", "/%6", "/%6/", "/%zz", "/%6g", "/abc%", "/a/b/%x1", "/a/b/c%", "/%%41",
                                     "/% 1", "/abc%?x", "/%-1", "/%+1"}) {
    EXPECT_EQ(problem(bad), Problem::kMalformed) << bad;
  }
  EXPECT_EQ(problem("/" + std::string(1000, 'a') + "%"), Problem::kMalformed);
  EXPECT_EQ(code("/abc?%"), "abc") << "queries are not decoded";
}

TEST(Target, WhatIsNotATargetIsMalformed) {
  for (const std::string_view bad : {"", "abc", "update", "?", "?os=linux", "**", "http:", "http:/", "http://", "://",
                                     "http:///abc", "http://?x", "\\abc"}) {
    EXPECT_EQ(problem(bad), Problem::kMalformed) << bad;
  }
}

TEST(Target, AbsoluteFormAsksForItsPath) {
  EXPECT_EQ(code("http://pair.example.com/abcdefg"), "abcdefg");
  EXPECT_EQ(code("HTTPS://pair.example.com:8443/abcdefg/?x"), "abcdefg");
  EXPECT_EQ(route("http://pair.example.com"), Route::kDeposit);
  EXPECT_EQ(route("http://pair.example.com/"), Route::kDeposit);
  EXPECT_EQ(route("http://pair.example.com//update"), Route::kUpdate);
  EXPECT_EQ(Target("http://h/abc?os=windows").os(), Os::kWindows);
  EXPECT_EQ(problem("http://h/%"), Problem::kMalformed);
}

TEST(Target, AbsoluteFormNeedsAScheme) {
  for (const std::string_view bad :
       {"a b://h/abcdefg", "?x://h/abcdefg", "abc/def://h/abcdefg", "1http://h/abcdefg", "a%62://h/abcdefg"}) {
    EXPECT_EQ(problem(bad), Problem::kMalformed) << bad;
  }
}

TEST(Target, SuffixesChooseTheSystem) {
  EXPECT_EQ(Target("/abcdefg").os(), std::nullopt);
  EXPECT_EQ(Target("/abcdefg.sh").os(), Os::kLinux);
  EXPECT_EQ(Target("/abcdefg.ps1").os(), Os::kWindows);
  EXPECT_EQ(code("/abcdefg.sh"), "abcdefg");
  EXPECT_EQ(code("/abcdefg.ps1/"), "abcdefg");
  EXPECT_EQ(route("/update.sh"), Route::kUpdate);
  EXPECT_EQ(Target("/update.ps1").os(), Os::kWindows);
  EXPECT_EQ(route("/uninstall.ps1"), Route::kUninstall);
  EXPECT_EQ(code("/abc.SH"), "abc.SH");
  EXPECT_EQ(code("/.sh"), ".sh");
  EXPECT_EQ(code("/abc.sh.sh"), "abc.sh") << "one suffix, and what is left cannot be a code";
  EXPECT_EQ(route("/update.sh.ps1"), Route::kOther);
  EXPECT_EQ(code("/abc%2Esh"), "abc");
  EXPECT_EQ(code("/abc.exe"), "abc.exe");
}

TEST(Target, APackedScriptIsForLinux) {
  for (const std::string_view target : {"/abcdefg.sh.gz", "//abcdefg.sh.gz/", "/abcdef%67%2Esh.gz",
                                        "/abcdefg.sh.gz?x=1", "/abcdefg.sh.gz?os=linux", "http://host/abcdefg.sh.gz"}) {
    const Target parsed(target);
    EXPECT_EQ(code(target), "abcdefg") << target;
    EXPECT_EQ(parsed.os(), Os::kLinux) << target;
    EXPECT_TRUE(parsed.packed()) << target;
  }
  EXPECT_EQ(route("/update.sh.gz"), Route::kUpdate);
  EXPECT_TRUE(Target("/update.sh.gz").packed());
  EXPECT_EQ(route("/uninstall.sh.gz"), Route::kUninstall);
  EXPECT_EQ(problem("/abcdefg.sh.gz?os=windows"), Problem::kBadOs);
  for (const std::string_view other : {"/abcdefg", "/abcdefg.sh", "/abcdefg.ps1", "/abcdefg.gz", "/abcdefg.ps1.gz",
                                       "/abcdefg.sh.gzip", "/abcdefg.SH.GZ", "/sh.gz", "/.sh.gz"}) {
    EXPECT_FALSE(Target(other).packed()) << other;
  }
  EXPECT_EQ(code("/abcdefg.ps1.gz"), "abcdefg.ps1.gz");
  EXPECT_EQ(code("/abcdefg.sh.sh.gz"), "abcdefg.sh") << "one suffix";
  for (std::size_t size = 1; size <= 140; ++size) {
    const std::string word = std::string(size - 1, 'z') + "9.sh.gz";
    EXPECT_EQ(code("/" + word), code("//" + word)) << size;
  }
}

TEST(Target, TheQueryChoosesTheSystem) {
  EXPECT_EQ(Target("/abc?os=linux").os(), Os::kLinux);
  EXPECT_EQ(Target("/abc?os=windows").os(), Os::kWindows);
  EXPECT_EQ(Target("/abc?a=b&os=windows&c").os(), Os::kWindows);
  EXPECT_EQ(Target("/update?os=windows").os(), Os::kWindows);
  EXPECT_EQ(Target("/abc?os=windows&os=windows").os(), Os::kWindows);
  EXPECT_EQ(Target("/abc.sh?os=linux").os(), Os::kLinux);
}

TEST(Target, AnUnknownSystemIsAnError) {
  for (const std::string_view bad :
       {"/abc?os=", "/abc?os=macos", "/abc?os=Linux", "/abc?os=linux2", "/update?os=x", "/uninstall?a&os=x",
        "/abc?os=linux&os=x", "/abc?os=linux&os=windows", "/abc.sh?os=windows", "/abc.ps1?os=linux"}) {
    EXPECT_EQ(problem(bad), Problem::kBadOs) << bad;
  }
}

TEST(Target, OtherQueriesAreIgnored) {
  for (const std::string_view target : {"/abc?", "/abc?os", "/abc?xos=1", "/abc?OS=x", "/abc?&&&", "/abc?x=os=1",
                                        "/abc?a=%zz", "/abc??os=x", "/abc?a/b/c"}) {
    EXPECT_EQ(code(target), "abc") << target;
    EXPECT_EQ(Target(target).os(), std::nullopt) << target;
  }
  EXPECT_EQ(route("/?os=x"), Route::kDeposit) << "a deposit is for every system";
}

TEST(Target, PackagesAreFilesDirectlyInOneFolder) {
  EXPECT_EQ(route("/packages/rport_0.9.14+x~1.tar.gz"), Route::kPackage);
  EXPECT_EQ(Target("//packages//a.sh/").file(), "a.sh");
  EXPECT_FALSE(Target("/packages/a.sh").os()) << "a file name has no suffix of ours";
  for (const char* target : {"/packages/.a", "/packages/..", "/packages/a/b", "/packages/a%2fb", "/packages/a%00",
                             "/packages/a%20b", "/packages/a%5cb", "/packages/%c3%a4", "/x/packages/a"}) {
    EXPECT_EQ(route(target), Route::kOther) << target;
  }
  EXPECT_EQ(route("/packages"), Route::kOther);
  EXPECT_EQ(route("/packages/" + std::string(119, 'a')), Route::kPackage);
  EXPECT_EQ(route("/packages/" + std::string(120, 'a')), Route::kOther);
}

TEST(Target, LongSegmentsAreNothing) {
  EXPECT_EQ(code("/" + std::string(128, 'a')), std::string(128, 'a'));
  EXPECT_EQ(route("/" + std::string(129, 'a')), Route::kOther);
  EXPECT_EQ(route("/" + std::string(8000, 'a')), Route::kOther);
  EXPECT_EQ(route("/" + std::string(8000, '/')), Route::kDeposit);
}

constexpr std::string_view kReserved[] = {
    "update", "uninstall", "packages", "healthz", "health", "readyz",  "livez", "metrics",  "status", "ping",
    "v1",     "openapi",   "pairport", "favicon", "robots", "sitemap", "ads",   "security", "apple"};

TEST(Target, OwnWordsAreReserved) {
  for (const std::string_view word : kReserved) EXPECT_TRUE(Target::is_reserved(word)) << word;
  for (const std::string_view word : {"", "Update", "updat", "abcdefg", "Healthz", "statuses", "v11"}) {
    EXPECT_FALSE(Target::is_reserved(word)) << word;
  }
}

TEST(Target, ReservedPathsAreNoCodes) {
  for (const std::string_view word : kReserved) {
    for (const char* suffix : {"", "/", ".sh", ".ps1", ".txt", ".ico", "-touch-icon.png", "?os=linux"}) {
      const std::string target = "/" + std::string(word) + suffix;
      EXPECT_NE(route(target), Route::kInstaller) << target;
      EXPECT_NE(route("/" + target), Route::kInstaller) << target;
    }
  }
  for (const std::string_view path : {"/favicon.ico",
                                      "/robots.txt",
                                      "/sitemap.xml",
                                      "/ads.txt",
                                      "/security.txt",
                                      "/apple-touch-icon.png",
                                      "/apple-touch-icon-120x120-precomposed.png",
                                      "/apple-app-site-association",
                                      "/openapi.json",
                                      "/pairport.js",
                                      "/metrics",
                                      "/status",
                                      "/ping",
                                      "/readyz",
                                      "/livez",
                                      "/health",
                                      "/v1",
                                      "/v1/deposit",
                                      "/healthz.sh",
                                      "/healthz/live",
                                      "/.well-known/security.txt"}) {
    EXPECT_EQ(route(path), Route::kOther) << path;
  }
  EXPECT_EQ(route("/healthz"), Route::kHealth);
  EXPECT_EQ(route("//healthz/"), Route::kHealth);
  EXPECT_EQ(route("/healthz?x=1"), Route::kHealth);
  EXPECT_EQ(code("/Healthz"), "Healthz");
  EXPECT_EQ(code("/statusX"), "statusX");
}

TEST(Target, WhatMayBeACodeIsLettersAndDigits) {
  EXPECT_TRUE(Target("/abcdefg").may_be_code());
  EXPECT_TRUE(Target("/" + std::string(kMaxCodeLength, 'a')).may_be_code());
  for (const std::string& target : {"/" + std::string(kMaxCodeLength + 1, 'a'), std::string("/a_b"), std::string("/"),
                                    std::string("/a%0ab"), std::string("/a/b")}) {
    EXPECT_FALSE(Target(target).may_be_code()) << target;
  }
}

// RFC 9112 section 3, and no line of an answer that a target was copied to is ended by it.
TEST(Target, EveryByteOfEveryLengthIsLookedAt) {
  for (std::size_t size = 1; size <= kMaxCodeLength + 1; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        std::string segment(size, 'z');
        segment[at] = c;
        const bool expected = size <= kMaxCodeLength && (is_letter(c) || is_digit(c));
        const Target target("/" + segment);
        ASSERT_EQ(target.may_be_code(), expected) << size << " characters, " << byte << " at " << at;
        if (expected) {
          ASSERT_EQ(target.code(), segment);
        }
      }
    }
  }
}

TEST(Target, BytesThatAreNotVisibleAreMalformed) {
  for (int c = 0; c < 256; ++c) {
    const bool visible = c > 0x20 && c < 0x7f;
    for (const std::string& target :
         {std::string("/abc") + static_cast<char>(c) + "d", std::string("/abc?x=") + static_cast<char>(c),
          std::string("http://h/") + static_cast<char>(c)}) {
      if (visible && c != '%') {
        EXPECT_NE(problem(target), Problem::kMalformed) << target;
      } else if (!visible) {
        EXPECT_EQ(problem(target), Problem::kMalformed) << c;
      }
    }
  }
}

// RFC 8555 section 8.3: letters, digits, - and _.
TEST(Target, TokensOfAcmeChallenges) {
  const std::string path = "/.well-known/acme-challenge/";
  for (const std::string token : {"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA", "a", "_", "-"}) {
    EXPECT_EQ(route(path + token), Route::kChallenge) << token;
    EXPECT_EQ(Target(path + token).file(), token);
  }
  EXPECT_EQ(route("http://pair.example.com" + path + "a?x"), Route::kChallenge);
  EXPECT_EQ(route(path + std::string(101, 'a')), Route::kChallenge);
  for (const std::string& token :
       {std::string(), std::string("a.b"), std::string(".."), std::string("../x"), std::string("a/b"),
        std::string("a+b"), std::string("a%00"), std::string("a="), std::string("%2e%2e%2fx"), std::string(102, 'a')}) {
    EXPECT_EQ(route(path + token), Route::kOther) << token;
  }
  EXPECT_EQ(route("/.well-known/a"), Route::kOther);
  EXPECT_EQ(route("/x/.well-known/acme-challenge/a"), Route::kOther);
}

}  // namespace
}  // namespace pairport

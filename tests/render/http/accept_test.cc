// SPDX-License-Identifier: MIT
#include "render/http/accept.h"

#include <string>

#include <gtest/gtest.h>

namespace pairport {
namespace {

TEST(PrefersJson, OnlyWhenItIsSaid) {
  EXPECT_FALSE(prefers_json(""));
  EXPECT_FALSE(prefers_json("*/*")) << "curl";
  EXPECT_FALSE(prefers_json("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"))
      << "browsers";
  EXPECT_FALSE(prefers_json("application/json, text/plain, */*")) << "axios shows what it gets";
  EXPECT_FALSE(prefers_json("text/plain"));
  EXPECT_TRUE(prefers_json("application/json"));
  EXPECT_TRUE(prefers_json("application/problem+json"));
  EXPECT_TRUE(prefers_json("application/json;q=0.5, image/png")) << "an image says nothing about text";
  EXPECT_TRUE(prefers_json("APPLICATION/JSON"));
  EXPECT_TRUE(prefers_json("application/json; charset=utf-8"));
}

TEST(WantsOnlyText, NamesTextAndNothingElseThatADepositGets) {
  EXPECT_TRUE(wants_only_text("text/plain"));
  EXPECT_TRUE(wants_only_text("Text/Plain; charset=utf-8"));
  EXPECT_TRUE(wants_only_text("text/html, text/plain;q=0.5"));
  EXPECT_TRUE(wants_only_text("text/plain, application/json;q=0, */*;q=0"));
  for (const std::string_view other :
       {"", "*/*", "text/*", "text/html", "text/plain, */*", "application/json, text/plain, */*",
        "text/plain, application/json;q=0.1", "text/plain, application/*", "text/plain;q=0", "text/plainer"}) {
    EXPECT_FALSE(wants_only_text(other)) << other;
  }
}

TEST(PrefersJson, WeighsTheTwo) {
  EXPECT_TRUE(prefers_json("application/json, text/plain;q=0.9"));
  EXPECT_TRUE(prefers_json("text/plain;q=0.9, application/json"));
  EXPECT_FALSE(prefers_json("application/json;q=0.8, text/plain;q=0.9"));
  EXPECT_TRUE(prefers_json("application/json;q=0.001"));
  EXPECT_FALSE(prefers_json("application/json;q=0"));
  EXPECT_FALSE(prefers_json("application/json;q=0.000"));
  EXPECT_TRUE(prefers_json("application/json, */*;q=0.1"));
  EXPECT_TRUE(prefers_json("application/json, text/*;q=0.5"));
  EXPECT_TRUE(prefers_json("application/json;q=0.5, text/plain;q=0.4, */*")) << "the most specific range counts";
  EXPECT_FALSE(prefers_json("application/json;q=0.5, text/*;q=0.6, */*;q=0.1"));
  EXPECT_TRUE(prefers_json("application/json;q=0.1, application/problem+json;q=0.9, */*;q=0.5"));
  EXPECT_TRUE(prefers_json("application/json ; Q=1.000 , text/plain ; q=0.999"));
}

TEST(PrefersJson, NonsenseIsNoPreference) {
  for (const std::string nonsense :
       {",", ",,,", ";", ";q=1", "q=1", "json", "application/*", "application", "/", "application/json;q=", "\xff\xff",
        "application/json;q=2", "application/json;q=1.5x", "application/json;q=0.12345", "application/json;q=-1",
        "application/jsonx", "xapplication/json", "application/json;q=.5"}) {
    EXPECT_FALSE(prefers_json(nonsense)) << nonsense;
  }
  EXPECT_FALSE(prefers_json(std::string(8000, ',')));
  EXPECT_FALSE(prefers_json(std::string(8000, ';')));
}

TEST(PrefersGzip, OnlyByItsName) {
  EXPECT_TRUE(prefers_gzip("gzip"));
  EXPECT_TRUE(prefers_gzip("GZip"));
  EXPECT_TRUE(prefers_gzip("x-gzip"));
  EXPECT_TRUE(prefers_gzip("deflate, gzip")) << "curl --compressed";
  EXPECT_TRUE(prefers_gzip("deflate, gzip, br, zstd"));
  EXPECT_TRUE(prefers_gzip("br;q=1.0, gzip;q=0.8, *;q=0.1"));
  EXPECT_TRUE(prefers_gzip(" gzip ; q=0.001 "));
  EXPECT_TRUE(prefers_gzip("identity, gzip"));
  EXPECT_TRUE(prefers_gzip("identity;q=0.5, gzip;q=0.5"));
  EXPECT_TRUE(prefers_gzip("gzip, identity;q=0"));
  EXPECT_FALSE(prefers_gzip(""));
  EXPECT_FALSE(prefers_gzip("*"));
  EXPECT_FALSE(prefers_gzip("identity")) << "wget";
  EXPECT_FALSE(prefers_gzip("br, deflate"));
  EXPECT_FALSE(prefers_gzip("gzip;q=0"));
  EXPECT_FALSE(prefers_gzip("gzip;q=0.000, *"));
  EXPECT_FALSE(prefers_gzip("identity, gzip;q=0.9"));
  EXPECT_FALSE(prefers_gzip("gzip;q=nonsense"));
  EXPECT_FALSE(prefers_gzip("gzipped"));
  EXPECT_FALSE(prefers_gzip("not gzip"));
  EXPECT_FALSE(prefers_gzip(std::string(8000, ',')));
}

TEST(MatchesEtag, ComparesWeakly) {
  const std::string_view etag = "\"abc\"";
  EXPECT_TRUE(matches_etag("\"abc\"", etag));
  EXPECT_TRUE(matches_etag("W/\"abc\"", etag));
  EXPECT_TRUE(matches_etag("\"x\", \"abc\"", etag));
  EXPECT_TRUE(matches_etag("\"x\",W/\"abc\",\"y\"", etag));
  EXPECT_TRUE(matches_etag("*", etag));
  EXPECT_TRUE(matches_etag(" * ", etag));
  EXPECT_FALSE(matches_etag("", etag));
  EXPECT_FALSE(matches_etag("abc", etag));
  EXPECT_FALSE(matches_etag("\"ABC\"", etag));
  EXPECT_FALSE(matches_etag("\"abc", etag));
  EXPECT_FALSE(matches_etag("\"ab\"", etag));
  EXPECT_FALSE(matches_etag("w/\"abc\"", etag)) << "case-sensitive, RFC 9110 section 8.8.3";
  EXPECT_FALSE(matches_etag("\"abc\"x", etag));
  EXPECT_FALSE(matches_etag(std::string(8000, ','), etag));
}

}  // namespace
}  // namespace pairport

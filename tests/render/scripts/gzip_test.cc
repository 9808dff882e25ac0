// SPDX-License-Identifier: MIT
#include "render/scripts/gzip.h"

#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "support/gunzip.h"

namespace pairport::testing {
namespace {

Template compile(const std::string& text) {
  auto compiled =
      Template::compile("linux/x", Dialect::kPosixShell, [&](std::string_view) { return std::optional(text); }, {});
  EXPECT_TRUE(compiled.ok()) << compiled.status().message();
  return std::move(compiled).value();
}

// As the service does it.
std::string stream_around(const GzipParts& parts, std::string_view block) {
  std::string header(GzipParts::kBlockHeader, '\0');
  std::string trailer(GzipParts::kTrailer, '\0');
  GzipParts::write_block_header(block.size(), header.data());
  parts.write_trailer(block, trailer.data());
  return std::string(parts.prefix()).append(header).append(block).append(parts.suffix()).append(trailer);
}

TEST(Gzip, UnpacksToTheTextAroundTheBlock) {
  std::mt19937 engine(1);
  std::string noise(40'000, '\0');
  for (char& c : noise) c = static_cast<char>('!' + engine() % 90);
  noise.front() = '#';  // a comment for the template
  for (const std::string& before : {std::string(), std::string("a"), std::string(70'000, 'b'), noise}) {
    for (const std::string& behind : {std::string(), std::string("\n"), std::string(70'000, 'c'), noise}) {
      const Template script = compile(before + "\n#{{code}}" + behind);
      const GzipParts parts(script);
      for (const std::size_t size : {0U, 1U, 255U, 256U, 4096U, 15U * 1024U}) {
        std::string block(size, '\0');
        for (char& c : block) c = static_cast<char>(engine());
        EXPECT_TRUE(gunzip(stream_around(parts, block)) == before + "\n#" + block + behind) << size;
      }
    }
  }
}

TEST(Gzip, AScriptWithoutSlotsIsOneStream) {
  for (const std::string& text : {std::string(), std::string("x\n"), std::string(100'000, 'y')}) {
    const GzipParts parts(compile(text));
    EXPECT_TRUE(gunzip(parts.prefix()) == text) << text.size();
    EXPECT_TRUE(parts.suffix().empty());
  }
}

TEST(Gzip, TextOfOneRequestIsStoredAsItIs) {
  for (const std::size_t size : {0U, 1U, 300U, 15U * 1024U}) {
    std::string stream(GzipParts::kStoredHead + size + GzipParts::kTrailer, 'x');
    EXPECT_EQ(GzipParts::wrap_stored(size, stream.data()), stream.size());
    EXPECT_TRUE(gunzip(stream) == std::string(size, 'x')) << size;
  }
}

TEST(Gzip, TheStrictReaderIsStrict) {
  const GzipParts parts(compile("a\n#{{code}}\nb\n"));
  const std::string good = stream_around(parts, "value");
  ASSERT_EQ(gunzip(good), "a\n#value\nb\n");
  for (std::size_t i = good.size() - GzipParts::kTrailer; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_EQ(gunzip(bad), "(not a gzip stream)") << i;
  }
  EXPECT_EQ(gunzip(good + "x"), "(not a gzip stream)");
  EXPECT_EQ(gunzip(good.substr(0, good.size() - 1)), "(not a gzip stream)");
}

}  // namespace
}  // namespace pairport::testing

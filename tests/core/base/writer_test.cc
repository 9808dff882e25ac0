// SPDX-License-Identifier: MIT
#include "core/base/writer.h"

#include <array>
#include <limits>
#include <string_view>

#include <gtest/gtest.h>

namespace pairport {
namespace {

TEST(Writer, AppendsTextAndNumbers) {
  std::array<char, 64> room;
  Writer out(room);
  EXPECT_EQ(out.written(), "");
  out.text("a")
      .text({})
      .text("bc")
      .number(std::uint64_t{0})
      .text("/")
      .number(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(out.written(), "abc0/18446744073709551615");
  EXPECT_EQ(out.written().data(), room.data());
}

TEST(Writer, WritesDecimalsWithTheDigitsThatAreAskedFor) {
  std::array<char, 64> room;
  EXPECT_EQ(Writer(room).number(65'536.0, 0).text(" ").number(2.25, 1).text(" ").number(0.05, 2).written(),
            "65536 2.2 0.05");
}

TEST(Writer, WritesHexadecimalWithLeadingZerosWhereTheyAreAskedFor) {
  std::array<char, 64> room;
  EXPECT_EQ(Writer(room).hex(0).text(" ").hex(0xbeef).text(" ").hex(0x1a, 8).text(" ").hex(0x123456789, 8).written(),
            "0 beef 0000001a 123456789");
  EXPECT_EQ(Writer(room).hex(std::numeric_limits<std::uint64_t>::max(), 16).written(), "ffffffffffffffff");
}

TEST(Writer, WritesWhatAQuotingFunctionWrites) {
  std::array<char, 64> room;
  const auto twice = [](std::string_view value, char* out) {
    for (int i = 0; i < 2; ++i) out += value.copy(out, value.size());
    return out;
  };
  EXPECT_EQ(Writer(room).text("<").quoted("ab", twice).text(">").written(), "<abab>");
}

TEST(Writer, FillsItsRoomToTheLastByte) {
  std::array<char, 4> room;
  EXPECT_EQ(Writer(room).text("ab").text("cd").written(), "abcd");
}

}  // namespace
}  // namespace pairport

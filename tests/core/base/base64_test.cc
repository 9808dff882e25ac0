// SPDX-License-Identifier: MIT
#include "core/base/base64.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace pairport::testing {
namespace {

std::string base64(std::string_view bytes) {
  std::string text(base64_size(bytes.size()), '\0');
  EXPECT_EQ(put_base64(bytes_of(bytes), text.data()), text.data() + text.size());
  return text;
}

std::string base64url(std::string_view bytes) {
  std::string text(base64url_size(bytes.size()), '\0');
  EXPECT_EQ(put_base64url(bytes_of(bytes), text.data()), text.data() + text.size());
  return text;
}

// What a text of the alphabet of URLs stands for, or "refused".
std::string read(std::string_view text, std::size_t room = 100) {
  std::vector<std::uint8_t> bytes(room);
  const std::optional<std::size_t> size = read_base64url(text, bytes);
  return size ? std::string(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*size)) : "refused";
}

// RFC 4648 section 10.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kVectors = {{{"", ""},
                                                                                    {"f", "Zg=="},
                                                                                    {"fo", "Zm8="},
                                                                                    {"foo", "Zm9v"},
                                                                                    {"foob", "Zm9vYg=="},
                                                                                    {"fooba", "Zm9vYmE="},
                                                                                    {"foobar", "Zm9vYmFy"}}};

TEST(Base64, IsThatOfRfc4648) {
  for (const auto& [bytes, text] : kVectors) EXPECT_EQ(base64(bytes), text);
  EXPECT_EQ(base64("\xfb\xff\xbf"), "+/+/");
}

TEST(Base64Url, IsThatOfRfc4648WithoutPadding) {
  for (const auto& [bytes, text] : kVectors) {
    const std::string_view bare = text.substr(0, std::min(text.find('='), text.size()));
    EXPECT_EQ(base64url(bytes), bare);
    EXPECT_EQ(read(bare), bytes);
  }
  EXPECT_EQ(base64url("\xfb\xff\xbf"), "-_-_");
  EXPECT_EQ(read("-_-_"), "\xfb\xff\xbf");
}

TEST(Base64Url, ReadsWhatItWrites) {
  std::mt19937 random(1);
  std::string bytes;
  for (std::size_t size = 0; size < 70; ++size) {
    EXPECT_EQ(read(base64url(bytes), size), bytes) << "exactly enough room";
    if (size > 0) {
      EXPECT_EQ(read(base64url(bytes), size - 1), "refused") << "a byte too little room";
    }
    bytes.push_back(static_cast<char>(random()));
  }
}

// A second form of a token would be taken for another one where tokens are compared or remembered.
TEST(Base64Url, EachTextOfTheAlphabetHasOneMeaningOrNone) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::size_t taken = 0;
  for (const char first : kAlphabet) {
    for (const char second : kAlphabet) {
      const std::string text = {first, second};
      if (const std::string bytes = read(text); bytes != "refused") {
        ++taken;
        EXPECT_EQ(base64url(bytes), text);
      }
      const std::string longer = text + 'A';
      if (const std::string bytes = read(longer); bytes != "refused") {
        EXPECT_EQ(base64url(bytes), longer);
      }
    }
  }
  EXPECT_EQ(taken, 256U);
  EXPECT_EQ(read("Zh"), "refused");
  EXPECT_EQ(read("Zm9"), "refused");
}

TEST(Base64Url, EveryOtherCharacterIsRefusedInEveryPlace) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (int c = 0; c < 256; ++c) {
    const auto character = static_cast<char>(c);
    if (kAlphabet.find(character) != std::string_view::npos) continue;
    for (std::size_t place = 0; place < 8; ++place) {
      std::string text = "AAAAAAAA";
      text[place] = character;
      EXPECT_EQ(read(text), "refused") << "character " << c << " at " << place;
    }
  }
  for (const std::string_view text : {"A", "AAAAA", "Zg==", "Zg=", "Zm8=", "Zm9v\n", " Zm9v", "Zm9v Zm9v", "Zm+v"}) {
    EXPECT_EQ(read(text), "refused") << text;
  }
}

TEST(Base64Url, TextThatIsTooLongWritesNothingBehindTheRoom) {
  std::array<std::uint8_t, 8> bytes;
  bytes.fill(0x5a);
  EXPECT_FALSE(read_base64url(std::string(1000, 'A'), std::span(bytes).first(4)));
  EXPECT_TRUE(std::all_of(bytes.begin() + 4, bytes.end(), [](std::uint8_t byte) { return byte == 0x5a; }));
}

}  // namespace
}  // namespace pairport::testing

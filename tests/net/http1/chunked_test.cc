// SPDX-License-Identifier: MIT
#include "net/http1/chunked.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace pairport {
namespace {

using State = ChunkedDecoder::State;

struct Outcome {
  State state;
  std::string data;
  std::string rest;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome decode(std::string_view input, std::size_t piece_size, std::size_t room = 64) {
  ChunkedDecoder decoder;
  std::string out(room, '\0');
  std::size_t size = 0;
  State state = State::kIncomplete;
  while (!input.empty() && state == State::kIncomplete) {
    std::string_view piece = input.substr(0, piece_size);
    const std::size_t before = piece.size();
    state = decoder.feed(piece, out, size);
    input.remove_prefix(before - piece.size());
  }
  return {state, out.substr(0, size), std::string(input)};
}

void expect(std::string_view input, const Outcome& expected, std::size_t room = 64) {
  EXPECT_EQ(decode(input, input.size(), room), expected) << input;
  EXPECT_EQ(decode(input, 1, room), expected) << input << " (byte by byte)";
  EXPECT_EQ(decode(input, 3, room), expected) << input << " (three bytes at a time)";
}

TEST(Chunked, DecodesAndLeavesWhatFollows) {
  expect("5\r\nhello\r\n0\r\n\r\n", {State::kComplete, "hello", ""});
  expect("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET /", {State::kComplete, "abc0123456789", "GET /"});
  expect("0\r\n\r\n", {State::kComplete, "", ""});
  expect("0005\r\nhello\r\n000\r\n\r\n", {State::kComplete, "hello", ""});
}

TEST(Chunked, WaitsForTheRest) {
  expect("5\r\nhel", {State::kIncomplete, "hel", ""});
  expect("5\r\nhello\r\n0\r\n\r", {State::kIncomplete, "hello", ""});
}

TEST(Chunked, RefusesWhatParsersDisagreeAbout) {
  expect("5;name=value\r\nhello\r\n0\r\n\r\n", {State::kMalformed, "", ";name=value\r\nhello\r\n0\r\n\r\n"});
  expect("5 \r\nhello", {State::kMalformed, "", " \r\nhello"});
  expect("5\nhello", {State::kMalformed, "", "\nhello"});
  expect("5\r\nhelloX", {State::kMalformed, "hello", "X"});
  expect("5\r\nhello\n", {State::kMalformed, "hello", "\n"});
  expect("0x5\r\nhello", {State::kMalformed, "", "x5\r\nhello"});
  expect("-1\r\n", {State::kMalformed, "", "-1\r\n"});
  expect("\r\n", {State::kMalformed, "", "\r\n"});
  expect("0\r\nTrailer: x\r\n\r\n", {State::kMalformed, "", "Trailer: x\r\n\r\n"});
}

TEST(Chunked, ASizeHasAtMostSixteenDigits) {
  const std::string zeros(15, '0');
  expect(zeros + "5\r\nhello\r\n" + zeros + "0\r\n\r\n", {State::kComplete, "hello", ""});
  expect("0" + zeros + "5\r\nhello", {State::kMalformed, "", "5\r\nhello"});
  expect("5\r\nhello\r\n0" + zeros + "0\r\n\r\n", {State::kMalformed, "hello", "0\r\n\r\n"});
  EXPECT_EQ(decode(std::string(100'000, '0'), 1'000).state, State::kMalformed) << "not kept busy for ever";
}

TEST(Chunked, RefusesMoreThanThereIsRoomFor) {
  expect("8\r\n01234567\r\n0\r\n\r\n", {State::kComplete, "01234567", ""}, 8);
  expect("9\r\n012345678", {State::kTooLarge, "", "\n012345678"}, 8);
  EXPECT_EQ(decode("ffffffffffffffffffffff\r\n", 100).state, State::kTooLarge);
}

}  // namespace
}  // namespace pairport

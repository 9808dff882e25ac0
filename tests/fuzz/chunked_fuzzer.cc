// SPDX-License-Identifier: MIT
// Chunked bodies: what comes out does not depend on how they are cut, and is what a decoder that sees all of it at once
// finds.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ascii.h"
#include "net/http1/chunked.h"

#include "input.h"

namespace pairport::fuzz {
namespace {

struct Outcome {
  ChunkedDecoder::State state = ChunkedDecoder::State::kIncomplete;
  std::string body;
  std::size_t left = 0;  // bytes that were not consumed

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome decode(std::string_view text, std::size_t room, Cuts cuts) {
  ChunkedDecoder decoder;
  std::vector<char> out(room);
  std::size_t size = 0;
  Outcome outcome;
  while (!text.empty() && outcome.state == ChunkedDecoder::State::kIncomplete) {
    const Exact piece(text.substr(0, cuts.next(text.size())));
    std::string_view input = piece.view();
    outcome.state = decoder.feed(input, out, size);
    expect(size <= room, "no more is written than there is room for");
    expect(outcome.state != ChunkedDecoder::State::kIncomplete || input.empty(), "incomplete means that all was taken");
    text.remove_prefix(piece.view().size() - input.size());
  }
  outcome.body.assign(out.data(), size);
  outcome.left = text.size();
  return outcome;
}

// The whole body, when `text` begins with a well-formed one (RFC 9112 section 7.1, without extensions and trailers).
bool reference(std::string_view text, std::string& body, std::size_t& left) {
  while (true) {
    const std::size_t digits = std::min(text.find("\r\n"), text.size());
    if (digits == 0 || digits > 16 || digits == text.size()) return false;  // no size has more than sixteen digits
    std::size_t size = 0;
    for (const char c : text.substr(0, digits)) {
      if (hex_value(c) < 0) return false;
      size = std::min<std::size_t>(size * 16 + static_cast<std::size_t>(hex_value(c)), 1U << 20);
    }
    text.remove_prefix(digits + 2);
    if (text.size() < size + 2 || text.substr(size, 2) != "\r\n") return false;
    body += text.substr(0, size);
    text.remove_prefix(size + 2);
    left = text.size();
    if (size == 0) return true;
  }
}

void run(Input input) {
  const Cuts cuts(input);
  const std::size_t room = input.number(2) % 2048;
  const std::string_view text = input.rest();
  const Outcome whole = decode(text, room, Cuts());
  expect(decode(text, room, cuts) == whole, "the outcome does not depend on the cuts");

  Outcome expected;
  const bool is_body = reference(text, expected.body, expected.left);
  if (whole.state == ChunkedDecoder::State::kComplete) {
    expect(is_body && whole.body == expected.body && whole.left == expected.left, "a body is what was sent");
  } else if (is_body && whole.state != ChunkedDecoder::State::kTooLarge) {
    expect(false, "a well-formed body is taken");
  } else if (is_body) {
    // Sizes of many digits are refused before they are looked at.
    expect(expected.body.size() > room || text.size() > 9, "a body for which there is room is taken");
  }
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

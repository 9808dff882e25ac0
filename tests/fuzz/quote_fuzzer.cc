// SPDX-License-Identifier: MIT
// Literals: what is read back is what was written, in the room that was promised to be enough.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "deposit_values.h"
#include "input.h"
#include "literals.h"
#include "render/scripts/quote.h"

namespace pairport::fuzz {
namespace {

template <typename Quote>
std::string quoted(std::string_view value, Quote&& quote) {
  const std::size_t room = is_printable(value) ? max_quoted_printable(value.size()) : max_quoted(value.size());
  std::vector<char> out(room);
  const auto size = static_cast<std::size_t>(quote(value, out.data()) - out.data());
  expect(size <= room, "a literal fits its room");
  return {out.data(), size};
}

void run(Input input) {
  const Exact exact(input.rest());
  const std::string_view value = exact.view();
  if (value.find('\0') == std::string_view::npos) {
    const std::string literal = quoted(value, quote_posix);
    std::string_view text = literal;
    expect(read_posix(text) == value && text.empty(), "a shell reads the value");
  }
  if (!is_utf8(value)) return;
  {
    const std::string literal = quoted(value, quote_powershell);
    std::string_view text = literal;
    expect(read_powershell(text) == value && text.empty(), "PowerShell reads the value");
    expect(is_printable(literal), "a PowerShell literal is one line");
  }
  const std::string literal = quoted(value, quote_json);
  static simdjson::dom::parser parser;
  std::string_view text;
  expect(parser.parse("[" + literal + "]").at(0).get_string().get(text) == simdjson::SUCCESS, "a JSON literal is JSON");
  expect(text == value, "a JSON parser reads the value");
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

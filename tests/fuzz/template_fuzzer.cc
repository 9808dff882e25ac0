// SPDX-License-Identifier: MIT
// Templates, three of them with form feeds between: whatever their text, compiling says what is wrong or gives a script
// that is the text with literals in it, keeps its bound with the longest of values, and is the same when compressed.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deposit_values.h"
#include "input.h"
#include "render/scripts/gzip.h"
#include "render/scripts/quote.h"
#include "render/scripts/template.h"
#include "support/gunzip.h"

namespace pairport::fuzz {
namespace {

using Texts = std::array<std::string_view, 3>;
constexpr std::array<std::string_view, 3> kNames = {"f/main", "f/one", "f/two"};

const Template::Constants& constants() {
  static const Template::Constants kConstants = {{"version", "1.2.3"}, {"nasty", "'\"`$(x) \\ {{password}}"}};
  return kConstants;
}

std::optional<std::string_view> text_of(const Texts& texts, std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return texts[i];
  }
  return std::nullopt;
}

std::string literal(Dialect dialect, std::string_view value) {
  std::string text(max_quoted(value.size()), '\0');
  char* const end =
      dialect == Dialect::kPosixShell ? quote_posix(value, text.data()) : quote_powershell(value, text.data());
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

// A template that is known to be good, expanded step by step.
class Expander {
 public:
  Expander(const Texts& texts, Dialect dialect, const SlotValues& values)
      : texts_(texts), dialect_(dialect), values_(values) {}

  std::string expand(std::string_view name) const {
    const auto text = text_of(texts_, name);
    expect(text.has_value(), "an include that compiles is there");
    std::string result;
    for (std::string_view rest = *text; !rest.empty();) {
      const std::string_view line = rest.substr(0, std::min(rest.find('\n'), rest.size() - 1) + 1);
      rest.remove_prefix(line.size());
      const std::size_t indent = std::min(line.find_first_not_of(" \t"), line.size());
      if (line.substr(indent, 3) == "## ") continue;  // a comment on the template
      if (!line.starts_with("{{> ")) {
        add_line(line, result);
        continue;
      }
      const std::string included = expand("f/" + std::string(line.substr(4, line.find("}}") - 4)));
      result += included;
      if (!included.empty() && !included.ends_with('\n') && line.ends_with('\n')) result += '\n';
    }
    return result;
  }

 private:
  void add_line(std::string_view line, std::string& result) const {
    const bool assigns = is_assignment(line);
    const std::size_t line_begin = result.size();
    for (std::size_t begin = line.find("{{"); begin != std::string_view::npos; begin = line.find("{{")) {
      const std::size_t end = line.find("}}", begin);
      expect(end != std::string_view::npos, "a slot that compiles ends");
      result += line.substr(0, begin);
      const std::string_view name = line.substr(begin + 2, end - begin - 2);
      if (!assigns) {
        expect(name == "code" || name == "made_at" || name == "valid_until" || name == "version",
               "a value is the whole right side of an assignment");
        expect(dialect_ == Dialect::kPowerShell || result.find('#', line_begin) != std::string::npos,
               "a code is that, too, or stands in a comment");
      }
      result += slot(name, assigns);
      line.remove_prefix(end + 2);
    }
    result += line;
  }

  // Whether the line is an assignment of its first slot, with nothing behind it but a comment without slots.
  bool is_assignment(std::string_view line) const {
    const std::size_t begin = line.find("{{");
    const std::size_t end = line.find("}}");
    if (begin == std::string_view::npos || end == std::string_view::npos) return false;
    std::string before;
    for (const char c : line.substr(0, begin)) before += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    std::string_view left = before;
    const auto skip = [&left](std::string_view blanks) {
      left.remove_prefix(std::min(left.find_first_not_of(blanks), left.size()));
    };
    skip(" \t");
    if (dialect_ == Dialect::kPowerShell) {
      if (left.starts_with("[string]")) left.remove_prefix(8);
      skip(" \t");
      if (!left.starts_with('$')) return false;
      left.remove_prefix(1);
      for (const std::string_view scope : {"script:", "global:", "local:", "private:", "env:"}) {
        if (left.starts_with(scope) && left.size() > scope.size()) {
          left.remove_prefix(scope.size());
          break;
        }
      }
      while (left.ends_with(' ') || left.ends_with('\t')) left.remove_suffix(1);
      if (!left.ends_with('=')) return false;
      left.remove_suffix(1);
      while (left.ends_with(' ') || left.ends_with('\t')) left.remove_suffix(1);
    } else {
      const std::string_view lower = line.substr(begin - left.size(), left.size());
      for (const std::string_view word : {"export", "readonly", "local"}) {
        const std::string_view rest = lower.substr(std::min(word.size(), lower.size()));
        if (!lower.starts_with(word) || (!rest.starts_with(' ') && !rest.starts_with('\t'))) continue;
        left.remove_prefix(word.size());
        skip(" \t");
        break;
      }
      if (!left.ends_with('=')) return false;
      left.remove_suffix(1);
    }
    const bool is_name = !left.empty() && (left.front() < '0' || left.front() > '9') &&
                         left.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
    const std::string_view behind = line.substr(end + 2);
    const std::size_t rest = behind.find_first_not_of(" \t");
    return is_name && behind.find("{{") == std::string_view::npos &&
           (rest == std::string_view::npos || behind[rest] == '\n' || (rest > 0 && behind[rest] == '#'));
  }

  std::string slot(std::string_view name, bool assigns) const {
    const DepositView& deposit = values_.deposit;
    if (name == "connect_url") return literal(dialect_, deposit.connect_url);
    if (name == "client_id") return literal(dialect_, deposit.client_id);
    if (name == "password") return literal(dialect_, deposit.password);
    if (name == "fingerprint") {
      std::string text(kFingerprintText, '\0');
      write_fingerprint(deposit.fingerprint, text.data());
      return literal(dialect_, text);
    }
    if (name == "code") {
      std::string shown;
      for (const char c : values_.code.substr(0, 64)) {
        const bool harmless =
            std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-").find(c) !=
            std::string_view::npos;
        shown += harmless ? c : '?';
      }
      return assigns ? "'" + shown + "'" : shown;
    }
    if (name == "made_at" || name == "valid_until") {
      const std::string text(name == "made_at" ? values_.made_at : values_.valid_until);
      return assigns ? "'" + text + "'" : text;
    }
    const auto constant = constants().find(name);
    expect(constant != constants().end(), "a name that compiles is known");
    return assigns ? literal(dialect_, constant->second) : constant->second;
  }

  const Texts& texts_;
  const Dialect dialect_;
  const SlotValues& values_;
};

void check_script(const Texts& texts, Dialect dialect, const Template& script, const SlotValues& values) {
  std::vector<char> out(Template::kMaxBlock);
  const std::size_t size = script.render(values, out.data());
  expect(size <= Template::kMaxBlock, "a block is bounded");
  expect(script.has_slots() || size == 0, "a script without slots has no block");
  const std::string_view block(out.data(), size);
  const std::string plain = std::string(script.prefix()) + std::string(block) + std::string(script.suffix());
  expect(plain == Expander(texts, dialect, values).expand(kNames[0]), "a script is its text with literals in it");

  const GzipParts gzip(script);
  std::string stream(gzip.prefix());
  if (script.has_slots()) {
    std::array<char, GzipParts::kBlockHeader> header;
    GzipParts::write_block_header(size, header.data());
    std::array<char, GzipParts::kTrailer> trailer;
    gzip.write_trailer(block, trailer.data());
    stream.append(header.data(), header.size()).append(block).append(gzip.suffix());
    stream.append(trailer.data(), trailer.size());
  }
  // A megabyte is what the reader makes room for.
  if (plain.size() < std::size_t{1} << 20) expect(testing::gunzip(stream) == plain, "compressed it is the same");
}

void run(Input input) {
  const bool windows = input.byte() % 2 == 1;
  const Dialect dialect = windows ? Dialect::kPowerShell : Dialect::kPosixShell;
  const Texts texts = {input.text_until("\f"), input.text_until("\f"), input.rest()};
  std::size_t loads = 0;
  auto compiled = Template::compile(
      kNames[0], dialect,
      [&](std::string_view name) -> std::optional<std::string> {
        // Two includes in each of eight levels are 2^8 files, and lines are many: what a template of one's own costs at
        // start is its author's business.
        if (++loads > 200) return std::nullopt;
        const auto text = text_of(texts, name);
        return text ? std::optional(std::string(*text)) : std::nullopt;
      },
      constants());
  if (!compiled.ok()) {
    expect(compiled.status().code() == StatusCode::kBadTemplate, "a template that is refused is a bad template");
    expect(compiled.status().message().starts_with("f/"), "the message says which file");
    return;
  }
  const Template script = std::move(compiled).value();

  const std::string quotes(kMaxConnectUrl, '\'');
  std::string umlauts;
  while (umlauts.size() + 2 <= kMaxConnectUrl) umlauts += "\xc3\xa4";
  for (const std::string& value : {quotes, umlauts}) {
    const std::string_view text = value;
    check_script(
        texts, dialect, script,
        {{text.substr(0, kMaxConnectUrl), {}, text.substr(0, kMaxClientId), text.substr(0, kMaxPassword)}, text});
  }
  check_script(texts, dialect, script, {{"u", {}, "i", "p"}, "{{code}}"});
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

// SPDX-License-Identifier: MIT
// Invariants: frames_ holds the open constructs, outermost first; empty means the script's own code. Every step reads
// at least one character. In doubt the scanner is unsure and refuses: a refused slot costs the author of the template a
// line, but an unsafe slot may compromise every machine.
#include "render/scripts/script_scanner.h"

#include <algorithm>
#include <utility>

#include "core/base/ascii.h"

namespace pairport {
namespace {

constexpr std::string_view kBlank = " \t";
// Characters that end a word of a shell (POSIX.1-2017, 2.3 and 2.2).
constexpr CharacterSet kShellDelimiters(" \t\n;&|<>()");
constexpr CharacterSet kPowerShellDelimiters(" \t\n;&|,(){}");

bool is_identifier_character(char c) noexcept {
  return is_letter(c) || is_digit(c) || c == '_';
}

std::string_view without_blanks(std::string_view text) noexcept {
  return text.substr(std::min(text.find_first_not_of(kBlank), text.size()));
}

// If `text` begins with `word` and white space, removes both and returns true.
bool take_word(std::string_view& text, std::string_view word) noexcept {
  if (!text.starts_with(word) || text.size() == word.size() ||
      kBlank.find(text[word.size()]) == std::string_view::npos) {
    return false;
  }
  text = without_blanks(text.substr(word.size()));
  return true;
}

bool take_identifier(std::string_view& text) noexcept {
  const auto end = std::find_if_not(text.begin(), text.end(), is_identifier_character);
  if (end == text.begin() || is_digit(text.front())) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  return true;
}

// PowerShell treats typographic quotes as quotes. Returns the bytes of the quote at the beginning of `text`; 0: there
// is none.
std::size_t quote(std::string_view text, char ascii, char first_curly, char last_curly) noexcept {
  if (text.front() == ascii) return 1;
  // Typographic quotes are U+2018 to U+201E: E2 80 98 to E2 80 9E in UTF-8.
  if (text.front() != '\xe2' || text.size() < 3 || text[1] != '\x80') return 0;
  return text[2] >= first_curly && text[2] <= last_curly ? 3 : 0;
}
std::size_t single_quote(std::string_view text) noexcept {
  return text.empty() ? 0 : quote(text, '\'', '\x98', '\x9b');
}
std::size_t double_quote(std::string_view text) noexcept {
  return text.empty() ? 0 : quote(text, '"', '\x9c', '\x9e');
}

}  // namespace

bool ScriptScanner::is_below(Kind kind) const noexcept {
  return std::any_of(frames_.begin(), frames_.end(), [kind](const Frame& frame) { return frame.kind == kind; });
}

void ScriptScanner::doubt(std::string_view what, const std::string& where) {
  if (unsure_.empty()) unsure_.append(what).append(" in ").append(where);
}

bool ScriptScanner::is_fresh() const noexcept {
  return !continued_ && awaited_.empty() &&
         std::all_of(frames_.begin(), frames_.end(), [](const Frame& frame) { return frame.kind == Kind::kBlock; });
}

std::string ScriptScanner::obstacle() const {
  if (is_unsure()) return unsure_ + ", behind which quotes cannot be followed";
  if (is_in_body_) return "a here-document that began in " + awaited_.front().where;
  const auto frame =
      std::find_if(frames_.begin(), frames_.end(), [](const Frame& f) { return f.kind != Kind::kBlock; });
  if (frame != frames_.end()) {
    switch (frame->kind) {
      case Kind::kSingle:
      case Kind::kDouble:
        return "a quote that was opened in " + frame->where;
      case Kind::kBlockComment:
        return "a comment that began in " + frame->where;
      case Kind::kHereSingle:
      case Kind::kHereDouble:
        return "a here-string that began in " + frame->where;
      default:
        return "a bracket or substitution that was opened in " + frame->where;
    }
  }
  if (continued_) return "a command that began in " + continued_where_;
  return {};
}

void ScriptScanner::scan(std::string_view line, const std::string& where, std::vector<bool>& in_comment) {
  in_comment.clear();
  std::string whole(line);
  if (!whole.ends_with('\n')) whole += '\n';  // the text of another template may follow
  if (is_in_body_) {
    in_comment.assign(static_cast<std::size_t>(std::count(whole.begin(), whole.end(), kSlot)), false);
    shell_body_line(whole);
    return;
  }
  const bool goes_on = std::exchange(continued_, false);
  for (std::string_view rest = whole; !rest.empty();) {
    const Step step =
        dialect_ == Dialect::kPosixShell ? shell(rest, where) : powershell(rest, rest.size() == whole.size(), where);
    const std::size_t size = std::min(step.size, rest.size());
    for (const char c : rest.substr(0, size)) {
      if (c == kSlot) in_comment.push_back(step.is_comment);
    }
    rest.remove_prefix(size);
  }
  if (continued_ && !goes_on) continued_where_ = where;
}

// ------------------------------------------------------------------------------------------------------------ shell --

ScriptScanner::Step ScriptScanner::shell(std::string_view rest, const std::string& where) {
  const char c = rest.front();
  if (frames_.empty() || is_in(Kind::kSubstitution) || is_in(Kind::kBacktick)) return shell_code(rest, where);
  if (is_in(Kind::kSingle)) {
    if (c == '`' && is_below(Kind::kBacktick)) doubt("a ` in quotes in `...`", where);
    if (c == '\'') close();
    return {1};
  }
  if (c == '\\') return {2};
  if (c == '$' || c == '`') return shell_expansion(rest, where);
  switch (frames_.back().kind) {
    case Kind::kDouble:
      if (c == '"') close();
      break;
    case Kind::kParameter:
      if (c == '}') {
        close();
      } else if (c == '"') {
        open(Kind::kDouble, where);
      } else if (c == '\'' && is_below(Kind::kDouble)) {
        doubt("a ' in ${...} in quotes", where);  // whether it is a quote depends on the operator and on the shell
      } else if (c == '\'') {
        open(Kind::kSingle, where);
      }
      break;
    default:  // kArithmetic
      if (c == '(') {
        ++frames_.back().brackets;
      } else if (c == ')' && frames_.back().brackets > 0) {
        --frames_.back().brackets;
      } else if (c == ')') {
        const bool ends = rest.substr(1).starts_with(')');
        if (!ends) doubt("$((...) that is no arithmetic", where);
        close();
        return {ends ? std::size_t{2} : std::size_t{1}};
      } else if (c == '"') {
        open(Kind::kDouble, where);
      } else if (c == '\'') {
        open(Kind::kSingle, where);
      }
  }
  return {1};
}

// Reads $ and `, in every place where they are special.
ScriptScanner::Step ScriptScanner::shell_expansion(std::string_view rest, const std::string& where) {
  if (rest.front() == '`') {
    if (is_in(Kind::kBacktick)) {
      close();
      in_word_ = true;
    } else {
      if (is_below(Kind::kBacktick)) doubt("a ` in `...`", where);
      open(Kind::kBacktick, where);
      in_word_ = false;
      word_.clear();
    }
    return {1};
  }
  in_word_ = true;
  if (rest.starts_with("$((")) {
    open(Kind::kArithmetic, where);
    return {3};
  }
  if (rest.starts_with("$(")) {
    open(Kind::kSubstitution, where, ')');
    in_word_ = false;
    word_.clear();
    return {2};
  }
  if (rest.starts_with("${")) {
    open(Kind::kParameter, where);
    return {2};
  }
  return {1};
}

ScriptScanner::Step ScriptScanner::shell_code(std::string_view rest, const std::string& where) {
  const char c = rest.front();
  if (kShellDelimiters.contains(c)) {
    // The patterns of `case` end in brackets without an opening one.
    if (word_ == "case" && is_in(Kind::kSubstitution)) doubt("`case` in $(...)", where);
    word_.clear();
    in_word_ = false;
  }
  switch (c) {
    case '\n':
      if (!awaited_.empty()) is_in_body_ = true;
      return {1};
    case '\\':
      if (rest.substr(1).starts_with('`') && is_below(Kind::kBacktick)) doubt("a ` in `...`", where);
      if (rest.substr(1).starts_with('\n')) {
        continued_ = true;
      } else {
        in_word_ = true;
      }
      return {2};
    case '\'':
    case '"':
      open(c == '"' ? Kind::kDouble : Kind::kSingle, where);
      in_word_ = true;
      return {1};
    case '$':
      if (rest.substr(1).starts_with('\'')) {
        doubt("$'...', which not every shell knows,", where);
        in_word_ = true;
        return {1};
      }
      return shell_expansion(rest, where);
    case '`':
      return shell_expansion(rest, where);
    case '#':
      if (in_word_) return {1};
      if (is_below(Kind::kBacktick)) doubt("a comment in `...`", where);
      return {rest.size() - 1, true};
    case '<':
      if (rest.starts_with("<<<")) return {3};
      return rest.starts_with("<<") ? shell_here_document(rest, where) : Step{1};
    case '(':
      if (is_in(Kind::kSubstitution)) ++frames_.back().brackets;
      return {1};
    case ')':
      if (!is_in(Kind::kSubstitution)) return {1};
      if (frames_.back().brackets-- == 0) {
        close();
        in_word_ = true;
      }
      return {1};
    default:
      if (kShellDelimiters.contains(c)) return {1};
      in_word_ = true;
      word_ += c;
      return {1};
  }
}

ScriptScanner::Step ScriptScanner::shell_here_document(std::string_view rest, const std::string& where) {
  HereDocument document{{}, where, rest.substr(2).starts_with('-'), true};
  std::size_t i = document.strips_tabs ? 3 : 2;
  i = std::min(rest.find_first_not_of(kBlank, i), rest.size());
  char quote = '\0';
  bool plain = true;
  for (; i < rest.size() && rest[i] != '\n'; ++i) {
    const char c = rest[i];
    if (quote == '\0' && kShellDelimiters.contains(c)) break;
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
      document.expands = false;
    } else {
      // Shells differ in how they remove these characters in quotes.
      plain = plain && c != '$' && c != '`' && c != kSlot && (c != '\\' || quote == '\0');
      if (c == '\\') {
        document.expands = false;
        if (++i == rest.size() || rest[i] == '\n') break;
      }
      document.end += rest[i];
    }
  }
  if (!plain || quote != '\0' || document.end.empty() || is_below(Kind::kBacktick)) {
    doubt("a here-document whose end cannot be told", where);
  }
  in_word_ = true;
  awaited_.push_back(std::move(document));
  return {i};
}

void ScriptScanner::shell_body_line(std::string_view line) {
  const HereDocument& document = awaited_.front();
  line.remove_suffix(1);
  std::string_view text = line;
  if (document.strips_tabs) text.remove_prefix(std::min(text.find_first_not_of('\t'), text.size()));
  if (text == document.end) {
    if (body_continues_)
      doubt("a here-document with \\ before its end", document.where);  // dash ends it, bash does not
    body_continues_ = false;
    awaited_.erase(awaited_.begin());
    is_in_body_ = !awaited_.empty();
    return;
  }
  const std::size_t last = line.find_last_not_of('\\');
  const std::size_t backslashes = line.size() - (last == std::string_view::npos ? 0 : last + 1);
  body_continues_ = document.expands && backslashes % 2 == 1;
}

// ------------------------------------------------------------------------------------------------------- PowerShell --

ScriptScanner::Step ScriptScanner::powershell(std::string_view rest, bool at_start, const std::string& where) {
  if (frames_.empty() || is_in(Kind::kSubstitution) || is_in(Kind::kBlock)) return powershell_code(rest, where);
  const std::size_t single = single_quote(rest);
  const std::size_t twofold = double_quote(rest);
  switch (frames_.back().kind) {
    case Kind::kSingle:
      if (single == 0) return {1};
      if (const std::size_t next = single_quote(rest.substr(single)); next != 0) return {single + next};
      close();
      return {single};
    case Kind::kDouble:
      if (rest.front() == '`') return {2};
      if (rest.starts_with("$(")) {
        open(Kind::kSubstitution, where, ')');
        in_word_ = false;
        return {2};
      }
      if (twofold == 0) return {1};
      if (const std::size_t next = double_quote(rest.substr(twofold)); next != 0) return {twofold + next};
      close();
      return {twofold};
    case Kind::kBlockComment:
      if (!rest.starts_with("#>")) return {1, true};
      close();
      in_word_ = false;
      return {2};
    default: {  // a here-string, which ends at the start of a line only
      const std::size_t quote = is_in(Kind::kHereSingle) ? single : twofold;
      if (!at_start || quote == 0 || !rest.substr(quote).starts_with('@')) return {rest.size()};
      close();
      in_word_ = true;
      return {quote + 1};
    }
  }
}

ScriptScanner::Step ScriptScanner::powershell_code(std::string_view rest, const std::string& where) {
  const char c = rest.front();
  const bool in_word = in_word_;
  in_word_ = !kPowerShellDelimiters.contains(c);
  if (c == '`') {
    if (rest.substr(1).starts_with('\n')) {
      continued_ = true;
      in_word_ = in_word;
    }
    return {2};
  }
  if (c == '#') {
    if (!in_word) return {rest.size() - 1, true};
    doubt("a # in a word", where);
    return {1};
  }
  if (rest.starts_with("<#")) {
    if (in_word) doubt("a <# in a word", where);
    open(Kind::kBlockComment, where);
    return {2};
  }
  if (!in_word && rest.starts_with("--%")) doubt("--%", where);
  if (c == '@') {
    const std::string_view behind = rest.substr(1);
    const std::size_t single = single_quote(behind);
    const std::size_t quote = single != 0 ? single : double_quote(behind);
    if (quote != 0) {
      const bool ends_line = without_blanks(behind.substr(quote)).starts_with('\n');
      if (in_word || !ends_line) doubt("a quote behind @", where);
      if (!ends_line) return {1};
      open(single != 0 ? Kind::kHereSingle : Kind::kHereDouble, where);
      return {rest.size()};
    }
    if (behind.starts_with('{')) {
      open(Kind::kSubstitution, where, '}');
      in_word_ = false;
      return {2};
    }
    return {1};
  }
  if (const std::size_t quote = single_quote(rest); quote != 0) {
    open(Kind::kSingle, where);
    return {quote};
  }
  if (const std::size_t quote = double_quote(rest); quote != 0) {
    open(Kind::kDouble, where);
    return {quote};
  }
  if (rest.starts_with("${")) {
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos || rest.substr(0, end).find('`') != std::string_view::npos) {
      doubt("${ whose end cannot be told", where);
      return {2};
    }
    return {end + 1};
  }
  switch (c) {
    case '(':
      open(Kind::kSubstitution, where, ')');
      break;
    case '[':
      open(Kind::kSubstitution, where, ']');
      break;
    case '{':
      open(Kind::kBlock, where, '}');
      break;
    case ')':
    case ']':
    case '}':
      if (frames_.empty() || frames_.back().end != c) {
        doubt("a bracket that matches none", where);
      } else {
        close();
      }
      break;
    default:
      break;
  }
  return {1};
}

bool ScriptScanner::is_assignment(Dialect dialect, std::string_view line) noexcept {
  if (line.ends_with('\n')) line.remove_suffix(1);
  line = without_blanks(line);
  if (dialect == Dialect::kPosixShell) {
    for (const std::string_view word : {"export", "readonly", "local"}) {
      if (take_word(line, word)) break;
    }
    if (!take_identifier(line) || !line.starts_with('=')) return false;
    line.remove_prefix(1);
  } else {
    constexpr std::string_view kType = "[string]";
    if (equals_ignoring_case(line.substr(0, kType.size()), kType)) line = without_blanks(line.substr(kType.size()));
    if (!line.starts_with('$')) return false;
    line.remove_prefix(1);
    for (const std::string_view scope : {"script:", "global:", "local:", "private:", "env:"}) {
      if (equals_ignoring_case(line.substr(0, scope.size()), scope)) {
        line.remove_prefix(scope.size());
        break;
      }
    }
    if (!take_identifier(line)) return false;
    line = without_blanks(line);
    if (!line.starts_with('=')) return false;
    line = without_blanks(line.substr(1));
  }
  if (!line.starts_with(kSlot)) return false;
  line.remove_prefix(1);
  if (line.find(kSlot) != std::string_view::npos) return false;
  const std::string_view behind = without_blanks(line);
  return behind.empty() || (behind.size() < line.size() && behind.starts_with('#'));
}

}  // namespace pairport

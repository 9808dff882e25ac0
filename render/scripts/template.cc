// SPDX-License-Identifier: MIT
// Invariants: pieces_ is empty, or every piece has a slot and the last piece has no text. compile() checks that the sum
// of all static text in pieces_, the worst case of all slots, and kShortText (which render() may write behind its
// block) is at most kMaxBlock. So render() need not check.
#include "render/scripts/template.h"

#include <algorithm>
#include <cstring>

#include <pairport/http.h>

#include "core/base/ascii.h"
#include "core/base/check.h"
#include "core/base/utc_text.h"
#include "core/deposit/deposit_fields.h"
#include "render/scripts/quote.h"
#include "render/scripts/script_scanner.h"

namespace pairport {

static_assert(Template::kMaxBlock <= kResponseScratch);

namespace {

constexpr std::size_t kMaxShownCode = 64;
constexpr int kMaxIncludeDepth = 8;

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_harmless(char c) noexcept {
  return is_alphanumeric(c) || c == '.' || c == '_' || c == '~' || c == '-';
}

// The characters of a URL of the service; none of them ends a comment.
bool is_url_character(char c) noexcept {
  return is_harmless(c) || std::string_view(":/[]%@+,=").find(c) != std::string_view::npos;
}

}  // namespace

class Template::Compiler {
 public:
  Compiler(Dialect dialect, const Loader& loader, const Constants& constants)
      : loader_(loader), constants_(constants), scanner_(dialect) {
    template_.dialect_ = dialect;
  }

  Result<Template> run(std::string_view name) {
    folder_ = std::string(name.substr(0, name.find('/') + 1));
    if (Status status = add_file(std::string(name), 0); !status.ok()) return status;
    if (template_.pieces_.empty()) {
      template_.prefix_ = std::move(text_);
    } else {
      template_.suffix_ = std::move(text_);
    }
    std::size_t block = kShortText;
    for (Piece& piece : template_.pieces_) {
      block += piece.text.size() + piece.room;
      piece.text.copy(piece.start.data(), piece.start.size());
    }
    if (block > kMaxBlock) {
      return Status(StatusCode::kBadTemplate,
                    std::string(name) +
                        ": the slots for the fields of a deposit must stand close together, each once: move the text "
                        "between them before the first or behind the last");
    }
    return std::move(template_);
  }

 private:
  // All slots by name, each as a piece without text.
  static const std::map<std::string_view, Piece>& slots() {
    static const std::map<std::string_view, Piece> kSlots = [] {
      const auto piece = [](Slot slot, std::size_t room, std::string_view DepositView::*field = nullptr) {
        return Piece{.slot = slot, .is_literal = true, .text = {}, .room = room, .field = field};
      };
      std::map<std::string_view, Piece> all = {{"code", piece(Slot::kCode, kMaxShownCode + 2)},
                                               {"made_at", piece(Slot::kMadeAt, kMaxShownTime + 2)},
                                               {"valid_until", piece(Slot::kValidUntil, kMaxShownTime + 2)}};
      for (const DepositFieldRow& row : kDepositFields) {
        all[kDepositFieldNames[static_cast<std::size_t>(row.field)]] =
            row.text == nullptr ? piece(Slot::kFingerprint, row.limit + 2)
                                : piece(Slot::kText, max_quoted_printable(row.limit), row.text);
      }
      return all;
    }();
    return kSlots;
  }

  static Status error(const std::string& where, std::string what) {
    return {StatusCode::kBadTemplate, where + ": " + std::move(what)};
  }

  Status add_file(const std::string& file, int depth) {
    const std::optional<std::string> text = loader_(file);
    if (!text) return {StatusCode::kBadTemplate, file + ": there is no such template"};
    if (text->find('\r') != std::string::npos || text->find('\0') != std::string::npos) {
      return {StatusCode::kBadTemplate, file + ": contains a carriage return or a NUL; lines must end in LF alone"};
    }
    std::size_t line_number = 0;
    for (std::size_t position = 0; position < text->size();) {
      const std::size_t end = std::min(text->find('\n', position), text->size() - 1) + 1;
      if (Status status = add_line(file + ":" + std::to_string(++line_number),
                                   std::string_view(*text).substr(position, end - position), depth);
          !status.ok()) {
        return status;
      }
      position = end;
    }
    return StatusCode::kOk;
  }

  // Whether the line is a comment on the template, which is not served.
  static bool is_template_comment(std::string_view line) noexcept {
    const std::size_t begin = line.find_first_not_of(" \t");
    return begin != std::string_view::npos && line.substr(begin).starts_with("## ");
  }

  Status add_line(const std::string& where, std::string_view line, int depth) {
    if (is_template_comment(line)) return StatusCode::kOk;
    if (line.starts_with("{{> ")) {
      const std::size_t end = line.find("}}");
      if (end == std::string_view::npos || (line.substr(end + 2) != "\n" && !line.substr(end + 2).empty())) {
        return error(where, "an include stands alone on its line: {{> name}}");
      }
      if (depth == kMaxIncludeDepth) return error(where, "includes are nested too deeply");
      const std::size_t text_before = text_.size();
      const std::size_t slots_before = template_.pieces_.size();
      if (Status status = add_file(folder_ + std::string(line.substr(4, end - 4)), depth + 1); !status.ok()) {
        return status;
      }
      // The included text replaces a whole line, even when its last line has no line break.
      const bool added = text_.size() != text_before || template_.pieces_.size() != slots_before;
      if (added && !text_.ends_with('\n') && line.ends_with('\n')) text_ += '\n';
      return StatusCode::kOk;
    }
    std::vector<std::string_view> texts;  // around the slots
    std::vector<std::string_view> names;
    while (true) {
      const std::size_t begin = line.find("{{");
      texts.push_back(line.substr(0, begin));
      if (begin == std::string_view::npos) break;
      line.remove_prefix(begin + 2);
      const auto name_end =
          static_cast<std::size_t>(std::find_if_not(line.begin(), line.end(), is_name_character) - line.begin());
      if (name_end == 0 || !line.substr(name_end).starts_with("}}")) {
        return error(where, "expected {{name}} with a name of a-z, 0-9 and _");
      }
      names.push_back(line.substr(0, name_end));
      line.remove_prefix(name_end + 2);
    }

    std::string script_line(texts.front());
    for (std::size_t i = 1; i < texts.size(); ++i) (script_line += ScriptScanner::kSlot).append(texts[i]);
    const bool fresh = scanner_.is_fresh();
    std::string obstacle = names.empty() ? std::string() : scanner_.obstacle();
    std::vector<bool> in_comment;
    scanner_.scan(script_line, where, in_comment);
    if (!names.empty() && scanner_.is_unsure()) obstacle = scanner_.obstacle();
    const bool assigns = ScriptScanner::is_assignment(template_.dialect_, script_line);
    for (std::size_t i = 0; i < names.size(); ++i) {
      text_.append(texts[i]);
      Place place = Place::kElsewhere;
      if (assigns && fresh) place = Place::kAssignment;
      if (!assigns && in_comment[i]) place = Place::kComment;
      if (scanner_.is_unsure()) place = Place::kElsewhere;
      if (Status status = add_slot(where, names[i], place, obstacle); !status.ok()) return status;
    }
    text_.append(texts.back());
    return StatusCode::kOk;
  }

  enum class Place { kAssignment, kComment, kElsewhere };

  // `obstacle`: the construct that is open around the slot, or empty.
  Status add_slot(const std::string& where, std::string_view name, Place place, const std::string& obstacle) {
    const auto constant = constants_.find(name);
    const std::map<std::string_view, Piece>& known_slots = slots();
    const auto slot = known_slots.find(name);
    if (constant == constants_.end() && slot == known_slots.end()) {
      std::string known;
      for (const auto& [slot_name, unused] : known_slots) known.append(" ").append(slot_name);
      for (const auto& [constant_name, unused] : constants_) known.append(" ").append(constant_name);
      return error(where, "there is no slot {{" + std::string(name) + "}}; known are:" + known);
    }
    const bool harmless = constant != constants_.end()
                              ? std::all_of(constant->second.begin(), constant->second.end(), is_url_character)
                              : is_harmless_slot(slot->second.slot);
    if (place == Place::kElsewhere || (place == Place::kComment && !harmless)) {
      return error(where, misplaced(name, harmless, obstacle));
    }
    if (constant != constants_.end() && place == Place::kComment) {
      text_.append(constant->second);
      return StatusCode::kOk;
    }
    if (constant != constants_.end()) {
      std::string literal(max_quoted(constant->second.size()), '\0');
      literal.resize(
          static_cast<std::size_t>(quote(template_.dialect_, constant->second, literal.data()) - literal.data()));
      text_.append(literal);
      return StatusCode::kOk;
    }
    if (template_.pieces_.empty()) {
      template_.prefix_ = std::move(text_);
    } else {
      template_.pieces_.back().text = std::move(text_);
    }
    text_.clear();
    template_.pieces_.push_back(slot->second);
    template_.pieces_.back().is_literal = place == Place::kAssignment;
    return StatusCode::kOk;
  }

  // Whether every text of the slot is safe in a comment: a fixed set of characters without line breaks.
  static bool is_harmless_slot(Slot slot) noexcept {
    return slot == Slot::kCode || slot == Slot::kMadeAt || slot == Slot::kValidUntil;
  }

  std::string misplaced(std::string_view name, bool harmless, const std::string& obstacle) const {
    const std::string shown = "{{" + std::string(name) + "}}";
    std::string text = shown + " must be the whole right side of an assignment on a line of its own, such as " +
                       (template_.dialect_ == Dialect::kPosixShell ? "NAME=" : "$Name = ") + shown;
    if (harmless) text += ", or stand in a comment";
    if (!obstacle.empty()) text += ", and not behind " + obstacle;
    return text + ". Anywhere else its value might be executed: write the assignment first, and use the variable there";
  }

  const Loader& loader_;
  const Constants& constants_;
  std::string folder_;
  ScriptScanner scanner_;
  std::string text_;  // static text since the last slot
  Template template_;
};

Result<Template> Template::compile(std::string_view name, Dialect dialect, const Loader& loader,
                                   const Constants& constants) {
  return Compiler(dialect, loader, constants).run(name);
}

std::size_t Template::render(const SlotValues& values, char* out) const noexcept {
  char* end = out;
  const auto show = [&end](std::string_view text, bool is_literal) {
    PAIRPORT_CHECK(text.size() <= kMaxShownTime);
    if (is_literal) *end++ = '\'';
    // The common size of a time is a constant, so the copy needs no call.
    if (text.size() == UtcText::kSize) {
      std::memcpy(end, text.data(), UtcText::kSize);
    } else {
      text.copy(end, kMaxShownTime);
    }
    end += text.size();
    if (is_literal) *end++ = '\'';
  };
  for (const Piece& piece : pieces_) {
    switch (piece.slot) {
      case Slot::kText:
        end = quote(dialect_, values.deposit.*piece.field, end);
        break;
      case Slot::kFingerprint:
        *end++ = '\'';
        write_fingerprint(values.deposit.fingerprint, end);
        end += kFingerprintText;
        *end++ = '\'';
        break;
      case Slot::kCode:
        if (piece.is_literal) *end++ = '\'';
        end = std::transform(
            values.code.begin(),
            values.code.begin() + static_cast<std::ptrdiff_t>(std::min(values.code.size(), kMaxShownCode)), end,
            [](char c) { return is_harmless(c) ? c : '?'; });
        if (piece.is_literal) *end++ = '\'';
        break;
      case Slot::kMadeAt:
        show(values.made_at, piece.is_literal);
        break;
      case Slot::kValidUntil:
        show(values.valid_until, piece.is_literal);
        break;
    }
    if (piece.text.size() <= kShortText) {
      std::memcpy(end, piece.start.data(), kShortText);
    } else {
      std::memcpy(end, piece.text.data(), piece.text.size());
    }
    end += piece.text.size();
  }
  PAIRPORT_CHECK(static_cast<std::size_t>(end - out) <= kMaxBlock);
  return static_cast<std::size_t>(end - out);
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Tracks the quotes, comments and here-documents of a script line by line, to decide where a literal is safe.
#ifndef PAIRPORT_RENDER_SCRIPT_SCANNER_H_
#define PAIRPORT_RENDER_SCRIPT_SCANNER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "render/scripts/template.h"

namespace pairport {

// Reads a script line by line, like the shell that runs it: POSIX.1-2017, Shell Command Language, 2.2 (quoting), 2.3
// (tokens) and 2.7.4 (here-documents); PowerShell: about_Quoting_Rules and about_Comments. It knows no other grammar.
// The scanner does not guess about a construct on which shells differ, or which needs the grammar: from that construct
// on is_unsure() is true.
class ScriptScanner {
 public:
  // The placeholder of a slot in a line. No template holds this character.
  static constexpr char kSlot = '\0';

  explicit ScriptScanner(Dialect dialect) noexcept : dialect_(dialect) {}

  // Whether a new statement may begin here: no quote, here-document, block comment or bracket is open, and the previous
  // line does not continue.
  bool is_fresh() const noexcept;
  // Whether the scanner has seen a construct that it cannot track.
  bool is_unsure() const noexcept { return !unsure_.empty(); }
  // For an error message: the reason why is_fresh() is false or is_unsure() is true, and where it began: "a quote that
  // is open since linux/a.sh:3". Empty when there is none.
  std::string obstacle() const;

  // Reads the next line, which ends in LF unless it is the last one. `where` names the line ("linux/a.sh:3"). Sets
  // `in_comment`, for each kSlot of the line, to whether the slot is in a comment. May throw std::bad_alloc.
  void scan(std::string_view line, const std::string& where, std::vector<bool>& in_comment);

  // Whether the line is an assignment whose whole right side is its only slot: NAME=<slot>, with `export`, `readonly`
  // or `local` before it; $Name = <slot>. White space and a comment may follow.
  static bool is_assignment(Dialect dialect, std::string_view line) noexcept;

 private:
  enum class Kind {
    kSingle,        // '...'
    kDouble,        // "..."
    kBacktick,      // `...` of a shell
    kParameter,     // ${...}
    kArithmetic,    // $((...))
    kSubstitution,  // $(...), which holds code; in PowerShell every bracket that holds an expression
    kBlock,         // {...} of PowerShell
    kBlockComment,  // <# ... #>
    kHereSingle,    // @' ... '@
    kHereDouble,    // @" ... "@
  };
  struct Frame {
    Kind kind;
    std::string where;
    char end = '\0';   // of kSubstitution and kBlock
    int brackets = 0;  // open brackets in it that are not frames
  };
  // The result of one step.
  struct Step {
    std::size_t size;
    bool is_comment = false;
  };
  struct HereDocument {
    std::string end;
    std::string where;
    bool strips_tabs;
    bool expands;
  };

  // Each reads the beginning of `rest`. REQUIRES: `rest` is not empty and ends in LF
  Step shell(std::string_view rest, const std::string& where);
  Step shell_code(std::string_view rest, const std::string& where);
  Step shell_expansion(std::string_view rest, const std::string& where);
  Step shell_here_document(std::string_view rest, const std::string& where);
  void shell_body_line(std::string_view line);
  Step powershell(std::string_view rest, bool at_start, const std::string& where);
  Step powershell_code(std::string_view rest, const std::string& where);

  bool is_in(Kind kind) const noexcept { return !frames_.empty() && frames_.back().kind == kind; }
  bool is_below(Kind kind) const noexcept;  // whether any frame is of that kind
  void open(Kind kind, const std::string& where, char end = '\0') { frames_.push_back({kind, where, end, 0}); }
  void close() noexcept { frames_.pop_back(); }
  void doubt(std::string_view what, const std::string& where);

  Dialect dialect_;
  std::vector<Frame> frames_;
  std::vector<HereDocument> awaited_;  // their bodies follow this line
  bool is_in_body_ = false;            // in the body of the first one
  bool body_continues_ = false;        // the previous line of the body ended in a backslash
  bool continued_ = false;             // the previous line ended in a continuation character
  std::string continued_where_;
  bool in_word_ = false;  // the previous character belongs to a word; no comment begins in a word
  std::string word_;      // the bare word so far
  std::string unsure_;
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_SCRIPT_SCANNER_H_

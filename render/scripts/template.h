// SPDX-License-Identifier: MIT
// Script templates, compiled once into static text around one block of slots.
#ifndef PAIRPORT_TEMPLATE_H_
#define PAIRPORT_TEMPLATE_H_

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <pairport/deposit.h>
#include <pairport/export.h>
#include <pairport/options.h>
#include <pairport/status.h>

#include "render/scripts/quote.h"

namespace pairport {

// The values of a script for one request.
struct SlotValues {
  DepositView deposit;
  // Values that a script only shows: see `{{code}}`.
  std::string_view code;
  std::string_view made_at = {};
  std::string_view valid_until = {};
};

// Template text becomes the text of the script, except for
//   {{name}}     a slot: the value as one complete literal of the dialect, with its quotes. No slot gives a value
//                without quotes. Outside of the right side of an assignment a shell could execute such a literal
//                (`eval {{password}}`, "{{password}}"). So a slot is the whole right side of an assignment on a line of
//                its own, `NAME={{password}}` or `$Name = {{password}}`, outside of all quotes, here-documents and
//                brackets, wherever these began. Everything else is an error.
//                Per request: the fields of a deposit (password, ...). All other slots are constants, known at
//                compilation.
//   {{code}}     the requested code, at most 64 characters, with '?' for every character outside A-Z a-z 0-9 . _ ~ -.
//                It is a literal in an assignment. It may also be in a comment, without quotes.
//   {{made_at}}, {{valid_until}}
//                the times at which the deposit was made and at which its code expires, for example
//                2026-01-31T23:59:59Z; in the same places and forms as {{code}}.
//                A constant of letters, digits and -._~:/[]%@+,= may also be in a comment, without quotes.
//   {{> name}}   alone on a line: the text of that template replaces the line. At most 8 levels deep.
//   ## text      alone on a line: a comment on the template; it is not served.
// Any other text behind `{{` is an error. Per-request slots must be close together: the text between the first and the
// last is copied for each request, the text before and behind them is sent without copying.
class PAIRPORT_EXPORT Template {
 public:
  using Constants = std::map<std::string, std::string, std::less<>>;
  using Loader = TemplateLoader;

  // The most bytes of static text and literals from the first to the last slot, for one request.
  static constexpr std::size_t kMaxBlock = 15 * 1024;
  static constexpr std::size_t kMaxShownTime = 64;

  // Loads and compiles the template `name`. Names in `{{> name}}` are relative to the first folder of `name`. Errors:
  // kBadTemplate with file, line and cause. May throw std::bad_alloc: call it at the start.
  static Result<Template> compile(std::string_view name, Dialect dialect, const Loader& loader,
                                  const Constants& constants);

  // Static text before and behind the block of slots. Valid as long as this object is neither changed nor moved.
  std::string_view prefix() const noexcept { return prefix_; }
  std::string_view suffix() const noexcept { return suffix_; }
  bool has_slots() const noexcept { return !pieces_.empty(); }

  // Writes the block for `values` to `out` (room for kMaxBlock bytes) and returns its size. Never allocates.
  // REQUIRES: `values.deposit` came out of validate() or a Store; `values.made_at` and `values.valid_until` have at
  // most kMaxShownTime characters, and none of these ends a comment.
  std::size_t render(const SlotValues& values, char* out) const noexcept;

 private:
  // Text between slots is nearly always shorter; a copy of constant size needs no call.
  static constexpr std::size_t kShortText = 32;
  enum class Slot { kText, kFingerprint, kCode, kMadeAt, kValidUntil };
  // One slot and the static text behind it.
  struct Piece {
    Slot slot;
    bool is_literal;  // else without quotes, in a comment
    std::string text;
    std::array<char, kShortText> start = {};  // of `text`
    std::size_t room = 0;                     // bytes of the slot at most
    // With kText: the field.
    std::string_view DepositView::*field = nullptr;
  };
  class PAIRPORT_LOCAL Compiler;

  Dialect dialect_ = Dialect::kPosixShell;
  std::string prefix_;
  std::vector<Piece> pieces_;  // the text behind the last slot is suffix_
  std::string suffix_;
};

}  // namespace pairport

#endif  // PAIRPORT_TEMPLATE_H_

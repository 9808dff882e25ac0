// SPDX-License-Identifier: MIT
// The commands that run an installer, as an answer to a deposit gives them.
#ifndef PAIRPORT_RENDER_COMMANDS_H_
#define PAIRPORT_RENDER_COMMANDS_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/writer.h"

namespace pairport {

// The value of "installers" in the answer, quoted once at the start; only the code is inserted per deposit.
class Commands {
 public:
  // `url`: how clients reach the service. REQUIRES: is_service_url(url). May throw std::bad_alloc: runs at the start.
  explicit Commands(std::string_view url);

  // Writes the JSON object with the commands for `code`, of which every character is a letter or a digit.
  void write(std::string_view code, Writer& out) const noexcept;

 private:
  std::vector<std::string> pieces_;  // of JSON; the code stands between two of them
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_COMMANDS_H_

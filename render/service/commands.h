// SPDX-License-Identifier: MIT
// The commands that run an installer, as an answer to a deposit gives them.
#ifndef PAIRPORT_RENDER_COMMANDS_H_
#define PAIRPORT_RENDER_COMMANDS_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/base/writer.h"

namespace pairport {

// The value of "installers" in the answer. It is quoted once at the start; each deposit only inserts its code.
class Commands {
 public:
  // `url`: how clients reach the service. REQUIRES: is_service_url(url). May throw std::bad_alloc: call it at the
  // start.
  explicit Commands(std::string_view url);

  // Writes the JSON object with the commands for `code`. REQUIRES: `code` holds only letters and digits.
  void write(std::string_view code, Writer& out) const noexcept;

 private:
  std::vector<std::string> pieces_;  // of JSON; write() puts the code between each two of them
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_COMMANDS_H_

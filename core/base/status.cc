// SPDX-License-Identifier: MIT
#include <pairport/status.h>

namespace pairport {

std::string_view to_string(StatusCode code) noexcept {
  switch (code) {
#define PAIRPORT_STATUS_CASE(name, c_name, value, text) \
  case StatusCode::name:                                \
    return text;
    PAIRPORT_STATUS_TABLE(PAIRPORT_STATUS_CASE)
#undef PAIRPORT_STATUS_CASE
  }
  return "unknown status";
}

}  // namespace pairport

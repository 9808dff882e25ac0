// SPDX-License-Identifier: MIT
// Invariants: a line holds only our own texts, addresses and numbers, so nothing needs quoting, and the longest line
// fits.
#include "net/program/access_log.h"

#include "core/base/writer.h"

namespace pairport {

std::string_view format_access(const AccessEntry& entry, AccessFormat format, bool shorten, AccessLine& line) noexcept {
  ClientAddress::Text text;
  const ClientAddress client = shorten ? entry.client.shortened() : entry.client;
  const std::string_view address = client == ClientAddress{} ? "unix" : client.write(text);
  const bool has_code = entry.route == Route::kInstaller;
  constexpr int kHashDigits = 2 * sizeof(entry.code_hash);
  const auto bytes = entry.bytes;
  const auto status = static_cast<std::uint64_t>(entry.status);
  Writer out(line);
  if (format == AccessFormat::kJson) {
    out.text("\"method\":\"").text(to_string(entry.method)).text("\",\"route\":\"").text(to_string(entry.route));
    out.text("\",\"status\":").number(status).text(",\"bytes\":").number(bytes);
    out.text(",\"complete\":").text(entry.complete ? "true" : "false").text(",\"ms\":").number(entry.duration_ms);
    out.text(",\"client\":\"").text(address).text("\"");
    if (has_code) out.text(",\"code\":\"").hex(entry.code_hash, kHashDigits).text("\"");
  } else {
    out.text(to_string(entry.method)).text(" ").text(to_string(entry.route)).text(" ").number(status).text(" ");
    out.number(bytes).text(entry.complete ? " bytes " : " bytes (cut off) ").number(entry.duration_ms).text(" ms ");
    out.text(address);
    if (has_code) out.text(" code ").hex(entry.code_hash, kHashDigits);
  }
  return out.written();
}

}  // namespace pairport

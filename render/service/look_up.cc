// SPDX-License-Identifier: MIT
// The scripts: the installer of a code, and update and uninstall, which are the same for everyone.
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include <pairport/deposit.h>

#include "core/base/writer.h"
#include "core/memory/secret_block.h"
#include "render/http/accept.h"
#include "render/scripts/gzip.h"
#include "render/scripts/quote.h"
#include "render/scripts/template.h"
#include "render/service/service_impl.h"

namespace pairport {
namespace {

// REQUIRES, here and below: the reply has kept no part of the scratch yet.
void send_plain(const Template& script, const HeaderBlock& headers, const SlotValues& values, int status,
                Response& response) noexcept {
  Reply reply(response);
  char* const block = reply.scratch().data();
  const std::size_t size = script.render(values, block);
  reply.begin(status, headers);
  reply.keep(size);
  reply.add(script.prefix());
  reply.add({block, size});
  reply.add(script.suffix());
}

void send_compressed(const Template& script, const GzipParts& gzip, const HeaderBlock& headers,
                     const SlotValues& values, int status, Response& response) noexcept {
  Reply reply(response);
  reply.begin(status, headers);
  reply.add(gzip.prefix());
  if (!script.has_slots()) return;
  static_assert(GzipParts::kBlockHeader + Template::kMaxBlock + GzipParts::kTrailer <= kResponseScratch);
  char* const header = reply.scratch().data();
  char* const text = header + GzipParts::kBlockHeader;
  const std::size_t size = script.render(values, text);
  char* const trailer = text + size;
  GzipParts::write_block_header(size, header);
  gzip.write_trailer({text, size}, trailer);
  reply.keep(GzipParts::kBlockHeader + size + GzipParts::kTrailer);
  reply.add({header, GzipParts::kBlockHeader + size});
  reply.add(gzip.suffix());
  reply.add({trailer, GzipParts::kTrailer});
}

void send_script(const Script& script, const SlotValues& values, const Target& target, const Request& request,
                 Response& response) noexcept {
  const bool compressed = target.packed() || prefers_gzip(request.accept_encoding);
  const Representation& chosen = target.packed() ? script.packed : compressed ? script.compressed : script.plain;
  if (!chosen.etag.empty() && !request.if_none_match.empty() && matches_etag(request.if_none_match, chosen.etag)) {
    Reply(response).begin(304, chosen.not_modified);
  } else if (compressed) {
    send_compressed(script.text, script.gzip, chosen.headers, values, 200, response);
  } else {
    send_plain(script.text, chosen.headers, values, 200, response);
  }
}

// Two answers for one code should show the same times. In whole seconds the offset between the clocks varies by one, so
// keep the old offset unless somebody has set a clock.
void show_life(Service::Impl& service, std::uint32_t expires_seconds, const Now& now,
               std::span<char, 2 * UtcText::kSize> text, SlotValues& values) noexcept {
  if (expires_seconds == StoredDeposit::kForever) {
    values.made_at = "with the configuration of the service";
    values.valid_until = "it is removed there";
    return;
  }
  const std::int64_t offset = now.unix_seconds - static_cast<std::int64_t>(now.monotonic_ms / 1000);
  if (offset - service.wall_offset > 1 || service.wall_offset - offset > 1) service.wall_offset = offset;
  const std::int64_t end = service.wall_offset + expires_seconds;
  values.made_at = service.utc_text.write(end - service.ttl_seconds, text.data());
  values.valid_until = service.utc_text.write(end, text.data() + UtcText::kSize);
}

}  // namespace

void answer_update(Service::Impl& service, const Target& target, const Request& request, const Now&,
                   Response& response) noexcept {
  send_script(service.language_for(target, request).update, {}, target, request, response);
}

void answer_uninstall(Service::Impl& service, const Target& target, const Request& request, const Now&,
                      Response& response) noexcept {
  send_script(service.language_for(target, request).uninstall, {}, target, request, response);
}

void answer_installer(Service::Impl& service, const Target& target, const Request& request, const Now& now,
                      Response& response) noexcept {
  const Language& language = service.language_for(target, request);
  SlotValues values;
  values.code = target.code();
  if (target.may_be_code() || is_plausible_code(values.code)) {
    // A client without tokens gets the same answer for every code; otherwise it could continue to guess.
    if (const std::uint64_t wait = service.limits.misses->wait_ms(request.client, now.monotonic_ms); wait != 0) {
      Reply(response).set_retry_after(retry_after_seconds(wait));
      ++service.counters.look_ups_limited;
      service.refuse_look_up(
          language, target.packed(), 429,
          "too many requests for unknown pairing codes from this address; wait a moment and try again", request,
          response);
      return;
    }
    if (const StoredDeposit found = service.store->find(values.code, now.monotonic_ms)) {
      values.deposit = found.view();
      std::array<char, 2 * UtcText::kSize> times;
      show_life(service, found.expires_seconds(), now, times, values);
      send_script(language.installer, values, target, request, response);
      wipe_value(values.deposit.fingerprint);
      wipe_vector_registers();
      return;
    }
    service.limits.misses->take(request.client, now.monotonic_ms);
    ++service.counters.misses;
  }
  if (prefers_json(request.accept)) {
    service.error(response, 404, service.errors, "the pairing code is unknown or expired; create a new one", true);
    return;
  }
  const NotFoundScript& script = language.not_found;
  if (target.packed()) return send_compressed(script.text, script.gzip, service.packed_errors, values, 404, response);
  send_plain(script.text, service.errors.text, values, 404, response);
}

// A user may pipe the answer to a shell. Send an error as a script that prints its text to stderr and fails, so that
// the shell does not run the text as commands.
void Service::Impl::refuse_look_up(const Language& language, bool packed, int status, std::string_view text,
                                   const Request& request, Response& response) noexcept {
  if (prefers_json(request.accept)) return error(response, status, errors, text, true);
  Reply reply(response);
  char* const begin = reply.scratch().data();
  Writer out(packed ? reply.scratch().subspan(GzipParts::kStoredHead) : reply.scratch());
  out.text("#").text(text);
  if (platform(language.os).dialect == Dialect::kPosixShell) {
    out.text("\nprintf '%s\\n' ").quoted(text, quote_posix).text(" >&2\nexit 1\n");
  } else {
    out.text("\n[Console]::Error.WriteLine(").quoted(text, quote_powershell).text(")\nexit 1\n");
  }
  if (packed) {
    return reply.finish(status, packed_errors, {begin, GzipParts::wrap_stored(out.written().size(), begin)});
  }
  reply.finish(status, errors.text, out.written());
}

}  // namespace pairport

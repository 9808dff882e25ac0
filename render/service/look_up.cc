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

// The form of a script that a client gets.
struct Form {
  bool packed;  // as a file, for a client without gzip in HTTP
  bool compressed;
};

bool wants_compressed(const Target& target, const Request& request) noexcept {
  return target.packed() || prefers_gzip(request.accept_encoding);
}

const Representation& representation(const Script& script, Form form) noexcept {
  return form.packed ? script.packed : form.compressed ? script.compressed : script.plain;
}

void send_script(const Script& script, const SlotValues& values, Form form, Response& response) noexcept {
  const HeaderBlock& headers = representation(script, form).headers;
  if (form.compressed) {
    send_compressed(script.text, script.gzip, headers, values, 200, response);
  } else {
    send_plain(script.text, headers, values, 200, response);
  }
}

// For a script that is the same for everyone, and so has an ETag.
void send_or_confirm_script(const Script& script, const Target& target, const Request& request,
                            Response& response) noexcept {
  const Form form{target.packed(), wants_compressed(target, request)};
  const Representation& chosen = representation(script, form);
  if (!chosen.etag.empty() && !request.if_none_match.empty() && matches_etag(request.if_none_match, chosen.etag)) {
    Reply(response).begin(304, chosen.not_modified);
  } else {
    send_script(script, {}, form, response);
  }
}

// Two answers for one code should show the same times. In whole seconds the offset between the clocks varies by one, so
// keep the old offset unless somebody has set a clock.
[[gnu::always_inline]] inline void show_life(Service::Impl& service, StoredDeposit deposit, const Now& now,
                                             std::span<char, 2 * UtcText::kSize> text, SlotValues& values) noexcept {
  if (deposit.expires_seconds() == StoredDeposit::kForever) {
    values.made_at = "with the configuration of the service";
    values.valid_until = "it is removed there";
    return;
  }
  const std::int64_t offset = now.unix_seconds - static_cast<std::int64_t>(now.monotonic_ms / 1000);
  if (offset - service.wall_offset > 1 || service.wall_offset - offset > 1) service.wall_offset = offset;
  const std::int64_t end = service.wall_offset + deposit.expires_seconds();
  const std::uint32_t made = deposit.has_tail() ? deposit.tail().made_seconds : 0;
  values.made_at =
      service.utc_text.write(made != 0 ? service.wall_offset + made : end - service.ttl_seconds, text.data());
  values.valid_until = service.utc_text.write(end, text.data() + UtcText::kSize);
}

// Inlined into its two callers: a call would cost twenty instructions for each answer.
[[gnu::always_inline]] inline void send_installer(Service::Impl& service, const Language& language,
                                                  std::string_view code, StoredDeposit found, Form form, const Now& now,
                                                  Response& response) noexcept {
  SlotValues values{.deposit = found.view(), .code = code};
  std::array<char, 2 * UtcText::kSize> times;
  show_life(service, found, now, times, values);
  ++service.counters.look_ups_answered;
  send_script(language.installer, values, form, response);
  wipe_value(values.deposit.fingerprint);
  wipe_vector_registers();
}

void send_not_found(Service::Impl& service, const Language& language, std::string_view code, bool packed,
                    bool as_problem, Response& response) noexcept {
  if (as_problem) {
    service.error(response, 404, service.errors, "the pairing code is unknown or expired; create a new one", true);
    return;
  }
  SlotValues values;
  values.code = code;
  const NotFoundScript& script = language.not_found;
  if (packed) return send_compressed(script.text, script.gzip, service.packed_errors, values, 404, response);
  send_plain(script.text, service.errors.text, values, 404, response);
}

// The other store has answered `answer`. A token of the client's limit for misses has been taken.
void end_look_up(Service::Impl& service, const Language& language, std::string_view code, const StoreReply& answer,
                 const Reply::Asked& asked, const Now& now, Response& response) noexcept {
  // A store elsewhere might lie: what it gives must keep the rules that scripts rely on.
  if (answer.code == StatusCode::kOk && answer.deposit && is_valid(answer.deposit.view())) {
    service.limits.misses->give_back(asked.client);
    send_installer(service, language, code, answer.deposit, {asked.packed, asked.compressed}, now, response);
  } else if (answer.code == StatusCode::kNotFound) {
    ++service.counters.misses;
    send_not_found(service, language, code, asked.packed, asked.as_problem, response);
  } else {
    service.limits.misses->give_back(asked.client);
    ++service.counters.look_ups_failed;
    ++service.counters.store_failures;
    Reply(response).set_retry_after(kBusyRetrySeconds);
    service.refuse_look_up(language, asked.packed, 503,
                           "the service cannot look up pairing codes now; wait a moment and try again",
                           asked.as_problem, response);
  }
}

void ask_elsewhere(Service::Impl& service, const Language& language, const Target& target, const Request& request,
                   const Now& now, Response& response) noexcept {
  const std::string_view code = target.code();
  const bool is_head = request.method == Method::kHead;
  const StoreReply answer =
      is_head ? service.elsewhere->find(code, now.monotonic_ms) : service.elsewhere->use(code, now.monotonic_ms);
  Reply reply(response);
  Reply::Asked& asked = reply.asked();
  asked.client = request.client;
  asked.platform = static_cast<std::uint8_t>(language.os);
  asked.as_problem = prefers_json(request.accept);
  asked.packed = target.packed();
  asked.compressed = wants_compressed(target, request);
  if (answer.code != StatusCode::kLater) {
    return end_look_up(service, language, code, answer, std::exchange(asked, {}), now, response);
  }
  Writer out(reply.scratch());
  Pending& pending = reply.pending();
  pending.kind = Pending::Kind::kStore;
  pending.is_head = is_head;
  pending.operation.verb = is_head ? StoreOperation::Verb::kFind : StoreOperation::Verb::kUse;
  pending.operation.code = out.text(code).written();
  reply.keep(code.size());
}

}  // namespace

void answer_update(Service::Impl& service, const Target& target, const Request& request, const Now&,
                   Response& response) noexcept {
  send_or_confirm_script(service.language_for(target, request).update, target, request, response);
}

void answer_uninstall(Service::Impl& service, const Target& target, const Request& request, const Now&,
                      Response& response) noexcept {
  send_or_confirm_script(service.language_for(target, request).uninstall, target, request, response);
}

void answer_installer(Service::Impl& service, const Target& target, const Request& request, const Now& now,
                      Response& response) noexcept {
  const Language& language = service.language_for(target, request);
  const std::string_view code = target.code();
  if (target.may_be_code() || is_plausible_code(code)) {
    // A client without tokens gets the same answer for every code; otherwise it could continue to guess.
    if (const std::uint64_t wait = service.limits.misses->wait_ms(request.client, now.monotonic_ms); wait != 0) {
      Reply(response).set_retry_after(retry_after_seconds(wait));
      ++service.counters.look_ups_limited;
      service.refuse_look_up(
          language, target.packed(), 429,
          "too many requests for unknown pairing codes from this address; wait a moment and try again",
          prefers_json(request.accept), response);
      return;
    }
    const StoredDeposit found = request.method == Method::kHead
                                    ? service.local->look_up(code, now.monotonic_ms)
                                    : service.local->look_up_and_count(code, now.monotonic_ms);
    if (found) {
      send_installer(service, language, code, found, {target.packed(), wants_compressed(target, request)}, now,
                     response);
      return;
    }
    // Take the token before the result is known. Otherwise a client could start any number of guesses at once.
    service.limits.misses->take(request.client, now.monotonic_ms);
    if (service.elsewhere != nullptr) return ask_elsewhere(service, language, target, request, now, response);
    ++service.counters.misses;
  } else if (service.other_paths != nullptr) {
    return service.answer_other_path(request, response);
  }
  send_not_found(service, language, code, target.packed(), prefers_json(request.accept), response);
}

void Service::Impl::resume_look_up(const PendingReply& result, const Now& now, Response& response) noexcept {
  Reply reply(response);
  const auto [pending, asked] = reply.take_pending();
  Code code(pending.operation.code);  // the answer is written over it
  reply.empty_scratch();
  const StoreReply answer = result.kind() == PendingReply::Kind::kStore ? result.store() : StatusCode::kUnavailable;
  end_look_up(*this, *languages[asked.platform], code.view(), answer, asked, now, response);
  if (pending.is_head) reply.drop_body();
  wipe_value(code);
}

// A user may pipe the answer to a shell. Send an error as a script that prints its text to stderr and fails, so that
// the shell does not run the text as commands.
void Service::Impl::refuse_look_up(const Language& language, bool packed, int status, std::string_view text,
                                   bool as_problem, Response& response) noexcept {
  if (as_problem) return error(response, status, errors, text, true);
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

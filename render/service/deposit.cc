// SPDX-License-Identifier: MIT
// Takes a deposit: limits, the body, its fields, a code, and the answer with the commands for it.
#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include <pairport/deposit.h>

#include "core/base/writer.h"
#include "core/deposit/deposit_fields.h"
#include "core/memory/secret_block.h"
#include "render/http/accept.h"
#include "render/scripts/quote.h"
#include "render/service/service_impl.h"

namespace pairport {
namespace {

constexpr std::uint32_t kStoreFullRetrySeconds = 60;
constexpr std::uint8_t kMaxCodeAttempts = 16;

void write_answer(Service::Impl& service, const Code& code, std::int64_t expires, Writer& out) noexcept {
  std::array<char, UtcText::kSize> text;
  out.text(R"({"pairing_code":)").quoted(code.view(), quote_json).text(R"(,"expires":")");
  out.text(service.utc_text.write(expires, text.data()));
  out.text(R"(","installers":)");
  service.commands.write(code.view(), out);
  out.text("}\n");
}

std::string_view why_refused(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::kStoreFull:
      return "the service holds as many deposits as it may; try again later";
    case StatusCode::kMemoryNotLocked:
      return "the service has no locked memory left for credentials; try again later";
    case StatusCode::kRandomFailed:
      return "the service has no random numbers for a pairing code; try again later";
    case StatusCode::kOutOfMemory:
      return "out of memory; try again later";
    default:
      return "the service cannot store deposits now; try again later";
  }
}

// Whether a deposit that is refused with `code` lacks room, memory or random bytes. Every other code says that the
// store could not be asked.
bool is_about_room(StatusCode code) noexcept {
  return code == StatusCode::kStoreFull || code == StatusCode::kOutOfMemory || code == StatusCode::kMemoryNotLocked ||
         code == StatusCode::kRandomFailed || code == StatusCode::kAlreadyExists;
}

// The store has answered `answer` to the deposit of `code`.
void end_deposit(Service::Impl& service, const StoreReply& answer, const StoreOperation& put, const Reply::Asked& asked,
                 const Now& now, Response& response) noexcept {
  Reply reply(response);
  const Code code(put.code);
  const double weight = answer.code == StatusCode::kOk ? service.store.weight(code.view(), put.deposit) : 0;
  reply.empty_scratch();  // where `put` may lie
  if (answer.code != StatusCode::kOk) {
    ++service.counters.deposits_refused;
    if (!is_about_room(answer.code)) ++service.counters.store_failures;
    reply.set_retry_after(kStoreFullRetrySeconds);
    return service.error(response, 503, service.deposit_errors, why_refused(answer.code), asked.as_problem);
  }
  if (asked.client.has_address()) service.limits.shares->take(asked.client, now.monotonic_ms, weight);
  const std::uint64_t left_ms = put.terms.expires_ms - std::min(put.terms.expires_ms, now.monotonic_ms);
  Writer out(reply.scratch());
  if (asked.only_code) {
    return reply.finish(200, service.code_headers, out.text(code.view()).text("\n").written());
  }
  write_answer(service, code, now.unix_seconds + static_cast<std::int64_t>(left_ms / 1000), out);
  reply.finish(200, service.deposit_headers, out.written());
}

// The response keeps a deposit until the store has answered. The code comes first, so that another one of the same
// length can take its place.
void keep_deposit(const StoreOperation& put, Response& response) noexcept {
  Reply reply(response);
  Writer out(reply.scratch());
  const auto keep = [&out](std::string_view text) {
    const std::size_t begin = out.written().size();
    return out.text(text).written().substr(begin);
  };
  Pending& pending = reply.pending();
  pending.kind = Pending::Kind::kStore;
  pending.operation = put;
  pending.operation.code = keep(put.code);
  DepositView& deposit = pending.operation.deposit;
  for (const DepositFieldRow& row : kDepositFields) {
    if (row.text != nullptr) deposit.*row.text = keep(deposit.*row.text);
  }
  reply.keep(out.written().size());
}

[[gnu::noinline]] void take_deposit(Service::Impl& service, const Request& request, const Now& now,
                                    Response& response) noexcept {
  Reply reply(response);
  const bool as_problem = prefers_json(request.accept);
  if (const std::uint64_t wait = service.limits.deposits->wait_ms(request.client, now.monotonic_ms); wait != 0) {
    reply.set_retry_after(retry_after_seconds(wait));
    ++service.counters.deposits_limited;
    return service.error(response, 429, service.deposit_errors,
                         "too many deposits from this address; wait a moment and try again", as_problem);
  }
  if (service.store.stats().load > 0.5 && request.client.has_address()) {
    if (const std::uint64_t wait = service.limits.shares->wait_ms(request.client, now.monotonic_ms); wait != 0) {
      reply.set_retry_after(retry_after_seconds(wait));
      ++service.counters.deposits_limited;
      return service.error(
          response, 429, service.deposit_errors,
          "the service is more than half full, and this network has made as many deposits as it may; wait a "
          "moment and try again",
          as_problem);
    }
  }
  service.limits.deposits->take(request.client, now.monotonic_ms);

  DepositInput input;
  const BodyVerdict verdict = service.decoder->decode(request.content_type, request.body, input);
  // On every path below, the decoder wipes the body before the answer is sent.
  struct Wiper {
    BodyDecoder& decoder;
    ~Wiper() { decoder.wipe(); }
  } wiper{*service.decoder};

  switch (verdict.error) {
    case BodyError::kNone:
      break;
    case BodyError::kUnsupportedType:
      return service.error(response, 415, service.deposit_errors,
                           "the Content-Type of a deposit must be application/json, multipart/form-data or "
                           "application/x-www-form-urlencoded",
                           as_problem);
    case BodyError::kMalformed: {
      std::array<char, 512> text;
      return service.error(response, 400, service.deposit_errors,
                           Writer(text).text("input validation failed: ").text(verdict.detail).written(), as_problem);
    }
    case BodyError::kOutOfMemory:
      reply.set_retry_after(kStoreFullRetrySeconds);
      return service.error(response, 503, service.deposit_errors, "out of memory; try again later", as_problem);
  }

  DepositView deposit;
  const DepositReport report = validate(input, deposit);
  if (!report.ok()) {
    std::array<char, 64 + kMaxReportText> text;
    static constexpr std::string_view kPrefix = "input validation failed: ";
    std::copy(kPrefix.begin(), kPrefix.end(), text.begin());
    const std::size_t size = describe(report, std::span(text).subspan(kPrefix.size()));
    return service.error(response, 400, service.deposit_errors, {text.data(), kPrefix.size() + size}, as_problem,
                         &report);
  }

  Code code;
  Reply::Asked asked;
  asked.client = request.client;
  asked.as_problem = as_problem;
  asked.only_code = wants_only_text(request.accept);
  StoreOperation put{.verb = StoreOperation::Verb::kPut,
                     .code = {},
                     .deposit = deposit,
                     .terms = {.expires_ms = now.monotonic_ms + service.ttl_ms}};
  const StoreReply answer = service.put(put, code, asked.attempts, now);
  if (answer.code != StatusCode::kLater) {
    return end_deposit(service, answer, put, asked, now, response);
  }
  keep_deposit(put, response);
  reply.asked() = asked;
}

}  // namespace

StoreReply Service::Impl::put(StoreOperation& operation, Code& code, std::uint8_t& attempts, const Now& now) noexcept {
  StoreReply answer = StatusCode::kAlreadyExists;
  // One that is drawn again takes the place of the first: it has the same length.
  const std::size_t length =
      std::max(shortest_code_for(operation.terms.expires_ms - now.monotonic_ms), operation.code.size());
  while (answer.code == StatusCode::kAlreadyExists && attempts < kMaxCodeAttempts) {
    ++attempts;
    if (const Status drawn = codes.next(code, length); !drawn.ok()) return drawn.code();
    operation.code = code.view();
    // A route or the static deposit would hide it.
    if (Target::is_reserved(code.view()) || (elsewhere != nullptr && local->look_up(code.view(), now.monotonic_ms))) {
      continue;
    }
    answer = store.put(code.view(), operation.deposit, operation.terms, now.monotonic_ms);
  }
  if (answer.code == StatusCode::kOk) ++counters.deposits_made;
  return answer;
}

void Service::Impl::resume_deposit(const PendingReply& result, const Now& now, Response& response) noexcept {
  Reply reply(response);
  auto [pending, asked] = reply.take_pending();
  StoreReply answer = result.kind() == PendingReply::Kind::kStore ? result.store() : StatusCode::kUnavailable;
  if (answer.code == StatusCode::kOk) ++counters.deposits_made;
  if (answer.code == StatusCode::kAlreadyExists) {
    Code code;
    StoreOperation again = pending.operation;
    answer = put(again, code, asked.attempts, now);
    if (answer.code == StatusCode::kOk || answer.code == StatusCode::kLater) {
      code.view().copy(reply.kept().data(), pending.operation.code.size());
    }
    wipe_value(code);
  }
  if (answer.code == StatusCode::kLater) {
    reply.pending() = pending;
    reply.asked() = asked;
  } else {
    end_deposit(*this, answer, pending.operation, asked, now, response);
  }
  wipe_stack();
}

// Separate from take_deposit(), so that it can wipe the stack of take_deposit(), which held a code, a fingerprint and
// data of the parser.
void answer_deposit(Service::Impl& service, const Target&, const Request& request, const Now& now,
                    Response& response) noexcept {
  take_deposit(service, request, now, response);
  wipe_stack();
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Takes a deposit: limits, the body, its fields, a code, and the answer with the commands for it.
#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include <pairport/deposit.h>

#include "core/base/writer.h"
#include "core/memory/secret_block.h"
#include "render/http/accept.h"
#include "render/scripts/quote.h"
#include "render/service/service_impl.h"

namespace pairport {
namespace {

constexpr std::uint32_t kStoreFullRetrySeconds = 60;
constexpr int kMaxCodeAttempts = 16;

void write_answer(Service::Impl& service, const Code& code, const Now& now, Writer& out) noexcept {
  std::array<char, UtcText::kSize> expires;
  out.text(R"({"pairing_code":)").quoted(code.view(), quote_json).text(R"(,"expires":")");
  out.text(service.utc_text.write(now.unix_seconds + service.ttl_seconds, expires.data()));
  out.text(R"(","installers":)");
  service.commands.write(code.view(), out);
  out.text("}\n");
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
  if (service.store->more_than_half_full() && request.client.has_address()) {
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
    return service.error(response, 400, service.deposit_errors, {text.data(), kPrefix.size() + size}, as_problem);
  }

  Code code;
  Status status = StatusCode::kAlreadyExists;
  for (int attempt = 0; attempt < kMaxCodeAttempts && status.code() == StatusCode::kAlreadyExists; ++attempt) {
    status = service.codes.next(code);
    if (!status.ok()) break;
    // The route of a reserved word would hide the code: draw again.
    status = Target::is_reserved(code.view())
                 ? Status(StatusCode::kAlreadyExists)
                 : service.store->insert(code.view(), deposit, now.monotonic_ms + service.ttl_ms);
  }
  if (!status.ok()) {
    ++service.counters.deposits_refused;
    reply.set_retry_after(kStoreFullRetrySeconds);
    return service.error(response, 503, service.deposit_errors,
                         status.code() == StatusCode::kStoreFull
                             ? "the service holds as many deposits as it may; try again later"
                         : status.code() == StatusCode::kMemoryNotLocked
                             ? "the service has no locked memory left for credentials; try again later"
                         : status.code() == StatusCode::kRandomFailed
                             ? "the service has no random numbers for a pairing code; try again later"
                             : "out of memory; try again later",
                         as_problem);
  }

  if (request.client.has_address()) {
    service.limits.shares->take(request.client, now.monotonic_ms, service.store->weight(code.view(), deposit));
  }

  Writer out(reply.scratch());
  write_answer(service, code, now, out);
  reply.finish(200, service.deposit_headers, out.written());
}

}  // namespace

// Separate from take_deposit(), so that it can wipe the stack of take_deposit(), which held a code, a fingerprint and
// data of the parser.
void answer_deposit(Service::Impl& service, const Target&, const Request& request, const Now& now,
                    Response& response) noexcept {
  take_deposit(service, request, now, response);
  wipe_stack();
}

}  // namespace pairport

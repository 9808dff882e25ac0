// SPDX-License-Identifier: MIT
// The state of a service, for its handlers.
#ifndef PAIRPORT_RENDER_SERVICE_IMPL_H_
#define PAIRPORT_RENDER_SERVICE_IMPL_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <pairport/code.h>
#include <pairport/http.h>
#include <pairport/options.h>
#include <pairport/service.h>
#include <pairport/store.h>

#include "core/base/utc_text.h"
#include "core/limits/rate_limiter.h"
#include "core/memory/process_mark.h"
#include "core/store/local_store.h"
#include "core/store/log_hash.h"
#include "render/http/body.h"
#include "render/http/header_blocks.h"
#include "render/scripts/platforms.h"
#include "render/scripts/scripts.h"
#include "render/service/commands.h"
#include "render/service/reply.h"
#include "render/service/routes.h"
#include "render/service/target.h"

namespace pairport {

// The scripts of each platform, in the order of Os.
using Languages = std::array<std::unique_ptr<const Language>, kPlatforms.size()>;

// The limits of a service, each kept by address or network.
struct Limits {
  std::unique_ptr<RateLimiter> deposits;
  std::unique_ptr<RateLimiter> misses;
  std::unique_ptr<RateLimiter> shares;  // of the store, by network; a token is the room of one deposit
};

class Service::Impl {
 public:
  Impl(const ServiceOptions& options, RandomSource& random, std::uint64_t code_seed, Languages languages,
       std::unique_ptr<LocalStore> local, Store* elsewhere, Limits limits, std::unique_ptr<BodyDecoder> decoder);

  void handle(const Request& request, const Now& now, Response& response) noexcept;
  void redirect(const Request& request, Response& response) noexcept;
  // Draws codes until the store takes one for the deposit of `operation`, whose code is then `code`; counts `attempts`.
  StoreReply put(StoreOperation& operation, Code& code, std::uint8_t& attempts, const Now& now) noexcept;

  // Whether `code` is that of the static deposit.
  bool is_static(std::string_view code, const Now& now) const noexcept;  // verbs.cc

  // Goes on with a response that is pending.
  void resume(const PendingReply& result, const Now& now, Response& response) noexcept;
  void resume_file(const PendingReply& result, Response& response) noexcept;                     // file.cc
  void resume_look_up(const PendingReply& result, const Now& now, Response& response) noexcept;  // look_up.cc
  void resume_deposit(const PendingReply& result, const Now& now, Response& response) noexcept;  // deposit.cc

  // Answers with one line of text, or a problem document (RFC 9457) that says the same. With a `report` the document
  // also has a list of the fields that are wrong.
  void error(Response& response, int status, const ErrorHeaders& headers, std::string_view text, bool as_problem,
             const DepositReport* report = nullptr) noexcept;
  // The path is none of ours: asks ServiceOptions::other_paths.
  void answer_other_path(const Request& request, Response& response) noexcept;
  void not_found(Response& response, bool as_problem) noexcept;
  // An error when the client expects a script: see look_up.cc.
  void refuse_look_up(const Language& language, bool packed, int status, std::string_view text, bool as_problem,
                      Response& response) noexcept;

  // The row of a target that takes the method, else another row of its path; the row of Route::kOther when it is
  // disabled.
  const RouteRow& find_route(const Target& target, Method method) const noexcept {
    const RouteRow& row = *rows[static_cast<std::size_t>(target.route())];
    return row.takes(method) ? row : other_route(row, method);
  }
  const RouteRow& other_route(const RouteRow& row, Method method) const noexcept;
  // For an access log.
  void note_route(const RouteRow& row, const Target& target, Response& response) const noexcept {
    Reply reply(response);
    reply.note(row.route);
    if (hash_codes && row.route == Route::kInstaller) reply.note_code(log_hash(target.code()));
  }
  void not_allowed(const RouteRow& row, const Request& request, Response& response) noexcept;

  const Language& language_for(const Target& target, const Request& request) const noexcept {
    return *languages[static_cast<std::size_t>(target.os() ? *target.os() : os_of_user_agent(request.user_agent))];
  }

  ProcessMark mark;  // of the process that owns the secret memory
  const std::string url;
  const Commands commands;
  UtcText utc_text;
  std::int64_t wall_offset = 0;  // from the monotonic clock to the wall clock, in seconds
  const std::uint64_t ttl_ms;
  const std::int64_t ttl_seconds;
  const bool hash_codes;
  const LogHash log_hash;
  ServiceCounters counters;
  const SecretLevel minimum_level;
  CodeGenerator codes;
  PathHandler* const other_paths;  // may be null
  const Languages languages;
  std::vector<std::string_view> static_parts;
  // Of the static deposit and, unless there is another store, of all others. Look-ups ask it first.
  const std::unique_ptr<LocalStore> local;
  Store* const elsewhere;  // the other store; may be null
  Store& store;            // where deposits go
  const Limits limits;
  const std::unique_ptr<BodyDecoder> decoder;

  // The row of each route; the row of Route::kOther for a disabled route.
  std::array<const RouteRow*, kRoutes.size()> rows;
  // For each row, the headers of the error for a method that its path does not take.
  std::vector<ErrorHeaders> not_allowed_headers;
  const std::string bad_os_text;

  const ErrorHeaders errors{Headers{}, Audience::kSameOrigin};
  const ErrorHeaders deposit_errors{Headers{}, Audience::kEveryOrigin};
  const HeaderBlock other_headers = block({});
  const HeaderBlock text_headers = block({{"Content-Type", "text/plain; charset=utf-8"}});
  const HeaderBlock packed_errors = block({{"Content-Type", "application/gzip"}});
  const HeaderBlock file_headers =
      block({{"Content-Type", "application/octet-stream"}, {"Accept-Ranges", "bytes"}}, "public, max-age=300");
  const HeaderBlock challenge_headers = block({{"Content-Type", "application/octet-stream"}});
  const HeaderBlock deposit_headers = block({{"Content-Type", "application/json"}}, "no-store", Audience::kEveryOrigin);
  const HeaderBlock code_headers =
      block({{"Content-Type", "text/plain; charset=utf-8"}}, "no-store", Audience::kEveryOrigin);
  // Tracing tools (W3C Trace Context and Baggage, Sentry) add the headers after X-Requested-With to the requests of a
  // page. A preflight without them would prevent such a page from making deposits.
  const HeaderBlock preflight_headers = block(
      {
          {"Access-Control-Allow-Methods", all_methods()},
          {"Access-Control-Max-Age", "3600"},
          {"Access-Control-Allow-Headers",
           "Content-Type, Access-Control-Allow-Headers, Authorization, X-Requested-With, baggage, sentry-trace, "
           "traceparent, tracestate"},
      },
      "no-store", Audience::kEveryOrigin);
};

inline constexpr std::string_view kMalformedTarget = "the request target is not a path, or has a malformed % escape";

// Of an answer that may be had in a moment.
inline constexpr std::uint32_t kBusyRetrySeconds = 10;

constexpr bool is_read(Method method) noexcept {
  return method == Method::kGet || method == Method::kHead;
}

// Milliseconds as a value of Retry-After.
constexpr std::uint32_t retry_after_seconds(std::uint64_t wait_ms) noexcept {
  return static_cast<std::uint32_t>((wait_ms + 999) / 1000);
}

}  // namespace pairport

#endif  // PAIRPORT_RENDER_SERVICE_IMPL_H_

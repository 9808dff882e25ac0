// SPDX-License-Identifier: MIT
// Invariants: every Response is reset before it is filled, so nothing of an earlier answer is left in it. A template's
// block never exceeds Template::kMaxBlock and every text written to a scratch buffer is bounded by a constant, so
// handle() has no failure of its own. Values of deposits go into scripts through Template alone.
#include <pairport/service.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "core/base/utc_text.h"
#include "core/limits/rate_limiter.h"
#include "core/memory/secret_block.h"
#include "render/http/accept.h"
#include "render/http/body.h"
#include "render/http/header_blocks.h"
#include "render/http/range.h"
#include "render/scripts/embedded_templates.h"
#include "render/scripts/quote.h"
#include "render/scripts/scripts.h"
#include "render/scripts/template.h"
#include "render/service/commands.h"
#include "render/service/target.h"
#include "render/service/writer.h"

namespace pairport {
namespace {

constexpr std::uint32_t kStoreFullRetrySeconds = 60;
constexpr std::uint32_t kBusyRetrySeconds = 10;
constexpr int kMaxCodeAttempts = 16;
// A small store is that of a small site, whose machines are all in one network.
constexpr double kLeastShare = 16;
constexpr std::size_t kMaxCondition = 512;
// A token and a thumbprint, each less than 128 bytes (RFC 8555 section 8.1).
constexpr std::uint64_t kMaxChallenge = 4096;
// Longest path and query in a Location header, so that every head fits the buffer of a connection.
constexpr std::size_t kMaxRedirectedPath = 512;
constexpr std::string_view kMalformedTarget = "the request target is not a path, or has a malformed % escape";
constexpr std::string_view kCompatNotFound = "404 page not found\n";
constexpr std::string_view kHealthy = "ok\n";
constexpr std::string_view kAbout =
    "pairport: hands out installers for RPort clients by pairing codes; deposits go here by POST\n";

std::uint32_t retry_after(std::uint64_t wait_ms) noexcept {
  return static_cast<std::uint32_t>((wait_ms + 999) / 1000);
}

bool reads(Method method) noexcept {
  return method == Method::kGet || method == Method::kHead;
}

// Without who was asked, which a request may say in any way: empty, or beginning with / or ?.
std::string_view path_and_query(std::string_view target) noexcept {
  if (target.starts_with('/')) return target;
  const std::size_t authority = target.find("://");
  if (authority == std::string_view::npos) return {};
  target.remove_prefix(authority + 3);
  return target.substr(std::min(target.find_first_of("/?"), target.size()));
}

// `view` then points into `deposit`.
Status view_static_deposit(const StaticDeposit& deposit, DepositView& view) {
  const auto bad = [](std::string what) { return Status(StatusCode::kInvalidArgument, std::move(what)); };
  if (!is_plausible_code(deposit.code) || Target::is_reserved(deposit.code)) {
    return bad("static-deposit: code must be 1 to 32 letters and digits, and none of the paths of the service");
  }
  DepositInput input;
  input[DepositField::kConnectUrl] = {FieldInput::Kind::kString, deposit.connect_url};
  input[DepositField::kFingerprint] = {FieldInput::Kind::kString, deposit.fingerprint};
  input[DepositField::kClientId] = {FieldInput::Kind::kString, deposit.client_id};
  input[DepositField::kPassword] = {FieldInput::Kind::kString, deposit.password};
  if (const DepositReport report = validate(input, view); !report.ok()) {
    std::array<char, kMaxReportText> text;
    return bad("static-deposit: " + std::string(text.data(), describe(report, text)));
  }
  return StatusCode::kOk;
}

}  // namespace

Status check_static_deposit(const StaticDeposit& deposit) {
  DepositView view;
  return view_static_deposit(deposit, view);
}

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

class Service::Impl {
 public:
  Impl(const ServiceOptions& options, RandomSource& random, std::uint64_t code_seed, Language posix, Language windows,
       std::unique_ptr<Store> store, std::unique_ptr<RateLimiter> deposits, std::unique_ptr<RateLimiter> misses,
       std::unique_ptr<RateLimiter> shares, std::unique_ptr<BodyDecoder> decoder)
      : url_(options.url),
        commands_(options.url),
        ttl_ms_(options.ttl_ms),
        ttl_seconds_(static_cast<std::int64_t>(options.ttl_ms / 1000)),
        serve_packages_(options.serve_packages),
        serve_challenges_(options.serve_challenges),
        hash_codes_(options.hash_codes),
        code_seed_(code_seed),
        minimum_level_(options.store.minimum_level),
        codes_(random, options.code_length),
        linux_(std::move(posix)),
        windows_(std::move(windows)),
        store_(std::move(store)),
        deposits_(std::move(deposits)),
        misses_(std::move(misses)),
        shares_(std::move(shares)),
        decoder_(std::move(decoder)) {
    for (const Language* language : {&linux_, &windows_}) {
      const auto add = [this](const auto& script) {
        for (const std::string_view part : {script.prefix(), script.suffix()}) {
          if (!part.empty()) static_parts_.push_back(part);
        }
      };
      add(language->not_found.text);
      add(language->not_found.gzip);
      for (const Script* script : {&language->installer, &language->update, &language->uninstall}) {
        add(script->text);
        add(script->gzip);
      }
    }
  }

  void handle(const Request& request, const Now& now, Response& response) noexcept;
  void redirect(const Request& request, Response& response) noexcept;
  void error(Response& response, int status, const ErrorHeaders& headers, std::string_view text,
             bool as_problem) noexcept;

  void answer_file(const FileInfo* info, Response& response) noexcept;

  SecretLevel minimum_level() const noexcept { return minimum_level_; }
  std::string_view url() const noexcept { return url_; }
  std::span<const std::string_view> static_parts() const noexcept { return static_parts_; }
  const ErrorHeaders& errors() const noexcept { return errors_; }
  const ErrorHeaders& deposit_errors() const noexcept { return deposit_errors_; }
  Store& store() noexcept { return *store_; }
  const ServiceCounters& counters() const noexcept { return counters_; }
  Status add_static(const StaticDeposit& deposit);

 private:
  Route route_of(const Target& target, Method method) const noexcept;
  void note_target(const Target& target, Method method, Response& response) const noexcept;
  void handle_known(const Target& target, const Request& request, const Now& now, Response& response) noexcept;
  void deposit(const Request& request, const Now& now, Response& response) noexcept;
  void take_deposit(const Request& request, const Now& now, Response& response) noexcept;
  void ask_for_file(const Target& target, const Request& request, Response& response) noexcept;
  void not_found(Response& response, bool as_problem) noexcept;
  void look_up(const Target& target, const Request& request, const Now& now, Response& response) noexcept;
  static void send_script(const Script& script, const SlotValues& values, const Target& target, const Request& request,
                          Response& response) noexcept;
  static void send_plain(const Template& script, const HeaderBlock& headers, const SlotValues& values, int status,
                         Response& response) noexcept;
  static void send_compressed(const Template& script, const GzipParts& gzip, const HeaderBlock& headers,
                              const SlotValues& values, int status, Response& response) noexcept;
  void refuse_look_up(const Language& language, bool packed, int status, std::string_view text, const Request& request,
                      Response& response) noexcept;
  void show_life(std::uint32_t expires_seconds, const Now& now, std::span<char, 2 * UtcText::kSize> text,
                 SlotValues& values) noexcept;
  void write_deposit_answer(const Code& code, const Now& now, Writer& out) noexcept;

  const Language& language_for(const Target& target, const Request& request) const noexcept {
    const bool windows =
        target.os() ? *target.os() == Os::kWindows : request.user_agent.find("PowerShell") != std::string_view::npos;
    return windows ? windows_ : linux_;
  }

  static std::span<char> scratch(Response& response) noexcept { return response.scratch_; }

  // Makes what was written to the scratch the body of the answer.
  static void finish(Response& response, int status, const HeaderBlock& headers, std::string_view text) noexcept {
    response.status_ = status;
    response.headers_ = &headers;
    response.scratch_used_ = text.size();
    response.add(text);
  }

  const std::string url_;
  const Commands commands_;
  UtcText utc_text_;
  std::int64_t wall_offset_ = 0;  // of the wall clock to the other, in seconds
  const std::uint64_t ttl_ms_;
  const std::int64_t ttl_seconds_;
  const bool serve_packages_;
  const bool serve_challenges_;
  const bool hash_codes_;
  const std::uint64_t code_seed_;
  ServiceCounters counters_;
  const SecretLevel minimum_level_;
  CodeGenerator codes_;
  const Language linux_;
  const Language windows_;
  std::vector<std::string_view> static_parts_;
  const std::unique_ptr<Store> store_;
  const std::unique_ptr<RateLimiter> deposits_;
  const std::unique_ptr<RateLimiter> misses_;
  const std::unique_ptr<RateLimiter> shares_;  // of the store, by network; a token is the room of one deposit
  const std::unique_ptr<BodyDecoder> decoder_;

  const ErrorHeaders errors_{Headers{}, Audience::kSameOrigin};
  const ErrorHeaders deposit_errors_{Headers{}, Audience::kEveryOrigin};
  const ErrorHeaders root_not_allowed_{Headers{{"Allow", "GET, HEAD, POST, OPTIONS"}}, Audience::kEveryOrigin};
  const ErrorHeaders get_not_allowed_{Headers{{"Allow", "GET, HEAD, OPTIONS"}}, Audience::kSameOrigin};
  const HeaderBlock text_headers_ = block({{"Content-Type", "text/plain; charset=utf-8"}});
  const HeaderBlock packed_errors_ = block({{"Content-Type", "application/gzip"}});
  const HeaderBlock file_headers_ =
      block({{"Content-Type", "application/octet-stream"}, {"Accept-Ranges", "bytes"}}, "public, max-age=300");
  const HeaderBlock challenge_headers_ = block({{"Content-Type", "application/octet-stream"}});
  const HeaderBlock deposit_headers_ =
      block({{"Content-Type", "application/json"}}, "no-store", Audience::kEveryOrigin);
  // Those behind X-Requested-With are added to the requests of a page by tools that trace them (W3C Trace Context and
  // Baggage, Sentry): a preflight without them would keep such a page from making deposits.
  const HeaderBlock preflight_headers_ = block(
      {
          {"Access-Control-Allow-Methods", "POST, GET, OPTIONS, HEAD"},
          {"Access-Control-Max-Age", "3600"},
          {"Access-Control-Allow-Headers",
           "Content-Type, Access-Control-Allow-Headers, Authorization, X-Requested-With, baggage, sentry-trace, "
           "traceparent, tracestate"},
      },
      "no-store", Audience::kEveryOrigin);
};

void Service::Impl::error(Response& response, int status, const ErrorHeaders& headers, std::string_view text,
                          bool as_problem) noexcept {
  Writer out(scratch(response));
  if (as_problem) {
    out.text(R"({"type":"about:blank","title":)").quoted(reason_phrase(status), quote_json);
    out.text(R"(,"status":)").number(static_cast<std::uint64_t>(status));
    out.text(R"(,"detail":)").quoted(text, quote_json).text("}\n");
  } else {
    out.text(text).text("\n");
  }
  finish(response, status, as_problem ? headers.problem : headers.text, out.written());
}

Route Service::Impl::route_of(const Target& target, Method method) const noexcept {
  switch (target.route()) {
    case Target::Route::kRoot:
      return reads(method) ? Route::kAbout : Route::kDeposit;
    case Target::Route::kHealth:
      return Route::kHealth;
    case Target::Route::kUpdate:
      return Route::kUpdate;
    case Target::Route::kUninstall:
      return Route::kUninstall;
    case Target::Route::kPackage:
      return serve_packages_ ? Route::kPackage : Route::kOther;
    case Target::Route::kChallenge:
      return serve_challenges_ ? Route::kChallenge : Route::kOther;
    case Target::Route::kCode:
      return Route::kInstaller;
    case Target::Route::kUnknown:
    case Target::Route::kMalformed:
    case Target::Route::kBadOs:
      break;
  }
  return Route::kOther;
}

// For an access log.
void Service::Impl::note_target(const Target& target, Method method, Response& response) const noexcept {
  response.route_ = route_of(target, method);
  if (hash_codes_ && response.route_ == Route::kInstaller) {
    response.code_hash_ = short_code_hash(target.code(), code_seed_);
  }
}

void Service::Impl::handle(const Request& request, const Now& now, Response& response) noexcept {
  response.reset();
  if (request.method == Method::kOptions) {
    response.status_ = 204;
    response.route_ = Route::kPreflight;
    response.headers_ = &preflight_headers_;
    return;
  }
  const Target target(request.target);
  // Looked at for errors alone.
  const auto as_problem = [&request] { return prefers_json(request.accept); };
  note_target(target, request.method, response);
  switch (target.route()) {
    case Target::Route::kMalformed:
      error(response, 400, errors_, kMalformedTarget, as_problem());
      break;
    case Target::Route::kBadOs:
      error(response, 400, errors_,
            "the parameter os must be linux or windows, and must not contradict a suffix .sh or .ps1", as_problem());
      break;
    case Target::Route::kUnknown:
      not_found(response, as_problem());
      break;
    case Target::Route::kRoot:
      if (request.method == Method::kPost) {
        deposit(request, now, response);
      } else if (reads(request.method)) {
        finish(response, 200, text_headers_, Writer(scratch(response)).text(kAbout).written());
      } else {
        error(response, 405, root_not_allowed_, "this path takes deposits: POST", as_problem());
      }
      break;
    case Target::Route::kPackage:
    case Target::Route::kChallenge:
      if (response.route_ == Route::kOther) {
        not_found(response, as_problem());
        break;
      }
      [[fallthrough]];
    case Target::Route::kUpdate:
    case Target::Route::kUninstall:
    case Target::Route::kHealth:
    case Target::Route::kCode:
      if (!reads(request.method)) {
        error(response, 405, get_not_allowed_, "this path can only be read: GET or HEAD; deposits go to the path /",
              as_problem());
        break;
      }
      handle_known(target, request, now, response);
      break;
  }
  if (request.method == Method::kHead) response.fragment_count_ = 0;
}

void Service::Impl::redirect(const Request& request, Response& response) noexcept {
  response.reset();
  const Target target(request.target);
  const bool as_problem = prefers_json(request.accept);
  note_target(target, request.method, response);
  if (request.method == Method::kOptions) {
    // A preflight that fails keeps a browser from sending the credentials that it asks for.
    response.route_ = Route::kPreflight;
    std::array<char, 128 + kMaxServiceUrl> text;
    return error(response, 403, deposit_errors_,
                 Writer(text).text("this address is not encrypted and takes no deposits; use ").text(url_).written(),
                 as_problem);
  }
  if (!reads(request.method)) {
    std::array<char, 256 + kMaxServiceUrl> text;
    Writer out(text);
    out.text("nothing was stored: this address is not encrypted, and what was sent to it has crossed the network in ");
    out.text("clear; consider its credentials exposed, and send new ones to ").text(url_);
    return error(response, 403, deposit_errors_, out.written(), as_problem);
  }
  if (response.route_ == Route::kChallenge) return ask_for_file(target, request, response);
  const std::string_view path = path_and_query(request.target);
  if (target.route() == Target::Route::kMalformed) {
    error(response, 400, errors_, kMalformedTarget, as_problem);
  } else if (path.size() > kMaxRedirectedPath) {
    error(response, 414, errors_, "the request target is too long for a redirect", as_problem);
  } else {
    refuse_look_up(
        language_for(target, request), target.packed(), 308,
        "this address is not encrypted and serves nothing; follow its redirect (curl -L), or begin with https", request,
        response);
    Writer out(scratch(response).subspan(response.scratch_used_));
    out.text("Location: ").text(url_).text(path.starts_with('/') ? "" : "/").text(path).text("\r\n");
    response.extra_headers_ = out.written();
    response.scratch_used_ += out.written().size();
  }
  if (request.method == Method::kHead) response.fragment_count_ = 0;
}

void Service::Impl::handle_known(const Target& target, const Request& request, const Now& now,
                                 Response& response) noexcept {
  if (target.route() == Target::Route::kPackage || target.route() == Target::Route::kChallenge) {
    return ask_for_file(target, request, response);
  }
  if (target.route() == Target::Route::kHealth) {
    return finish(response, 200, text_headers_, Writer(scratch(response)).text(kHealthy).written());
  }
  const Language& language = language_for(target, request);
  if (target.route() == Target::Route::kUpdate) return send_script(language.update, {}, target, request, response);
  if (target.route() == Target::Route::kUninstall) {
    return send_script(language.uninstall, {}, target, request, response);
  }
  look_up(target, request, now, response);
}

void Service::Impl::not_found(Response& response, bool as_problem) noexcept {
  if (as_problem) return error(response, 404, errors_, "there is nothing at this path", true);
  finish(response, 404, errors_.text, Writer(scratch(response)).text(kCompatNotFound).written());
}

void Service::Impl::ask_for_file(const Target& target, const Request& request, Response& response) noexcept {
  Writer out(scratch(response));
  const auto keep = [&out](std::string_view text) {
    // Conditions longer than any of ours cannot be met: leave them out.
    if (text.size() > kMaxCondition) text = {};
    const std::size_t begin = out.written().size();
    return out.text(text).written().substr(begin);
  };
  response.file_.name = keep(target.file());
  response.file_.if_none_match = keep(request.if_none_match);
  response.file_.if_range = keep(request.if_range);
  response.file_.range_spec = keep(request.range);
  response.file_.folder = response.route_ == Route::kChallenge ? FileFolder::kChallenges : FileFolder::kPackages;
  response.file_.is_head = request.method == Method::kHead;
  response.file_.as_problem = prefers_json(request.accept);
  response.scratch_used_ = out.written().size();
}

void Service::Impl::answer_file(const FileInfo* info, Response& response) noexcept {
  const Response::File file = std::exchange(response.file_, {});
  const bool is_challenge = file.folder == FileFolder::kChallenges;
  if (info == nullptr || (is_challenge && info->size > kMaxChallenge)) {
    not_found(response, file.as_problem);
    if (file.is_head) response.fragment_count_ = 0;
    return;
  }
  if (is_challenge) {
    response.headers_ = &challenge_headers_;
    response.status_ = 200;
    response.content_length_ = info->size;
    if (!file.is_head) response.file_.range = {0, info->size};
    return;
  }
  // As common servers do it: time of change and size. In the buffer behind what ask_for_file() has kept.
  std::array<char, 40> etag_text;
  char* end = etag_text.data();
  *end++ = '"';
  end = std::to_chars(end, end + 16, info->modified, 16).ptr;
  *end++ = '-';
  end = std::to_chars(end, end + 16, info->size, 16).ptr;
  *end++ = '"';
  const std::string_view etag(etag_text.data(), static_cast<std::size_t>(end - etag_text.data()));
  Writer out(scratch(response).subspan(response.scratch_used_));
  out.text("ETag: ").text(etag).text("\r\n");

  response.headers_ = &file_headers_;
  response.status_ = 200;
  FileRange range{0, info->size};
  if (!file.if_none_match.empty() && matches_etag(file.if_none_match, etag)) {
    response.status_ = 304;
    range.size = 0;
  } else if (file.if_range.empty() || file.if_range == etag) {
    switch (parse_range(file.range_spec, info->size, range)) {
      case RangeVerdict::kNone:
        break;
      case RangeVerdict::kPartial:
        response.status_ = 206;
        out.text("Content-Range: bytes ").number(range.offset).text("-").number(range.offset + range.size - 1);
        out.text("/").number(info->size).text("\r\n");
        break;
      case RangeVerdict::kUnsatisfiable:
        response.status_ = 416;
        range.size = 0;
        out.text("Content-Range: bytes */").number(info->size).text("\r\n");
        break;
    }
  }
  response.scratch_used_ += out.written().size();
  response.extra_headers_ = out.written();
  response.content_length_ = range.size;
  if (!file.is_head) response.file_.range = range;
}

void Service::Impl::send_script(const Script& script, const SlotValues& values, const Target& target,
                                const Request& request, Response& response) noexcept {
  const bool compressed = target.packed() || prefers_gzip(request.accept_encoding);
  const Representation& chosen = target.packed() ? script.packed : compressed ? script.compressed : script.plain;
  if (!chosen.etag.empty() && !request.if_none_match.empty() && matches_etag(request.if_none_match, chosen.etag)) {
    response.status_ = 304;
    response.headers_ = &chosen.not_modified;
  } else if (compressed) {
    send_compressed(script.text, script.gzip, chosen.headers, values, 200, response);
  } else {
    send_plain(script.text, chosen.headers, values, 200, response);
  }
}

void Service::Impl::send_plain(const Template& script, const HeaderBlock& headers, const SlotValues& values, int status,
                               Response& response) noexcept {
  const std::size_t size = script.render(values, scratch(response).data());
  response.status_ = status;
  response.headers_ = &headers;
  response.scratch_used_ = size;
  response.add(script.prefix());
  response.add({scratch(response).data(), size});
  response.add(script.suffix());
}

void Service::Impl::send_compressed(const Template& script, const GzipParts& gzip, const HeaderBlock& headers,
                                    const SlotValues& values, int status, Response& response) noexcept {
  response.status_ = status;
  response.headers_ = &headers;
  response.add(gzip.prefix());
  if (!script.has_slots()) return;
  static_assert(GzipParts::kBlockHeader + Template::kMaxBlock + GzipParts::kTrailer <= kResponseScratch);
  char* const header = scratch(response).data();
  char* const text = header + GzipParts::kBlockHeader;
  const std::size_t size = script.render(values, text);
  char* const trailer = text + size;
  GzipParts::write_block_header(size, header);
  gzip.write_trailer({text, size}, trailer);
  response.scratch_used_ = GzipParts::kBlockHeader + size + GzipParts::kTrailer;
  response.add({header, GzipParts::kBlockHeader + size});
  response.add(gzip.suffix());
  response.add({trailer, GzipParts::kTrailer});
}

void Service::Impl::look_up(const Target& target, const Request& request, const Now& now, Response& response) noexcept {
  const Language& language = language_for(target, request);
  SlotValues values;
  values.code = target.code();
  if (target.may_be_code() || is_plausible_code(values.code)) {
    // An address without tokens gets the same answer for every code: else guessing would go on.
    if (const std::uint64_t wait = misses_->wait_ms(request.client, now.monotonic_ms); wait != 0) {
      response.retry_after_ = retry_after(wait);
      ++counters_.look_ups_limited;
      refuse_look_up(language, target.packed(), 429,
                     "too many requests for unknown pairing codes from this address; wait a moment and try again",
                     request, response);
      return;
    }
    if (const StoredDeposit found = store_->find(values.code, now.monotonic_ms)) {
      values.deposit = found.view();
      std::array<char, 2 * UtcText::kSize> times;
      show_life(found.expires_seconds(), now, times, values);
      send_script(language.installer, values, target, request, response);
      wipe_value(values.deposit.fingerprint);
      return;
    }
    misses_->take(request.client, now.monotonic_ms);
    ++counters_.misses;
  }
  if (prefers_json(request.accept)) {
    error(response, 404, errors_, "the pairing code is unknown or expired; create a new one", true);
    return;
  }
  const NotFoundScript& script = language.not_found;
  if (target.packed()) return send_compressed(script.text, script.gzip, packed_errors_, values, 404, response);
  send_plain(script.text, errors_.text, values, 404, response);
}

// Two answers for one code shall say the same, so the distance between the clocks is kept until one was set: measured
// in whole seconds it varies by one.
void Service::Impl::show_life(std::uint32_t expires_seconds, const Now& now, std::span<char, 2 * UtcText::kSize> text,
                              SlotValues& values) noexcept {
  if (expires_seconds == StoredDeposit::kForever) {
    values.made_at = "with the configuration of the service";
    values.valid_until = "it is removed there";
    return;
  }
  const std::int64_t offset = now.unix_seconds - static_cast<std::int64_t>(now.monotonic_ms / 1000);
  if (offset - wall_offset_ > 1 || wall_offset_ - offset > 1) wall_offset_ = offset;
  const std::int64_t end = wall_offset_ + expires_seconds;
  values.made_at = utc_text_.write(end - ttl_seconds_, text.data());
  values.valid_until = utc_text_.write(end, text.data() + UtcText::kSize);
}

// What is fetched here is piped to a shell: so that the text of an error does not run as a command, it comes as a
// script that says it on stderr and fails.
void Service::Impl::refuse_look_up(const Language& language, bool packed, int status, std::string_view text,
                                   const Request& request, Response& response) noexcept {
  if (prefers_json(request.accept)) return error(response, status, errors_, text, true);
  Writer out(packed ? scratch(response).subspan(GzipParts::kStoredHead) : scratch(response));
  out.text("#").text(text);
  if (language.os == Os::kLinux) {
    out.text("\nprintf '%s\\n' ").quoted(text, quote_posix).text(" >&2\nexit 1\n");
  } else {
    out.text("\n[Console]::Error.WriteLine(").quoted(text, quote_powershell).text(")\nexit 1\n");
  }
  if (packed) {
    char* const begin = scratch(response).data();
    return finish(response, status, packed_errors_, {begin, GzipParts::wrap_stored(out.written().size(), begin)});
  }
  finish(response, status, errors_.text, out.written());
}

// Separate from what it calls, so that it can wipe the stack that this has used: a code, a fingerprint, the parser's
// work.
void Service::Impl::deposit(const Request& request, const Now& now, Response& response) noexcept {
  take_deposit(request, now, response);
  wipe_stack();
}

[[gnu::noinline]] void Service::Impl::take_deposit(const Request& request, const Now& now,
                                                   Response& response) noexcept {
  const bool as_problem = prefers_json(request.accept);
  if (const std::uint64_t wait = deposits_->wait_ms(request.client, now.monotonic_ms); wait != 0) {
    response.retry_after_ = retry_after(wait);
    ++counters_.deposits_limited;
    return error(response, 429, deposit_errors_, "too many deposits from this address; wait a moment and try again",
                 as_problem);
  }
  if (store_->more_than_half_full() && request.client.has_address()) {
    if (const std::uint64_t wait = shares_->wait_ms(request.client, now.monotonic_ms); wait != 0) {
      response.retry_after_ = retry_after(wait);
      ++counters_.deposits_limited;
      return error(response, 429, deposit_errors_,
                   "the service is more than half full, and this network has made as many deposits as it may; wait a "
                   "moment and try again",
                   as_problem);
    }
  }
  deposits_->take(request.client, now.monotonic_ms);

  DepositInput input;
  const BodyVerdict verdict = decoder_->decode(request.content_type, request.body, input);
  // Whatever happens below, the decoder forgets the body before the answer leaves.
  struct Wiper {
    BodyDecoder& decoder;
    ~Wiper() { decoder.wipe(); }
  } wiper{*decoder_};

  switch (verdict.error) {
    case BodyError::kNone:
      break;
    case BodyError::kUnsupportedType:
      return error(response, 415, deposit_errors_,
                   "the Content-Type of a deposit must be application/json, multipart/form-data or "
                   "application/x-www-form-urlencoded",
                   as_problem);
    case BodyError::kMalformed: {
      std::array<char, 512> text;
      return error(response, 400, deposit_errors_,
                   Writer(text).text("input validation failed: ").text(verdict.detail).written(), as_problem);
    }
    case BodyError::kOutOfMemory:
      response.retry_after_ = kStoreFullRetrySeconds;
      return error(response, 503, deposit_errors_, "out of memory; try again later", as_problem);
  }

  DepositView deposit;
  const DepositReport report = validate(input, deposit);
  if (!report.ok()) {
    std::array<char, 64 + kMaxReportText> text;
    static constexpr std::string_view kPrefix = "input validation failed: ";
    std::copy(kPrefix.begin(), kPrefix.end(), text.begin());
    const std::size_t size = describe(report, std::span(text).subspan(kPrefix.size()));
    return error(response, 400, deposit_errors_, {text.data(), kPrefix.size() + size}, as_problem);
  }

  Code code;
  Status status = StatusCode::kAlreadyExists;
  for (int attempt = 0; attempt < kMaxCodeAttempts && status.code() == StatusCode::kAlreadyExists; ++attempt) {
    status = codes_.next(code);
    if (!status.ok()) break;
    // A word of our own paths would be hidden behind its route: draw again.
    status = Target::is_reserved(code.view()) ? Status(StatusCode::kAlreadyExists)
                                              : store_->insert(code.view(), deposit, now.monotonic_ms + ttl_ms_);
  }
  if (!status.ok()) {
    ++counters_.deposits_refused;
    response.retry_after_ = kStoreFullRetrySeconds;
    return error(response, 503, deposit_errors_,
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
    shares_->take(request.client, now.monotonic_ms, store_->weight(code.view(), deposit));
  }

  Writer out(scratch(response));
  write_deposit_answer(code, now, out);
  finish(response, 200, deposit_headers_, out.written());
}

void Service::Impl::write_deposit_answer(const Code& code, const Now& now, Writer& out) noexcept {
  std::array<char, UtcText::kSize> expires;
  out.text(R"({"pairing_code":)").quoted(code.view(), quote_json).text(R"(,"expires":")");
  out.text(utc_text_.write(now.unix_seconds + ttl_seconds_, expires.data()));
  out.text(R"(","installers":)");
  commands_.write(code.view(), out);
  out.text("}\n");
}

Status Service::Impl::add_static(const StaticDeposit& deposit) {
  DepositView view;
  if (Status status = view_static_deposit(deposit, view); !status.ok()) return status;
  return store_->insert(deposit.code, view, Store::kNever);
}

Service::Service(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Service::~Service() = default;

Result<std::unique_ptr<Service>> Service::create(const ServiceOptions& options, RandomSource& random, const Now& now) {
  if (Status status = check_options(options); !status.ok()) return status;

  std::array<std::uint64_t, 5> seeds;
  if (!random.fill({reinterpret_cast<std::uint8_t*>(seeds.data()), sizeof(seeds)})) return StatusCode::kRandomFailed;

  const Template::Loader loader = [&options](std::string_view name) -> std::optional<std::string> {
    if (options.templates) {
      if (auto text = options.templates(name)) return text;
    }
    for (const EmbeddedTemplate& embedded : embedded_templates()) {
      if (embedded.name == name) return std::string(embedded.text);
    }
    return std::nullopt;
  };
  const Template::Constants constants = script_constants(options);
  Result<Language> posix = compile_scripts(Os::kLinux, loader, constants);
  if (!posix.ok()) return posix.status();
  Result<Language> windows = compile_scripts(Os::kWindows, loader, constants);
  if (!windows.ok()) return windows.status();

  Store::Options store_options = options.store;
  store_options.hash_seed = seeds[0];
  Result<std::unique_ptr<Store>> store = Store::create(store_options, now.monotonic_ms);
  if (!store.ok()) return store.status();
  const NetworkBudgets budgets = NetworkBudgets::parse(options.ipv6_budgets).value_or(NetworkBudgets());
  const auto limiter = [&budgets](const RateLimit& limit, std::uint64_t seed) {
    return RateLimiter::create(
        {.per_second = limit.per_second, .burst = limit.burst, .hash_seed = seed, .ipv6 = budgets});
  };
  Result<std::unique_ptr<RateLimiter>> deposits = limiter(options.deposit_limit, seeds[1]);
  if (!deposits.ok()) return deposits.status();
  Result<std::unique_ptr<RateLimiter>> misses = limiter(options.miss_limit, seeds[2]);
  if (!misses.ok()) return misses.status();
  // A bucket that fills up again in one life.
  const double share =
      options.network_share == 0
          ? 0
          : std::max(kLeastShare, options.network_share * static_cast<double>(options.store.max_deposits));
  Result<std::unique_ptr<RateLimiter>> shares =
      RateLimiter::create({.per_second = share * 1000 / static_cast<double>(options.ttl_ms),
                           .burst = share,
                           .hash_seed = seeds[4],
                           .ipv6 = *NetworkBudgets::parse("48:1"),
                           .ipv4_prefix = 24});
  if (!shares.ok()) return shares.status();
  Result<std::unique_ptr<BodyDecoder>> decoder = BodyDecoder::create(options.store.minimum_level);
  if (!decoder.ok()) return decoder.status();

  auto impl = std::make_unique<Impl>(options, random, seeds[3], std::move(posix).value(), std::move(windows).value(),
                                     std::move(store).value(), std::move(deposits).value(), std::move(misses).value(),
                                     std::move(shares).value(), std::move(decoder).value());
  if (options.static_deposit) {
    if (Status status = impl->add_static(*options.static_deposit); !status.ok()) return status;
  }
  return std::unique_ptr<Service>(new Service(std::move(impl)));
}

void Service::handle(const Request& request, const Now& now, Response& response) noexcept {
  assert(request.body.size() <= kMaxBody);
  impl_->handle(request, now, response);
}

void Service::redirect(const Request& request, Response& response) noexcept {
  assert(url().starts_with("https://"));
  impl_->redirect(request, response);
}

void Service::answer_file(const FileInfo* file, Response& response) noexcept {
  impl_->answer_file(file, response);
}

void Service::refuse(int status, std::string_view text, std::string_view accept, Method method,
                     Response& response) noexcept {
  response.reset();
  if (status == 503) response.retry_after_ = kBusyRetrySeconds;
  // What is not known to be a look-up may have been a deposit, whose errors a user interface has to show.
  const ErrorHeaders& headers = reads(method) ? impl_->errors() : impl_->deposit_errors();
  impl_->error(response, status, headers, text, prefers_json(accept));
  if (method == Method::kHead) response.fragment_count_ = 0;
}

bool Service::expire(const Now& now, std::size_t max_work) noexcept {
  return impl_->store().expire(now.monotonic_ms, max_work);
}

SecretLevel Service::minimum_level() const noexcept {
  return impl_->minimum_level();
}

std::string_view Service::url() const noexcept {
  return impl_->url();
}

std::span<const std::string_view> Service::static_parts() const noexcept {
  return impl_->static_parts();
}

const ServiceCounters& Service::counters() const noexcept {
  return impl_->counters();
}

const Store& Service::store() const noexcept {
  return impl_->store();
}

}  // namespace pairport

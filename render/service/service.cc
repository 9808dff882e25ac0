// SPDX-License-Identifier: MIT
// Invariants: every Response is reset before it is filled, so it holds no part of an earlier answer. A template's block
// never exceeds Template::kMaxBlock and every text written to a scratch buffer is bounded by a constant, so handle()
// cannot fail. Values of deposits enter scripts only through Template.
#include <pairport/service.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/writer.h"
#include "render/http/accept.h"
#include "render/scripts/embedded_templates.h"
#include "render/scripts/quote.h"
#include "render/service/service_impl.h"
#include "render/service/static_deposit.h"

namespace pairport {
namespace {

// In deposits. A small store serves a small site, whose machines are all in one network.
constexpr double kLeastShare = 16;

// The `member` texts of all rows of kPlatforms, for a message.
template <typename Member>
std::string names_of_platforms(Member member) {
  std::string text;
  for (const Platform& row : kPlatforms) text.append(text.empty() ? "" : " or ").append(row.*member);
  return text;
}

// Each wrong field with what is expected of it. Holds no value of a request.
void write_errors(const DepositReport& report, Writer& out) noexcept {
  std::string_view before = R"(,"errors":[)";
  for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
    if (report.problems[i] == FieldProblem::kNone) continue;
    out.text(before).text(R"({"field":)").quoted(kDepositFieldNames[i], quote_json);
    out.text(R"(,"expected":)").quoted(expectation(static_cast<DepositField>(i)), quote_json).text("}");
    before = ",";
  }
  out.text("]");
}

}  // namespace

Service::Impl::Impl(const ServiceOptions& options, RandomSource& random, std::uint64_t seed, Languages compiled,
                    std::unique_ptr<LocalStore> created, Store* other_store, Limits created_limits,
                    std::unique_ptr<BodyDecoder> body_decoder)
    : url(options.url),
      commands(options.url),
      ttl_ms(options.ttl_ms),
      ttl_seconds(static_cast<std::int64_t>(options.ttl_ms / 1000)),
      hash_codes(options.hash_codes),
      log_hash(seed),
      minimum_level(options.store.minimum_level),
      codes(random, options.code_length),
      other_paths(options.other_paths),
      languages(std::move(compiled)),
      local(std::move(created)),
      elsewhere(other_store),
      store(elsewhere != nullptr ? *elsewhere : *local),
      limits(std::move(created_limits)),
      decoder(std::move(body_decoder)),
      bad_os_text("the parameter os must be " + names_of_platforms(&Platform::name) +
                  ", and must not contradict a suffix " + names_of_platforms(&Platform::suffix)) {
  for (const std::unique_ptr<const Language>& language : languages) {
    const auto add = [this](const auto& script) {
      for (const std::string_view part : {script.prefix(), script.suffix()}) {
        if (!part.empty()) static_parts.push_back(part);
      }
    };
    add(language->not_found.text);
    add(language->not_found.gzip);
    for (const Script* script : {&language->installer, &language->update, &language->uninstall}) {
      add(script->text);
      add(script->gzip);
    }
  }
  for (const RouteRow& row : kRoutes) {
    const bool is_on = row.option == nullptr || options.*row.option;
    rows[static_cast<std::size_t>(row.route)] = is_on ? &row : &route_row(Route::kOther);
    not_allowed_headers.emplace_back(Headers{{"Allow", allowed_methods(row)}}, row.audience);
  }
}

void Service::Impl::error(Response& response, int status, const ErrorHeaders& headers, std::string_view text,
                          bool as_problem, const DepositReport* report) noexcept {
  Reply reply(response);
  Writer out(reply.scratch());
  if (as_problem) {
    out.text(R"({"type":"about:blank","title":)").quoted(reason_phrase(status), quote_json);
    out.text(R"(,"status":)").number(static_cast<std::uint64_t>(status));
    out.text(R"(,"detail":)").quoted(text, quote_json);
    if (report != nullptr) write_errors(*report, out);
    out.text("}\n");
  } else {
    out.text(text).text("\n");
  }
  reply.finish(status, as_problem ? headers.problem : headers.text, out.written());
}

const RouteRow& Service::Impl::other_route(const RouteRow& row, Method method) const noexcept {
  for (const RouteRow* other : rows) {
    if (same_path(row, *other) && other->takes(method)) return *other;
  }
  return row;
}

void Service::Impl::not_allowed(const RouteRow& row, const Request& request, Response& response) noexcept {
  const bool takes_deposits = (methods_of_path(row) & methods(Method::kPost)) != 0;
  error(response, 405, not_allowed_headers[static_cast<std::size_t>(row.route)],
        takes_deposits ? "this path takes deposits: POST"
                       : "this path can only be read: GET or HEAD; deposits go to the path /",
        prefers_json(request.accept));
}

void Service::Impl::handle(const Request& request, const Now& now, Response& response) noexcept {
  response.reset();
  Reply reply(response);
  if (request.method == Method::kOptions) {
    const Target anything("*");
    reply.note(Route::kPreflight);
    return route_row(Route::kPreflight).handler(*this, anything, request, now, response);
  }
  const Target target(request.target);
  const RouteRow& row = find_route(target, request.method);
  note_route(row, target, response);
  if (row.takes(request.method)) {
    row.handler(*this, target, request, now, response);
  } else {
    not_allowed(row, request, response);
  }
  if (request.method == Method::kHead) reply.drop_body();
}

Service::Service(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Service::~Service() {
  // Its members would wipe secret memory that this process does not have.
  if (is_inherited()) static_cast<void>(impl_.release());
}

bool Service::is_inherited() const noexcept {
  return !impl_->mark.is_here();
}

void Service::Impl::resume(const PendingReply& result, const Now& now, Response& response) noexcept {
  switch (response.pending().kind) {
    case Pending::Kind::kNothing:
      return;
    case Pending::Kind::kFile:
      return resume_file(result, response);
    case Pending::Kind::kStore:
      break;
  }
  if (response.pending().operation.verb == StoreOperation::Verb::kPut) {
    resume_deposit(result, now, response);
  } else {
    resume_look_up(result, now, response);
  }
}

Result<std::unique_ptr<Service>> Service::create(const ServiceOptions& options, RandomSource& random, const Now& now,
                                                 Store* elsewhere) {
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
  Languages languages;
  for (std::size_t i = 0; i < languages.size(); ++i) {
    Result<Language> compiled = compile_scripts(kPlatforms[i].os, loader, constants);
    if (!compiled.ok()) return compiled.status();
    languages[i] = std::make_unique<const Language>(std::move(compiled).value());
  }

  StoreOptions store_options = options.store;
  store_options.hash_seed = seeds[0];
  Result<std::unique_ptr<LocalStore>> local = LocalStore::create(store_options, now.monotonic_ms);
  if (!local.ok()) return local.status();
  const NetworkBudgets budgets = NetworkBudgets::parse(options.ipv6_budgets).value_or(NetworkBudgets());
  const auto limiter = [&budgets](const RateLimit& limit, std::uint64_t seed) {
    return RateLimiter::create(
        {.per_second = limit.per_second, .burst = limit.burst, .hash_seed = seed, .ipv6 = budgets});
  };
  Result<std::unique_ptr<RateLimiter>> deposits = limiter(options.deposit_limit, seeds[1]);
  if (!deposits.ok()) return deposits.status();
  Result<std::unique_ptr<RateLimiter>> misses = limiter(options.miss_limit, seeds[2]);
  if (!misses.ok()) return misses.status();
  // The bucket of a network is full again after the lifetime of a code.
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

  Limits limits{std::move(deposits).value(), std::move(misses).value(), std::move(shares).value()};
  auto impl = std::make_unique<Impl>(options, random, seeds[3], std::move(languages), std::move(local).value(),
                                     elsewhere, std::move(limits), std::move(decoder).value());
  if (!impl->mark.set()) return StatusCode::kOutOfMemory;
  if (options.static_deposit) {
    DepositView view;
    if (Status status = view_static_deposit(*options.static_deposit, view); !status.ok()) return status;
    if (Status status = impl->local->insert(options.static_deposit->code, view, Store::kNever); !status.ok()) {
      return status;
    }
  }
  return std::unique_ptr<Service>(new Service(std::move(impl)));
}

void Service::handle(const Request& request, const Now& now, Response& response) noexcept {
  assert(request.body.size() <= kMaxBody);
  // Both are tail calls: the rare case costs the common one no stack frame.
  if (impl_->mark.is_seen_here()) return impl_->handle(request, now, response);
  handle_if_here(request, now, response);
}

[[gnu::noinline]] void Service::handle_if_here(const Request& request, const Now& now, Response& response) noexcept {
  if (!is_inherited()) return impl_->handle(request, now, response);
  refuse(500, "this process is a child of the one that created the service, and has none of its memory", request.accept,
         request.method, response);
}

void Service::redirect(const Request& request, Response& response) noexcept {
  assert(url().starts_with("https://"));
  impl_->redirect(request, response);
}

void Service::resume(const PendingReply& reply, const Now& now, Response& response) noexcept {
  if (response.is_pending()) impl_->resume(reply, now, response);
}

void Service::refuse(int status, std::string_view text, std::string_view accept, Method method,
                     Response& response) noexcept {
  response.reset();
  if (status == 503) Reply(response).set_retry_after(kBusyRetrySeconds);
  // Any request that is not known to be a look-up may be a deposit, and a user interface must be able to read its
  // errors.
  const ErrorHeaders& headers = is_read(method) ? impl_->errors : impl_->deposit_errors;
  impl_->error(response, status, headers, text, prefers_json(accept));
  if (method == Method::kHead) Reply(response).drop_body();
}

bool Service::expire(const Now& now, std::size_t max_work) noexcept {
  if (is_inherited()) return true;
  const bool is_done = impl_->local->expire(now.monotonic_ms, max_work);
  return (impl_->elsewhere == nullptr || impl_->elsewhere->expire(now.monotonic_ms, max_work)) && is_done;
}

SecretLevel Service::minimum_level() const noexcept {
  return impl_->minimum_level;
}

std::string_view Service::url() const noexcept {
  return impl_->url;
}

std::span<const std::string_view> Service::static_parts() const noexcept {
  return impl_->static_parts;
}

const ServiceCounters& Service::counters() const noexcept {
  return impl_->counters;
}

const Store& Service::store() const noexcept {
  return impl_->store;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Answers about the service itself, preflights, and paths without a route.
#include <string_view>

#include "core/base/ascii.h"
#include "core/base/writer.h"
#include "render/http/accept.h"
#include "render/service/service_impl.h"

namespace pairport {
namespace {

constexpr std::string_view kHealthy = "ok\n";
constexpr std::string_view kAbout =
    "pairport: hands out installers for RPort clients by pairing codes; deposits go here by POST\n";
constexpr std::string_view kCompatNotFound = "404 page not found\n";

void say(std::string_view text, int status, const HeaderBlock& headers, Response& response) noexcept {
  Reply reply(response);
  reply.finish(status, headers, Writer(reply.scratch()).text(text).written());
}

}  // namespace

void answer_about(Service::Impl& service, const Target&, const Request&, const Now&, Response& response) noexcept {
  say(kAbout, 200, service.text_headers, response);
}

void answer_health(Service::Impl& service, const Target&, const Request&, const Now&, Response& response) noexcept {
  say(kHealthy, 200, service.text_headers, response);
}

void answer_preflight(Service::Impl& service, const Target&, const Request&, const Now&, Response& response) noexcept {
  Reply(response).begin(204, service.preflight_headers);
}

void answer_nothing(Service::Impl& service, const Target& target, const Request& request, const Now&,
                    Response& response) noexcept {
  const bool as_problem = prefers_json(request.accept);
  switch (target.problem()) {
    case Target::Problem::kNone:
      return service.answer_other_path(request, response);
    case Target::Problem::kMalformed:
      return service.error(response, 400, service.errors, kMalformedTarget, as_problem);
    case Target::Problem::kBadOs:
      return service.error(response, 400, service.errors, service.bad_os_text, as_problem);
  }
}

void Service::Impl::answer_other_path(const Request& request, Response& response) noexcept {
  const bool as_problem = prefers_json(request.accept);
  PathHandler::Answer answer;
  if (other_paths == nullptr || !other_paths->answer(request, answer)) return not_found(response, as_problem);
  if (answer.status < 200 || answer.status > 599 || answer.body.size() > PathHandler::kMaxBody ||
      answer.content_type.empty() || answer.content_type.size() > PathHandler::kMaxContentType ||
      has_control(answer.content_type)) {
    return error(response, 500, errors, "the answer to this path is not valid", as_problem);
  }
  Reply reply(response);
  reply.begin(answer.status, other_headers);
  Writer line(reply.scratch());
  reply.set_extra_headers(line.text("Content-Type: ").text(answer.content_type).text("\r\n").written());
  const std::string_view body = Writer(reply.scratch()).text(answer.body).written();
  reply.keep(body.size());
  reply.add(body);
  reply.add(answer.fixed_body);
}

void Service::Impl::not_found(Response& response, bool as_problem) noexcept {
  if (as_problem) return error(response, 404, errors, "there is nothing at this path", true);
  say(kCompatNotFound, 404, errors.text, response);
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Packages and challenges: files that the owner of the service opens. The Response keeps the necessary parts of the
// request until then.
#include <array>
#include <cstdint>
#include <string_view>

#include "core/base/writer.h"
#include "render/http/accept.h"
#include "render/http/range.h"
#include "render/service/service_impl.h"

namespace pairport {
namespace {

constexpr std::size_t kMaxCondition = 512;
// A token and a thumbprint, each less than 128 bytes (RFC 8555 section 8.1).
constexpr std::uint64_t kMaxChallenge = 4096;

}  // namespace

void answer_file_request(Service::Impl&, const Target& target, const Request& request, const Now&,
                         Response& response) noexcept {
  Reply reply(response);
  Pending& pending = reply.pending();
  auto& asked = reply.asked();
  Writer out(reply.scratch());
  const auto keep = [&out](std::string_view text) {
    // Ignore a list of ETags or ranges that is longer than any list of our clients.
    if (text.size() > kMaxCondition) text = {};
    const std::size_t begin = out.written().size();
    return out.text(text).written().substr(begin);
  };
  pending.kind = Pending::Kind::kFile;
  pending.is_head = request.method == Method::kHead;
  pending.folder = response.route() == Route::kChallenge ? FileFolder::kChallenges : FileFolder::kPackages;
  pending.file_name = keep(target.file());
  asked.if_none_match = keep(request.if_none_match);
  asked.if_range = keep(request.if_range);
  // An If-Range that is too long to keep cannot match the ETag of our file, so ignore the range as well.
  if (request.if_range.size() <= kMaxCondition) asked.range_spec = keep(request.range);
  asked.as_problem = prefers_json(request.accept);
  reply.keep(out.written().size());
}

void Service::Impl::resume_file(const PendingReply& result, Response& response) noexcept {
  Reply reply(response);
  const auto [pending, file] = reply.take_pending();
  const bool is_challenge = pending.folder == FileFolder::kChallenges;
  const bool is_file = result.kind() == PendingReply::Kind::kFile;
  const FileInfo* const info = is_file ? &result.file() : nullptr;
  if (!is_file && result.kind() != PendingReply::Kind::kNoFile) {
    reply.set_retry_after(kBusyRetrySeconds);
    error(response, 503, errors, "the file cannot be read now; try again later", file.as_problem);
    if (pending.is_head) reply.drop_body();
    return;
  }
  if (info == nullptr || (is_challenge && info->size > kMaxChallenge)) {
    not_found(response, file.as_problem);
    if (pending.is_head) reply.drop_body();
    return;
  }
  if (is_challenge) {
    reply.begin(200, challenge_headers);
    reply.set_file_body(info->size, pending.is_head ? FileRange{} : FileRange{0, info->size});
    return;
  }
  // Made of time of change and size, as in common servers. It goes into the scratch behind the text that
  // answer_file_request() has kept.
  std::array<char, 40> etag_text;
  const std::string_view etag =
      Writer(etag_text).text("\"").hex(info->modified).text("-").hex(info->size).text("\"").written();
  Writer out(reply.scratch());
  out.text("ETag: ").text(etag).text("\r\n");

  int status = 200;
  FileRange range{0, info->size};
  if (!file.if_none_match.empty() && matches_etag(file.if_none_match, etag)) {
    status = 304;
    range.size = 0;
  } else if (file.if_range.empty() || file.if_range == etag) {
    switch (parse_range(file.range_spec, info->size, range)) {
      case RangeVerdict::kNone:
        break;
      case RangeVerdict::kPartial:
        status = 206;
        out.text("Content-Range: bytes ").number(range.offset).text("-").number(range.offset + range.size - 1);
        out.text("/").number(info->size).text("\r\n");
        break;
      case RangeVerdict::kUnsatisfiable:
        status = 416;
        range.size = 0;
        out.text("Content-Range: bytes */").number(info->size).text("\r\n");
        break;
    }
  }
  reply.begin(status, file_headers);
  reply.set_extra_headers(out.written());
  reply.set_file_body(range.size, pending.is_head ? FileRange{} : range);
}

}  // namespace pairport

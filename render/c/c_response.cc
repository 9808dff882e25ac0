// SPDX-License-Identifier: MIT
// Requests, responses and bodies of the C interface. Invariants: see c_service.cc.
#include <pairport/pairport.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <pairport/client_address.h>
#include <pairport/http.h>
#include <pairport/service.h>

#include "render/c/handles.h"
#include "render/c/interop.h"

namespace pairport {
namespace {

static_assert(PAIRPORT_METHOD_GET == static_cast<int>(Method::kGet));
static_assert(PAIRPORT_METHOD_HEAD == static_cast<int>(Method::kHead));
static_assert(PAIRPORT_METHOD_POST == static_cast<int>(Method::kPost));
static_assert(PAIRPORT_METHOD_OPTIONS == static_cast<int>(Method::kOptions));
static_assert(PAIRPORT_METHOD_OTHER == static_cast<int>(Method::kOther));
static_assert(PAIRPORT_MAX_BODY == kMaxBody);
static_assert(PAIRPORT_MAX_FRAGMENTS == Response::kMaxFragments);
static_assert(PAIRPORT_MAX_FRAGMENTS == Response::kMaxFragments);

constexpr std::size_t kFirstRequest = PAIRPORT_SIZE_UP_TO(pairport_request, address);
constexpr std::size_t kMaxRefusal = 1024;

// The n-th "Name: value\r\n" of `lines`.
bool line_at(std::string_view lines, std::size_t index, pairport_header& header) noexcept {
  for (;;) {
    const std::size_t end = lines.find("\r\n");
    if (end == std::string_view::npos) return false;
    if (index == 0) {
      const std::string_view line = lines.substr(0, end);
      const std::size_t colon = line.find(": ");
      header = {string_of(line.substr(0, colon)), string_of(line.substr(colon + 2))};
      return true;
    }
    --index;
    lines.remove_prefix(end + 2);
  }
}

}  // namespace
}  // namespace pairport

using namespace pairport;  // NOLINT: the functions below belong to C, everything that they call is ours

extern "C" {

int pairport_response_create(pairport_service* service, pairport_response** response) noexcept {
  if (response != nullptr) *response = nullptr;
  if (!is_usable(service) || response == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  return service->responses.acquire(service, response);
}

void pairport_response_destroy(pairport_response* response) noexcept {
  if (object_of(response) != nullptr) response->owner->responses.release(response);
}

void pairport_response_reset(pairport_response* response) noexcept {
  if (Response* answer = object_of(response); answer != nullptr) answer->reset();
}

int pairport_handle(pairport_service* service, const pairport_request* request, const pairport_now* now,
                    pairport_response* response) noexcept {
  Response* const answer = object_of(response);
  if (answer == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  answer->reset();
  pairport_request known{};
  if (service == nullptr || now == nullptr || response->owner != service ||
      !read_sized(request, kFirstRequest, known)) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  if (known.method < PAIRPORT_METHOD_GET || known.method > PAIRPORT_METHOD_OTHER ||
      known.body.size > PAIRPORT_MAX_BODY) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  Request asked;
  bool valid = is_string(known.target) && is_string(known.body);
#define PAIRPORT_TAKE_HEADER(member, name)  \
  valid = valid && is_string(known.member); \
  if (valid) asked.member = view(known.member);
  PAIRPORT_REQUEST_HEADERS(PAIRPORT_TAKE_HEADER)
#undef PAIRPORT_TAKE_HEADER
  if (!valid) return PAIRPORT_INVALID_ARGUMENT;
  ClientAddress address;
  std::memcpy(address.bytes.data(), known.address, address.bytes.size());
  asked.method = static_cast<Method>(known.method);
  asked.target = view(known.target);
  asked.body = view(known.body);
  asked.client = address.key();
  service->service->handle(asked, {now->monotonic_ms, now->unix_seconds}, *answer);
  return PAIRPORT_OK;
}

int pairport_refuse(pairport_service* service, int status, pairport_string text, pairport_string accept, int method,
                    pairport_response* response) noexcept {
  Response* const answer = object_of(response);
  if (answer == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  answer->reset();
  constexpr std::array kStatuses = {400, 408, 411, 413, 417, 431, 500, 501, 503, 505};
  if (service == nullptr || response->owner != service || !is_string(text) || !is_string(accept) ||
      text.size > kMaxRefusal || method < PAIRPORT_METHOD_GET || method > PAIRPORT_METHOD_OTHER ||
      std::find(kStatuses.begin(), kStatuses.end(), status) == kStatuses.end()) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  service->service->refuse(status, view(text), view(accept), static_cast<Method>(method), *answer);
  return PAIRPORT_OK;
}

int pairport_response_status(const pairport_response* response) noexcept {
  const Response* const answer = object_of(response);
  return answer == nullptr ? 0 : answer->status();
}

const char* pairport_reason_phrase(int status) noexcept {
  return reason_phrase(status).data();  // all of them are literals
}

const char* pairport_response_route(const pairport_response* response) noexcept {
  const Response* const answer = object_of(response);
  const auto route = answer == nullptr ? Route::kOther : answer->route();
  return to_string(route).data();  // all of them are literals
}

uint32_t pairport_response_code_hash(const pairport_response* response) noexcept {
  const Response* const answer = object_of(response);
  return answer == nullptr ? 0 : answer->code_hash();
}

size_t pairport_response_header_count(const pairport_response* response) noexcept {
  const Response* const answer = object_of(response);
  if (answer == nullptr) return 0;
  const std::string_view extra = answer->extra_headers();
  return answer->headers().list().size() + static_cast<std::size_t>(std::count(extra.begin(), extra.end(), '\n'));
}

int pairport_response_header(const pairport_response* response, size_t index, pairport_header* header) noexcept {
  const Response* const answer = object_of(response);
  if (answer == nullptr || header == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  const auto list = answer->headers().list();
  if (index < list.size()) {
    *header = {string_of(list[index].name), string_of(list[index].value)};
    return PAIRPORT_OK;
  }
  return line_at(answer->extra_headers(), index - list.size(), *header) ? PAIRPORT_OK : PAIRPORT_INVALID_ARGUMENT;
}

void pairport_response_header_bytes(const pairport_response* response, pairport_string parts[2]) noexcept {
  const Response* const answer = object_of(response);
  parts[0] = parts[1] = string_of({});
  if (answer == nullptr) return;
  parts[0] = string_of(answer->headers().wire());
  parts[1] = string_of(answer->extra_headers());
}

uint32_t pairport_response_retry_after(const pairport_response* response) noexcept {
  const Response* const answer = object_of(response);
  return answer == nullptr ? 0 : answer->retry_after();
}

uint64_t pairport_response_content_length(const pairport_response* response) noexcept {
  const Response* const answer = object_of(response);
  return answer == nullptr ? 0 : answer->content_length();
}

int pairport_response_has_content_length(const pairport_response* response) noexcept {
  const Response* const answer = object_of(response);
  return answer != nullptr && answer->has_content_length() ? 1 : 0;
}

size_t pairport_response_body(const pairport_response* response,
                              pairport_string fragments[PAIRPORT_MAX_FRAGMENTS]) noexcept {
  const Response* const answer = object_of(response);
  if (answer == nullptr) return 0;
  const auto body = answer->body();
  for (std::size_t i = 0; i < body.size(); ++i) fragments[i] = {body[i].data, body[i].size};
  return body.size();
}

pairport_string pairport_response_file(const pairport_response* response) noexcept {
  const Response* const answer = object_of(response);
  return answer == nullptr ? string_of({}) : string_of(answer->pending().file_name);
}

int pairport_answer_file(pairport_service* service, const pairport_file_info* info,
                         pairport_response* response) noexcept {
  Response* const answer = object_of(response);
  if (service == nullptr || answer == nullptr || response->owner != service ||
      answer->pending().kind != Pending::Kind::kFile) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  // A file needs no time.
  service->service->resume(info == nullptr ? PendingReply::no_file() : FileInfo{info->size, info->modified}, Now(),
                           *answer);
  return PAIRPORT_OK;
}

void pairport_response_file_range(const pairport_response* response, uint64_t* offset, uint64_t* size) noexcept {
  const Response* const answer = object_of(response);
  const FileRange range = answer == nullptr ? FileRange{} : answer->file_range();
  if (offset != nullptr) *offset = range.offset;
  if (size != nullptr) *size = range.size;
}

int pairport_buffer_create(pairport_service* service, pairport_buffer** buffer) noexcept {
  if (buffer != nullptr) *buffer = nullptr;
  if (!is_usable(service) || buffer == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  return service->buffers.acquire(service, buffer);
}

char* pairport_buffer_data(pairport_buffer* buffer) noexcept {
  BodyBuffer* const body = object_of(buffer);
  return body == nullptr ? nullptr : body->bytes.data();
}

void pairport_buffer_destroy(pairport_buffer* buffer) noexcept {
  if (object_of(buffer) != nullptr) buffer->owner->buffers.release(buffer);
}

void pairport_wipe(void* data, size_t size) noexcept {
  if (data != nullptr) wipe(data, size);
}

}  // extern "C"

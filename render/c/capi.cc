// SPDX-License-Identifier: MIT
// Invariants: every function checks its arguments before anything changes, and no exception leaves one. What C sees of
// a structure is copied into one of ours first, so that a shorter one is read no further than its size says. Secret
// memory is touched only in the process that mapped it: a child of fork(2) gets an error.
#include <pairport/pairport.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/client_address.h>
#include <pairport/random.h>
#include <pairport/service.h>
#include <pairport/status.h>
#include <pairport/version.h>

#include "core/memory/secret_pool.h"
#include "render/c/interop.h"

namespace pairport {
namespace {

class CallersRandom final : public RandomSource {
 public:
  CallersRandom(pairport_random random, void* user) noexcept : random_(random), user_(user) {}
  bool fill(std::span<std::uint8_t> out) noexcept override { return random_(user_, out.data(), out.size()) == 0; }

 private:
  pairport_random random_;
  void* user_;
};

// Bodies get room that is wiped as a whole: who wrote how much to it is not known.
struct BodyBuffer {
  std::array<char, PAIRPORT_MAX_BODY> bytes;
  ~BodyBuffer() { wipe(bytes.data(), bytes.size()); }
};

}  // namespace
}  // namespace pairport

using pairport::BodyBuffer;
using pairport::is_string;
using pairport::read_sized;
using pairport::SecretLevel;
using pairport::SecretPool;
using pairport::Service;
using pairport::ServiceOptions;
using pairport::StatusCode;
using pairport::string_of;
using pairport::view;

namespace {

// What C holds of an object in secret memory. In memory of its own, which a forked child has, too: a call there finds
// the service, and with it the reason to fail, without touching the object.
template <typename T>
struct Handle {
  using Object = T;
  pairport_service* owner = nullptr;
  typename SecretPool<T>::Pointer object;
  Handle* next = nullptr;  // while it is free
};

// Objects with their handles. The first kOwn of these are part of it, so that a usual number of them allocates nothing.
template <typename H>
class HandlePool {
 public:
  explicit HandlePool(SecretLevel minimum) noexcept : minimum_(minimum), objects_(minimum) {
    for (H& handle : own_) keep(&handle);
  }
  HandlePool(const HandlePool&) = delete;
  HandlePool& operator=(const HandlePool&) = delete;

  int acquire(pairport_service* owner, H** acquired) noexcept {
    H* const handle = free_ != nullptr ? free_ : new (std::nothrow) H;
    if (handle == nullptr) return PAIRPORT_OUT_OF_MEMORY;
    if (handle == free_) free_ = static_cast<H*>(handle->next);
    handle->owner = owner;
    handle->object = objects_.acquire();
    if (handle->object == nullptr) {
      give_back(handle);
      return minimum_ == SecretLevel::kPlain ? PAIRPORT_OUT_OF_MEMORY : PAIRPORT_MEMORY_NOT_LOCKED;
    }
    *acquired = handle;
    return PAIRPORT_OK;
  }
  void release(H* handle) noexcept {
    handle->object.reset();
    give_back(handle);
  }

 private:
  static constexpr std::size_t kOwn = 64;

  void keep(H* handle) noexcept {
    handle->next = free_;
    free_ = handle;
  }
  void give_back(H* handle) noexcept {
    const std::less<const H*> before;
    if (before(handle, own_.data()) || !before(handle, own_.data() + kOwn)) {
      delete handle;
    } else {
      keep(handle);
    }
  }

  SecretLevel minimum_;
  SecretPool<typename H::Object> objects_;
  std::array<H, kOwn> own_;
  H* free_ = nullptr;
};

}  // namespace

struct pairport_response : Handle<pairport::Response> {};
struct pairport_buffer : Handle<BodyBuffer> {};

struct pairport_service {
  explicit pairport_service(std::unique_ptr<pairport::RandomSource> source, std::unique_ptr<Service> created) noexcept
      : random(std::move(source)),
        service(std::move(created)),
        responses(service->minimum_level()),
        buffers(service->minimum_level()) {}

  std::unique_ptr<pairport::RandomSource> random;
  std::unique_ptr<Service> service;
  HandlePool<pairport_response> responses;
  HandlePool<pairport_buffer> buffers;
};

namespace {

constexpr int code_of(StatusCode code) noexcept {
  return static_cast<int>(code);
}

static_assert(PAIRPORT_OK == code_of(StatusCode::kOk));
static_assert(PAIRPORT_OUT_OF_MEMORY == code_of(StatusCode::kOutOfMemory));
static_assert(PAIRPORT_STORE_FULL == code_of(StatusCode::kStoreFull));
static_assert(PAIRPORT_ALREADY_EXISTS == code_of(StatusCode::kAlreadyExists));
static_assert(PAIRPORT_RANDOM_FAILED == code_of(StatusCode::kRandomFailed));
static_assert(PAIRPORT_INVALID_ARGUMENT == code_of(StatusCode::kInvalidArgument));
static_assert(PAIRPORT_BAD_TEMPLATE == code_of(StatusCode::kBadTemplate));
static_assert(PAIRPORT_BAD_CONFIGURATION == code_of(StatusCode::kBadConfiguration));
static_assert(PAIRPORT_MEMORY_NOT_LOCKED == code_of(StatusCode::kMemoryNotLocked));
static_assert(PAIRPORT_SYSTEM == code_of(StatusCode::kSystem));
static_assert(PAIRPORT_MEMORY_PLAIN == static_cast<int>(SecretLevel::kPlain));
static_assert(PAIRPORT_MEMORY_LOCKED == static_cast<int>(SecretLevel::kLocked));
static_assert(PAIRPORT_MEMORY_MEMFD_SECRET == static_cast<int>(SecretLevel::kMemfdSecret));
static_assert(PAIRPORT_METHOD_GET == static_cast<int>(pairport::Method::kGet));
static_assert(PAIRPORT_METHOD_HEAD == static_cast<int>(pairport::Method::kHead));
static_assert(PAIRPORT_METHOD_POST == static_cast<int>(pairport::Method::kPost));
static_assert(PAIRPORT_METHOD_OPTIONS == static_cast<int>(pairport::Method::kOptions));
static_assert(PAIRPORT_METHOD_OTHER == static_cast<int>(pairport::Method::kOther));
static_assert(PAIRPORT_MAX_BODY == pairport::kMaxBody);
static_assert(PAIRPORT_MAX_FRAGMENTS == pairport::Response::kMaxFragments);

// Sizes in the first version that had the structure, for ever: up to its last member then. None is shorter. Not
// sizeof(): the first member that is appended would refuse every program that is compiled already.
#define PAIRPORT_SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(type::member))
constexpr std::size_t kFirstOptions = PAIRPORT_SIZE_UP_TO(pairport_options, random_user);
constexpr std::size_t kFirstRequest = PAIRPORT_SIZE_UP_TO(pairport_request, address);
constexpr std::size_t kFirstStats = PAIRPORT_SIZE_UP_TO(pairport_stats, memory_level);
#undef PAIRPORT_SIZE_UP_TO
constexpr std::size_t kMaxRefusal = 1024;

// May throw std::bad_alloc.
pairport_options default_options() {
  static const ServiceOptions defaults;
  const pairport::InstallerOptions& installer = defaults.installer;
  pairport_options options{};
  options.size = sizeof(options);
  options.url = string_of(defaults.url);
  options.ttl_ms = defaults.ttl_ms;
  options.code_length = defaults.code_length;
  options.max_deposits = defaults.store.max_deposits;
  options.max_memory = defaults.store.max_bytes;
  options.minimum_memory = static_cast<int>(defaults.store.minimum_level);
  options.deposits_per_second = defaults.deposit_limit.per_second;
  options.deposit_burst = defaults.deposit_limit.burst;
  options.misses_per_second = defaults.miss_limit.per_second;
  options.miss_burst = defaults.miss_limit.burst;
  options.version = string_of(installer.version);
  options.unstable_version = string_of(installer.unstable_version);
  options.linux_url = string_of(installer.linux_url);
  options.windows_url = string_of(installer.windows_url);
  options.checksums_url = string_of(installer.checksums_url);
  options.deb_repo = string_of(installer.deb_repo);
  options.rpm_repo = string_of(installer.rpm_repo);
  options.repo_keys = string_of(installer.repo_keys);
  options.tacoscript_url = string_of(installer.tacoscript_url);
  options.use_repositories = installer.use_repositories ? 1 : 0;
  options.strict_checksums = installer.strict_checksums ? 1 : 0;
  options.ipv6_budgets = string_of(defaults.ipv6_budgets);
  options.network_share = defaults.network_share;
  return options;
}

// May throw std::bad_alloc. Null pointers with a length are refused: false.
bool convert(const pairport_options& from, ServiceOptions& to) {
  bool valid = true;
  const auto text = [&valid](const pairport_string& value) {
    valid = valid && is_string(value);
    return valid ? std::string(view(value)) : std::string();
  };
  to.url = text(from.url);
  to.ttl_ms = from.ttl_ms;
  to.code_length = from.code_length;
  to.store.max_deposits = from.max_deposits;
  to.store.max_bytes = from.max_memory;
  if (from.minimum_memory < PAIRPORT_MEMORY_PLAIN || from.minimum_memory > PAIRPORT_MEMORY_MEMFD_SECRET) return false;
  to.store.minimum_level = static_cast<SecretLevel>(from.minimum_memory);
  to.deposit_limit = {from.deposits_per_second, from.deposit_burst};
  to.miss_limit = {from.misses_per_second, from.miss_burst};
  to.ipv6_budgets = text(from.ipv6_budgets);
  to.network_share = from.network_share;
  if (from.static_code.size != 0) {
    to.static_deposit = {text(from.static_code), text(from.static_connect_url), text(from.static_fingerprint),
                         text(from.static_client_id), text(from.static_password)};
  }
  to.installer.version = text(from.version);
  to.installer.unstable_version = text(from.unstable_version);
  to.installer.linux_url = text(from.linux_url);
  to.installer.windows_url = text(from.windows_url);
  to.installer.checksums_url = text(from.checksums_url);
  to.installer.deb_repo = text(from.deb_repo);
  to.installer.rpm_repo = text(from.rpm_repo);
  to.installer.repo_keys = text(from.repo_keys);
  to.installer.tacoscript_url = text(from.tacoscript_url);
  to.installer.use_repositories = from.use_repositories != 0;
  to.installer.strict_checksums = from.strict_checksums != 0;
  if (from.digest_count != 0 && from.digests == nullptr) return false;
  for (std::size_t i = 0; i < from.digest_count; ++i) {
    to.installer.sha256[text(from.digests[i].file)] = text(from.digests[i].sha256);
  }
  to.serve_packages = from.serve_packages != 0;
  to.hash_codes = from.hash_codes != 0;
  if (from.load_template != nullptr) {
    to.templates = [load = from.load_template,
                    user = from.template_user](std::string_view name) -> std::optional<std::string> {
      pairport_string found{};
      if (load(user, string_of(name), &found) == 0 || !is_string(found)) return std::nullopt;
      return std::string(view(found));
    };
  }
  return valid;
}

int fail(StatusCode code, std::string_view text, char* message, std::size_t message_size) noexcept {
  pairport::copy_text(text, message, message_size);
  return code_of(code);
}

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

// Whether the service is one, and the caller's: not that of a process of which the caller is a child.
bool is_usable(const pairport_service* service) noexcept {
  return service != nullptr && !service->service->is_inherited();
}

// Null: there is none, or it is the memory of another process.
template <typename T>
T* object_of(const Handle<T>* handle) noexcept {
  return handle == nullptr || !is_usable(handle->owner) ? nullptr : handle->object.get();
}

}  // namespace

namespace pairport {

Service& service_of(pairport_service& service) noexcept {
  return *service.service;
}
RandomSource& random_of(pairport_service& service) noexcept {
  return *service.random;
}
bool is_inherited(const pairport_service& service) noexcept {
  return service.service->is_inherited();
}

}  // namespace pairport

extern "C" {

const char* pairport_status_text(int code) noexcept {
  switch (static_cast<StatusCode>(code)) {
#define PAIRPORT_STATUS_CASE(name, value, text) \
  case StatusCode::name:                        \
    return text;
    PAIRPORT_STATUS_TABLE(PAIRPORT_STATUS_CASE)
#undef PAIRPORT_STATUS_CASE
  }
  return "unknown code";
}

const char* pairport_version() noexcept {
  return PAIRPORT_VERSION;
}

int pairport_options_init(pairport_options* options, size_t size) noexcept {
  if (options == nullptr || size < kFirstOptions) return PAIRPORT_INVALID_ARGUMENT;
  try {
    const pairport_options defaults = default_options();
    std::memset(static_cast<void*>(options), 0, size);
    std::memcpy(options, &defaults, std::min(size, sizeof(defaults)));
  } catch (const std::bad_alloc&) {
    return PAIRPORT_OUT_OF_MEMORY;
  }
  options->size = size;
  return PAIRPORT_OK;
}

int pairport_service_create(const pairport_options* options, const pairport_now* now, pairport_service** service,
                            char* message, size_t message_size) noexcept {
  if (service != nullptr) *service = nullptr;
  if (options == nullptr || now == nullptr || service == nullptr) {
    return fail(StatusCode::kInvalidArgument, "options, now and service must not be NULL", message, message_size);
  }
  try {
    pairport_options known = default_options();
    if (!read_sized(options, kFirstOptions, known)) {
      return fail(StatusCode::kInvalidArgument,
                  "the size of the options is not that of any version, or they set what this version does not know: "
                  "call pairport_options_init() first, or use the library that the program was compiled for",
                  message, message_size);
    }
    ServiceOptions converted;
    if (!convert(known, converted)) {
      return fail(StatusCode::kInvalidArgument,
                  "an option is a NULL pointer with a length, or an unknown level of memory", message, message_size);
    }
    std::unique_ptr<pairport::RandomSource> random;
    if (known.random == nullptr) {
      random = std::make_unique<pairport::KernelRandom>();
    } else {
      random = std::make_unique<pairport::CallersRandom>(known.random, known.random_user);
    }
    auto created = Service::create(converted, *random, {now->monotonic_ms, now->unix_seconds});
    if (!created.ok()) return fail(created.status().code(), created.status().message(), message, message_size);
    auto owned = std::make_unique<pairport_service>(std::move(random), std::move(created).value());
    *service = owned.release();
    return fail(StatusCode::kOk, "", message, message_size);
  } catch (...) {
    return fail(StatusCode::kOutOfMemory, "out of memory", message, message_size);
  }
}

void pairport_service_destroy(pairport_service* service) noexcept {
  if (is_usable(service)) delete service;
}

int pairport_service_expire(pairport_service* service, const pairport_now* now, size_t max_work) noexcept {
  if (!is_usable(service) || now == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  return service->service->expire({now->monotonic_ms, now->unix_seconds}, max_work) ? 0 : 1;
}

int pairport_service_stats(const pairport_service* service, pairport_stats* stats) noexcept {
  if (!is_usable(service) || stats == nullptr || stats->size < kFirstStats) return PAIRPORT_INVALID_ARGUMENT;
  const pairport::Store& store = service->service->store();
  pairport_stats known{};
  known.size = stats->size;
  known.deposits = store.size();
  known.expiring = store.expiring();
  known.memory_bytes = store.memory_bytes();
  known.deposits_refused = service->service->deposits_refused();
  known.memory_level = static_cast<int>(store.level());
  const pairport::ServiceCounters& counters = service->service->counters();
  known.deposits_limited = counters.deposits_limited;
  known.look_ups_limited = counters.look_ups_limited;
  known.misses = counters.misses;
  // What a longer structure has on top is not known here: 0.
  auto* bytes = reinterpret_cast<unsigned char*>(stats);
  std::memcpy(bytes, &known, std::min(stats->size, sizeof(known)));
  if (known.size > sizeof(known)) std::memset(bytes + sizeof(known), 0, known.size - sizeof(known));
  return PAIRPORT_OK;
}

size_t pairport_describe_short_code(size_t code_length, char* text, size_t text_size) noexcept {
  std::array<char, 256> room;
  const std::string_view line = pairport::describe_short_code(code_length, room);
  pairport::copy_text(line, text, text_size);
  return line.size();
}

size_t pairport_service_static_parts(const pairport_service* service, pairport_string* parts,
                                     size_t capacity) noexcept {
  if (!is_usable(service)) return 0;
  const auto all = service->service->static_parts();
  for (std::size_t i = 0; parts != nullptr && i < std::min(capacity, all.size()); ++i) parts[i] = string_of(all[i]);
  return all.size();
}

int pairport_parse_address(pairport_string text, uint8_t address[16]) noexcept {
  if (!is_string(text) || address == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  const auto parsed = pairport::ClientAddress::parse(view(text));
  if (!parsed) return PAIRPORT_INVALID_ARGUMENT;
  std::memcpy(address, parsed->bytes.data(), parsed->bytes.size());
  return PAIRPORT_OK;
}

int pairport_response_create(pairport_service* service, pairport_response** response) noexcept {
  if (response != nullptr) *response = nullptr;
  if (!is_usable(service) || response == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  return service->responses.acquire(service, response);
}

void pairport_response_destroy(pairport_response* response) noexcept {
  if (object_of(response) != nullptr) response->owner->responses.release(response);
}

void pairport_response_reset(pairport_response* response) noexcept {
  if (pairport::Response* answer = object_of(response); answer != nullptr) answer->reset();
}

int pairport_handle(pairport_service* service, const pairport_request* request, const pairport_now* now,
                    pairport_response* response) noexcept {
  pairport::Response* const answer = object_of(response);
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
  for (const pairport_string* text :
       {&known.target, &known.user_agent, &known.accept, &known.accept_encoding, &known.content_type,
        &known.if_none_match, &known.if_range, &known.range, &known.body}) {
    if (!is_string(*text)) return PAIRPORT_INVALID_ARGUMENT;
  }
  pairport::ClientAddress address;
  std::memcpy(address.bytes.data(), known.address, address.bytes.size());
  pairport::Request asked;
  asked.method = static_cast<pairport::Method>(known.method);
  asked.target = view(known.target);
  asked.user_agent = view(known.user_agent);
  asked.accept = view(known.accept);
  asked.accept_encoding = view(known.accept_encoding);
  asked.content_type = view(known.content_type);
  asked.if_none_match = view(known.if_none_match);
  asked.if_range = view(known.if_range);
  asked.range = view(known.range);
  asked.body = view(known.body);
  asked.client = address.key();
  service->service->handle(asked, {now->monotonic_ms, now->unix_seconds}, *answer);
  return PAIRPORT_OK;
}

int pairport_refuse(pairport_service* service, int status, pairport_string text, pairport_string accept, int method,
                    pairport_response* response) noexcept {
  pairport::Response* const answer = object_of(response);
  if (answer == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  answer->reset();
  constexpr std::array kStatuses = {400, 408, 411, 413, 417, 431, 500, 501, 503, 505};
  if (service == nullptr || response->owner != service || !is_string(text) || !is_string(accept) ||
      text.size > kMaxRefusal || method < PAIRPORT_METHOD_GET || method > PAIRPORT_METHOD_OTHER ||
      std::find(kStatuses.begin(), kStatuses.end(), status) == kStatuses.end()) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  service->service->refuse(status, view(text), view(accept), static_cast<pairport::Method>(method), *answer);
  return PAIRPORT_OK;
}

int pairport_response_status(const pairport_response* response) noexcept {
  const pairport::Response* const answer = object_of(response);
  return answer == nullptr ? 0 : answer->status();
}

const char* pairport_reason_phrase(int status) noexcept {
  return pairport::reason_phrase(status).data();  // all of them are literals
}

const char* pairport_response_route(const pairport_response* response) noexcept {
  const pairport::Response* const answer = object_of(response);
  const auto route = answer == nullptr ? pairport::Route::kOther : answer->route();
  return pairport::to_string(route).data();  // all of them are literals
}

uint32_t pairport_response_code_hash(const pairport_response* response) noexcept {
  const pairport::Response* const answer = object_of(response);
  return answer == nullptr ? 0 : answer->code_hash();
}

size_t pairport_response_header_count(const pairport_response* response) noexcept {
  const pairport::Response* const answer = object_of(response);
  if (answer == nullptr) return 0;
  const std::string_view extra = answer->extra_headers();
  return answer->headers().list().size() + static_cast<std::size_t>(std::count(extra.begin(), extra.end(), '\n'));
}

int pairport_response_header(const pairport_response* response, size_t index, pairport_header* header) noexcept {
  const pairport::Response* const answer = object_of(response);
  if (answer == nullptr || header == nullptr) return PAIRPORT_INVALID_ARGUMENT;
  const auto list = answer->headers().list();
  if (index < list.size()) {
    *header = {string_of(list[index].name), string_of(list[index].value)};
    return PAIRPORT_OK;
  }
  return line_at(answer->extra_headers(), index - list.size(), *header) ? PAIRPORT_OK : PAIRPORT_INVALID_ARGUMENT;
}

void pairport_response_header_bytes(const pairport_response* response, pairport_string parts[2]) noexcept {
  const pairport::Response* const answer = object_of(response);
  parts[0] = parts[1] = string_of({});
  if (answer == nullptr) return;
  parts[0] = string_of(answer->headers().wire());
  parts[1] = string_of(answer->extra_headers());
}

uint32_t pairport_response_retry_after(const pairport_response* response) noexcept {
  const pairport::Response* const answer = object_of(response);
  return answer == nullptr ? 0 : answer->retry_after();
}

uint64_t pairport_response_content_length(const pairport_response* response) noexcept {
  const pairport::Response* const answer = object_of(response);
  return answer == nullptr ? 0 : answer->content_length();
}

int pairport_response_has_content_length(const pairport_response* response) noexcept {
  const pairport::Response* const answer = object_of(response);
  return answer != nullptr && answer->has_content_length() ? 1 : 0;
}

size_t pairport_response_body(const pairport_response* response,
                              pairport_string fragments[PAIRPORT_MAX_FRAGMENTS]) noexcept {
  const pairport::Response* const answer = object_of(response);
  if (answer == nullptr) return 0;
  const auto body = answer->body();
  for (std::size_t i = 0; i < body.size(); ++i) fragments[i] = {body[i].data, body[i].size};
  return body.size();
}

pairport_string pairport_response_file(const pairport_response* response) noexcept {
  const pairport::Response* const answer = object_of(response);
  return answer == nullptr ? string_of({}) : string_of(answer->file_name());
}

int pairport_answer_file(pairport_service* service, const pairport_file_info* info,
                         pairport_response* response) noexcept {
  pairport::Response* const answer = object_of(response);
  if (service == nullptr || answer == nullptr || response->owner != service || answer->file_name().empty()) {
    return PAIRPORT_INVALID_ARGUMENT;
  }
  pairport::FileInfo found;
  if (info != nullptr) found = {info->size, info->modified};
  service->service->answer_file(info == nullptr ? nullptr : &found, *answer);
  return PAIRPORT_OK;
}

void pairport_response_file_range(const pairport_response* response, uint64_t* offset, uint64_t* size) noexcept {
  const pairport::Response* const answer = object_of(response);
  const pairport::FileRange range = answer == nullptr ? pairport::FileRange{} : answer->file_range();
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
  if (data != nullptr) pairport::wipe(data, size);
}

}  // extern "C"

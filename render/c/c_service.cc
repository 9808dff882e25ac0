// SPDX-License-Identifier: MIT
// Invariants: every function checks its arguments before anything changes, and no exception leaves one. A structure of
// the caller is first copied into one of ours, so that a shorter one is not read beyond its size. Only the process that
// mapped secret memory touches it: a child of fork(2) gets an error.
#include <pairport/pairport.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include <pairport/client_address.h>
#include <pairport/code.h>
#include <pairport/service.h>
#include <pairport/status.h>
#include <pairport/version.h>

#include "render/c/c_options.h"
#include "render/c/handles.h"
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

class CallersPaths final : public PathHandler {
 public:
  CallersPaths(pairport_path_handler handler, void* user) noexcept : handler_(handler), user_(user) {}

  bool answer(const Request& request, Answer& answer) noexcept override {
    pairport_request asked{};
    asked.size = sizeof(asked);
    asked.method = static_cast<int>(request.method);
    asked.target = string_of(request.target);
    asked.body = string_of(request.body);
#define PAIRPORT_GIVE_HEADER(member, name) asked.member = string_of(request.member);
    PAIRPORT_REQUEST_HEADERS(PAIRPORT_GIVE_HEADER)
#undef PAIRPORT_GIVE_HEADER
    std::memcpy(asked.address, request.client.bytes.data(), sizeof(asked.address));
    pairport_path_answer given{};
    given.size = sizeof(given);
    given.status = answer.status;
    given.content_type = string_of(answer.content_type);
    if (handler_(user_, &asked, &given) == 0) return false;
    if (!is_string(given.content_type) || !is_string(given.body) || !is_string(given.fixed_body)) {
      answer.status = 0;  // not valid
      return true;
    }
    answer = {given.status, view(given.content_type), view(given.body), view(given.fixed_body)};
    return true;
  }

 private:
  pairport_path_handler handler_;
  void* user_;
};

constexpr std::size_t kFirstStats = PAIRPORT_SIZE_UP_TO(pairport_stats, memory_level);

constexpr int code_of(StatusCode code) noexcept {
  return static_cast<int>(code);
}

#define PAIRPORT_STATUS_ASSERT(name, c_name, value, text) static_assert(c_name == code_of(StatusCode::name));
PAIRPORT_STATUS_TABLE(PAIRPORT_STATUS_ASSERT)
#undef PAIRPORT_STATUS_ASSERT

int fail(StatusCode code, std::string_view text, char* message, std::size_t message_size) noexcept {
  copy_text(text, message, message_size);
  return code_of(code);
}

}  // namespace

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

using namespace pairport;  // NOLINT: the functions below belong to C, everything that they call is ours

extern "C" {

const char* pairport_status_text(int code) noexcept {
  switch (static_cast<StatusCode>(code)) {
#define PAIRPORT_STATUS_CASE(name, c_name, value, text) \
  case StatusCode::name:                                \
    return text;
    PAIRPORT_STATUS_TABLE(PAIRPORT_STATUS_CASE)
#undef PAIRPORT_STATUS_CASE
  }
  return "unknown code";
}

const char* pairport_version() noexcept {
  return PAIRPORT_VERSION;
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
    std::unique_ptr<RandomSource> random;
    if (known.random == nullptr) {
      random = std::make_unique<KernelRandom>();
    } else {
      random = std::make_unique<CallersRandom>(known.random, known.random_user);
    }
    std::unique_ptr<ElsewhereStore> elsewhere;
    if (known.store_elsewhere != 0) elsewhere = std::make_unique<ElsewhereStore>();
    std::unique_ptr<PathHandler> paths;
    if (known.on_other_path != nullptr) {
      paths = std::make_unique<CallersPaths>(known.on_other_path, known.other_path_user);
      converted.other_paths = paths.get();
    }
    auto created = Service::create(converted, *random, {now->monotonic_ms, now->unix_seconds}, elsewhere.get());
    if (!created.ok()) return fail(created.status().code(), created.status().message(), message, message_size);
    auto owned = std::make_unique<pairport_service>(std::move(random), std::move(elsewhere), std::move(paths),
                                                    std::move(created).value());
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
  const StoreStats store = service->service->store().stats();
  pairport_stats known{};
  known.deposits = store.deposits;
  known.expiring = store.expiring;
  known.memory_bytes = store.memory_bytes;
  known.memory_level = static_cast<int>(store.level);
  const ServiceCounters& counters = service->service->counters();
#define PAIRPORT_GIVE_COUNTER(member, text) known.member = counters.member;
  PAIRPORT_SERVICE_COUNTERS(PAIRPORT_GIVE_COUNTER)
#undef PAIRPORT_GIVE_COUNTER
  write_sized(known, stats);
  return PAIRPORT_OK;
}

size_t pairport_describe_short_code(size_t code_length, char* text, size_t text_size) noexcept {
  std::array<char, 256> room;
  const std::string_view line = describe_short_code(code_length, room);
  copy_text(line, text, text_size);
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
  const auto parsed = ClientAddress::parse(view(text));
  if (!parsed) return PAIRPORT_INVALID_ARGUMENT;
  std::memcpy(address, parsed->bytes.data(), parsed->bytes.size());
  return PAIRPORT_OK;
}

}  // extern "C"

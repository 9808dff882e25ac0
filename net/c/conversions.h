// SPDX-License-Identifier: MIT
// What the C interfaces of connections and of servers have in common.
#ifndef PAIRPORT_NET_C_CONVERSIONS_H_
#define PAIRPORT_NET_C_CONVERSIONS_H_

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include <pairport/client_address.h>
#include <pairport/connection.h>
#include <pairport/pairport_http.h>
#include <pairport/status.h>

#include "render/c/interop.h"

namespace pairport {

// Hands each answer to a callback in C.
class CallersObserver final : public AccessObserver {
 public:
  CallersObserver(pairport_answer_callback callback, void* user) noexcept : callback_(callback), user_(user) {}

  void on_answer(const AccessEntry& entry) noexcept override {
    pairport_answer answer{};
    answer.size = sizeof(answer);
    answer.route = to_string(entry.route).data();  // all of them are literals
    answer.method = static_cast<int>(entry.method);
    answer.status = entry.status;
    answer.complete = entry.complete ? 1 : 0;
    answer.code_hash = entry.code_hash;
    answer.bytes = entry.bytes;
    answer.duration_ms = entry.duration_ms;
    std::memcpy(answer.address, entry.client.bytes.data(), sizeof(answer.address));
    callback_(user_, &answer);
  }

 private:
  pairport_answer_callback callback_;
  void* user_;
};

// Adds the proxies of `from`, a structure with a list of them. May throw std::bad_alloc.
template <typename Options>
Status add_trusted_proxies(const Options& from, TrustedProxies& to) {
  if (from.trusted_proxies == nullptr && from.trusted_proxy_count != 0) {
    return {StatusCode::kInvalidArgument, "an option is a NULL pointer with a length"};
  }
  for (const pairport_string& proxy : std::span(from.trusted_proxies, from.trusted_proxy_count)) {
    if (!is_string(proxy) || !to.add(view(proxy))) {
      return {StatusCode::kInvalidArgument, "a trusted proxy is neither an address nor a network nor unix"};
    }
  }
  return StatusCode::kOk;
}

inline int fail(const Status& status, char* message, std::size_t message_size) noexcept {
  copy_text(status.ok() ? std::string_view() : status.message(), message, message_size);
  return static_cast<int>(status.code());
}

inline int fail(StatusCode code, std::string_view text, char* message, std::size_t message_size) noexcept {
  copy_text(text, message, message_size);
  return static_cast<int>(code);
}

}  // namespace pairport

#endif  // PAIRPORT_NET_C_CONVERSIONS_H_

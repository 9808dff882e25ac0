// SPDX-License-Identifier: MIT
// The report of each answer, for an access log.
#ifndef PAIRPORT_ACCESS_H_
#define PAIRPORT_ACCESS_H_

#include <cstdint>

#include <pairport/client_address.h>
#include <pairport/export.h>
#include <pairport/http.h>

namespace pairport {

// One answer. It holds the client's method and address, and nothing else that a client sent.
struct AccessEntry {
  Route route = Route::kOther;
  Method method = Method::kOther;
  int status = 0;
  bool complete = false;          // whether all of it was sent
  std::uint64_t bytes = 0;        // sent, head included
  std::uint64_t duration_ms = 0;  // from the complete request to the last byte sent
  ClientAddress client;           // the one behind trusted proxies; all zero: no address, on a Unix socket
  std::uint32_t code_hash = 0;    // with Route::kInstaller and ServiceOptions::hash_codes: see short_code_hash()
};

class PAIRPORT_EXPORT AccessObserver {
 public:
  virtual ~AccessObserver() = default;
  // Called once for each answer, when it has been sent or its connection has ended. Must not call the connection or the
  // server.
  virtual void on_answer(const AccessEntry& entry) noexcept = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_ACCESS_H_

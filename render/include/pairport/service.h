// SPDX-License-Identifier: MIT
// The pairing service without any I/O: requests go in, answers come out. Level one of embedding.
//
//   pairport::KernelRandom random;
//   auto created = pairport::Service::create({.url = "https://pairing.example.com"}, random, now);
//   if (!created.ok()) return fail(created.status().message());
//   pairport::Service& service = *created.value();
//
//   pairport::Response response;
//   service.handle({.method = pairport::Method::kGet, .target = "/", .client = peer.key()}, now, response);
//   send(response.status(), response.headers().wire(), response.body());
#ifndef PAIRPORT_SERVICE_H_
#define PAIRPORT_SERVICE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <pairport/code.h>
#include <pairport/counters.h>
#include <pairport/deposit.h>
#include <pairport/export.h>
#include <pairport/http.h>
#include <pairport/options.h>
#include <pairport/status.h>
#include <pairport/store.h>

namespace pairport {

// How long a deposit that is made by Service::deposit() is kept, and how often it may be handed out. A long life makes
// its code longer: see shortest_code_for().
struct DepositTerms {
  std::uint64_t ttl_ms = 0;    // whole seconds, 1 s to kMaxTtlMs; 0: ServiceOptions::ttl_ms
  std::uint32_t max_uses = 0;  // 0: no limit
};
inline constexpr std::uint64_t kMaxTtlMs = std::uint64_t{30} * 24 * 3600 * 1000;

// A deposit that has been made.
struct Deposited {
  Code code;                      // a secret
  std::uint64_t expires_ms = 0;   // of Now::monotonic_ms
  std::int64_t expires_unix = 0;  // the same for people
};

// Checks a static deposit by the rules for deposits. kInvalidArgument names every field that is wrong.
PAIRPORT_EXPORT Status check_static_deposit(const StaticDeposit& deposit);

// All state of a pairing service. Every public function but create() is noexcept and needs no I/O, no clock and no
// lock; one thread at a time.
//
// Lifetimes: a fragment of an answer points into this object (text of the templates, fixed at construction) or into its
// Response (the values), never into the request or the store: a deposit may expire while its answer is still being
// sent. So the service must outlive the response, and the response must outlive its write.
class PAIRPORT_EXPORT Service {
 public:
  class PAIRPORT_LOCAL Impl;  // only for the library

  // Compiles the templates and maps the first memory. Errors: kInvalidArgument (an option, named in the message),
  // kBadTemplate, kOutOfMemory, kMemoryNotLocked, kRandomFailed. `random` outlives the service.
  // `store`: where deposits live; it outlives the service. Null: in memory of the process, which the service owns. The
  // static deposit always lives there.
  static Result<std::unique_ptr<Service>> create(const ServiceOptions& options, RandomSource& random, const Now& now,
                                                 Store* store = nullptr);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Whether the calling process is a forked child (fork(2)) of the process that created the service. A child does not
  // inherit secret memory, so it cannot use the service: handle() answers 500, expire() does nothing, and the
  // destructor frees nothing; the memory stays until the child ends.
  bool is_inherited() const noexcept;

  // Answers `request`; every request gets an answer. Fragments of `response` point into this object and into
  // `response`, never into the request or the store. Times of successive calls must not go back. GET and HEAD never
  // allocate. REQUIRES: request.body.size() <= kMaxBody
  void handle(const Request& request, const Now& now, Response& response) noexcept;

  // Answers a `request` that must not be served, because it crossed a network unencrypted. GET and HEAD are redirected
  // to the same path under ServiceOptions::url (308), whether or not it exists; challenges are public and are served.
  // Every other request is refused (403) and changes nothing. REQUIRES: url() begins with https://
  void redirect(const Request& request, Response& response) noexcept;

  // Continues a pending `response` with the outcome; does nothing with one that is not pending. Afterwards the response
  // has an answer or is pending again: a deposit whose code was in use draws another one. `reply` need not stay valid
  // after the call. A reply of the wrong kind counts as unavailable.
  //   A file:   200, 206, 304, 404 or 416 (RFC 9110 sections 13 and 14; one range at a time). A challenge gets 200 or,
  //             when there is no such file or it is too large for a challenge, 404.
  //   A store:  as handle() answers with a store of its own.
  //   Neither:  503, for a look-up as a script that says so and fails.
  void resume(const PendingReply& reply, const Now& now, Response& response) noexcept;

  // Makes the answer to a request that the transport must refuse before it can be handled: 400, 408, 411, 413, 417,
  // 431, 503, ... with `text`, one ASCII line that holds no value of the request. `accept` as in Request. `method` is
  // kOther when it is not known. Unless it is kGet or kHead, the answer carries the CORS headers of a deposit's errors.
  void refuse(int status, std::string_view text, std::string_view accept, Method method, Response& response) noexcept;

  // The verbs without HTTP, for the owner of the service: limits of clients do not apply. Each answers kLater, and has
  // done nothing, when the service was given a store that answers later: ask that store.

  // Makes a deposit of `fields`. kInvalidArgument names every field that is wrong; kStoreFull, kOutOfMemory,
  // kMemoryNotLocked, kRandomFailed, kUnavailable. On failure nothing has changed.
  Result<Deposited> deposit(const DepositInput& fields, const DepositTerms& terms, const Now& now) noexcept;
  // The live deposit of `code`: StoreReply::deposit, valid until the next call of a function that is not const; or
  // kNotFound. Not counted as a use.
  StoreReply look_up(std::string_view code, const Now& now) noexcept;
  // StoreReply::state of a live deposit, or kNotFound.
  StoreReply status(std::string_view code, const Now& now) noexcept;
  // Wipes and removes a live deposit. kOk, kNotFound. The static deposit stays: kNotFound.
  StatusCode revoke(std::string_view code, const Now& now) noexcept;
  // A live deposit now ends `ttl_ms` after `now`, within the bounds of DepositTerms, and its whole life within what
  // shortest_code_for() allows for the length of its code: else kInvalidArgument. kOk; kNotFound, also for the static
  // deposit; kStoreFull, kOutOfMemory, kMemoryNotLocked.
  StatusCode extend(std::string_view code, std::uint64_t ttl_ms, const Now& now) noexcept;

  // Wipes expired deposits, at most about `max_work` of them. True when none is left; else call again soon. Call it
  // regularly, about every 100 ms; look-ups do not depend on it.
  bool expire(const Now& now, std::size_t max_work) noexcept;

  // The least protection that memory for credentials must have. It also applies to buffers of requests and answers.
  SecretLevel minimum_level() const noexcept;

  // ServiceOptions::url
  std::string_view url() const noexcept;

  // All text that fragments of answers point to when they do not point into a Response. It is fixed at construction and
  // the same for every answer, so that a transport can prepare it for sending.
  std::span<const std::string_view> static_parts() const noexcept;

  const Store& store() const noexcept;
  const ServiceCounters& counters() const noexcept;

 private:
  explicit Service(std::unique_ptr<Impl> impl) noexcept;
  PAIRPORT_LOCAL void handle_if_here(const Request& request, const Now& now, Response& response) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pairport

#endif  // PAIRPORT_SERVICE_H_

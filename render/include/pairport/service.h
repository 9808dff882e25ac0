// SPDX-License-Identifier: MIT
// The pairing service without any I/O: requests in, answers out. Level one of embedding.
#ifndef PAIRPORT_SERVICE_H_
#define PAIRPORT_SERVICE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <pairport/body.h>
#include <pairport/code.h>
#include <pairport/export.h>
#include <pairport/http.h>
#include <pairport/status.h>
#include <pairport/store.h>
#include <pairport/template.h>

namespace pairport {

// Where client machines get the client from. Written into the scripts; `{version}`, `{os}`, `{arch}` and `{channel}` in
// the URLs are filled in by the scripts on the client machine.
// `{pairing_url}` in an URL is replaced by ServiceOptions::url.
struct InstallerOptions {
  std::string version = "0.9.14";
  std::string unstable_version = "0.9.14";
  std::string linux_url =
      "https://github.com/openrport/openrport/releases/download/{version}/rport_{version}_{os}_{arch}.tar.gz";
  std::string windows_url =
      "https://github.com/openrport/openrport/releases/download/{version}/rport_{version}_{os}_{arch}.msi";
  std::string checksums_url = "https://github.com/openrport/openrport/releases/download/{version}/checksums.txt";
  std::string deb_repo = "https://repo.openrport.io/deb";
  std::string rpm_repo = "https://repo.openrport.io/rpm";
  std::string repo_keys = "https://repo.openrport.io";
  std::string tacoscript_url = "https://downloads.openrport.io/tacoscript/{channel}/?arch={os}_{arch}";
  bool use_repositories = true;
  bool strict_checksums = false;              // no package whose SHA-256 is unknown, so none of a repository either
  std::map<std::string, std::string> sha256;  // file name to 64 hexadecimal digits
};

// One deposit that never expires, for testing the scripts. Its text is wiped at its end.
struct PAIRPORT_EXPORT StaticDeposit {
  ~StaticDeposit();

  std::string code;
  std::string connect_url;
  std::string fingerprint;
  std::string client_id;
  std::string password;
};

// Limit of one token bucket per client address; 0 switches it off.
struct RateLimit {
  double per_second = 0;
  double burst = 0;
};

// What has been refused and missed since create(), for logs and statistics.
struct ServiceCounters {
  std::uint64_t deposits_refused = 0;  // for lack of room or memory: 503
  std::uint64_t deposits_limited = 0;  // by the limit of a client or network: 429
  std::uint64_t look_ups_limited = 0;  // the same for look-ups
  std::uint64_t misses = 0;            // look-ups of codes that do not exist, of all clients together
};

struct ServiceOptions {
  std::string url = "http://127.0.0.1:9978";  // how clients reach the service: see is_service_url()
  std::uint64_t ttl_ms = 10 * 60 * 1000;      // whole seconds, up to a day
  std::size_t code_length = kDefaultCodeLength;
  Store::Options store;  // hash_seed is drawn by create()
  RateLimit deposit_limit = {5, 50};
  RateLimit miss_limit = {1, 20};
  // The same limits for the IPv6 networks around a client: prefixes, and how many times more a network may than a
  // client; see NetworkBudgets::parse().
  std::string ipv6_budgets = "64:1 56:4 48:16";
  // While the store is more than half full: the part of it that deposits of one network (IPv4 /24, IPv6 /48) may fill
  // in one life, but at least 16 of them; 0: no bound. Peers without an address are not bound.
  double network_share = 1.0 / 16;
  std::optional<StaticDeposit> static_deposit;
  InstallerOptions installer;
  // Whether /packages/<file> is served; needs somebody who has the files: see answer_file().
  bool serve_packages = false;
  // Whether /.well-known/acme-challenge/<token> is served, from files in the same way.
  bool serve_challenges = false;
  // Whether answers have a Response::code_hash().
  bool hash_codes = false;
  // Asked before the built-in templates, by names such as "linux/installer.sh". May be empty. Not used after create().
  Template::Loader templates;
};

// Longest `url`, so that every answer fits its buffer.
inline constexpr std::size_t kMaxServiceUrl = 512;

// Whether `url` will do as ServiceOptions::url: http or https, plain URL characters, neither query nor fragment, no
// slash at the end, at most kMaxServiceUrl characters, and what check_connect_url() wants: a host, no user, a port from
// 1 to 65535 if any.
PAIRPORT_EXPORT bool is_service_url(std::string_view url) noexcept;

// What one setting of ServiceOptions must be. The same for every way to set it: a configuration file, the C interface,
// directives of nginx.
struct OptionRule {
  std::string_view name;      // as users write it: "ttl", "max_memory", "linux_url"
  std::string_view expected;  // completes the sentence "expected ..."
  bool (*holds)(const ServiceOptions& options);
};

// The rules for every setting but static_deposit, for which see check_static_deposit(). For whoever reads settings one
// by one, to say where the wrong one stands. Valid for ever.
PAIRPORT_EXPORT std::span<const OptionRule> option_rules() noexcept;

// All of these rules. kInvalidArgument names each setting that breaks one and what is expected of it, never a value.
// Service::create() calls it.
PAIRPORT_EXPORT Status check_options(const ServiceOptions& options);

// Checks a static deposit by the rules for deposits. kInvalidArgument names every field that is wrong.
PAIRPORT_EXPORT Status check_static_deposit(const StaticDeposit& deposit);

// All state of a pairing service. Every public function but create() is noexcept and needs no I/O, no clock and no
// lock; one thread at a time.
//
// Lifetimes: a fragment of an answer points into this object (text of the templates, fixed at construction) or into its
// Response (the values), never into the request and never into the store: a deposit may expire while its answer is
// still being sent. So the service outlives the response, and the response the write; nothing else matters.
class PAIRPORT_EXPORT Service {
 public:
  // Compiles the templates and maps the first memory. Errors: kInvalidArgument (an option, named in the message),
  // kBadTemplate, kOutOfMemory, kMemoryNotLocked, kRandomFailed. `random` outlives the service.
  static Result<std::unique_ptr<Service>> create(const ServiceOptions& options, RandomSource& random, const Now& now);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Answers `request`; every request gets an answer. Fragments of `response` point into this object and into
  // `response`, never into the request or the store. Times of successive calls must not go back. GET and HEAD never
  // allocate. REQUIRES: request.body.size() <= kMaxBody
  void handle(const Request& request, const Now& now, Response& response) noexcept;

  // Answers for whoever must not serve `request`, because it has come in clear over a network: GET and HEAD are sent to
  // the same path under ServiceOptions::url (308), whether there is anything or not, but for challenges, which are
  // public; everything else is refused (403) and changes nothing. REQUIRES: url() begins with https://
  void redirect(const Request& request, Response& response) noexcept;

  // Completes a `response` whose file_name() is not empty: `file` is what was found under that name in its
  // file_folder(), null when there is no such file. Answers 200, 206, 304, 404 or 416 (RFC 9110 sections 13 and 14; one
  // range at a time); for a challenge 200 or, when the file is too large to be one, 404.
  void answer_file(const FileInfo* file, Response& response) noexcept;

  // Answers for whoever speaks HTTP and has to refuse a request before it can be handled: 400, 408, 411, 413, 417, 431,
  // 503, ... with `text`, one ASCII line without a value of the request. `accept` as in Request. Unless `method` is
  // kGet or kHead the answer carries the CORS headers of a deposit's errors: kOther where the method is not known.
  void refuse(int status, std::string_view text, std::string_view accept, Method method, Response& response) noexcept;

  // Wipes expired deposits, at most about `max_work` of them. True when nothing due is left; else call again soon. To
  // be called regularly (every 100 ms or so); look-ups never depend on it.
  bool expire(const Now& now, std::size_t max_work) noexcept;

  // The least protection that memory for credentials must have, in buffers of requests and answers too.
  SecretLevel minimum_level() const noexcept;

  // ServiceOptions::url
  std::string_view url() const noexcept;

  // All text that fragments of answers point to when they do not point into a Response: fixed at construction, and the
  // same objects for every answer. For whoever prepares it for sending.
  std::span<const std::string_view> static_parts() const noexcept;

  const Store& store() const noexcept;
  const ServiceCounters& counters() const noexcept;
  // ServiceCounters::deposits_refused
  std::uint64_t deposits_refused() const noexcept { return counters().deposits_refused; }
  // ServiceCounters::deposits_limited, look_ups_limited
  std::uint64_t deposits_limited() const noexcept { return counters().deposits_limited; }
  std::uint64_t look_ups_limited() const noexcept { return counters().look_ups_limited; }

 private:
  class PAIRPORT_LOCAL Impl;
  explicit Service(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// The reason phrase of a status that the service uses (RFC 9110 section 15); "Status" for others.
PAIRPORT_EXPORT std::string_view reason_phrase(int status) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_SERVICE_H_

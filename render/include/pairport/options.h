// SPDX-License-Identifier: MIT
// The options of a Service, and the rules for their values.
#ifndef PAIRPORT_OPTIONS_H_
#define PAIRPORT_OPTIONS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <pairport/code.h>
#include <pairport/deposit.h>
#include <pairport/export.h>
#include <pairport/http.h>
#include <pairport/status.h>
#include <pairport/store.h>

namespace pairport {

// The places from which client machines download the client; they are written into the scripts. The scripts replace
// `{version}`, `{os}`, `{arch}` and `{channel}` in the URLs on the client machine; Service::create() replaces
// `{pairing_url}` by ServiceOptions::url.
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
  bool strict_checksums = false;              // refuse packages without a known SHA-256, also packages of a repository
  std::map<std::string, std::string> sha256;  // file name to 64 hexadecimal digits
};

// One deposit that never expires, for testing the scripts: a code, and the text of each field. The destructor wipes
// them.
struct PAIRPORT_EXPORT StaticDeposit {
  ~StaticDeposit();

  std::string code;
#define PAIRPORT_FIELD(field, name, limit, required) std::string name;
  PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_FIELD, PAIRPORT_FIELD)
#undef PAIRPORT_FIELD

  // The text of a field, in the order of DepositField.
  static constexpr std::array kFields = {
#define PAIRPORT_FIELD(field, name, limit, required) &StaticDeposit::name,
      PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_FIELD, PAIRPORT_FIELD)
#undef PAIRPORT_FIELD
  };
};

// Limit of one token bucket per client address; a rate or a burst of 0 switches it off.
struct RateLimit {
  double per_second = 0;
  double burst = 0;
};

// Returns the text of the template `name` ("linux/installer.sh"), or nothing when there is none.
using TemplateLoader = std::function<std::optional<std::string>(std::string_view name)>;

struct ServiceOptions {
  std::string url = "http://127.0.0.1:9978";  // how clients reach the service: see is_service_url()
  std::uint64_t ttl_ms = 10 * 60 * 1000;      // whole seconds, up to a day; beyond an hour codes are longer
  std::size_t code_length = kDefaultCodeLength;
  StoreOptions store;  // hash_seed is drawn by create()
  RateLimit deposit_limit = {5, 50};
  RateLimit miss_limit = {1, 20};
  // The rate limits of the IPv6 networks around a client: prefix lengths, each with the factor by which the limit of
  // the network exceeds that of one client. At most four, from the narrowest to the widest.
  std::string ipv6_budgets = "64:1 56:4 48:16";
  // While the store is more than half full: the share of it that deposits of one network (IPv4 /24, IPv6 /48) may fill
  // within ttl_ms, but at least 16 deposits. 0: no limit. Peers without an address have no limit.
  double network_share = 1.0 / 16;
  std::optional<StaticDeposit> static_deposit;
  InstallerOptions installer;
  // Whether /packages/<file> is served. The owner of the service opens the files: see Service::answer_file().
  bool serve_packages = false;
  // Whether /.well-known/acme-challenge/<token> is served, from files in the same way.
  bool serve_challenges = false;
  // Whether answers have a Response::code_hash().
  bool hash_codes = false;
  // Answers paths that are not the service's; may be null, else outlives the service.
  PathHandler* other_paths = nullptr;
  // Asked for each template before the built-in one is used. May be empty. Not called after create().
  TemplateLoader templates;
};

// The longest `url`; it keeps every answer within its buffer.
inline constexpr std::size_t kMaxServiceUrl = 512;

// Whether `url` is valid as ServiceOptions::url: http or https, plain URL characters, neither query nor fragment, no
// slash at the end, at most kMaxServiceUrl characters, and valid for check_connect_url(): a host, no user, and a port
// from 1 to 65535 or none.
PAIRPORT_EXPORT bool is_service_url(std::string_view url) noexcept;
inline constexpr std::string_view kServiceUrlExpected =
    "an http or https URL with a host, of at most 512 characters, without user, query and fragment";

// What a setting holds. Front ends write the same value in their own ways: 600'000 ms are "10m" in the configuration
// file, 10m in nginx and 600000 in C.
enum class OptionKind { kText, kSwitch, kCount, kMilliseconds, kBytes, kNumber };

// A function that returns the member of `Options` for a setting; the kind of the setting decides the type.
template <typename Options>
using OptionMember = std::variant<std::string& (*)(Options&), bool& (*)(Options&), std::uint64_t& (*)(Options&),
                                  std::uint32_t& (*)(Options&), double& (*)(Options&)>;

// One setting of ServiceOptions, as every front end sees it. The configuration file, the C interface, the directives of
// nginx and the scripts loop over these rows, so a new setting needs only a member and a row.
struct OptionRule {
  std::string_view table;  // of the configuration file; empty: each front end reads the setting in its own way
  std::string_view name;   // as users write it: "ttl", "max_memory", "linux_url"
  OptionKind kind;
  OptionMember<ServiceOptions> member;
  std::string_view expected;  // completes the sentence "expected ..."
  bool (*holds)(const ServiceOptions& options);
};

// Every setting but static_deposit, which check_static_deposit() checks. A front end that reads settings one by one can
// report the place of the wrong one. Static storage.
PAIRPORT_EXPORT std::span<const OptionRule> option_rules() noexcept;

// Whether each entry is valid for InstallerOptions::sha256: a file's name without path and spaces, and 64 hexadecimal
// digits.
PAIRPORT_EXPORT bool are_digests(const std::map<std::string, std::string>& digests) noexcept;
inline constexpr std::string_view kDigestsExpected =
    "names of files without path and spaces, and SHA-256 digests, each of 64 hexadecimal digits";

// Checks all of these rules. kInvalidArgument names each setting that breaks one and the expected value, but never the
// given value. Service::create() calls it.
PAIRPORT_EXPORT Status check_options(const ServiceOptions& options);

}  // namespace pairport

#endif  // PAIRPORT_OPTIONS_H_

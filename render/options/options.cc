// SPDX-License-Identifier: MIT
// Invariant: no rule ever fails for the defaults, and no text here holds a value.
#include <algorithm>
#include <string>
#include <type_traits>

#include <pairport/deposit.h>
#include <pairport/options.h>
#include <pairport/secret_memory.h>

#include "core/base/ascii.h"
#include "core/limits/rate_limiter.h"

namespace pairport {
namespace {

constexpr std::uint64_t kMaxTtlMs = std::uint64_t{24} * 3600 * 1000;
constexpr std::size_t kMostDeposits = 100'000'000;
constexpr std::size_t kLeastMemory = std::size_t{1} << 20;
constexpr std::size_t kMostMemory = std::size_t{30} << 30;
constexpr double kMostOfLimit = 1e6;
constexpr std::size_t kMaxVersion = 32;

// False for NaN, too.
bool is_limit(double value) noexcept {
  return value >= 0 && value <= kMostOfLimit;
}

bool is_version(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kMaxVersion && consists_of(text, ".-_+~");
}

// Whether scripts can fetch `text` as a URL: only characters of a URL (RFC 3986) and the braces of placeholders.
bool is_url_template(std::string_view text) {
  static constexpr std::string_view kOwn = "{pairing_url}/";
  if (!consists_of(text, "-._~:/?#[]@!$&'()*+,;=%{}")) return false;
  if (text.starts_with(kOwn)) return true;
  if (!text.starts_with("http://") && !text.starts_with("https://")) return false;
  // A placeholder may be in the host, too. It counts as a letter there.
  std::string url(text.substr(0, text.find('#')));
  for (const std::string_view placeholder : {"{version}", "{os}", "{arch}", "{channel}"}) {
    for (std::size_t at = 0; (at = url.find(placeholder, at)) != std::string::npos;) {
      url.replace(at, placeholder.size(), "x");
    }
  }
  // Unlike a client's connect_url, a mirror may need a user name.
  const std::size_t authority = url.find("//") + 2;
  const std::size_t user = url.substr(0, url.find_first_of("/?", authority)).find('@', authority);
  if (user != std::string::npos) url.erase(authority, user + 1 - authority);
  return check_connect_url(url) == FieldProblem::kNone;
}

bool is_digest(const std::pair<const std::string, std::string>& file_and_digest) noexcept {
  const auto& [file, digest] = file_and_digest;
  const bool plain = !file.empty() && std::none_of(file.begin(), file.end(), [](char c) {
    return is_control(c) || c == ' ' || c == '/' || c == '\'';
  });
  return plain && digest.size() == 64 &&
         std::all_of(digest.begin(), digest.end(), [](char c) { return hex_value(c) >= 0; });
}

constexpr std::string_view kLimit = "a number from 0 (off) to 1000000";
constexpr std::string_view kVersion = "a version such as \"0.9.14\"";
constexpr std::string_view kUrl =
    "an http or https URL, or {pairing_url}/..., in which scripts fill in {version}, {os} and {arch}";

using Options = const ServiceOptions&;

// Numbers in the options have 64 bits, whatever the name of their type.
static_assert(std::is_same_v<std::size_t, std::uint64_t>);

// The member at the end of a chain of members.
template <auto... kPath>
constexpr auto& at(ServiceOptions& options) noexcept {
  return (options.*....*kPath);
}
template <auto kMember>
constexpr auto& installer(ServiceOptions& options) noexcept {
  return options.installer.*kMember;
}
template <auto kMember>
constexpr OptionRule version_row(std::string_view name) noexcept {
  return {"installer",        name,     OptionKind::kText,
          installer<kMember>, kVersion, [](Options o) { return is_version(o.installer.*kMember); }};
}
template <auto kMember>
constexpr OptionRule url_row(std::string_view name) noexcept {
  return {"installer",        name, OptionKind::kText,
          installer<kMember>, kUrl, [](Options o) { return is_url_template(o.installer.*kMember); }};
}
template <auto kMember>
constexpr OptionRule switch_row(std::string_view name) noexcept {
  return {"installer", name, OptionKind::kSwitch, installer<kMember>, "true or false", [](Options) { return true; }};
}
template <auto... kPath>
constexpr OptionRule limit_row(std::string_view name) noexcept {
  return {"limits",     name,   OptionKind::kNumber,
          at<kPath...>, kLimit, [](Options o) { return is_limit((o.* ... .*kPath)); }};
}

constexpr OptionRule kRules[] = {
    {"", "url", OptionKind::kText, at<&ServiceOptions::url>, kServiceUrlExpected,
     [](Options o) { return is_service_url(o.url); }},
    {"pairing", "ttl", OptionKind::kMilliseconds, at<&ServiceOptions::ttl_ms>,
     "a duration from \"1s\" to \"24h\" in whole seconds, such as \"10m\" or \"1h30m\"",
     [](Options o) { return o.ttl_ms >= 1000 && o.ttl_ms % 1000 == 0 && o.ttl_ms <= kMaxTtlMs; }},
    {"pairing", "code_length", OptionKind::kCount, at<&ServiceOptions::code_length>, "a whole number from 7 to 32",
     [](Options o) { return o.code_length >= kMinCodeLength && o.code_length <= kMaxCodeLength; }},
    {"pairing", "max_deposits", OptionKind::kCount, at<&ServiceOptions::store, &StoreOptions::max_deposits>,
     "a whole number from 1 to 100000000",
     [](Options o) { return o.store.max_deposits >= 1 && o.store.max_deposits <= kMostDeposits; }},
    {"pairing", "max_memory", OptionKind::kBytes, at<&ServiceOptions::store, &StoreOptions::max_bytes>,
     "a size from \"1M\" to \"30G\", such as \"512M\"",
     [](Options o) { return o.store.max_bytes >= kLeastMemory && o.store.max_bytes <= kMostMemory; }},
    limit_row<&ServiceOptions::deposit_limit, &RateLimit::per_second>("deposits_per_second"),
    limit_row<&ServiceOptions::deposit_limit, &RateLimit::burst>("deposit_burst"),
    limit_row<&ServiceOptions::miss_limit, &RateLimit::per_second>("misses_per_second"),
    limit_row<&ServiceOptions::miss_limit, &RateLimit::burst>("miss_burst"),
    {"limits", "ipv6_budgets", OptionKind::kText, at<&ServiceOptions::ipv6_budgets>, kNetworkBudgetsExpected,
     [](Options o) { return NetworkBudgets::parse(o.ipv6_budgets).has_value(); }},
    {"limits", "network_share", OptionKind::kNumber, at<&ServiceOptions::network_share>, "a number from 0 (off) to 1",
     [](Options o) { return o.network_share >= 0 && o.network_share <= 1; }},
    version_row<&InstallerOptions::version>("version"),
    version_row<&InstallerOptions::unstable_version>("unstable_version"),
    url_row<&InstallerOptions::linux_url>("linux_url"),
    url_row<&InstallerOptions::windows_url>("windows_url"),
    url_row<&InstallerOptions::checksums_url>("checksums_url"),
    url_row<&InstallerOptions::deb_repo>("deb_repo"),
    url_row<&InstallerOptions::rpm_repo>("rpm_repo"),
    url_row<&InstallerOptions::repo_keys>("repo_keys"),
    url_row<&InstallerOptions::tacoscript_url>("tacoscript_url"),
    switch_row<&InstallerOptions::use_repositories>("use_repositories"),
    switch_row<&InstallerOptions::strict_checksums>("strict_checksums"),
};

}  // namespace

StaticDeposit::~StaticDeposit() {
  // Short texts are in the string itself, and a longer old text may remain behind the end of a string.
  wipe(code.data(), code.capacity());
  for (std::string StaticDeposit::*const field : kFields) wipe((this->*field).data(), (this->*field).capacity());
}

std::span<const OptionRule> option_rules() noexcept {
  return kRules;
}

bool are_digests(const std::map<std::string, std::string>& digests) noexcept {
  return std::all_of(digests.begin(), digests.end(), is_digest);
}

Status check_options(const ServiceOptions& options) {
  std::string text;
  const auto expect = [&text](std::string_view name, std::string_view expected) {
    text.append(text.empty() ? "" : "; ").append(name).append(": expected ").append(expected);
  };
  for (const OptionRule& rule : kRules) {
    if (!rule.holds(options)) expect(rule.name, rule.expected);
  }
  if (!are_digests(options.installer.sha256)) expect("sha256", kDigestsExpected);
  return text.empty() ? Status() : Status(StatusCode::kInvalidArgument, std::move(text));
}

bool is_service_url(std::string_view url) noexcept {
  // Shell and PowerShell commands and JSON show the URL, so it has only these of the characters of RFC 3986 appendix A.
  return (url.starts_with("http://") || url.starts_with("https://")) && url.size() <= kMaxServiceUrl &&
         consists_of(url, "-._~:/[]%@+,=") && !url.ends_with('/') && check_connect_url(url) == FieldProblem::kNone;
}

}  // namespace pairport

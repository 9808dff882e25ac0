// SPDX-License-Identifier: MIT
// Invariant: no rule ever fails for the defaults, and no text here holds a value.
#include <algorithm>
#include <string>

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

// Also false for what is no number.
bool is_limit(double value) noexcept {
  return value >= 0 && value <= kMostOfLimit;
}

bool is_version(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kMaxVersion && consists_of(text, ".-_+~");
}

// A URL that scripts fetch: only characters of a URL (RFC 3986) and the braces of placeholders.
bool is_url_template(std::string_view text) {
  static constexpr std::string_view kOwn = "{pairing_url}/";
  if (!consists_of(text, "-._~:/?#[]@!$&'()*+,;=%{}")) return false;
  if (text.starts_with(kOwn)) return true;
  if (!text.starts_with("http://") && !text.starts_with("https://")) return false;
  // A placeholder may stand in the host too. It counts as a letter there.
  std::string url(text.substr(0, text.find('#')));
  for (const std::string_view placeholder : {"{version}", "{os}", "{arch}", "{channel}"}) {
    for (std::size_t at = 0; (at = url.find(placeholder, at)) != std::string::npos;) {
      url.replace(at, placeholder.size(), "x");
    }
  }
  // Unlike a client's connect_url, a mirror may want a user name.
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

constexpr OptionRule kRules[] = {
    {"url", "an http or https URL with a host, of at most 512 characters, without user, query and fragment",
     [](Options o) { return is_service_url(o.url); }},
    {"ttl", "a duration from \"1s\" to \"24h\" in whole seconds, such as \"10m\" or \"1h30m\"",
     [](Options o) { return o.ttl_ms >= 1000 && o.ttl_ms % 1000 == 0 && o.ttl_ms <= kMaxTtlMs; }},
    {"code_length", "a whole number from 7 to 32",
     [](Options o) { return o.code_length >= kMinCodeLength && o.code_length <= kMaxCodeLength; }},
    {"max_deposits", "a whole number from 1 to 100000000",
     [](Options o) { return o.store.max_deposits >= 1 && o.store.max_deposits <= kMostDeposits; }},
    {"max_memory", "a size from \"1M\" to \"30G\", such as \"512M\"",
     [](Options o) { return o.store.max_bytes >= kLeastMemory && o.store.max_bytes <= kMostMemory; }},
    {"deposits_per_second", kLimit, [](Options o) { return is_limit(o.deposit_limit.per_second); }},
    {"deposit_burst", kLimit, [](Options o) { return is_limit(o.deposit_limit.burst); }},
    {"misses_per_second", kLimit, [](Options o) { return is_limit(o.miss_limit.per_second); }},
    {"miss_burst", kLimit, [](Options o) { return is_limit(o.miss_limit.burst); }},
    {"ipv6_budgets", kNetworkBudgetsExpected,
     [](Options o) { return NetworkBudgets::parse(o.ipv6_budgets).has_value(); }},
    {"network_share", "a number from 0 (off) to 1",
     [](Options o) { return o.network_share >= 0 && o.network_share <= 1; }},
    {"version", kVersion, [](Options o) { return is_version(o.installer.version); }},
    {"unstable_version", kVersion, [](Options o) { return is_version(o.installer.unstable_version); }},
    {"linux_url", kUrl, [](Options o) { return is_url_template(o.installer.linux_url); }},
    {"windows_url", kUrl, [](Options o) { return is_url_template(o.installer.windows_url); }},
    {"checksums_url", kUrl, [](Options o) { return is_url_template(o.installer.checksums_url); }},
    {"deb_repo", kUrl, [](Options o) { return is_url_template(o.installer.deb_repo); }},
    {"rpm_repo", kUrl, [](Options o) { return is_url_template(o.installer.rpm_repo); }},
    {"repo_keys", kUrl, [](Options o) { return is_url_template(o.installer.repo_keys); }},
    {"tacoscript_url", kUrl, [](Options o) { return is_url_template(o.installer.tacoscript_url); }},
    {"sha256", "names of files without path and spaces, and SHA-256 digests, each of 64 hexadecimal digits",
     [](Options o) { return std::all_of(o.installer.sha256.begin(), o.installer.sha256.end(), is_digest); }},
};

}  // namespace

StaticDeposit::~StaticDeposit() {
  // Short texts are in the string itself, and behind the end of any may be what it was before.
  for (std::string* text : {&code, &connect_url, &fingerprint, &client_id, &password}) {
    wipe(text->data(), text->capacity());
  }
}

std::span<const OptionRule> option_rules() noexcept {
  return kRules;
}

Status check_options(const ServiceOptions& options) {
  std::string text;
  for (const OptionRule& rule : kRules) {
    if (rule.holds(options)) continue;
    text.append(text.empty() ? "" : "; ").append(rule.name).append(": expected ").append(rule.expected);
  }
  return text.empty() ? Status() : Status(StatusCode::kInvalidArgument, std::move(text));
}

bool is_service_url(std::string_view url) noexcept {
  // It is shown in shell and PowerShell commands and in JSON: of the characters of a URL only these (RFC 3986
  // appendix A).
  return (url.starts_with("http://") || url.starts_with("https://")) && url.size() <= kMaxServiceUrl &&
         consists_of(url, "-._~:/[]%@+,=") && !url.ends_with('/') && check_connect_url(url) == FieldProblem::kNone;
}

}  // namespace pairport

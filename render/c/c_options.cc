// SPDX-License-Identifier: MIT
// Invariant: what is not in a table here has no counterpart of the same kind, and is converted by hand in both
// directions.
#include "render/c/c_options.h"

#include <optional>
#include <string>
#include <string_view>

#include <pairport/secret_memory.h>

#include "render/c/interop.h"

namespace pairport {
namespace {

static_assert(PAIRPORT_MEMORY_PLAIN == static_cast<int>(SecretLevel::kPlain));
static_assert(PAIRPORT_MEMORY_LOCKED == static_cast<int>(SecretLevel::kLocked));
static_assert(PAIRPORT_MEMORY_MEMFD_SECRET == static_cast<int>(SecretLevel::kMemfdSecret));

// A member of the C structure, and the member of `Options` that it stands for.
template <typename Options, typename C, typename Value>
struct Pair {
  C pairport_options::*c;
  Value Options::*cpp;
};

constexpr Pair<InstallerOptions, pairport_string, std::string> kInstallerTexts[] = {
    {&pairport_options::version, &InstallerOptions::version},
    {&pairport_options::unstable_version, &InstallerOptions::unstable_version},
    {&pairport_options::linux_url, &InstallerOptions::linux_url},
    {&pairport_options::windows_url, &InstallerOptions::windows_url},
    {&pairport_options::checksums_url, &InstallerOptions::checksums_url},
    {&pairport_options::deb_repo, &InstallerOptions::deb_repo},
    {&pairport_options::rpm_repo, &InstallerOptions::rpm_repo},
    {&pairport_options::repo_keys, &InstallerOptions::repo_keys},
    {&pairport_options::tacoscript_url, &InstallerOptions::tacoscript_url},
};
constexpr Pair<InstallerOptions, int, bool> kInstallerSwitches[] = {
    {&pairport_options::use_repositories, &InstallerOptions::use_repositories},
    {&pairport_options::strict_checksums, &InstallerOptions::strict_checksums},
};
constexpr Pair<ServiceOptions, pairport_string, std::string> kTexts[] = {
    {&pairport_options::url, &ServiceOptions::url},
    {&pairport_options::ipv6_budgets, &ServiceOptions::ipv6_budgets},
};
constexpr Pair<ServiceOptions, int, bool> kSwitches[] = {
    {&pairport_options::serve_packages, &ServiceOptions::serve_packages},
    {&pairport_options::hash_codes, &ServiceOptions::hash_codes},
};
constexpr Pair<StaticDeposit, pairport_string, std::string> kStaticDeposit[] = {
    {&pairport_options::static_code, &StaticDeposit::code},
    {&pairport_options::static_connect_url, &StaticDeposit::connect_url},
    {&pairport_options::static_fingerprint, &StaticDeposit::fingerprint},
    {&pairport_options::static_client_id, &StaticDeposit::client_id},
    {&pairport_options::static_password, &StaticDeposit::password},
};

}  // namespace

pairport_options default_options() {
  static const ServiceOptions defaults;
  const InstallerOptions& installer = defaults.installer;
  pairport_options options{};
  options.size = sizeof(options);
  for (const auto& [c, cpp] : kTexts) options.*c = string_of(defaults.*cpp);
  for (const auto& [c, cpp] : kInstallerTexts) options.*c = string_of(installer.*cpp);
  for (const auto& [c, cpp] : kSwitches) options.*c = defaults.*cpp ? 1 : 0;
  for (const auto& [c, cpp] : kInstallerSwitches) options.*c = installer.*cpp ? 1 : 0;
  options.ttl_ms = defaults.ttl_ms;
  options.code_length = defaults.code_length;
  options.max_deposits = defaults.store.max_deposits;
  options.max_memory = defaults.store.max_bytes;
  options.minimum_memory = static_cast<int>(defaults.store.minimum_level);
  options.deposits_per_second = defaults.deposit_limit.per_second;
  options.deposit_burst = defaults.deposit_limit.burst;
  options.misses_per_second = defaults.miss_limit.per_second;
  options.miss_burst = defaults.miss_limit.burst;
  options.network_share = defaults.network_share;
  return options;
}

bool convert(const pairport_options& from, ServiceOptions& to) {
  bool valid = true;
  const auto text = [&valid](const pairport_string& value) {
    valid = valid && is_string(value);
    return valid ? std::string(view(value)) : std::string();
  };
  for (const auto& [c, cpp] : kTexts) to.*cpp = text(from.*c);
  for (const auto& [c, cpp] : kInstallerTexts) to.installer.*cpp = text(from.*c);
  for (const auto& [c, cpp] : kSwitches) to.*cpp = from.*c != 0;
  for (const auto& [c, cpp] : kInstallerSwitches) to.installer.*cpp = from.*c != 0;
  to.ttl_ms = from.ttl_ms;
  to.code_length = from.code_length;
  to.store.max_deposits = from.max_deposits;
  to.store.max_bytes = from.max_memory;
  if (from.minimum_memory < PAIRPORT_MEMORY_PLAIN || from.minimum_memory > PAIRPORT_MEMORY_MEMFD_SECRET) return false;
  to.store.minimum_level = static_cast<SecretLevel>(from.minimum_memory);
  to.deposit_limit = {from.deposits_per_second, from.deposit_burst};
  to.miss_limit = {from.misses_per_second, from.miss_burst};
  to.network_share = from.network_share;
  if (from.static_code.size != 0) {
    StaticDeposit& deposit = to.static_deposit.emplace();
    for (const auto& [c, cpp] : kStaticDeposit) deposit.*cpp = text(from.*c);
  }
  if (from.digest_count != 0 && from.digests == nullptr) return false;
  for (std::size_t i = 0; i < from.digest_count; ++i) {
    to.installer.sha256[text(from.digests[i].file)] = text(from.digests[i].sha256);
  }
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

}  // namespace pairport

extern "C" {

int pairport_options_init(pairport_options* options, size_t size) noexcept {
  return pairport::init_options(options, size, pairport::kFirstOptions, pairport::default_options);
}

}  // extern "C"

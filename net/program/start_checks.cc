// SPDX-License-Identifier: MIT
#include "net/program/start_checks.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include <pairport/client_address.h>

#include "net/program/process.h"

namespace pairport {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kChallenges = ".well-known/acme-challenge";

// Raises a limit as far as an unprivileged process may, and returns it.
rlim_t raise_limit(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return RLIM_INFINITY;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(resource, &limit) != 0) getrlimit(resource, &limit);
  return limit.rlim_cur;
}

// The host of a listening address of the configuration; empty: a Unix socket.
std::string host_of_address(std::string_view address) {
  return address.starts_with(kUnix) ? std::string() : host_of("http://" + std::string(address));
}

bool is_local(const ListenAddress& address) {
  return address.address.starts_with(kUnix) || is_loopback_host(host_of_address(address.address));
}

std::filesystem::path folder_of(std::string_view socket_address) {
  const std::filesystem::path folder = std::filesystem::path(socket_address.substr(kUnix.size())).parent_path();
  return folder.empty() ? "." : folder;
}

// Whether every user of this machine may enter `folder`.
bool anybody_may_enter(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::path path = std::filesystem::canonical(folder, error); !error; path = path.parent_path()) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || (status.st_mode & S_IXOTH) == 0) return false;
    if (path == path.parent_path()) return true;
  }
  return false;
}

bool is_real_folder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::symlink_status(path, error).type() == std::filesystem::file_type::directory;
}

// The first entry of `folder` for which `is_strange(entry)` is true.
template <typename Predicate>
std::optional<std::string> find_strange(const std::filesystem::path& folder, Predicate&& is_strange) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (is_strange(*entry)) return entry->path().string();
  }
  return std::nullopt;
}

void allow_challenges(const std::string& webroot, SandboxOptions& options) {
  const std::filesystem::path folder = std::filesystem::path(webroot) / kChallenges;
  if (is_real_folder(folder.parent_path()) && is_real_folder(folder)) {
    options.read_only_paths.push_back(folder.string());
    return;
  }
  options.read_only_paths.push_back(webroot);
  spdlog::warn(
      "landlock: all of [server] acme_webroot can be read, because {} is not there; create it, and start the service "
      "again",
      folder.string());
}

// New files replace renewed certificates, so their folders must be readable.
void allow_certificates(const Config& config, SandboxOptions& options) {
  std::vector<std::filesystem::path> own;
  for (const CertificateFiles& pair : config.certificates) {
    for (const std::string* path : {&pair.certificate, &pair.key}) {
      std::error_code error;
      own.emplace_back(*path);
      own.push_back(std::filesystem::canonical(*path, error));
    }
  }
  for (std::string& folder : folders_of(config.certificates)) {
    const auto strange = find_strange(folder, [&own](const std::filesystem::directory_entry& entry) {
      std::error_code error;
      return entry.is_directory(error) ||
             (entry.path().extension() == ".key" && std::find(own.begin(), own.end(), entry.path()) == own.end());
    });
    if (strange) {
      spdlog::warn(
          "landlock: {} can be read, because it is in the folder of a certificate; give the certificates of this "
          "service "
          "a folder of their own",
          *strange);
    }
    options.unlisted_paths.push_back(std::move(folder));
  }
}

// Lets the process remove the files of Unix sockets at its end.
void allow_sockets(const Config& config, SandboxOptions& options) {
  static constexpr std::array<std::string_view, 6> kShared = {"/run", "/var/run", "/tmp", "/var/tmp", "/dev/shm", "/"};
  for (const ListenAddress& address : config.addresses) {
    if (!address.address.starts_with(kUnix)) continue;
    const std::filesystem::path folder = folder_of(address.address);
    const auto strange = find_strange(folder, [&config](const std::filesystem::directory_entry& entry) {
      return std::none_of(config.addresses.begin(), config.addresses.end(), [&entry](const ListenAddress& own) {
        return own.address.starts_with(kUnix) &&
               std::filesystem::path(own.address.substr(kUnix.size())).filename() == entry.path().filename();
      });
    });
    if (strange || std::find(kShared.begin(), kShared.end(), folder.string()) != kShared.end()) {
      spdlog::warn(
          "landlock: any file in {} can be removed, because {} is there; give the socket a folder of its own, such as "
          "/run/pairport",
          folder.string(), address.address);
    }
    options.removal_folders.push_back(folder.string());
  }
}

}  // namespace

std::string host_of(std::string_view url) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const std::size_t user = url.rfind('@'); user != std::string_view::npos) url.remove_prefix(user + 1);
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.rfind(':')));
}

bool is_loopback_host(std::string_view host) {
  if (host == "localhost") return true;
  const std::optional<ClientAddress> address = ClientAddress::parse(host);
  if (!address) return false;
  return address->is_ipv4() ? address->bytes[12] == 127 : address == ClientAddress::parse("::1");
}

void check_limits(const Config& config) {
  // Two descriptors for each connection: its socket, and a file that is sent on it.
  const rlim_t files = raise_limit(RLIMIT_NOFILE);
  if (files < 2 * config.server.max_connections + 64) {
    spdlog::warn(
        "RLIMIT_NOFILE is {}: [limits] max_connections = {} needs twice as many (LimitNOFILE= in a systemd unit)",
        files, config.server.max_connections);
  }
  const rlim_t locked = raise_limit(RLIMIT_MEMLOCK);
  if (locked < config.service.store.max_bytes && !may_lock_beyond(locked)) {
    spdlog::warn(
        "RLIMIT_MEMLOCK is {} KiB: beyond it credentials are {} (LimitMEMLOCK= in a systemd unit)", locked / 1024,
        config.service.store.minimum_level == SecretLevel::kPlain ? "in memory that may be swapped" : "refused");
  }
}

Status check_folders(const Config& config) {
  for (const auto& [key, folder] : {std::pair("[installer] templates", &config.templates_folder),
                                    {"[installer] package_dir", &config.server.package_folder},
                                    {"[server] acme_webroot", &config.server.acme_webroot}}) {
    std::error_code error;
    if (!folder->empty() && !std::filesystem::is_directory(*folder, error)) {
      return {StatusCode::kBadConfiguration, std::string(key) + ": " + *folder + " is not a folder that can be read" +
                                                 (error ? ": " + error.message() : "")};
    }
  }
  return StatusCode::kOk;
}

void warn_of_proxies(const Config& config, std::string_view url) {
  const bool only_local = std::all_of(config.addresses.begin(), config.addresses.end(), is_local);
  if (only_local && !is_loopback_host(host_of(url)) && config.server.trusted_proxies.empty()) {
    spdlog::warn(
        "a proxy seems to be in front of this service, because only this machine reaches its addresses and clients are "
        "sent to {}; without [server] trusted_proxies all clients share the proxy's address, and so its limits",
        url);
  }
  if (!config.server.trusted_proxies.trusts(ClientAddress())) return;
  for (const ListenAddress& address : config.addresses) {
    if (!address.address.starts_with(kUnix) || (config.socket_file.mode & S_IWOTH) == 0) continue;
    const std::filesystem::path folder = folder_of(address.address);
    if (!anybody_may_enter(folder)) continue;
    spdlog::warn(
        "every user of this machine can connect to {} and is believed as a proxy ([server] trusted_proxies); set "
        "[server] socket_mode = \"0660\" and socket_group to a group of the proxy, or close {} to others",
        address.address, folder.string());
  }
}

SandboxOptions choose_sandbox(const Config& config) {
  SandboxOptions options;
  if (!config.server.package_folder.empty()) options.read_only_paths.push_back(config.server.package_folder);
  if (!config.server.acme_webroot.empty()) allow_challenges(config.server.acme_webroot, options);
  allow_certificates(config, options);
  allow_sockets(config, options);
  return options;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Every key has one description: keys of the service and the server in the rows of option_rules() and
// server_option_rules(), the program's own keys in the code that reads them. Other keys are unknown.
#include "net/program/config.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "core/deposit/deposit_fields.h"
#include "net/program/toml_reader.h"
#include "net/program/units.h"

namespace pairport {
namespace {

// One address of the configuration: as a URL, or in the form for Listener::open(), which means http. A URL without a
// port means the port of its scheme.
std::optional<ListenAddress> parse_address(std::string_view text) {
  const bool tls = text.starts_with("https://");
  if (tls || text.starts_with("http://")) {
    text.remove_prefix(tls ? 8 : 7);
    if (text.ends_with('/')) text.remove_suffix(1);
    if (text.empty() || text.starts_with("unix:") || text.find_first_of("/@?#") != std::string_view::npos) {
      return std::nullopt;
    }
    ListenAddress address{std::string(text), tls};
    if (text.find(':', text.rfind(']') == std::string_view::npos ? 0 : text.rfind(']')) == std::string_view::npos) {
      address.address += tls ? ":443" : ":80";
    }
    return Listener::check(address.address).ok() ? std::optional(address) : std::nullopt;
  }
  return Listener::check(text).ok() ? std::optional(ListenAddress{std::string(text), false}) : std::nullopt;
}

bool is_absolute_path(std::string_view text) {
  return text.starts_with('/') && has_no_control_character(text);
}

// A table of the file. Some of its keys are settings of the service or of the server.
class Section : public TomlSection {
 public:
  using TomlSection::TomlSection;

  // Reads a setting. Its row has the key, the form of the value and the expected values.
  template <typename Row, typename Options>
  void setting(const Row& row, Options& options) {
    std::visit([&](const auto member) { read_as(row, member(options), options); }, row.member);
  }

 private:
  // `parse(value)` sets the member; it returns false when the value is not valid.
  template <typename T, typename Row, typename Options, typename Parse>
  void read_if(const Row& row, const Options& options, Parse&& parse) {
    read<T>(row.name, row.expected, [&](const T& value) { return parse(value) && row.holds(options); });
  }
  template <typename Row, typename Options>
  void read_as(const Row& row, std::string& target, const Options& options) {
    read_if<std::string>(row, options, [&](const std::string& value) {
      target = value;
      return true;
    });
  }
  template <typename Row, typename Options>
  void read_as(const Row& row, bool& target, const Options& options) {
    read_if<bool>(row, options, [&](bool value) {
      target = value;
      return true;
    });
  }
  template <typename Row, typename Options, std::unsigned_integral Number>
  void read_as(const Row& row, Number& target, const Options& options) {
    if (row.kind == OptionKind::kCount) {
      return read_if<std::int64_t>(row, options, [&](std::int64_t value) {
        target = static_cast<Number>(value);
        return std::in_range<Number>(value);
      });
    }
    read_if<std::string>(row, options, [&](const std::string& value) {
      const auto number = row.kind == OptionKind::kBytes ? parse_size(value) : parse_duration(value);
      target = static_cast<Number>(number.value_or(0));
      return number.has_value();
    });
  }
  template <typename Row, typename Options>
  void read_as(const Row& row, double& target, const Options& options) {
    if (const toml::node* node = find(row.name); node != nullptr && node->is_integer()) {
      return read_if<std::int64_t>(row, options, [&](std::int64_t value) {
        target = static_cast<double>(value);
        return true;
      });
    }
    read_if<double>(row, options, [&](double value) {
      target = value;
      return true;
    });
  }
};

// Reads the settings of the service in the table `name` of the file.
void read_settings(Section& section, std::string_view name, ServiceOptions& options) {
  for (const OptionRule& row : option_rules()) {
    if (row.table == name) section.setting(row, options);
  }
}

// Checks that the keys for HTTPS agree.
void check_https(Section& section, const std::optional<bool>& redirect, Config& config) {
  const auto is_tls = [](const ListenAddress& address) { return address.tls; };
  const bool some = std::any_of(config.addresses.begin(), config.addresses.end(), is_tls);
  const bool all = std::all_of(config.addresses.begin(), config.addresses.end(), is_tls);
  const bool https_url = config.url.empty() ? some : config.url.starts_with("https://");
  if (some && config.certificates.empty()) {
    section.report("tls_cert", "is missing: an https address needs a certificate and its key");
  }
  if (!some && !config.certificates.empty()) {
    section.report("tls_cert", "is not used: no address begins with https://");
  }
  if (!some && config.server.hsts_seconds) section.report("hsts", "is not used: no address begins with https://");
  if (all && !https_url) {
    section.report("url", "begins with http://, but every address with https://: clients could not follow it");
  }
  if (redirect == true && !some) section.report("redirect_to_https", "needs an address that begins with https://");
  if (redirect == true && some && !https_url) {
    section.report("redirect_to_https", "needs a url that begins with https://, to send clients there");
  }
  config.redirect_to_https = redirect.value_or(some && https_url);
}

void read_server(TomlErrors& errors, const toml::table& root, Config& config) {
  Section section(errors, root, "server");
  std::vector<ListenAddress> addresses;
  section.one_or_more("address",
                      "host:port, [IPv6]:port, :port or unix:/path, or a URL http://host:port or https://host:port, or "
                      "a list of them",
                      [&](const std::string& text) {
                        const std::optional<ListenAddress> address = parse_address(text);
                        if (address) addresses.push_back(*address);
                        return address.has_value();
                      });
  if (!addresses.empty()) config.addresses = std::move(addresses);
  section.read<std::string>("url", kServiceUrlExpected, [&config](const std::string& value) {
    config.url = value;
    while (config.url.ends_with('/')) config.url.pop_back();
    config.service.url = config.url;
    return is_service_url(config.url);
  });
  const auto is_unix = [](const ListenAddress& address) { return address.address.starts_with("unix:"); };
  const bool all_unix = std::all_of(config.addresses.begin(), config.addresses.end(), is_unix);
  if (all_unix && config.url.empty()) {
    section.report("url",
                   "is missing: a Unix socket has no URL that clients could open; set it to the one of the proxy");
  }
  section.read<std::string>("socket_mode", "permissions as an octal number from \"0000\" to \"0777\", such as \"0660\"",
                            [&](const std::string& value) {
                              const char* const end = value.data() + value.size();
                              const auto [at, error] = std::from_chars(value.data(), end, config.socket_file.mode, 8);
                              return error == std::errc() && at == end && value.size() <= 4 &&
                                     config.socket_file.mode <= 0777;
                            });
  section.string("socket_group", config.socket_group, "the name or the number of a group",
                 [](std::string_view text) { return !text.empty() && has_no_control_character(text); });
  for (const char* key : {"socket_mode", "socket_group"}) {
    if (section.has(key) && std::none_of(config.addresses.begin(), config.addresses.end(), is_unix)) {
      section.report(key, "is not used: no address begins with unix:");
    }
  }
  section.strings("trusted_proxies", "a list of addresses, networks such as \"10.0.0.0/8\", and \"unix\"",
                  [&](const std::string& text) { return config.server.trusted_proxies.add(text); });

  static constexpr std::string_view kPemFiles = "the absolute path of a PEM file, or a list of them";
  std::vector<std::string> keys;
  section.one_or_more("tls_cert", kPemFiles, [&](const std::string& path) {
    config.certificates.push_back({path, {}});
    return is_absolute_path(path);
  });
  section.one_or_more("tls_key", kPemFiles, [&](const std::string& path) {
    keys.push_back(path);
    return is_absolute_path(path);
  });
  if (keys.size() == config.certificates.size()) {
    for (std::size_t i = 0; i < keys.size(); ++i) config.certificates[i].key = keys[i];
  } else {
    section.report("tls_key", "there must be one key for each tls_cert, in the same order");
  }
  section.read<std::string>("tls_min_version", R"("1.2" or "1.3")", [&](const std::string& value) {
    config.tls_min_version = value == "1.3" ? TlsVersion::kTls13 : TlsVersion::kTls12;
    return value == "1.2" || value == "1.3";
  });
  section.integer("tls_threads", config.tls_threads, 0, 128);
  std::optional<bool> redirect;
  section.read<bool>("redirect_to_https", "true or false", [&](bool value) {
    redirect = value;
    return true;
  });
  section.read<std::string>(
      "hsts", "a duration from \"0s\" to \"730d\", such as \"180d\"", [&](const std::string& value) {
        const auto ms = parse_duration(value);
        if (ms) config.server.hsts_seconds = *ms / 1000;
        return ms && *ms % 1000 == 0 && *config.server.hsts_seconds <= 730 * std::uint64_t{86'400};
      });
  section.string("acme_webroot", config.server.acme_webroot, "the absolute path of a folder", is_absolute_path);
  config.service.serve_challenges = !config.server.acme_webroot.empty();
  check_https(section, redirect, config);
  section.finish();
}

void read_static_deposit(TomlErrors& errors, const toml::table& root, Config& config) {
  Section section(errors, root, "static-deposit");
  if (!section.present()) return;
  StaticDeposit deposit;
  section.string("code", deposit.code);
  section.require("code");
  for (const DepositFieldRow& row : kDepositFields) {
    const auto number = static_cast<std::size_t>(row.field);
    section.string(kDepositFieldNames[number], deposit.*StaticDeposit::kFields[number]);
    if (row.is_required) section.require(kDepositFieldNames[number]);
  }
  section.finish();
  config.service.static_deposit = deposit;
  if (errors.text().empty()) {
    if (const Status status = check_static_deposit(deposit); !status.ok()) section.report("", status.message());
  }
}

void read_pairing(TomlErrors& errors, const toml::table& root, Config& config) {
  Section section(errors, root, "pairing");
  read_settings(section, "pairing", config.service);
  section.finish();
}

void read_limits(TomlErrors& errors, const toml::table& root, Config& config) {
  Section section(errors, root, "limits");
  read_settings(section, "limits", config.service);
  for (const ServerOptionRule& row : server_option_rules()) section.setting(row, config.server);
  section.read<std::string>("tls_handshake_timeout", kTimeoutExpected, [&](const std::string& value) {
    config.tls_handshake_timeout = parse_duration(value).value_or(0);
    return is_timeout(config.tls_handshake_timeout);
  });
  section.finish();
}

void read_security(TomlErrors& errors, const toml::table& root, Config& config) {
  Section section(errors, root, "security");
  bool require_locked = false;
  section.boolean("require_locked_memory", require_locked);
  if (require_locked) config.service.store.minimum_level = SecretLevel::kLocked;
  section.boolean("sandbox", config.sandbox);
  for (const auto& [key, target] :
       {std::pair("require_landlock", &config.require_landlock), {"require_seccomp", &config.require_seccomp}}) {
    section.boolean(key, *target);
    if (*target && !config.sandbox) section.report(key, "contradicts sandbox = false");
  }
  section.finish();
}

void read_log(TomlErrors& errors, const toml::table& root, Config& config) {
  Section section(errors, root, "log");
  section.read<std::string>("access", "\"off\", \"text\" or \"json\"", [&](const std::string& value) {
    config.access_log = value == "text"   ? AccessFormat::kText
                        : value == "json" ? AccessFormat::kJson
                                          : AccessFormat::kOff;
    return value == "off" || config.access_log != AccessFormat::kOff;
  });
  section.boolean("shorten_addresses", config.shorten_addresses);
  section.finish();
}

void read_installer(TomlErrors& errors, const toml::table& root, Config& config) {
  Section section(errors, root, "installer");
  InstallerOptions& installer = config.service.installer;
  std::string package_dir;
  section.string("package_dir", package_dir, "the absolute path of a folder", is_absolute_path);
  if (!package_dir.empty()) {
    // The simplest set-up without the internet needs only this key. Explicit settings below override it.
    config.server.package_folder = package_dir;
    config.service.serve_packages = true;
    installer.linux_url = "{pairing_url}/packages/rport_{version}_{os}_{arch}.tar.gz";
    installer.windows_url = "{pairing_url}/packages/rport_{version}_{os}_{arch}.msi";
    installer.checksums_url = "{pairing_url}/packages/checksums.txt";
    installer.use_repositories = false;
  }
  read_settings(section, "installer", config.service);
  section.string("templates", config.templates_folder, "the path of a folder");
  section.table("sha256", "a table: " + std::string(kDigestsExpected), [&](const toml::table& table) {
    for (const auto& [name, node] : table) {
      const auto digest = node.value<std::string>();
      if (!digest) return false;
      installer.sha256[std::string(name.str())] = *digest;
    }
    return are_digests(installer.sha256);
  });
  section.finish();
}

}  // namespace

Result<Config> parse_config(std::string_view text, std::string_view file_name) {
  TomlErrors errors(file_name);
  const std::optional<toml::table> parsed = parse_toml(text, file_name, errors);
  if (!parsed) return Status(StatusCode::kBadConfiguration, errors.text());
  const toml::table& root = *parsed;
  Config config;
  read_server(errors, root, config);
  read_static_deposit(errors, root, config);
  read_pairing(errors, root, config);
  read_limits(errors, root, config);
  read_security(errors, root, config);
  read_log(errors, root, config);
  read_installer(errors, root, config);
  static const std::set<std::string_view> kSections = {"server", "static-deposit", "pairing", "limits", "security",
                                                       "log",    "installer"};
  for (const auto& [key, node] : root) {
    if (kSections.contains(key.str())) continue;
    std::string list;
    for (const std::string_view name : kSections) list += (list.empty() ? "[" : ", [") + std::string(name) + "]";
    errors.report(key.source(), key.str(), "there is no such table or key here; expected " + list);
  }
  if (std::string text_of_errors = errors.text(); !text_of_errors.empty()) {
    return Status(StatusCode::kBadConfiguration, std::move(text_of_errors));
  }
  return config;
}

std::vector<std::string> config_candidates(std::string_view name, std::string_view home) {
  const std::string file(name);
  if (name.find('/') != std::string_view::npos) return {file};
  std::vector<std::string> candidates = {"/etc/rport/" + file};
  if (!home.empty()) candidates.push_back(std::string(home) + "/.rport/" + file);
  candidates.push_back("./" + file);
  return candidates;
}

}  // namespace pairport

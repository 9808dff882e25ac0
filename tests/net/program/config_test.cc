// SPDX-License-Identifier: MIT
#include "net/program/config.h"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pairport {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> addresses_of(const Config& config) {
  std::vector<std::string> addresses;
  for (const auto& [address, tls] : config.addresses) addresses.push_back((tls ? "tls " : "") + address);
  return addresses;
}

std::string error_of(std::string_view text) {
  const Result<Config> config = parse_config(text, "test.conf");
  return config.ok() ? "" : std::string(config.status().message());
}

TEST(ConfigTest, TakesTheFileOfTheGoServiceUnchanged) {
  const auto config = parse_config(R"(
[server]
  ## Address to bind the server to
  address = "0.0.0.0:9090"
  url = "https://pairing.example.com/"
[static-deposit]
  code = "0000000"
  connect_url = "http://rport.example.com:8080"
  fingerprint = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
  client_id = "client1"
  password = "foobaz"
)",
                                   "rport-pairing.conf");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_THAT(addresses_of(config.value()), ElementsAre("0.0.0.0:9090"));
  EXPECT_EQ(config.value().url, "https://pairing.example.com");
  ASSERT_TRUE(config.value().service.static_deposit);
  EXPECT_EQ(config.value().service.static_deposit->password, "foobaz");
}

TEST(ConfigTest, AnEmptyFileGivesTheDefaults) {
  const auto config = parse_config("", "x");
  ASSERT_TRUE(config.ok());
  EXPECT_THAT(addresses_of(config.value()), ElementsAre("127.0.0.1:9978"));
  EXPECT_TRUE(config.value().certificates.empty());
  EXPECT_FALSE(config.value().redirect_to_https);
  EXPECT_FALSE(config.value().server.hsts_seconds);
  EXPECT_EQ(config.value().service.ttl_ms, 600'000U);
  EXPECT_EQ(config.value().service.store.max_deposits, 1'000'000U);
  EXPECT_EQ(config.value().service.store.minimum_level, SecretLevel::kPlain);
}

TEST(ConfigTest, TheExampleShowsTheDefaults) {
  std::ifstream file(PAIRPORT_EXAMPLE_CONFIG);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto example = parse_config(text, "pairport.conf");
  ASSERT_TRUE(example.ok()) << example.status().message();
  const Config defaults;
  EXPECT_EQ(addresses_of(example.value()), addresses_of(defaults));
  EXPECT_EQ(example.value().url, defaults.url);
  EXPECT_EQ(example.value().socket_file.mode, defaults.socket_file.mode);
  // Commented out in the example, because they need an address of the right kind.
  EXPECT_EQ(defaults.socket_file.mode, 0666U);
  EXPECT_EQ(defaults.tls_min_version, TlsVersion::kTls12);
  EXPECT_EQ(defaults.tls_threads, 0U);
  const ServiceOptions& shown = example.value().service;
  EXPECT_EQ(shown.ttl_ms, defaults.service.ttl_ms);
  EXPECT_EQ(shown.code_length, defaults.service.code_length);
  EXPECT_EQ(shown.store.max_deposits, defaults.service.store.max_deposits);
  EXPECT_EQ(shown.store.max_bytes, defaults.service.store.max_bytes);
  EXPECT_EQ(shown.store.minimum_level, defaults.service.store.minimum_level);
  EXPECT_EQ(shown.deposit_limit.per_second, defaults.service.deposit_limit.per_second);
  EXPECT_EQ(shown.deposit_limit.burst, defaults.service.deposit_limit.burst);
  EXPECT_EQ(shown.miss_limit.per_second, defaults.service.miss_limit.per_second);
  EXPECT_EQ(shown.miss_limit.burst, defaults.service.miss_limit.burst);
  EXPECT_EQ(shown.ipv6_budgets, defaults.service.ipv6_budgets);
  EXPECT_EQ(shown.network_share, defaults.service.network_share);
  const ServerOptions& server = example.value().server;
  EXPECT_EQ(server.max_connections, defaults.server.max_connections);
  EXPECT_EQ(server.max_connections_per_address, defaults.server.max_connections_per_address);
  EXPECT_EQ(server.connection.head_timeout, defaults.server.connection.head_timeout);
  EXPECT_EQ(server.connection.body_timeout, defaults.server.connection.body_timeout);
  EXPECT_EQ(server.connection.idle_timeout, defaults.server.connection.idle_timeout);
  EXPECT_EQ(server.connection.answer_timeout, defaults.server.connection.answer_timeout);
  EXPECT_EQ(server.connection.min_bytes_per_second, defaults.server.connection.min_bytes_per_second);
  EXPECT_EQ(server.connection.max_head_bytes, defaults.server.connection.max_head_bytes);
  EXPECT_EQ(server.connection.max_headers, defaults.server.connection.max_headers);
  EXPECT_EQ(server.connection.max_body_bytes, defaults.server.connection.max_body_bytes);
  EXPECT_EQ(server.connection.linger_timeout, defaults.server.connection.linger_timeout);
  EXPECT_EQ(server.drain_timeout, defaults.server.drain_timeout);
  EXPECT_EQ(example.value().tls_handshake_timeout, defaults.tls_handshake_timeout);
  EXPECT_EQ(example.value().server.max_handshakes, defaults.server.max_handshakes);
  EXPECT_EQ(example.value().sandbox, defaults.sandbox);
  EXPECT_EQ(example.value().access_log, defaults.access_log);
  EXPECT_EQ(example.value().shorten_addresses, defaults.shorten_addresses);
  EXPECT_EQ(example.value().require_landlock, defaults.require_landlock);
  EXPECT_EQ(example.value().require_seccomp, defaults.require_seccomp);
  const InstallerOptions& installer = shown.installer;
  EXPECT_EQ(installer.version, defaults.service.installer.version);
  EXPECT_EQ(installer.unstable_version, defaults.service.installer.unstable_version);
  EXPECT_EQ(installer.linux_url, defaults.service.installer.linux_url);
  EXPECT_EQ(installer.windows_url, defaults.service.installer.windows_url);
  EXPECT_EQ(installer.checksums_url, defaults.service.installer.checksums_url);
  EXPECT_EQ(installer.deb_repo, defaults.service.installer.deb_repo);
  EXPECT_EQ(installer.rpm_repo, defaults.service.installer.rpm_repo);
  EXPECT_EQ(installer.repo_keys, defaults.service.installer.repo_keys);
  EXPECT_EQ(installer.tacoscript_url, defaults.service.installer.tacoscript_url);
  EXPECT_EQ(installer.use_repositories, defaults.service.installer.use_repositories);
  EXPECT_EQ(installer.strict_checksums, defaults.service.installer.strict_checksums);
}

TEST(ConfigTest, ReadsEveryKey) {
  const auto config = parse_config(R"(
[server]
address = ["unix:/run/pairport.sock", "https://:443"]
url = "https://p.example.com"
tls_cert = "/etc/a.pem"
tls_key = "/etc/a.key"
tls_min_version = "1.3"
tls_threads = 3
redirect_to_https = false
hsts = "180d"
acme_webroot = "/var/www/acme"
socket_mode = "0660"
socket_group = "www-data"
[pairing]
ttl = "1h30m5s"
code_length = 12
max_deposits = 5
max_memory = "64M"
[limits]
deposits_per_second = 0
deposit_burst = 7
misses_per_second = 0.5
miss_burst = 3
ipv6_budgets = "60:2 48:8"
network_share = 0.25
max_connections = 9
max_connections_per_address = 4
head_timeout = "1s"
body_timeout = "2s"
idle_timeout = "1h"
answer_timeout = "3s"
min_bytes_per_second = 77
max_head_bytes = 2048
max_headers = 9
max_body_bytes = 1024
linger_timeout = "4s"
drain_timeout = "1m5s"
tls_handshake_timeout = "7s"
max_handshakes = 8
[security]
require_locked_memory = true
require_landlock = true
require_seccomp = true
[log]
access = "json"
shorten_addresses = true
[installer]
version = "1.2.3"
unstable_version = "1.3.0-rc1"
linux_url = "https://a.example.com/{version}/{os}_{arch}.tar.gz"
windows_url = "https://b.example.com/{version}.zip"
checksums_url = "https://c.example.com/sums"
deb_repo = "https://d.example.com/deb"
rpm_repo = "https://d.example.com/rpm"
repo_keys = "https://d.example.com"
tacoscript_url = "https://e.example.com/?arch={os}_{arch}"
use_repositories = false
strict_checksums = true
templates = "/etc/pairport/templates"
sha256 = { "rport_1.2.3_linux_x86_64.tar.gz" = "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef" }
)",
                                   "x");
  ASSERT_TRUE(config.ok()) << config.status().message();
  const ServiceOptions& service = config.value().service;
  EXPECT_EQ(service.ttl_ms, (3600U + 1800 + 5) * 1000);
  EXPECT_EQ(service.code_length, 12U);
  EXPECT_EQ(service.store.max_bytes, 64U << 20);
  EXPECT_EQ(service.deposit_limit.per_second, 0);
  EXPECT_EQ(service.deposit_limit.burst, 7);
  EXPECT_EQ(service.miss_limit.per_second, 0.5);
  EXPECT_EQ(service.ipv6_budgets, "60:2 48:8");
  EXPECT_EQ(service.network_share, 0.25);
  const ServerOptions& server = config.value().server;
  EXPECT_EQ(server.max_connections, 9U);
  EXPECT_EQ(server.max_connections_per_address, 4U);
  EXPECT_EQ(server.connection.head_timeout, 1'000U);
  EXPECT_EQ(server.connection.body_timeout, 2'000U);
  EXPECT_EQ(server.connection.idle_timeout, 3'600'000U);
  EXPECT_EQ(server.connection.answer_timeout, 3'000U);
  EXPECT_EQ(server.connection.min_bytes_per_second, 77U);
  EXPECT_EQ(server.connection.max_head_bytes, 2048U);
  EXPECT_EQ(server.connection.max_headers, 9U);
  EXPECT_EQ(server.connection.max_body_bytes, 1024U);
  EXPECT_EQ(server.connection.linger_timeout, 4'000U);
  EXPECT_EQ(server.drain_timeout, 65'000U);
  EXPECT_THAT(addresses_of(config.value()), ElementsAre("unix:/run/pairport.sock", "tls :443"));
  EXPECT_EQ(config.value().certificates[0].certificate, "/etc/a.pem");
  EXPECT_EQ(config.value().certificates[0].key, "/etc/a.key");
  EXPECT_EQ(config.value().tls_min_version, TlsVersion::kTls13);
  EXPECT_EQ(config.value().tls_threads, 3U);
  EXPECT_EQ(config.value().socket_file.mode, 0660U);
  EXPECT_EQ(config.value().socket_group, "www-data");
  EXPECT_FALSE(config.value().redirect_to_https);
  EXPECT_EQ(config.value().server.hsts_seconds, 180U * 24 * 3600);
  EXPECT_EQ(config.value().server.acme_webroot, "/var/www/acme");
  EXPECT_TRUE(config.value().service.serve_challenges);
  EXPECT_EQ(config.value().tls_handshake_timeout, 7'000U);
  EXPECT_EQ(config.value().server.max_handshakes, 8U);
  EXPECT_EQ(service.store.minimum_level, SecretLevel::kLocked);
  EXPECT_TRUE(config.value().sandbox);
  EXPECT_EQ(config.value().access_log, AccessFormat::kJson);
  EXPECT_TRUE(config.value().shorten_addresses);
  EXPECT_TRUE(config.value().require_landlock);
  EXPECT_TRUE(config.value().require_seccomp);
  EXPECT_EQ(service.installer.version, "1.2.3");
  EXPECT_FALSE(service.installer.use_repositories);
  EXPECT_TRUE(service.installer.strict_checksums);
  EXPECT_EQ(service.installer.sha256.begin()->second,
            "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef");
  EXPECT_EQ(config.value().templates_folder, "/etc/pairport/templates");
}

TEST(ConfigTest, TimesAreAsShortAndAsLongAsInEveryOtherInterface) {
  for (const auto& [text, ms] : {std::pair("1ms", std::uint64_t{1}),
                                 {"1s500ms", 1'500},
                                 {"1m30s", 90'000},
                                 {"24h", kMaxTimeout},
                                 {"1d", kMaxTimeout}}) {
    for (const ServerOptionRule& rule : server_option_rules()) {
      if (rule.expected != kTimeoutExpected) continue;
      const auto config = parse_config("[limits]\n" + std::string(rule.name) + " = \"" + text + "\"\n", "test.conf");
      EXPECT_TRUE(config.ok()) << config.status().message();
    }
    const auto config = parse_config("[limits]\nidle_timeout = \"" + std::string(text) + "\"\n", "test.conf");
    ASSERT_TRUE(config.ok());
    EXPECT_EQ(config.value().server.connection.idle_timeout, ms);
  }
}

TEST(ConfigTest, NamesFileLineKeyAndWhatIsExpected) {
  EXPECT_EQ(error_of("[server]\nadress = \"x\"\n"),
            "test.conf:2: [server] adress: there is no such key; [server] has acme_webroot, address, hsts, "
            "redirect_to_https, socket_group, socket_mode, tls_cert, tls_key, tls_min_version, tls_threads, "
            "trusted_proxies, url");
  EXPECT_EQ(error_of("\n[pairing]\nttl = 10\n"),
            "test.conf:3: [pairing] ttl: expected a duration from \"1s\" to \"24h\" in whole seconds, such as "
            "\"10m\" or \"1h30m\"");
  EXPECT_THAT(error_of("[pairing]\ncode_length = 6\n"),
              HasSubstr("test.conf:2: [pairing] code_length: expected a whole number from 7 to 32"));
  EXPECT_THAT(error_of("[pairing]\ncode_length = \"7\"\n"), HasSubstr("a whole number"));
  EXPECT_THAT(error_of("[limits]\nipv6_budgets = \"48:1 64:1\"\n"),
              HasSubstr("test.conf:2: [limits] ipv6_budgets: expected prefixes of IPv6 networks"));
  EXPECT_THAT(error_of("[limits]\nnetwork_share = 2\n"),
              HasSubstr("network_share: expected a number from 0 (off) to 1"));
  EXPECT_THAT(error_of("[limits]\nmiss_burst = -1\n"), HasSubstr("a number from 0 (off)"));
  for (const char* key :
       {"head_timeout", "body_timeout", "idle_timeout", "answer_timeout", "linger_timeout", "drain_timeout"}) {
    for (const char* value : {"\"0s\"", "\"24h1ms\"", "\"10\"", "10", "\"1sm\"", "\"s\"", "\"99999999999d\"",
                              "\"4294967295d4294967295d\""}) {
      EXPECT_EQ(error_of("[limits]\n" + std::string(key) + " = " + value + "\n"),
                "test.conf:2: [limits] " + std::string(key) +
                    ": expected a duration from \"1ms\" to \"24h\", such as \"500ms\", \"30s\" or \"1m30s\"");
    }
  }
  EXPECT_THAT(error_of("[server]\nhsts = \"1500ms\"\n"), HasSubstr("hsts: expected a duration from \"0s\""));
  EXPECT_THAT(error_of("[pairing]\nttl = \"1500ms\"\n"), HasSubstr("ttl: expected a duration from \"1s\""));
  EXPECT_EQ(error_of("[log]\naccess = \"xml\"\n"), "test.conf:2: [log] access: expected \"off\", \"text\" or \"json\"");
  EXPECT_THAT(error_of("[limits]\nmax_body_bytes = 16385\n"), HasSubstr("a whole number from 1024 to 16384"));
  EXPECT_THAT(error_of("[limits]\nmax_head_bytes = 100\n"), HasSubstr("a whole number from 1024 to 8192"));
  EXPECT_THAT(error_of("[limits]\nmax_headers = 65\n"), HasSubstr("a whole number from 8 to 64"));
  EXPECT_THAT(error_of("[limits]\nmin_bytes_per_second = 0\n"), HasSubstr("a whole number from 1 to 1000000000"));
  for (const char* value : {"-1", "4294967296", "\"5\"", "1.5"}) {
    EXPECT_EQ(error_of("[limits]\nmax_connections_per_address = " + std::string(value) + "\n"),
              "test.conf:2: [limits] max_connections_per_address: expected a whole number from 0 (off) to 4294967295");
  }
  EXPECT_THAT(error_of("[limits]\nmiss_burst = nan\n"), HasSubstr("a number from 0 (off)"));
  EXPECT_THAT(error_of("[security]\nrequire_locked_memory = 1\n"), HasSubstr("true or false"));
  for (const char* key : {"require_landlock", "require_seccomp"}) {
    EXPECT_THAT(error_of("[security]\nsandbox = false\n" + std::string(key) + " = true\n"),
                HasSubstr("[security] " + std::string(key) + ": contradicts sandbox = false"));
  }
  for (const char* proxies : {"\"10.0.0.0/8\"", "[\"10.0.0.0/33\"]", "[\"example.com\"]", "[\"0.0.0.0/0\"]", "[5]"}) {
    EXPECT_THAT(error_of("[server]\ntrusted_proxies = " + std::string(proxies) + "\n"),
                HasSubstr("a list of addresses"))
        << proxies;
  }
  EXPECT_THAT(error_of("[serverr]\n"), HasSubstr("test.conf:1: serverr: there is no such table"));
  EXPECT_THAT(error_of("address = \"x\"\n"), HasSubstr("there is no such table or key here"));
  EXPECT_THAT(error_of("server = 5\n"), HasSubstr("[server]: expected a table"));
  EXPECT_THAT(error_of("[static-deposit]\ncode = \"1234567\"\n"), HasSubstr("[static-deposit] password: is missing"));
  EXPECT_THAT(error_of("[installer]\nlinux_url = \"ftp://x\"\n"), HasSubstr("an http or https URL"));
  EXPECT_THAT(error_of("[installer]\nlinux_url = \"http://x/ y\"\n"), HasSubstr("an http or https URL"));
  EXPECT_THAT(error_of("[installer]\nversion = \"1 2\"\n"), HasSubstr("a version"));
  EXPECT_THAT(error_of("[installer]\nsha256 = { a = \"12\" }\n"), HasSubstr("64 hexadecimal digits"));
}

TEST(ConfigTest, TakesAnAddressInEveryForm) {
  const auto read = [](const std::string& text) {
    const auto config = parse_config("[server]\nurl = \"https://p.example.com\"\ntls_cert = \"/c\"\n" + text, "x");
    return config.ok() ? addresses_of(config.value())
                       : std::vector<std::string>{std::string(config.status().message())};
  };
  const std::string keys = "tls_key = \"/k\"\n";
  EXPECT_THAT(read(keys + R"(address = ["localhost:1", "[::1]:2", ":3", "unix:/a/b", "http://:4", "http://[::1]:5/",
    "http://example.com", "http://[::1]", "https://:6", "https://example.com/", "https://10.0.0.1:7"])"),
              ElementsAre("localhost:1", "[::1]:2", ":3", "unix:/a/b", ":4", "[::1]:5", "example.com:80", "[::1]:80",
                          "tls :6", "tls example.com:443", "tls 10.0.0.1:7"));
  EXPECT_THAT(read(keys + "address = \"https://[fd00::1]\"\n"), ElementsAre("tls [fd00::1]:443"));
  for (const char* bad : {"[]", "5", "[5]", "[\"127.0.0.1:1\", \"x\"]", "\"https://\"", "\"http:///\"",
                          "\"https://unix:/s\"", "\"ftp://h:1\"", "\"http://h:1/path\"", "\"http://h/path\"",
                          "\"https://u@h:1\"", "\"http://h:1?q\"", "\"https://h:99999\"", "\"https://h:\""}) {
    EXPECT_THAT(error_of("[server]\naddress = " + std::string(bad) + "\n"),
                HasSubstr("test.conf:2: [server] address: expected host:port, [IPv6]:port, :port or unix:/path, or a "
                          "URL http://host:port or https://host:port, or a list of them"))
        << bad;
  }
}

TEST(ConfigTest, EachCertificateHasItsKey) {
  const std::string https = "[server]\naddress = \"https://:443\"\n";
  const auto two = parse_config(https + R"(tls_cert = ["/a.pem", "/b.pem"]
tls_key = ["/a.key", "/b.key"]
)",
                                "x");
  ASSERT_TRUE(two.ok()) << two.status().message();
  ASSERT_EQ(two.value().certificates.size(), 2U);
  EXPECT_EQ(two.value().certificates[1].certificate, "/b.pem");
  EXPECT_EQ(two.value().certificates[1].key, "/b.key");
  for (const char* keys : {"tls_cert = \"/a\"", "tls_cert = [\"/a\", \"/b\"]\ntls_key = \"/k\"",
                           "tls_cert = \"/a\"\ntls_key = [\"/k\", \"/l\"]", "tls_key = \"/k\""}) {
    EXPECT_THAT(error_of(https + keys + "\n"), HasSubstr("[server] tls_key: there must be one key for each tls_cert"));
  }
  for (const char* path : {"\"a.pem\"", "\"\"", "[]", "5", "[\"/a\", \"b\"]", "\"/a\\u0001\""}) {
    EXPECT_THAT(error_of(https + "tls_cert = " + path + "\n"),
                HasSubstr("[server] tls_cert: expected the absolute path"))
        << path;
  }
}

TEST(ConfigTest, KeysAboutHttpsMustFitTheAddresses) {
  const std::string cert = "tls_cert = \"/c\"\ntls_key = \"/k\"\n";
  const auto server = [](const std::string& rest) { return error_of("[server]\n" + rest); };
  EXPECT_EQ(server("address = \"https://:443\"\n"),
            "test.conf:1: [server] tls_cert: is missing: an https address needs a certificate and its key");
  EXPECT_EQ(server(cert), "test.conf:2: [server] tls_cert: is not used: no address begins with https://");
  EXPECT_EQ(server("hsts = \"1d\"\n"), "test.conf:2: [server] hsts: is not used: no address begins with https://");
  EXPECT_EQ(server("redirect_to_https = true\n"),
            "test.conf:2: [server] redirect_to_https: needs an address that begins with https://");
  EXPECT_EQ(server("redirect_to_https = true\naddress = [\"https://:1\", \":2\"]\nurl = \"http://x\"\n" + cert),
            "test.conf:2: [server] redirect_to_https: needs a url that begins with https://, to send clients there");
  EXPECT_EQ(
      server("url = \"http://x\"\naddress = \"https://:1\"\n" + cert),
      "test.conf:2: [server] url: begins with http://, but every address with https://: clients could not follow it");
  EXPECT_THAT(server("hsts = \"731d\"\n"), HasSubstr("[server] hsts: expected a duration from \"0s\" to \"730d\""));
  EXPECT_THAT(server("tls_min_version = \"1.1\"\n"), HasSubstr("expected \"1.2\" or \"1.3\""));
  for (const char* mode : {"\"\"", "\"0668\"", "\"1777\"", "\"-1\"", "\"0x1\"", "\"00660\"", "660", "\"u+rw\""}) {
    EXPECT_THAT(server("url = \"http://x\"\naddress = \"unix:/s\"\nsocket_mode = " + std::string(mode) + "\n"),
                HasSubstr("test.conf:4: [server] socket_mode: expected permissions as an octal number"))
        << mode;
  }
  EXPECT_THAT(server("url = \"http://x\"\naddress = \"unix:/s\"\nsocket_group = \"\"\n"),
              HasSubstr("[server] socket_group: expected the name or the number of a group"));
  EXPECT_EQ(server("socket_mode = \"0660\"\n"),
            "test.conf:2: [server] socket_mode: is not used: no address begins with unix:");
  EXPECT_THAT(server("tls_threads = 129\n"), HasSubstr("a whole number from 0 to 128"));
  EXPECT_THAT(server("acme_webroot = \"www\"\n"), HasSubstr("the absolute path of a folder"));
  EXPECT_THAT(error_of("[limits]\nmax_handshakes = -1\n"), HasSubstr("a whole number from 0 to 1000000"));
  EXPECT_THAT(server("address = [\"unix:/a\", \"unix:/b\"]\n"), HasSubstr("[server] url: is missing"));
  EXPECT_EQ(server("address = [\"unix:/a\", \":0\"]\n"), "");
}

// Nobody has to ask for credentials not to cross the network in clear.
TEST(ConfigTest, PlainAddressesRedirectByDefaultWhenThereIsHttps) {
  const auto redirects = [](const std::string& rest) {
    const auto config = parse_config("[server]\ntls_cert = \"/c\"\ntls_key = \"/k\"\n" + rest, "x");
    return config.ok() && config.value().redirect_to_https;
  };
  const std::string both = "address = [\":80\", \"https://:443\"]\n";
  EXPECT_TRUE(redirects(both));
  EXPECT_TRUE(redirects(both + "url = \"https://x\"\n"));
  EXPECT_TRUE(redirects(both + "redirect_to_https = true\n"));
  EXPECT_FALSE(redirects(both + "redirect_to_https = false\n"));
  EXPECT_FALSE(redirects(both + "url = \"http://x\"\n"));
}

TEST(ConfigTest, ReportsEveryProblemAtOnce) {
  const std::string errors = error_of("[server]\nfoo = 1\n[pairing]\nbar = 2\n");
  EXPECT_THAT(errors, HasSubstr("test.conf:2:"));
  EXPECT_THAT(errors, HasSubstr("\ntest.conf:4:"));
}

TEST(ConfigTest, SyntaxErrorsShowNothingOfTheFile) {
  for (const char* value :
       {"trust", "99999999999999999999", "\"\\zebra\"", "0xyz", "1979-99-99", "nanny", "fal\nx = 1"}) {
    const std::string error = error_of("[static-deposit]\npassword = " + std::string(value) + "\n");
    EXPECT_THAT(error, HasSubstr("test.conf:"));
    EXPECT_THAT(error, HasSubstr("not valid TOML: Error while parsing"));
    for (const char* part : {"trust", "trus", "9999", "z", "-99", "nann", "fal\n"}) {
      EXPECT_THAT(error.substr(0, error.find("expected")), Not(HasSubstr(part))) << value;
      EXPECT_THAT(error, Not(HasSubstr("saw"))) << value;
    }
  }
  EXPECT_EQ(error_of("a = tru\n"), "test.conf:1: not valid TOML: Error while parsing boolean: expected 'true'");
}

TEST(ConfigTest, AKeyIsShownWithoutItsControlCharacters) {
  EXPECT_THAT(error_of("[pairing]\n\"a\\nb\\u001b\" = 1\n"),
              HasSubstr("test.conf:2: [pairing] a?b?: there is no such key"));
}

TEST(ConfigTest, RefusesDurationsThatMeanNothing) {
  for (const char* ttl : {"", "10", "m", "10x", "-5m", "0s", "25h", "1.5m", "10 m", "99999999999999h"}) {
    EXPECT_THAT(error_of("[pairing]\nttl = \"" + std::string(ttl) + "\"\n"), HasSubstr("expected a duration")) << ttl;
  }
}

TEST(Config, ErrorsStandInTheOrderOfTheFile) {
  const auto config =
      parse_config("[limits]\nmiss_burst = -1\nmax_headers = 7\ndeposit_burst = -1\n[server]\nhsts = 1\n", "f");
  ASSERT_FALSE(config.ok());
  std::string_view text = config.status().message();
  for (const char* line :
       {"f:2: [limits] miss_burst", "f:3: [limits] max_headers", "f:4: [limits] deposit_burst", "f:6: [server] hsts"}) {
    EXPECT_THAT(std::string(text), ::testing::StartsWith(line));
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
}

// The same rules as in every other front end: option_rules().
TEST(ConfigTest, RefusesWhatNoFrontEndTakes) {
  const auto url = [](const std::string& value) { return error_of("[server]\nurl = \"" + value + "\"\n"); };
  for (const char* bad : {"http://host:abc", "http://a@b", "http://[::1", "http://%%", "http://h?q", "ftp://h", ""}) {
    EXPECT_THAT(url(bad), HasSubstr("test.conf:2: [server] url: expected an http or https URL with a host")) << bad;
  }
  EXPECT_EQ(url("http://[::1]:9978//"), "");
  for (const char* bad : {"ftp://not a url", "http://host:abc/", "http://[::1/"}) {
    EXPECT_THAT(error_of("[installer]\nrpm_repo = \"" + std::string(bad) + "\"\n"),
                HasSubstr("test.conf:2: [installer] rpm_repo: expected an http or https URL"))
        << bad;
  }
  for (const char* bad : {"0", "-1", "100000001", "1.5", "\"5\""}) {
    EXPECT_EQ(error_of("[pairing]\nmax_deposits = " + std::string(bad) + "\n"),
              "test.conf:2: [pairing] max_deposits: expected a whole number from 1 to 100000000");
  }
  EXPECT_EQ(error_of("[limits]\nmiss_burst = 5\ndeposit_burst = 2.5\n"), "");
}

TEST(ConfigTest, NoMessageHoldsAValue) {
  for (const char* text :
       {"[static-deposit]\npassword = hunter2\n", "[static-deposit]\npassword = \"hunter2\n",
        "[static-deposit]\npassword = [\"hunter2\"]\n", "[static-deposit]\npassword = \"hunter2\\q\"\n",
        "[static-deposit]\npassword = 'hunter2'x\n", "[server]\nurl = \"hunter2\x01\"\n"}) {
    const std::string error = error_of(text);
    EXPECT_THAT(error, HasSubstr("test.conf")) << text;
    EXPECT_THAT(error, Not(HasSubstr("hunter2"))) << text;
  }
}

TEST(ConfigTest, LooksWhereTheGoServiceLooked) {
  EXPECT_THAT(config_candidates("my.conf", "/home/me"),
              ElementsAre("/etc/rport/my.conf", "/home/me/.rport/my.conf", "./my.conf"));
  EXPECT_THAT(config_candidates("my.conf", ""), ElementsAre("/etc/rport/my.conf", "./my.conf"));
  EXPECT_THAT(config_candidates("./my.conf", "/home/me"), ElementsAre("./my.conf"));
}

}  // namespace
}  // namespace pairport

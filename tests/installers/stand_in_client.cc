// SPDX-License-Identifier: MIT
//
// A stand-in for the RPort client, for tests of the installer scripts. It takes the arguments of the real client, reads
// its configuration with a real TOML parser (keys ignore case, as in the real one), refuses what the real client
// refuses, opens a real TCP connection to its server, and writes the same words to its log. What it read goes to
// <data_dir>/stand-in.json, so that a test can compare it byte for byte.
//
// Each line of the log is one of rport 0.9.14, named with the function that writes it: see `Log` and `attempt`.
//
// How a run ends ("play") is chosen by the test in one of two places, neither of which an installer script knows about:
// the last path segment of `server` (http://host/refused), or, for a program that misbehaves whatever it is told, the
// 32 bytes after "STAND-IN-PLAY:" in the program file itself. The version is patched in the same way
// ("STAND-IN-VERSION:").
//   connected  logs in and connects (the default)     refused    wrong credentials
//   duplicate  the id is connected already            used       the credentials are, with auth_multiuse_creds = false
//   mismatch   fingerprint of another server          silent     its packets are dropped on the way: no connection
//   crash      exits 1 at once                        slow       connects after 12 seconds, like the real random delay
//   second     connects at the second attempt         hang       the server accepts, and never answers

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace {

// volatile: the compiler must not fold what a test patches into the file.
volatile const char kVersion[] = "STAND-IN-VERSION:0.9.14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
volatile const char kPlay[] = "STAND-IN-PLAY:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

std::string patched(const volatile char* marker) {
  std::string text;
  while (*marker != ':') ++marker;
  for (++marker; *marker != '\0'; ++marker) text += *marker;
  return text;
}

std::string json(std::string_view value) {
  std::string out = "\"";
  for (const unsigned char c : value) {
    if (c < 0x20 || c == '"' || c == '\\') {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + "\"";
}

struct Config {
  std::string server, auth, fingerprint, id, data_dir, log_file, log_level, attributes, proxy;
  std::vector<std::string> fallback_servers;
  bool use_system_id = false, allow_root = false;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// The value of a key of any case.
toml::node_view<const toml::node> find(const toml::table& table, const std::string& section, const std::string& key) {
  for (const auto& [name, node] : table) {
    if (lower(std::string(name.str())) != section || !node.is_table()) continue;
    for (const auto& [inner, value] : *node.as_table()) {
      if (lower(std::string(inner.str())) == key) return toml::node_view<const toml::node>(value);
    }
  }
  return {};
}

// Prints why and returns nothing when the real client would exit with "invalid config".
std::optional<Config> read_config(const std::string& path) {
  const auto refuse = [](const std::string& why) {
    std::cerr << "invalid config: " << why << "\n";
    return std::nullopt;
  };
  std::ifstream file(path, std::ios::binary);
  if (!file) return refuse("cannot read " + path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.starts_with("\xEF\xBB\xBF")) return refuse("byte order mark");
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return refuse(std::string(parsed.error().description()));
  const toml::table& table = parsed.table();
  Config config;
  config.server = find(table, "client", "server").value_or(std::string());
  config.auth = find(table, "client", "auth").value_or(std::string());
  config.fingerprint = find(table, "client", "fingerprint").value_or(std::string());
  config.id = find(table, "client", "id").value_or(std::string());
  config.attributes = find(table, "client", "attributes_file_path").value_or(std::string());
  config.use_system_id = find(table, "client", "use_system_id").value_or(false);
  config.allow_root = find(table, "client", "allow_root").value_or(false);
  config.data_dir = find(table, "client", "data_dir").value_or(std::string("/var/lib/rport"));
  config.log_file = find(table, "logging", "log_file").value_or(std::string());
  config.log_level = find(table, "logging", "log_level").value_or(std::string("error"));
  config.proxy = find(table, "client", "proxy").value_or(std::string());
  if (const toml::array* servers = find(table, "client", "fallback_servers").as_array()) {
    for (const toml::node& server : *servers) config.fallback_servers.push_back(server.value_or(std::string()));
  }
  if (config.server.empty()) return refuse("server is required");
  if (config.auth.find(':') == std::string::npos) return refuse("auth must be <client-auth-id>:<password>");
  if (find(table, "remote-scripts", "enabled").value_or(false) &&
      !find(table, "remote-commands", "enabled").value_or(true)) {
    return refuse("remote scripts need remote commands");
  }
  return config;
}

// share/logger/logger.go: "<level>: <prefix>: <text>" after Go's date and time; to standard output without a log_file.
// What cannot be written, on a full disk, is lost without a word.
void log_line(const Config& config, const std::string& level, const std::string& line) {
  if (config.log_level == "error" && level != "error") return;
  int file = STDOUT_FILENO;
  if (!config.log_file.empty()) {
    file = open(config.log_file.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (file < 0) {
      std::cerr << "can't open log file " << config.log_file << "\n";
      _exit(1);
    }
  }
  char stamp[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(stamp, sizeof stamp, "%Y/%m/%d %H:%M:%S ", std::gmtime(&now));
  const std::string text = stamp + level + ": client: " + line + "\n";
  if (write(file, text.data(), text.size()) < 0) errno = 0;
  if (file != STDOUT_FILENO) close(file);
}

// An address, or what /etc/hosts says: a static program has no other resolver.
std::string address_of(const std::string& host) {
  std::ifstream hosts("/etc/hosts");
  std::string line, address, name;
  while (std::getline(hosts, line)) {
    std::istringstream words(line);
    words >> address;
    while (words >> name) {
      if (name == host) return address;
    }
  }
  return host;
}

// Host and port of http://user@host:port/path, ws://[::1]:80 or host:port.
std::pair<std::string, int> endpoint(std::string url) {
  int port = 80;
  if (const auto at = url.find("://"); at != std::string::npos) {
    if (url.starts_with("https") || url.starts_with("wss")) port = 443;
    url.erase(0, at + 3);
  }
  url = url.substr(0, url.find('/'));
  if (const auto at = url.rfind('@'); at != std::string::npos) url.erase(0, at + 1);
  const auto colon = url.rfind(':');
  if (colon != std::string::npos && url.find(']', colon) == std::string::npos) {
    port = std::atoi(url.c_str() + colon + 1);
    url.erase(colon);
  }
  if (url.starts_with('[')) url = url.substr(1, url.size() - 2);
  return {url, port};
}

// A connected socket, or -1; `peer` as Go prints it. An IPv4 server is reached through an IPv4-mapped address when the
// host says so, as Go does on a socket for both families.
int dial(const std::string& url, std::string& peer) {
  const auto [host, port] = endpoint(url);
  const std::string address = address_of(host);
  sockaddr_in6 six = {};
  sockaddr_in four = {};
  int file = -1;
  bool good = false;
  if (inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(static_cast<std::uint16_t>(port));
    file = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    good = connect(file, reinterpret_cast<const sockaddr*>(&six), sizeof six) == 0;
    peer = "[" + address + "]:" + std::to_string(port);
  } else if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(static_cast<std::uint16_t>(port));
    file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    good = connect(file, reinterpret_cast<const sockaddr*>(&four), sizeof four) == 0;
    peer = address + ":" + std::to_string(port);
  }
  if (good) return file;
  if (file >= 0) close(file);
  return -1;
}

// One turn of client/client.go connectionLoop(): true when it stays as it is, false when it is tried again.
bool attempt(const Config& config, const std::string& play, int turn) {
  std::vector<std::string> servers = {config.server};
  servers.insert(servers.end(), config.fallback_servers.begin(), config.fallback_servers.end());
  const std::string suffix = turn > 0 ? " (attempt: " + std::to_string(turn) + " of infinite)" : "";
  // showConnectionError()
  const auto failed = [&](const std::string& why) {
    log_line(config, "error", "connection error: " + why + suffix);
    return false;
  };
  int file = -1;
  std::string peer;
  for (std::size_t i = 0; i < servers.size() && file < 0; ++i) {  // connectToMainOrFallback(), connect()
    const std::string scheme = servers[i].starts_with("http") ? "ws" + servers[i].substr(4) : servers[i];
    log_line(config, "info",
             "Trying to connect to " + scheme + (config.proxy.empty() ? "" : " via " + config.proxy) + " ...");
    log_line(config, "info", "Will wait up to 300.00 seconds for the server to respond");
    if (play == "silent") return true;
    if (play == "second" && turn == 0) return failed("dial tcp: connect: connection refused");
    file = dial(config.proxy.empty() ? servers[i] : config.proxy, peer);
    if (file >= 0 && i == 0 && play == "refused") {
      close(file);
      file = -1;
      log_line(config, "error", "Authentication failed");
      if (servers.size() == 1) {
        return failed(
            "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none password], no supported "
            "methods remain");
      }
    }
  }
  if (file < 0) return failed("dial tcp " + config.server + ": connect: connection refused");
  if (play == "hang") return true;
  if (play == "mismatch") {  // verifyServer()
    close(file);
    return failed("ssh: handshake failed: invalid fingerprint (00:00)");
  }
  log_line(config, "info", "Server's full fingerprint " + config.fingerprint);
  if (config.use_system_id && access("/etc/machine-id", R_OK) != 0) {  // connectionRequest(); the connection stays open
    return failed(
        "could not use system id as client id: try to set client.id manually or disable client.use_system_id. Error: "
        "machineid");
  }
  sleep(play == "slow" ? 12 : 0);  // up to 10 s in connectionLoop()
  log_line(config, "info", "Sending connection request.");
  if (play == "duplicate") {  // sendConnectionRequest(), which closes the connection, and showConnectionError()
    close(file);
    failed("client is already connected or previous session was not properly closed");
    log_line(config, "info",
             "Server will clean up orphaned sessions within its {check_clients_connection_interval} automatically.");
    return false;
  }
  if (play == "used") {  // the server's words (server/clients/clientservice.go); the connection stays open
    return failed("client auth ID is already in use: \"" + config.auth.substr(0, config.auth.find(':')) + "\"");
  }
  log_line(config, "info", "Connected to " + peer + " within 2.172ms");  // sendConnectionRequest()
  return true;
}

int install_service(const std::string& user, const std::string& path) {
  if (!read_config(path)) return 1;
  const char* const unit = "/etc/systemd/system/rport.service";
  if (access(unit, F_OK) == 0) {
    std::cerr << "Init already exists: " << unit << "\n";
    return 1;
  }
  char self[4096] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 1;
  std::ofstream(unit) << "[Unit]\nDescription=Create reverse tunnels with ease.\nConditionFileIsExecutable=" << self
                      << "\n[Service]\nStartLimitInterval=5\nStartLimitBurst=10\nExecStart=" << self << " \"-c\" \""
                      << path << "\"\nUser=" << user
                      << "\nRestart=always\nRestartSec=120\n[Install]\nWantedBy=multi-user.target\n";
  mkdir("/etc/systemd/system/multi-user.target.wants", 0755);
  const char* const wants = "/etc/systemd/system/multi-user.target.wants/rport.service";
  unlink(wants);
  return symlink(unit, wants) == 0 ? 0 : 1;
}

int run(const std::string& path) {
  const std::optional<Config> config = read_config(path);
  if (!config) return 1;
  const bool root = geteuid() == 0 && !config->allow_root;
  const std::string record = config->data_dir + "/stand-in.json";
  // The real client, too, opens its files before it looks at who it is.
  if (root) log_line(*config, "error", "starting as root");
  std::ofstream out(record, std::ios::binary | std::ios::trunc);
  if (!out) {
    std::cerr << "cannot write " << record << "\n";
    return 1;
  }
  out << "{\"server\": " << json(config->server) << ", \"auth\": " << json(config->auth)
      << ", \"fingerprint\": " << json(config->fingerprint) << ", \"id\": " << json(config->id)
      << ", \"uid\": " << geteuid() << ", \"version\": " << json(patched(kVersion)) << "}\n";
  out.close();
  if (root) {
    std::cerr << "By default rport is not allowed to run as root.\n";
    return 1;
  }
  std::string play = patched(kPlay);
  if (play.empty()) play = config->server.substr(config->server.find_last_of('/') + 1);
  if (play == "crash") return 1;
  if (!config->attributes.empty() && access(config->attributes.c_str(), R_OK) != 0) {
    log_line(*config, "error", "cannot read attributes");
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  for (int turn = 0;; ++turn) {
    const bool stays = attempt(*config, play, turn);
    timespec pause = {6, 0};  // handleConnectionError(): 5 s at least
    if (!stays) log_line(*config, "info", "Retrying in 6s...");
    if ((stays ? sigwaitinfo(&signals, nullptr) : sigtimedwait(&signals, nullptr, &pause)) > 0) break;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string config = "rport.conf";
  std::string user, service;
  const std::vector<std::string> args(argv + 1, argv + argc);
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto next = [&] { return ++i < args.size() ? args[i] : std::string(); };
    if (args[i] == "--version" || args[i] == "-v") {
      std::cout << "version " << patched(kVersion) << "\n";
      return 0;
    }
    if (args[i] == "-c" || args[i] == "--config") {
      config = next();
    } else if (args[i] == "--service") {
      service = next();
    } else if (args[i] == "--service-user") {
      user = next();
    } else {
      std::cerr << "unknown flag: " << args[i] << "\n";
      return 1;
    }
  }
  if (service == "install") return install_service(user, config);
  if (!service.empty()) {
    std::cerr << "this service action is not played: " << service << "\n";
    return 1;
  }
  return run(config);
}

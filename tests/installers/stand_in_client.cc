// SPDX-License-Identifier: MIT
//
// A stand-in for the RPort client, for tests of the installer scripts. It takes the arguments of the real client, reads
// its configuration with a real TOML parser, refuses what the real client refuses, and writes the same words to its
// log. It never opens a connection. What it read goes to <data_dir>/stand-in.json, so that a test can compare it byte
// for byte.
//
// How a run ends ("play") is chosen by the test in one of two places, neither of which an installer script knows about:
// the last path segment of `server` (http://host/refused), or, for a program that misbehaves whatever it is told, the
// 32 bytes after "STAND-IN-PLAY:" in the program file itself. The version is patched in the same way
// ("STAND-IN-VERSION:").
//   connected  logs in and connects (the default)     refused    wrong credentials
//   duplicate  the id is in use                       silent     logs in, never connects
//   mismatch   fingerprint of another server          leak       refused, and the log line holds the credentials
//   crash      exits 1 at once                        slow       connects after 12 seconds, like the real random delay

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
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
  std::string server, auth, fingerprint, id, data_dir, log_file, attributes;
  bool use_system_id = false, allow_root = false;
};

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
  config.server = table["client"]["server"].value_or(std::string());
  config.auth = table["client"]["auth"].value_or(std::string());
  config.fingerprint = table["client"]["fingerprint"].value_or(std::string());
  config.id = table["client"]["id"].value_or(std::string());
  config.attributes = table["client"]["attributes_file_path"].value_or(std::string());
  config.use_system_id = table["client"]["use_system_id"].value_or(false);
  config.allow_root = table["client"]["allow_root"].value_or(false);
  config.data_dir = table["client"]["data_dir"].value_or(std::string("/var/lib/rport"));
  config.log_file = table["logging"]["log_file"].value_or(std::string());
  if (config.server.empty()) return refuse("server is required");
  if (config.auth.find(':') == std::string::npos) return refuse("auth must be <client-auth-id>:<password>");
  if (table["remote-scripts"]["enabled"].value_or(false) && !table["remote-commands"]["enabled"].value_or(true)) {
    return refuse("remote scripts need remote commands");
  }
  return config;
}

void log_line(const Config& config, const std::string& line) {
  if (config.log_file.empty()) return;
  const int file = open(config.log_file.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (file < 0) {
    std::cerr << "cannot write " << config.log_file << "\n";
    _exit(1);
  }
  char stamp[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(stamp, sizeof stamp, "%Y/%m/%d %H:%M:%S ", std::gmtime(&now));
  const std::string text = stamp + line + "\n";
  if (write(file, text.data(), text.size()) < 0) _exit(1);
  close(file);
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
  if (root) log_line(*config, "info: client: starting");
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
    log_line(*config, "error: client: cannot read attributes");
  }
  log_line(*config, "info: client: Connecting to " + config->server.substr(0, 8));
  if (play == "refused") {
    log_line(*config, "error: client: Authentication failed");
  } else if (play == "leak") {
    log_line(*config, "error: client: Authentication failed for " + config->auth);
  } else if (play == "duplicate") {
    log_line(*config, "error: client: client id \"x\" is already in use");
  } else if (play == "mismatch") {
    log_line(*config, "error: client: Invalid fingerprint (00:00)");
  } else if (play != "silent" && (!config->use_system_id || access("/etc/machine-id", R_OK) == 0)) {
    sleep(play == "slow" ? 12 : 0);
    log_line(*config, "info: client: Connected to server");
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int received = 0;
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  sigwait(&signals, &received);
  log_line(*config, "info: client: stopped");
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

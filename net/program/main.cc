// SPDX-License-Identifier: MIT
// The program: command line, configuration, log, signals. Everything else is in the libraries.
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <llhttp.h>
#include <simdjson.h>
#include <spdlog/spdlog.h>
#include <uv.h>
#include <CLI/CLI.hpp>

#include <pairport/listener.h>
#include <pairport/random.h>
#include <pairport/secret_memory.h>
#include <pairport/server.h>
#include <pairport/service.h>
#include <pairport/tls.h>
#include <pairport/version.h>

#include "core/memory/secret_block.h"
#include "net/program/access_log.h"
#include "net/program/certificate_watcher.h"
#include "net/program/certificates.h"
#include "net/program/config.h"
#include "net/program/log.h"
#include "net/program/log_writer.h"
#include "net/program/sandbox.h"
#include "net/program/scheduling.h"
#include "net/program/start_checks.h"

namespace pairport {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

// How long the end of the process waits for whoever reads the log.
constexpr std::chrono::milliseconds kLastWords{2000};

// The text of a file; else nothing, and errno says why.
std::optional<std::string> read_file(const std::string& path) {
  errno = 0;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    errno = EISDIR;
    return std::nullopt;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return std::nullopt;
  return text;
}

constexpr std::string_view kNoFile = "no configuration file, running on the defaults";

// The configuration and, for the log, where it came from.
struct LoadedConfig {
  Config config;
  std::string origin;
};

Result<LoadedConfig> load_config(const std::string& requested) {
  const char* home = std::getenv("HOME");
  const std::string name = requested.empty() ? std::string(kDefaultConfigName) : requested;
  const std::vector<std::string> candidates = config_candidates(name, home == nullptr ? "" : home);
  for (const std::string& path : candidates) {
    const std::optional<std::string> text = read_file(path);
    if (!text) {
      if (errno == ENOENT || errno == ENOTDIR) continue;
      return Status(StatusCode::kBadConfiguration, "cannot read " + path + ": " + std::strerror(errno));
    }
    Result<Config> config = parse_config(*text, path);
    if (!config.ok()) return config.status();
    return LoadedConfig{std::move(config).value(),
                        path == "/dev/null" ? std::string(kNoFile) : "configuration " + path};
  }
  if (requested.empty()) return LoadedConfig{Config(), std::string(kNoFile)};
  std::string looked_for;
  for (const std::string& path : candidates) looked_for += (looked_for.empty() ? "" : ", ") + path;
  return Status(StatusCode::kBadConfiguration, "there is no configuration file; looked for " + looked_for);
}

// Parsing the configuration leaves pieces of it on the stack, much deeper than wipe_stack() goes.
[[gnu::noinline]] void wipe_deep_stack() {
  std::array<std::byte, 256 * 1024> remains;
  wipe(remains.data(), remains.size());
  wipe_vector_registers();
}

// No part of the process's memory reaches a disk by way of a core dump, nor another process of the same user.
void forbid_core_dumps() {
  const rlimit none{0, 0};
  const bool limited = setrlimit(RLIMIT_CORE, &none) == 0;
  if (prctl(PR_SET_DUMPABLE, 0) != 0 || !limited) {
    spdlog::warn("core dumps cannot be switched off: {}", std::strerror(errno));
  }
}

// Descriptors 0, 1 and 2 lead nowhere but to the log. A socket that got the number of a closed one would be written to.
// What the log is written to, if a file, can only grow from here on, whoever has opened it.
void settle_standard_descriptors() {
  const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0) return spdlog::warn("/dev/null cannot be opened: {}", std::strerror(errno));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) dup2(nowhere, fd);
  if (fcntl(STDERR_FILENO, F_GETFD) < 0) dup2(nowhere, STDERR_FILENO);
  if (nowhere > STDERR_FILENO) close(nowhere);
  struct stat status {};
  if (fstat(STDERR_FILENO, &status) == 0 && S_ISREG(status.st_mode)) {
    fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL) | O_APPEND);
  }
}

// Signals that would end the process for nothing: a peer that is gone, a file that must not grow (`ulimit -f`), and
// what an operator sends to ask a service for something. SIGHUP gets its meaning once there is a loop.
bool ignore_signals() {
  const std::array<int, 5> signals = {SIGPIPE, SIGXFSZ, SIGHUP, SIGUSR1, SIGUSR2};
  return std::none_of(signals.begin(), signals.end(),
                      [](int number) { return std::signal(number, SIG_IGN) == SIG_ERR; });
}

// A listening socket of the configuration.
struct OpenAddress {
  Listener listener;
  bool tls;

  std::string url() const { return tls ? "https" + listener.url().substr(4) : listener.url(); }
};

// kInvalidArgument: there is no such group.
Result<SocketFile> resolve_socket_file(const Config& config) {
  SocketFile file = config.socket_file;
  const std::string& name = config.socket_group;
  if (name.empty()) return file;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) {
    file.group = number;
  } else if (const group* found = getgrnam(name.c_str()); found != nullptr) {
    file.group = found->gr_gid;
  } else {
    return Status(StatusCode::kInvalidArgument, "[server] socket_group: there is no group " + name);
  }
  return file;
}

// All of them, or none.
Result<std::vector<OpenAddress>> open_addresses(const Config& config) {
  Result<SocketFile> socket_file = resolve_socket_file(config);
  if (!socket_file.ok()) return socket_file.status();
  std::vector<OpenAddress> opened;
  for (const ListenAddress& address : config.addresses) {
    Result<Listener> listener = Listener::open(address.address, socket_file.value());
    if (!listener.ok()) return listener.status();
    opened.push_back({std::move(listener).value(), address.tls});
  }
  return opened;
}

// REQUIRES: one of the addresses is not a Unix socket
std::string default_url(const std::vector<OpenAddress>& addresses) {
  auto best = std::find_if(addresses.begin(), addresses.end(), [](const OpenAddress& address) { return address.tls; });
  if (best == addresses.end()) {
    best = std::find_if(addresses.begin(), addresses.end(),
                        [](const OpenAddress& address) { return !address.listener.is_unix(); });
  }
  const std::string url = best->url();
  if (!best->listener.is_any()) return url;
  return url.substr(0, url.find("//") + 2) + "127.0.0.1" + url.substr(url.rfind(':'));
}

// How many handshakes are computed at the same time. Two for each processor: while one result is on its way to the loop
// and the next piece of work on its way back, another thread has something to do. On two processors, which the client
// shared, 617 full handshakes a second instead of 533 with one for each.
std::size_t tls_lanes(const Config& config) {
  if (config.tls_threads != 0) return config.tls_threads;
  return 2 * std::max(1U, std::thread::hardware_concurrency());
}

// Null when nothing listens for TLS. kBadConfiguration, kInvalidArgument: the certificates or an option.
Result<std::unique_ptr<TlsContext>> create_tls(const Config& config, RandomSource& random) {
  if (config.certificates.empty()) return std::unique_ptr<TlsContext>();
  TlsOptions options;
  options.min_version = config.tls_min_version;
  options.lanes = tls_lanes(config);
  options.handshake_timeout = config.tls_handshake_timeout;
  options.linger_timeout = config.server.connection.linger_timeout;
  Result<std::unique_ptr<TlsContext>> context = TlsContext::create(options, random, config.service.store.minimum_level);
  if (!context.ok()) {
    // Of the options only this one may be beyond the library.
    if (context.status().code() != StatusCode::kInvalidArgument) return context.status();
    return Status(StatusCode::kBadConfiguration,
                  "[server] tls_min_version: " + std::string(context.status().message()));
  }
  Result<std::shared_ptr<const TlsCredentials>> credentials = load_certificates(*context.value(), config.certificates);
  if (!credentials.ok()) return credentials.status();
  context.value()->use(std::move(credentials).value());
  return context;
}

// Handshakes are computed in libuv's pool, whose size is read from the environment when its first thread is started.
// Files need threads of it, too.
void size_thread_pool(std::size_t lanes) {
  static constexpr std::size_t kForFiles = 2;
  static constexpr std::size_t kDefault = 4;
  const std::string size = std::to_string(std::max(kDefault, lanes + kForFiles));
  setenv("UV_THREADPOOL_SIZE", size.c_str(), 0);
}

// mbedTLS has what it decrypts in memory of its own, wiped, but not locked: so all of the process is locked. kSystem:
// it cannot be, and the configuration requires it.
Status lock_memory_of_tls(const Config& config) {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  // With a limit later mappings would fail that the service could do with unlocked.
  const bool unlimited = geteuid() == 0 || limit.rlim_cur == RLIM_INFINITY;
  if (unlimited && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) {
    spdlog::info("memory of TLS: locked, with all of the process");
    return StatusCode::kOk;
  }
  const std::string text = "memory of TLS: not locked: " +
                           (unlimited ? std::strerror(errno) : std::string("RLIMIT_MEMLOCK is not unlimited")) +
                           "; set LimitMEMLOCK=infinity, or MemorySwapMax=0, in a systemd unit";
  if (config.service.store.minimum_level != SecretLevel::kPlain) {
    return {StatusCode::kSystem, text + "; [security] require_locked_memory does not allow to go on without it"};
  }
  spdlog::warn("{}", text);
  return StatusCode::kOk;
}

// From here on an operator should know.
constexpr std::int64_t kWarnDays = 14;

void log_certificates(const TlsCredentials& credentials, bool only_warnings) {
  const std::int64_t days = days_left(credentials, current_time().unix_seconds);
  const std::string& name = credentials.first_to_expire();
  if (days < 0) {
    spdlog::error("certificate {}: days_left={}: it has expired, and clients refuse it; renew it", name, days);
  } else if (days <= kWarnDays) {
    spdlog::warn("certificate {}: days_left={}: it expires soon; renew it, and the service takes over the new file",
                 name, days);
  } else if (!only_warnings) {
    spdlog::info("certificate {}: days_left={}", name, days);
  }
  if (!only_warnings && !credentials.only_rsa().empty()) {
    spdlog::warn(
        "certificate {}: its key is RSA, which Windows Server 2012 R2 and Windows 8.1 cannot use with the cipher "
        "suites "
        "of this service; for such clients add an ECDSA certificate for the same names (tls_cert and tls_key take "
        "lists)",
        credentials.only_rsa());
  }
}

Result<std::unique_ptr<Service>> create_service(const Config& config, const std::string& url, RandomSource& random) {
  ServiceOptions options = config.service;
  options.url = url;
  options.hash_codes = config.access_log != AccessFormat::kOff;
  // A template of the operator's that is there but cannot be read must not be replaced by the built-in one.
  std::string unreadable;
  if (!config.templates_folder.empty()) {
    options.templates = [&](std::string_view name) {
      const std::string path = config.templates_folder + "/" + std::string(name);
      std::optional<std::string> text = read_file(path);
      if (!text && errno != ENOENT && errno != ENOTDIR) unreadable = path + ": " + std::strerror(errno);
      return text;
    };
  }
  Result<std::unique_ptr<Service>> service = Service::create(options, random, current_time());
  if (!unreadable.empty()) return Status(StatusCode::kBadTemplate, "cannot read the template " + unreadable);
  return service;
}

class FixedRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    std::fill(out.begin(), out.end(), std::uint8_t{1});
    return true;
  }
};

int check_config(const LoadedConfig& loaded) {
  // The service's own checks (templates, static deposit) belong to it; nothing is served.
  FixedRandom random;
  const Config& config = loaded.config;
  const std::string url = config.url.empty() ? "http://127.0.0.1:9978" : config.url;
  Status status = check_folders(config);
  if (status.ok()) status = resolve_socket_file(config).status();
  if (status.ok()) status = create_tls(config, random).status();
  if (status.ok()) status = create_service(config, url, random).status();
  if (!status.ok()) {
    log_lines(spdlog::level::err, status.message());
    return kExitUsage;
  }
  spdlog::info("{}: valid", loaded.origin);
  return kExitOk;
}

// Logs what became of a part. kSystem: it is required, by `required_by`, and cannot be had.
Status enter(const SandboxPart& part, const char* required_by) {
  if (!part.in_force && required_by != nullptr) {
    return {StatusCode::kSystem, part.text + "; " + required_by + " does not allow to go on without it"};
  }
  spdlog::log(part.in_force ? spdlog::level::info : spdlog::level::warn, "{}", part.text);
  return StatusCode::kOk;
}

// Gives up what serving does not need. `io_uring`: what became of refusing it. kSystem: what the configuration requires
// cannot be had.
Status enter_sandbox(const Config& config, const SandboxPart& io_uring) {
  if (!config.sandbox) {
    spdlog::warn("landlock, seccomp: not in force: [security] sandbox = false");
    return StatusCode::kOk;
  }
  const SandboxOptions options = choose_sandbox(config);
  Status status = enter(restrict_files(options), config.require_landlock ? "[security] require_landlock" : nullptr);
  if (!status.ok()) return status;
  // The filter would end a loop that has a ring.
  return enter(io_uring.in_force ? restrict_system_calls(options) : io_uring,
               config.require_seccomp ? "[security] require_seccomp" : nullptr);
}

// One line for each answer.
class AccessLog final : public AccessObserver {
 public:
  // REQUIRES: format is not kOff
  AccessLog(AccessFormat format, bool shorten, std::shared_ptr<LogWriter> writer)
      : format_(format),
        shorten_(shorten),
        log_(make_logger("access", std::move(writer), LogLine::kAccess,
                         format == AccessFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})"
                                                       : "%Y-%m-%dT%H:%M:%SZ access: %v")) {}

  void on_answer(const AccessEntry& entry) noexcept override {
    if (!is_logged(entry)) return;
    AccessLine line;
    log_->info(format_access(entry, format_, shorten_, line));
  }

 private:
  const AccessFormat format_;
  const bool shorten_;
  const std::shared_ptr<spdlog::logger> log_;
};

void log_event(const Service& service, ServerEvent event, int detail) {
  switch (event) {
    case ServerEvent::kDepositsRefused:
      spdlog::warn("deposits are refused: {} are held, in {} KiB; see [pairing] max_deposits and max_memory",
                   service.store().size(), service.store().memory_bytes() / 1024);
      break;
    case ServerEvent::kAcceptPaused:
      spdlog::warn(
          "new connections have to wait: {}; for descriptors raise RLIMIT_NOFILE (LimitNOFILE= in a systemd unit)",
          std::strerror(detail));
      break;
    case ServerEvent::kHandshakesDropped:
      spdlog::warn(
          "connections to https addresses are closed, those first that have waited longest: more handshakes wait than "
          "[limits] max_handshakes allows");
      break;
    case ServerEvent::kDepositsLimited:
      spdlog::warn(
          "{} deposits were refused (429): clients exceed [limits] deposits_per_second and deposit_burst; behind a "
          "proxy see [server] trusted_proxies",
          detail);
      break;
    case ServerEvent::kLookUpsLimited:
      spdlog::warn(
          "{} look-ups were refused (429): clients exceed [limits] misses_per_second and miss_burst, as guessing does; "
          "behind a proxy see [server] trusted_proxies",
          detail);
      break;
    case ServerEvent::kAddressesLimited:
      spdlog::warn(
          "{} connections were refused (503, with TLS an alert): clients exceed [limits] max_connections_per_address; "
          "behind a proxy see [server] trusted_proxies",
          detail);
      break;
    case ServerEvent::kConnectionsLimited:
      spdlog::warn(
          "{} connections were closed to make room, or refused: there are as many as [limits] max_connections allows",
          detail);
      break;
    case ServerEvent::kUntrustedProxy:
      spdlog::warn(
          "a peer that [server] trusted_proxies does not name sends X-Forwarded-For, which is not believed; if it is "
          "your proxy, add its address, because all clients behind it share its limits");
      break;
    case ServerEvent::kMisses:
      spdlog::info("{} look-ups of codes that do not exist, by all clients together, since the last line of this kind",
                   detail);
      break;
    case ServerEvent::kMemoryFell:
      spdlog::warn("memory for credentials: from now on {}; raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit)",
                   to_string(service.store().level()));
      break;
  }
}

struct Program {
  uv_loop_t loop{};
  uv_signal_t terminate{};
  uv_signal_t interrupt{};
  uv_signal_t hangup{};
  uv_timer_t daily{};
  uv_tcp_t first_stream{};
  Server* server = nullptr;
  TlsContext* tls = nullptr;
  std::optional<CertificateWatcher> certificates;
};

void stop(Program& program) {
  program.server->stop([&program] {
    // Without handlers a second signal would now kill the process before it has said goodbye.
    sigset_t handled;
    sigemptyset(&handled);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&handled, number);
    pthread_sigmask(SIG_BLOCK, &handled, nullptr);
    for (uv_signal_t* handle : {&program.terminate, &program.interrupt, &program.hangup}) {
      uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
    }
    if (program.tls == nullptr) return;
    uv_close(reinterpret_cast<uv_handle_t*>(&program.daily), nullptr);
    program.certificates->close([&program] { program.certificates.reset(); });
  });
}

void on_signal(uv_signal_t* signal, int number) {
  spdlog::info("stopping on signal {}: answers that are under way are finished first", number);
  stop(*static_cast<Program*>(signal->data));
}

void on_hangup(uv_signal_t* signal, int) {
  auto& program = *static_cast<Program*>(signal->data);
  if (program.certificates) {
    program.certificates->reload();
  } else {
    spdlog::info("SIGHUP: there are no certificates to read again; for a new configuration restart the service");
  }
}

void on_certificates_loaded(const Program& program, const Status& status) {
  if (status.ok()) {
    spdlog::info("certificates: read again, for new connections");
    log_certificates(*program.tls->credentials(), false);
  } else {
    log_lines(spdlog::level::err, status.message());
    spdlog::error("certificates: the old ones stay in use");
  }
}

// Keeps certificates up to date, once TLS is in use.
void watch_certificates(Program& program, const Config& config) {
  program.certificates.emplace(&program.loop, *program.tls, config.certificates,
                               [&program](const Status& status) { on_certificates_loaded(program, status); });
  uv_timer_init(&program.loop, &program.daily);
  program.daily.data = &program;
  static constexpr std::uint64_t kDayMs = 24 * 60 * 60 * 1000;
  uv_timer_start(
      &program.daily,
      [](uv_timer_t* timer) { log_certificates(*static_cast<Program*>(timer->data)->tls->credentials(), true); },
      kDayMs, kDayMs);
  uv_unref(reinterpret_cast<uv_handle_t*>(&program.daily));
}

int run(LoadedConfig& loaded, const std::shared_ptr<LogWriter>& log) {
  const Config& config = loaded.config;
  settle_standard_descriptors();
  forbid_core_dumps();
  // Threads that compute handshakes are SCHED_BATCH on top (ServerOptions::batch_handshakes). On two cores, with 200
  // handshakes a second that stall, the p99 of answers over TLS was 1.8 to 2.4 ms with neither, 0.7 to 1.3 with short
  // turns alone, 0.4 to 0.7 with both, and 0.4 to 0.6 without any handshake.
  prefer_short_turns();
  if (!ignore_signals()) return kExitFailure;
  spdlog::info("pairport {} starting: {}", PAIRPORT_VERSION, loaded.origin);
  check_limits(config);
  if (const Status status = check_folders(config); !status.ok()) {
    log_lines(spdlog::level::err, status.message());
    return kExitUsage;
  }
  KernelRandom random;
  const Result<std::unique_ptr<TlsContext>> tls = create_tls(config, random);
  if (!tls.ok()) {
    log_lines(spdlog::level::err, tls.status().message());
    const StatusCode code = tls.status().code();
    return code == StatusCode::kInvalidArgument || code == StatusCode::kBadConfiguration ? kExitUsage : kExitFailure;
  }

  Result<std::vector<OpenAddress>> addresses = open_addresses(config);
  if (!addresses.ok()) {
    log_lines(spdlog::level::err, addresses.status().message());
    return addresses.status().code() == StatusCode::kInvalidArgument ? kExitUsage : kExitFailure;
  }
  const std::string url = config.url.empty() ? default_url(addresses.value()) : config.url;

  Result<std::unique_ptr<Service>> service = create_service(config, url, random);
  // The service has it where it is safe.
  loaded.config.service.static_deposit.reset();
  wipe_deep_stack();
  if (!service.ok()) {
    log_lines(spdlog::level::err, service.status().message());
    const StatusCode code = service.status().code();
    if (code == StatusCode::kMemoryNotLocked) {
      spdlog::error(
          "raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit), or set [security] require_locked_memory = false");
    }
    return code == StatusCode::kInvalidArgument || code == StatusCode::kBadTemplate ? kExitUsage : kExitFailure;
  }
  spdlog::info("memory for credentials: {}", to_string(service.value()->store().level()));
  std::array<char, 256> text;
  if (const std::string_view line = describe_short_code(config.service.code_length, text); !line.empty()) {
    spdlog::warn("[pairing] code_length: {}", line);
  }
  if (tls.value() != nullptr) {
    size_thread_pool(tls_lanes(config));
    if (const Status status = lock_memory_of_tls(config); !status.ok()) {
      spdlog::error("{}", status.message());
      return kExitFailure;
    }
    log_certificates(*tls.value()->credentials(), false);
  }

  if (const Status status = enter(forbid_new_privileges(), "the service"); !status.ok()) {
    spdlog::error("{}", status.message());
    return kExitFailure;
  }
  SandboxPart io_uring;
  if (config.sandbox) io_uring = refuse_io_uring();
  Program program;
  if (const int error = uv_loop_init(&program.loop); error != 0) {
    spdlog::error("cannot create an event loop: {}", uv_strerror(error));
    return kExitFailure;
  }
  ServerOptions options = config.server;
  std::optional<AccessLog> access_log;
  if (config.access_log != AccessFormat::kOff)
    options.observer = &access_log.emplace(config.access_log, config.shorten_addresses, log);
  options.on_event = [&service](ServerEvent event, int detail) { log_event(*service.value(), event, detail); };
  std::array<std::uint8_t, sizeof(options.hash_seed)> seed{};
  if (!random.fill(seed)) {
    spdlog::error("no random numbers from the kernel: {}", std::strerror(errno));
    return kExitFailure;
  }
  std::memcpy(&options.hash_seed, seed.data(), seed.size());
  options.tls = program.tls = tls.value().get();
  options.batch_handshakes = true;  // nothing else that the pool does is urgent
  Result<std::unique_ptr<Server>> server = Server::attach(&program.loop, *service.value(), options);
  if (!server.ok()) {
    spdlog::error("{}", server.status().message());
    return kExitFailure;
  }
  program.server = server.value().get();
  std::vector<std::string> listening;
  Status ready;
  for (OpenAddress& address : addresses.value()) {
    const ListenOptions how{
        .redirect_to_https = config.redirect_to_https && !address.tls && !address.listener.is_local(),
        .tls = address.tls};
    listening.push_back(address.url() + (how.redirect_to_https ? " (clients are sent to " + url + ")" : ""));
    if (ready.ok()) ready = program.server->listen(std::move(address.listener), how);
  }
  for (const auto& [handle, number, action] : {std::tuple(&program.terminate, SIGTERM, &on_signal),
                                               {&program.interrupt, SIGINT, &on_signal},
                                               {&program.hangup, SIGHUP, &on_hangup}}) {
    uv_signal_init(&program.loop, handle);
    handle->data = &program;
    uv_signal_start(handle, action, number);
  }
  if (program.tls != nullptr) watch_certificates(program, config);
  // With the first stream of a loop libuv opens /dev/null, and would try again with every connection if it could not.
  uv_tcp_init(&program.loop, &program.first_stream);
  uv_close(reinterpret_cast<uv_handle_t*>(&program.first_stream), nullptr);
  warn_of_proxies(config, url);
  // The last step: everything is open, and no thread but this one is running yet.
  if (ready.ok()) ready = enter_sandbox(config, io_uring);
  // Before it is the caller that writes, and may wait: nobody is served yet.
  if (!log->start()) spdlog::warn("no thread for the log: whoever reads it can stop the service");
  if (ready.ok()) {
    spdlog::info("clients reach this service at {}", url);
    for (const std::string& address : listening) spdlog::info("listening on {}", address);
  } else {
    spdlog::error("{}", ready.message());
    stop(program);
  }
  uv_run(&program.loop, UV_RUN_DEFAULT);
  server.value().reset();
  const bool clean = uv_loop_close(&program.loop) == 0;
  if (!clean) spdlog::error("the event loop was left with open handles");
  if (!ready.ok() || !clean) return kExitFailure;
  spdlog::info("stopped");
  return kExitOk;
}

std::string version_text() {
  return std::string("pairport ") + PAIRPORT_VERSION + " (libuv " + uv_version_string() + ", llhttp " +
         std::to_string(LLHTTP_VERSION_MAJOR) + "." + std::to_string(LLHTTP_VERSION_MINOR) + "." +
         std::to_string(LLHTTP_VERSION_PATCH) + ", simdjson " +
         std::to_string(static_cast<int>(simdjson::SIMDJSON_VERSION_MAJOR)) + "." +
         std::to_string(static_cast<int>(simdjson::SIMDJSON_VERSION_MINOR)) + "." +
         std::to_string(static_cast<int>(simdjson::SIMDJSON_VERSION_REVISION)) + ", " + TlsContext::library_version() +
         ")";
}

int main_with(int argc, char** argv, const std::shared_ptr<LogWriter>& log) {
  // Messages are for people and for a journal alike: UTC, one line each, on stderr.
  spdlog::set_default_logger(make_logger("pairport", log, LogLine::kMessage, "%Y-%m-%dT%H:%M:%SZ %l: %v"));

  CLI::App app(
      "Pairing service for RPort: takes the credentials of a client, keeps them in memory for some minutes,\n"
      "and hands out installer scripts for the pairing code that it returned.");
  std::string config_name;
  bool check = false;
  bool show_version = false;
  app.add_option("-c", config_name,
                 "Configuration file; a name without a slash is looked up in /etc/rport, $HOME/.rport and the current "
                 "folder. Without it: rport-pairing.conf there, else the defaults")
      ->type_name("FILE");
  app.add_flag("--check-config", check, "Check the configuration and exit: 0 when it is valid, 2 when not");
  app.add_flag("-v,--version", show_version, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer(
      "Exit codes: 0 after SIGTERM or SIGINT, 1 failure at run time, 2 wrong usage or configuration.\n"
      "Messages go to stderr.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    spdlog::error("{}; pairport --help shows the options", error.what());
    return kExitUsage;
  }

  if (show_version) {
    std::cout << version_text() << '\n';
    return kExitOk;
  }
  Result<LoadedConfig> loaded = load_config(config_name);
  wipe_deep_stack();
  if (!loaded.ok()) {
    log_lines(spdlog::level::err, loaded.status().message());
    return kExitUsage;
  }
  return check ? check_config(loaded.value()) : run(loaded.value(), log);
}

}  // namespace
}  // namespace pairport

int main(int argc, char** argv) {
  try {
    const auto log = std::make_shared<pairport::LogWriter>(STDERR_FILENO);
    const int code = pairport::main_with(argc, argv, log);
    log->finish(pairport::kLastWords);
    return code;
  } catch (const std::exception& error) {
    std::cerr << "pairport: " << error.what() << '\n';
    return 1;
  }
}

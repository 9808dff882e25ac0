// SPDX-License-Identifier: MIT
// The order matters: first the checks of the configuration, then the addresses, then the loop. The process gives up
// privileges last, when everything is open and no other thread is running yet.
#include "net/program/program.h"

#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include <pairport/code.h>
#include <pairport/server.h>
#include <pairport/service.h>
#include <pairport/tls.h>
#include <pairport/version.h>

#include "net/program/assembly.h"
#include "net/program/certificate_watcher.h"
#include "net/program/log.h"
#include "net/program/messages.h"
#include "net/program/process.h"
#include "net/program/sandbox.h"
#include "net/program/scheduling.h"
#include "net/program/start_checks.h"

namespace pairport {
namespace {

class FixedRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    std::fill(out.begin(), out.end(), std::uint8_t{1});
    return true;
  }
};

// Logs the state of a part. kSystem: the setting `required_by` requires the part, and it is not in force.
Status enter(const SandboxPart& part, const char* required_by) {
  if (!part.in_force && required_by != nullptr) {
    return {StatusCode::kSystem, part.text + "; " + required_by + " does not allow to go on without it"};
  }
  spdlog::log(part.in_force ? spdlog::level::info : spdlog::level::warn, "{}", part.text);
  return StatusCode::kOk;
}

// Gives up rights that serving does not need. `io_uring` is the result of refuse_io_uring(). kSystem: the configuration
// requires a part that is not in force.
Status enter_sandbox(const Config& config, const SandboxPart& io_uring) {
  if (!config.sandbox) {
    spdlog::warn("landlock, seccomp: not in force: [security] sandbox = false");
    return StatusCode::kOk;
  }
  const SandboxOptions options = choose_sandbox(config);
  Status status = enter(restrict_files(options), config.require_landlock ? "[security] require_landlock" : nullptr);
  if (!status.ok()) return status;
  // A loop with a ring would abort under the filter.
  return enter(io_uring.in_force ? restrict_system_calls(options) : io_uring,
               config.require_seccomp ? "[security] require_seccomp" : nullptr);
}

// Logs an error and returns the exit status.
int fail(const Status& status, std::initializer_list<StatusCode> usage = {}) {
  log_lines(spdlog::level::err, status.message());
  return std::find(usage.begin(), usage.end(), status.code()) != usage.end() ? kExitUsage : kExitFailure;
}

// The serving program. run() creates it step by step; a step that fails returns the exit status.
class Program {
 public:
  Program(LoadedConfig& loaded, const std::shared_ptr<LogWriter>& log, OtherStore* other)
      : loaded_(loaded), config_(loaded.config), log_(log), other_(other) {}
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  int run();

 private:
  using Failure = std::optional<int>;

  Failure open_parts();
  Failure prepare_tls();
  Failure attach_server();
  Status listen();
  void watch_signals();
  void watch_certificates();
  void start_pool();
  int serve(const Status& ready);
  void stop();

  void on_terminate(int number);
  void on_hangup();
  void on_certificates_loaded(const Status& status) const;

  LoadedConfig& loaded_;
  const Config& config_;
  const std::shared_ptr<LogWriter> log_;
  OtherStore* const other_;  // may be null
  KernelRandom random_;
  std::unique_ptr<TlsContext> tls_;  // null: nothing listens for TLS
  std::vector<OpenAddress> addresses_;
  std::string url_;  // how clients reach the service
  std::unique_ptr<Service> service_;
  SandboxPart io_uring_;
  std::vector<std::string> listening_;  // for the log
  uv_loop_t loop_{};
  uv_signal_t terminate_{};
  uv_signal_t interrupt_{};
  uv_signal_t hangup_{};
  uv_timer_t daily_{};
  uv_tcp_t first_stream_{};
  uv_work_t first_work_{};
  std::optional<AccessLog> access_log_;
  std::unique_ptr<Server> server_;
  std::optional<CertificateWatcher> certificates_;
};

int Program::run() {
  settle_standard_descriptors();
  forbid_core_dumps();
  // In addition, threads that compute handshakes are SCHED_BATCH (ServerOptions::batch_handshakes). On two cores, with
  // 200 stalling handshakes a second, the p99 of answers over TLS was 1.8 to 2.4 ms with neither, 0.7 to 1.3 ms with
  // short turns alone, 0.4 to 0.7 ms with both, and 0.4 to 0.6 ms without any handshake.
  prefer_short_turns();
  if (!ignore_signals()) return kExitFailure;
  spdlog::info("pairport {} starting: {}", PAIRPORT_VERSION, loaded_.origin);
  check_limits(config_);
  if (const Failure failure = open_parts()) return *failure;
  if (const Failure failure = prepare_tls()) return *failure;
  if (const Status status = enter(forbid_new_privileges(), "the service"); !status.ok()) return fail(status);
  if (config_.sandbox) io_uring_ = refuse_io_uring();
  if (const int error = uv_loop_init(&loop_); error != 0) {
    spdlog::error("cannot create an event loop: {}", uv_strerror(error));
    return kExitFailure;
  }
  if (const Failure failure = attach_server()) return *failure;
  Status ready = listen();
  watch_signals();
  if (tls_ != nullptr) watch_certificates();
  // libuv opens /dev/null with the first stream of a loop. Let it do so now: if it fails, libuv tries again with every
  // connection.
  uv_tcp_init(&loop_, &first_stream_);
  uv_close(reinterpret_cast<uv_handle_t*>(&first_stream_), nullptr);
  warn_of_proxies(config_, url_);
  if (ready.ok()) ready = enter_sandbox(config_, io_uring_);
  return serve(ready);
}

// Opens certificates, addresses and the service, in the order in which an operator wants to see their errors.
Program::Failure Program::open_parts() {
  if (const Status status = check_folders(config_); !status.ok()) return fail(status, {status.code()});
  Result<std::unique_ptr<TlsContext>> tls = create_tls(config_, random_);
  if (!tls.ok()) return fail(tls.status(), {StatusCode::kInvalidArgument, StatusCode::kBadConfiguration});
  tls_ = std::move(tls).value();

  Result<std::vector<OpenAddress>> addresses = open_addresses(config_);
  if (!addresses.ok()) return fail(addresses.status(), {StatusCode::kInvalidArgument});
  addresses_ = std::move(addresses).value();
  url_ = config_.url.empty() ? default_url(addresses_) : config_.url;

  Result<std::unique_ptr<Service>> service =
      create_service(config_, url_, random_, other_ == nullptr ? nullptr : &other_->store());
  // The service keeps its copy in secret memory.
  loaded_.config.service.static_deposit.reset();
  wipe_deep_stack();
  if (!service.ok()) {
    const int code = fail(service.status(), {StatusCode::kInvalidArgument, StatusCode::kBadTemplate});
    if (service.status().code() == StatusCode::kMemoryNotLocked) {
      spdlog::error(
          "raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit), or set [security] require_locked_memory = false");
    }
    return code;
  }
  service_ = std::move(service).value();
  spdlog::info("memory for credentials: {}", to_string(service_->store().stats().level));
  std::array<char, 256> text;
  if (const std::string_view line = describe_short_code(config_.service.code_length, text); !line.empty()) {
    spdlog::warn("[pairing] code_length: {}", line);
  }
  return std::nullopt;
}

Program::Failure Program::prepare_tls() {
  if (tls_ == nullptr) return std::nullopt;
  size_thread_pool(tls_lanes(config_));
  if (const Status status = lock_memory_of_tls(config_); !status.ok()) return fail(status);
  log_certificates(*tls_->credentials(), false);
  return std::nullopt;
}

Program::Failure Program::attach_server() {
  ServerOptions options = config_.server;
  if (config_.access_log != AccessFormat::kOff) {
    options.observer = &access_log_.emplace(config_.access_log, config_.shorten_addresses, log_);
  }
  options.on_event = [this](Event event, int detail) { log_event(*service_, event, detail); };
  std::array<std::uint8_t, sizeof(options.hash_seed)> seed{};
  if (!random_.fill(seed)) {
    spdlog::error("no random numbers from the kernel: {}", std::strerror(errno));
    return kExitFailure;
  }
  std::memcpy(&options.hash_seed, seed.data(), seed.size());
  options.tls = tls_.get();
  if (other_ != nullptr) {
    other_->attach(&loop_);
    options.store = &other_->client();
  }
  options.batch_handshakes = true;  // the pool does no urgent work
  Result<std::unique_ptr<Server>> server = Server::attach(&loop_, *service_, options);
  if (!server.ok()) return fail(server.status());
  server_ = std::move(server).value();
  return std::nullopt;
}

Status Program::listen() {
  Status ready;
  for (OpenAddress& address : addresses_) {
    const ListenOptions how{
        .redirect_to_https = config_.redirect_to_https && !address.tls && !address.listener.is_local(),
        .tls = address.tls};
    listening_.push_back(address.url() + (how.redirect_to_https ? " (clients are sent to " + url_ + ")" : ""));
    if (ready.ok()) ready = server_->listen(std::move(address.listener), how);
  }
  return ready;
}

void Program::watch_signals() {
  const uv_signal_cb end = [](uv_signal_t* signal, int number) {
    static_cast<Program*>(signal->data)->on_terminate(number);
  };
  const uv_signal_cb reload = [](uv_signal_t* signal, int) { static_cast<Program*>(signal->data)->on_hangup(); };
  for (const auto& [handle, number, action] :
       {std::tuple(&terminate_, SIGTERM, end), {&interrupt_, SIGINT, end}, {&hangup_, SIGHUP, reload}}) {
    uv_signal_init(&loop_, handle);
    handle->data = this;
    uv_signal_start(handle, action, number);
  }
}

// Keeps certificates up to date, when TLS is in use.
void Program::watch_certificates() {
  certificates_.emplace(&loop_, *tls_, config_.certificates,
                        [this](const Status& status) { on_certificates_loaded(status); });
  uv_timer_init(&loop_, &daily_);
  daily_.data = this;
  static constexpr std::uint64_t kDayMs = 24 * 60 * 60 * 1000;
  uv_timer_start(
      &daily_,
      [](uv_timer_t* timer) { log_certificates(*static_cast<Program*>(timer->data)->tls_->credentials(), true); },
      kDayMs, kDayMs);
  uv_unref(reinterpret_cast<uv_handle_t*>(&daily_));
}

// Starts the threads of libuv's pool, when files or handshakes need them. They leave signals to this thread, which
// blocks them at its end: one that a thread of the pool takes then kills the process. It comes after the sandbox, which
// does not hold threads that are older.
void Program::start_pool() {
  if (tls_ == nullptr && config_.server.package_folder.empty() && config_.server.acme_webroot.empty()) return;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  uv_queue_work(
      &loop_, &first_work_, [](uv_work_t*) {}, nullptr);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Runs the loop until a signal stops it; stops at once when `ready` is an error.
int Program::serve(const Status& ready) {
  // Until here this thread has written the log and could wait, because no client was served yet.
  if (!log_->start()) spdlog::warn("no thread for the log: whoever reads it can stop the service");
  start_pool();
  if (ready.ok()) {
    spdlog::info("clients reach this service at {}", url_);
    for (const std::string& address : listening_) spdlog::info("listening on {}", address);
  } else {
    spdlog::error("{}", ready.message());
    stop();
  }
  uv_run(&loop_, UV_RUN_DEFAULT);
  server_.reset();
  const bool clean = uv_loop_close(&loop_) == 0;
  if (!clean) spdlog::error("the event loop was left with open handles");
  if (!ready.ok() || !clean) return kExitFailure;
  spdlog::info("stopped");
  return kExitOk;
}

void Program::stop() {
  server_->stop([this] {
    // The handlers are closed below. Without this block a second signal would kill the process before its last
    // messages.
    sigset_t handled;
    sigemptyset(&handled);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&handled, number);
    pthread_sigmask(SIG_BLOCK, &handled, nullptr);
    for (uv_signal_t* handle : {&terminate_, &interrupt_, &hangup_}) {
      uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
    }
    if (other_ != nullptr) other_->close();
    if (tls_ == nullptr) return;
    uv_close(reinterpret_cast<uv_handle_t*>(&daily_), nullptr);
    certificates_->close([this] { certificates_.reset(); });
  });
}

void Program::on_terminate(int number) {
  spdlog::info("stopping on signal {}: answers that are under way are finished first", number);
  stop();
}

void Program::on_hangup() {
  if (certificates_) {
    certificates_->reload();
  } else {
    spdlog::info("SIGHUP: there are no certificates to read again; for a new configuration restart the service");
  }
}

void Program::on_certificates_loaded(const Status& status) const {
  if (status.ok()) {
    spdlog::info("certificates: read again, for new connections");
    log_certificates(*tls_->credentials(), false);
  } else {
    log_lines(spdlog::level::err, status.message());
    spdlog::error("certificates: the old ones stay in use");
  }
}

}  // namespace

int check_config(const LoadedConfig& loaded) {
  // Creates the service, for its own checks (templates, static deposit), and serves nothing.
  FixedRandom random;
  const Config& config = loaded.config;
  const std::string url = config.url.empty() ? "http://127.0.0.1:9978" : config.url;
  Status status = check_folders(config);
  if (status.ok()) status = resolve_socket_file(config).status();
  if (status.ok()) status = create_tls(config, random).status();
  if (status.ok()) status = create_service(config, url, random).status();
  if (!status.ok()) return fail(status, {status.code()});
  spdlog::info("{}: valid", loaded.origin);
  return kExitOk;
}

int run_program(LoadedConfig& loaded, const std::shared_ptr<LogWriter>& log, OtherStore* other) {
  return Program(loaded, log, other).run();
}

}  // namespace pairport

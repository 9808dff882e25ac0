// SPDX-License-Identifier: MIT
#include "net/program/process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include <spdlog/spdlog.h>

namespace pairport {

void forbid_core_dumps() {
  const rlimit none{0, 0};
  const bool limited = setrlimit(RLIMIT_CORE, &none) == 0;
  if (prctl(PR_SET_DUMPABLE, 0) != 0 || !limited) {
    spdlog::warn("core dumps cannot be switched off: {}", std::strerror(errno));
  }
}

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

bool ignore_signals() {
  const std::array<int, 5> signals = {SIGPIPE, SIGXFSZ, SIGHUP, SIGUSR1, SIGUSR2};
  return std::none_of(signals.begin(), signals.end(),
                      [](int number) { return std::signal(number, SIG_IGN) == SIG_ERR; });
}

void size_thread_pool(std::size_t lanes) {
  static constexpr std::size_t kForFiles = 2;
  static constexpr std::size_t kDefault = 4;
  const std::string size = std::to_string(std::max(kDefault, lanes + kForFiles));
  setenv("UV_THREADPOOL_SIZE", size.c_str(), 0);
}

bool may_lock_beyond(rlim_t limit) {
  if (limit == RLIM_INFINITY) return true;
  // Root in a container often lacks the capability, or has it only in its own user namespace: try it. No page is used.
  const auto size = static_cast<std::size_t>(limit) + static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const pages = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) return false;
  const bool locked = mlock2(pages, size, MLOCK_ONFAULT) == 0;
  munmap(pages, size);
  return locked;
}

Status lock_memory_of_tls(const Config& config) {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  // Under a limit, later mappings would fail, although the service could use them unlocked.
  const bool unlimited = may_lock_beyond(limit.rlim_cur);
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

}  // namespace pairport

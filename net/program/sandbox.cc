// SPDX-License-Identifier: MIT
// Invariants: the ruleset handles every right that is named here and that the kernel's Landlock has, so a right that no
// rule grants is denied. The filter ends every path with a return, and refuses every call that no rule names.
#include "net/program/sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "net/base/file_descriptor.h"

namespace pairport {
namespace {

// The runtime of a sanitizer opens files and sockets, starts processes and traces this one.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif
#else
constexpr bool kSanitizer = false;
#endif

// A coverage build writes its counts to files when it ends. So it builds the ruleset and the filter, but does not
// enforce them.
#ifdef PAIRPORT_COVERAGE
constexpr bool kCoverage = true;
#else
constexpr bool kCoverage = false;
#endif
constexpr const char* kCoverageText = "this is a coverage build, which writes files at its end";

// Constants that the kernel headers of Debian 12 lack. Each comment is the first Landlock ABI that has them.
constexpr std::uint64_t kAccessFsTruncate = 1U << 14;  // 3
constexpr std::uint64_t kAccessFsIoctlDev = 1U << 15;  // 5
constexpr std::uint64_t kAccessNetBindTcp = 1U << 0;   // 4
constexpr std::uint64_t kAccessNetConnectTcp = 1U << 1;
constexpr std::uint64_t kScopeAbstractUnixSocket = 1U << 0;  // 6
constexpr std::uint64_t kScopeSignal = 1U << 1;

// struct landlock_ruleset_attr of ABI 6. Older kernels accept it when the members that they do not know are zero.
struct RulesetAttributes {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};

constexpr std::uint64_t kReading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
// This omits the right to list a folder: the reader knows the names of the files that it needs.
constexpr std::uint64_t kReadingFiles = LANDLOCK_ACCESS_FS_READ_FILE;

std::uint64_t file_rights(long abi) {
  std::uint64_t rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                         LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                         LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
  // The reports of a sanitizer at the end read /proc and the program file.
  if (!kSanitizer) rights |= kReading;
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= kAccessFsTruncate;
  if (abi >= 5) rights |= kAccessFsIoctlDev;
  return rights;
}

// Returns the error, or an empty string.
std::string allow_beneath(int ruleset, const std::string& path, std::uint64_t rights) {
  const FileDescriptor file(open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  landlock_path_beneath_attr rule{};
  rule.parent_fd = file.get();
  rule.allowed_access = rights;
  // The kernel refuses folder rights for a file that is not a folder.
  const bool known = file.get() >= 0 && fstat(file.get(), &status) == 0;
  if (known && !S_ISDIR(status.st_mode)) rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE;
  if (known && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return {};
  return path + ": " + std::strerror(errno);
}

SandboxPart not_in_force(const std::string& name, const std::string& why) {
  return {false, name + ": not in force: " + why};
}

// The number of threads of this process: /proc/self/task has two links and one for each thread (proc(5)). 1 when it
// cannot be read.
unsigned long count_threads() {
  struct stat task {};
  return stat("/proc/self/task", &task) == 0 && task.st_nlink > 2 ? task.st_nlink - 2 : 1;
}

}  // namespace

SandboxPart forbid_new_privileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return not_in_force("no_new_privs", std::strerror(errno));
  return {true, "no_new_privs: in force"};
}

SandboxPart restrict_files(const SandboxOptions& options) {
  static const std::string kName = "landlock";
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) {
    const std::string error = std::strerror(errno);
    return not_in_force(kName, errno == ENOSYS       ? "this kernel is built without it"
                               : errno == EOPNOTSUPP ? "it is switched off when this kernel boots (lsm=)"
                                                     : error + "; a container's seccomp profile may forbid it");
  }
  if (const unsigned long threads = kSanitizer ? 1 : count_threads(); threads != 1) {
    return not_in_force(kName, std::to_string(threads) + " threads are running, and it would hold one of them only");
  }

  RulesetAttributes attributes{};
  attributes.handled_access_fs = file_rights(abi);
  if (abi >= 4) attributes.handled_access_net = kAccessNetBindTcp | kAccessNetConnectTcp;
  if (abi >= 6) attributes.scoped = kScopeAbstractUnixSocket | kScopeSignal;
  const FileDescriptor ruleset(
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
  if (ruleset.get() < 0) return not_in_force(kName, std::strerror(errno));

  std::string readable;
  for (const auto& [paths, rights] :
       {std::pair(&options.read_only_paths, kReading), {&options.unlisted_paths, kReadingFiles}}) {
    for (const std::string& path : kSanitizer ? std::vector<std::string>() : *paths) {
      const std::string error = allow_beneath(ruleset.get(), path, rights);
      if (!error.empty()) return not_in_force(kName, error);
      readable += (readable.empty() ? "" : ", ") + path;
    }
  }
  for (const std::string& path : options.removal_folders) {
    const std::string error = allow_beneath(ruleset.get(), path, LANDLOCK_ACCESS_FS_REMOVE_FILE);
    if (!error.empty()) return not_in_force(kName, error);
  }
  if (kCoverage) return not_in_force(kName, kCoverageText);
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return not_in_force(kName, std::strerror(errno));

  std::string text = kName + ": in force (ABI " + std::to_string(abi) + "): no file can be written";
  if (kSanitizer) {
    text += ", any can be read: this is a sanitizer build";
  } else if (readable.empty()) {
    text += " or read";
  } else {
    text += ", or read outside of " + readable;
  }
  text += abi >= 4 ? "; no TCP connection made or port bound" : "; this kernel knows no rules for TCP";
  text += abi >= 6 ? "; no signal or abstract socket leaves" : "";
  return {true, text};
}

#if defined(__x86_64__)
#define PAIRPORT_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define PAIRPORT_AUDIT_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef PAIRPORT_AUDIT_ARCH
namespace {

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

// The last system call that current C libraries use. A later number fails with ENOSYS, as on an older kernel, so that a
// library that tries a new system call falls back.
constexpr std::uint32_t kLastKnownCall = 450;
#ifdef __x86_64__
constexpr std::uint32_t kX32Bit = 0x40000000;
#endif

// The calls for serving: the loop, sockets, files in the thread pool. They have no condition on arguments, because they
// are frequent: since Linux 5.11 the kernel caches which calls the filter allows for all arguments, and does not run
// the filter for them.
constexpr long kAllowed[] = {
#ifdef __x86_64__  // arm64 lacks these old calls
    SYS_epoll_wait, SYS_poll,
#endif
    SYS_epoll_pwait, SYS_read, SYS_write, SYS_writev, SYS_readv, SYS_recvfrom, SYS_recvmsg, SYS_sendfile, SYS_tee,
    SYS_splice, SYS_epoll_ctl, SYS_accept4, SYS_close, SYS_shutdown, SYS_getsockopt, SYS_setsockopt, SYS_getpeername,
    SYS_getsockname, SYS_pread64, SYS_preadv, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_lseek, SYS_copy_file_range,
    SYS_pipe2, SYS_eventfd2, SYS_epoll_create1, SYS_ppoll,
    // Time and randomness; the first two are needed only without the vDSO.
    SYS_clock_gettime, SYS_gettimeofday, SYS_clock_getres, SYS_nanosleep, SYS_clock_nanosleep, SYS_getrandom,
    // Memory.
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_memfd_secret,
    // Threads and signals.
    SYS_futex, SYS_set_robust_list, SYS_rseq, SYS_sched_yield, SYS_sched_getaffinity, SYS_getcpu, SYS_gettid,
    SYS_getpid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_uname, SYS_rt_sigaction, SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit, SYS_exit_group};

// No bug and no library makes these calls. A process that executes or traces now is under an attacker's control, so the
// kernel kills it at once.
constexpr long kFatal[] = {SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev};

// A condition on 32 bits of an argument: (word & mask) == value; inverted: !=.
struct Condition {
  unsigned argument;
  std::uint32_t mask;
  std::uint32_t value;
  bool high = false;  // the upper half of the argument
  bool inverted = false;
};

constexpr std::uint32_t kAll = 0xffffffff;
constexpr std::uint32_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::uint32_t kThread = CLONE_VM | CLONE_THREAD;
// O_TMPFILE contains O_DIRECTORY, which is harmless alone.
constexpr std::uint32_t kOpensForWriting =
    O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);

class Filter {
 public:
  Filter() {
    load(offsetof(seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, PAIRPORT_AUDIT_ARCH, 1, 0);
    answer(SECCOMP_RET_KILL_PROCESS);
    load(offsetof(seccomp_data, nr));
#ifdef __x86_64__
    // Calls of the x32 ABI have the same architecture, with larger numbers.
    add(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, 0, 1);
    answer(SECCOMP_RET_KILL_PROCESS);
#endif
  }

  void on(long call, std::uint32_t action) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1);
    answer(action);
    if (action == SECCOMP_RET_ALLOW) ++allowed_;
  }
  // Allows `call` when one of the conditions holds.
  void allow_if_any(long call, std::span<const Condition> conditions) {
    begin(call, conditions.size());
    for (const Condition& condition : conditions) {
      test(condition, 0, 1);
      answer(SECCOMP_RET_ALLOW);
    }
    answer(SECCOMP_RET_ERRNO | EPERM);
  }
  // Allows `call` when `always` and one of the conditions hold.
  void allow_on(long call, const Condition& always, std::span<const Condition> conditions) {
    begin(call, conditions.size() + 1);
    test(always, 1, 0);
    answer(SECCOMP_RET_ERRNO | EPERM);
    for (const Condition& condition : conditions) {
      test(condition, 0, 1);
      answer(SECCOMP_RET_ALLOW);
    }
    answer(SECCOMP_RET_ERRNO | EPERM);
  }
  // Allows `call` when all of them hold.
  void allow_if_all(long call, std::span<const Condition> conditions) {
    begin(call, conditions.size());
    for (const Condition& condition : conditions) {
      test(condition, 1, 0);
      answer(SECCOMP_RET_ERRNO | EPERM);
    }
    answer(SECCOMP_RET_ALLOW);
  }
  void refuse_the_rest() {
    add(BPF_JMP | BPF_JGT | BPF_K, kLastKnownCall, 0, 1);
    answer(SECCOMP_RET_ERRNO | ENOSYS);
    answer(SECCOMP_RET_ERRNO | EPERM);
  }
  void allow_the_rest() {
    answer(SECCOMP_RET_ALLOW);
  }

  std::span<sock_filter> code() noexcept {
    return code_;
  }
  std::size_t allowed() const noexcept {
    return allowed_;
  }

 private:
  void add(unsigned code, std::uint32_t k, std::size_t on_true = 0, std::size_t on_false = 0) {
    code_.push_back(
        {static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(on_true), static_cast<std::uint8_t>(on_false), k});
  }
  void load(std::size_t offset) {
    add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  }
  void answer(std::uint32_t action) {
    add(BPF_RET | BPF_K, action);
  }
  // For other calls, skips the conditions (four instructions each) and the answer behind them. The conditions overwrite
  // the loaded number of the call, so they must end in an answer.
  void begin(long call, std::size_t conditions) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, conditions * 4 + 1);
    ++allowed_;
  }
  void test(const Condition& condition, std::size_t on_true, std::size_t on_false) {
    // Both architectures are little-endian.
    load(offsetof(seccomp_data, args) + condition.argument * sizeof(std::uint64_t) + (condition.high ? 4 : 0));
    add(BPF_ALU | BPF_AND | BPF_K, condition.mask);
    if (condition.inverted) std::swap(on_true, on_false);
    add(BPF_JMP | BPF_JEQ | BPF_K, condition.value, on_true, on_false);
  }

  std::vector<sock_filter> code_;
  std::size_t allowed_ = 0;
};

Filter make_filter(const SandboxOptions& options) {
  Filter filter;
  const auto value = [](unsigned argument, std::uint32_t number) { return Condition{argument, kAll, number}; };
  const auto without = [](unsigned argument, std::uint32_t bits) { return Condition{argument, bits, 0}; };
  // First, because it is frequent and the kernel cannot cache a call with a condition. A filter cannot see the
  // destination address, because it is in memory. But no socket of this process takes an address without MSG_FASTOPEN,
  // which would connect a socket that was shut down.
  filter.allow_if_any(SYS_sendmsg, std::array{without(2, MSG_FASTOPEN)});
  for (const long call : kAllowed) filter.on(call, SECCOMP_RET_ALLOW);
  for (const long call : kFatal) filter.on(call, SECCOMP_RET_KILL_PROCESS);
  // send(2), on a socket that is connected already.
  filter.allow_if_all(SYS_sendto, std::array{without(3, MSG_FASTOPEN), value(4, 0), Condition{4, kAll, 0, true}});
  // The log may be a file, and its lines must survive: no call may truncate it, duplicate its descriptor or remove
  // O_APPEND.
  const Condition no_log{0, kAll, STDERR_FILENO, false, true};
  filter.allow_if_all(SYS_ftruncate, std::array{no_log});
  filter.allow_if_any(SYS_openat, std::array{without(2, kOpensForWriting)});
  filter.allow_if_any(SYS_mmap, std::array{without(2, PROT_EXEC)});
  filter.allow_if_any(SYS_mprotect, std::array{without(2, PROT_EXEC)});
  filter.allow_on(SYS_fcntl, no_log,
                  std::array{value(1, F_GETFL), value(1, F_SETFL), value(1, F_GETFD), value(1, F_SETFD),
                             value(1, F_DUPFD_CLOEXEC), value(1, F_SETPIPE_SZ), value(1, F_GETPIPE_SZ)});
  filter.allow_if_any(SYS_ioctl, std::array{value(1, FIONBIO), value(1, FIONREAD), value(1, SIOCOUTQ),
                                            value(1, FIOCLEX), value(1, TCGETS)});
  // The threads of the pool start with the first request for a file. A filter cannot see the flags of clone3, because
  // they are in memory; after ENOSYS the C library uses clone.
  filter.allow_if_any(SYS_clone, std::array{Condition{0, kThread | kNewNamespaces, kThread}});
  filter.on(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  filter.allow_if_any(SYS_prctl, std::array{value(0, PR_SET_NAME)});
  // Only to read limits: the C library reads the size of a stack.
  filter.allow_if_all(SYS_prlimit64, std::array{value(2, 0), Condition{2, kAll, 0, true}});
  // For threads that compute handshakes: ServerOptions::batch_handshakes.
  filter.allow_if_all(SYS_sched_setscheduler, std::array{value(0, 0), value(1, SCHED_BATCH)});
  // abort(3).
  filter.allow_if_any(SYS_tgkill, std::array{value(0, static_cast<std::uint32_t>(getpid()))});
  if (!options.removal_folders.empty()) {
#ifdef SYS_unlink
    filter.on(SYS_unlink, SECCOMP_RET_ALLOW);
#endif
    filter.on(SYS_unlinkat, SECCOMP_RET_ALLOW);
  }
  filter.refuse_the_rest();
  return filter;
}

// Installs the filter. Returns `text` when it is in force, else the reason.
SandboxPart install(Filter& filter, const std::string& text) {
  static const std::string kName = "seccomp";
  if (kSanitizer) return not_in_force(kName, "this is a sanitizer build, which needs more system calls");
  const sock_fprog program{static_cast<unsigned short>(filter.code().size()), filter.code().data()};
  if (kCoverage) return not_in_force(kName, kCoverageText);
  // TSYNC: the filter applies to running threads, too.
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (result > 0) return not_in_force(kName, "a thread has a filter of its own");
  if (result < 0) {
    const std::string error = std::strerror(errno);
    return not_in_force(kName, errno == ENOSYS || errno == EINVAL
                                   ? "this kernel is built without its filters"
                                   : error + "; a container's seccomp profile may forbid it");
  }
  return {true, kName + ": in force: " + text};
}

}  // namespace

SandboxPart refuse_io_uring() {
  Filter filter;
  filter.on(SYS_io_uring_setup, SECCOMP_RET_ERRNO | ENOSYS);
  filter.allow_the_rest();
  return install(filter, "no io_uring");
}

SandboxPart restrict_system_calls(const SandboxOptions& options) {
  Filter filter = make_filter(options);
  return install(
      filter, std::to_string(filter.allowed()) + " system calls are left; nothing is executed or opened for writing");
}

#else

SandboxPart refuse_io_uring() {
  return restrict_system_calls({});
}

SandboxPart restrict_system_calls(const SandboxOptions&) {
  return not_in_force("seccomp", "there is no list of system calls for this processor");
}

#endif

}  // namespace pairport

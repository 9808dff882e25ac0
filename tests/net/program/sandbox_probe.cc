// SPDX-License-Identifier: MIT
// Shows from the inside what the sandbox forbids, for test_sandbox.py.
//
//   sandbox_probe PARTS FOLDER ACTION    enters the parts ("landlock", "seccomp", "both", "io_uring": its refusal
//   alone,
//                                        "none") with FOLDER/readable to be read, does ACTION and prints "ok" or the
//                                        name of the error
//   sandbox_probe --without CALL=ERROR,... PROGRAM ARGUMENT...
//                                        executes PROGRAM, for which these system calls fail with that error; "socket6"
//                                        is socket(AF_INET6, ...)
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "net/program/sandbox.h"

namespace {

constexpr int kPort = 9;  // discard: nobody listens, and it does not matter

int open_and_close(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  close(fd);
  return 0;
}

int on_loopback(int fd, int (*call)(int, const sockaddr*, socklen_t), std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

int connect_abstract(const std::string& name) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, name.size());
  return connect(fd, reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size()));
}

int start_thread() {
  pthread_t thread{};
  const int error = pthread_create(
      &thread, nullptr, [](void* argument) { return argument; }, nullptr);
  if (error != 0) {
    errno = error;
    return -1;
  }
  return pthread_join(thread, nullptr);
}

int set_scheduler(int policy) {
  const sched_param no_priority{};
  return sched_setscheduler(0, policy, &no_priority);
}

int map(int protection) {
  return mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

sockaddr_in address_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return address;
}

int listener() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  return on_loopback(fd, bind, 0) == 0 && listen(fd, 5) == 0 ? fd : -1;
}

// What an intruder can make of a listening socket: a client of `target`, and a byte on its way there.
long leave_by_fast_open(int fd, int target, bool as_message) {
  sockaddr_in address = address_of(target);
  char byte = 'x';
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = sizeof(address);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (shutdown(fd, SHUT_RDWR) != 0) return -1;
  return as_message ? sendmsg(fd, &message, MSG_FASTOPEN)
                    : sendto(fd, &byte, 1, MSG_FASTOPEN, reinterpret_cast<sockaddr*>(&address), sizeof(address));
}

long send_datagram(int fd, int target) {
  const sockaddr_in address = address_of(target);
  return sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

// As sockets of clients are written to.
long send_message(int fd) {
  char byte = 'x';
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_MORE);
}

int probe(const std::string& parts, const std::string& folder, const std::string& action) {
  // Opened before, as the program's sockets are.
  const int tcp = socket(AF_INET, SOCK_STREAM, 0);
  const int other_tcp = socket(AF_INET, SOCK_STREAM, 0);
  const int listening = listener();
  const int target = listener();
  const int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
  std::array<int, 2> pair{};
  if (listening < 0 || target < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) != 0) return 2;
  // A log that is a file, as the shell's `2>FILE` makes it.
  const int log = open(folder.c_str(), O_RDWR | O_TMPFILE, 0600);
  const int memory = memfd_create("probe", 0);
  const pid_t parent = getppid();
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const std::map<std::string, std::function<long()>> actions = {
      {"write", [&] { return open_and_close(folder + "/file", O_WRONLY); }},
      {"read-write", [&] { return open_and_close(folder + "/file", O_RDWR); }},
      {"append", [&] { return open_and_close(folder + "/file", O_RDONLY | O_APPEND); }},
      {"open-truncate", [&] { return open_and_close(folder + "/file", O_RDONLY | O_TRUNC); }},
      {"create", [&] { return open_and_close(folder + "/new", O_WRONLY | O_CREAT); }},
      {"create-read-only", [&] { return open_and_close(folder + "/new", O_RDONLY | O_CREAT); }},
      {"create-nameless", [&] { return open_and_close(folder, O_RDWR | O_TMPFILE); }},
      {"write-in-readable", [&] { return open_and_close(folder + "/readable/file", O_WRONLY); }},
      {"create-in-readable", [&] { return open_and_close(folder + "/readable/new", O_WRONLY | O_CREAT); }},
      {"truncate", [&] { return truncate((folder + "/file").c_str(), 0); }},
      {"mkdir", [&] { return mkdir((folder + "/new").c_str(), 0700); }},
      {"mkfifo", [&] { return mkfifo((folder + "/new").c_str(), 0700); }},
      {"symlink", [&] { return symlink("x", (folder + "/new").c_str()); }},
      {"link", [&] { return link((folder + "/file").c_str(), (folder + "/new").c_str()); }},
      {"rename", [&] { return rename((folder + "/file").c_str(), (folder + "/new").c_str()); }},
      {"unlink", [&] { return unlink((folder + "/file").c_str()); }},
      {"unlink-removable", [&] { return unlink((folder + "/removable/file").c_str()); }},
      {"rmdir", [&] { return rmdir((folder + "/empty").c_str()); }},
      {"chmod", [&] { return chmod((folder + "/file").c_str(), 0600); }},
      {"read", [&] { return open_and_close(folder + "/file", O_RDONLY); }},
      {"read-passwd", [&] { return open_and_close("/etc/passwd", O_RDONLY); }},
      {"read-through-link", [&] { return open_and_close(folder + "/readable/link", O_RDONLY); }},
      {"list", [&] { return open_and_close(folder, O_RDONLY | O_DIRECTORY); }},
      {"read-readable", [&] { return open_and_close(folder + "/readable/file", O_RDONLY); }},
      {"read-unlisted", [&] { return open_and_close(folder + "/unlisted/file", O_RDONLY); }},
      {"list-unlisted", [&] { return open_and_close(folder + "/unlisted", O_RDONLY | O_DIRECTORY); }},
      {"list-readable", [&] { return open_and_close(folder + "/readable", O_RDONLY | O_DIRECTORY); }},
      {"write-log", [&] { return write(STDERR_FILENO, "x", 1); }},
      {"truncate-log", [&] { return ftruncate(STDERR_FILENO, 0); }},
      {"duplicate-log", [&] { return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3); }},
      {"flags-of-log", [&] { return fcntl(STDERR_FILENO, F_SETFL, 0); }},
      {"truncate-memory", [&] { return ftruncate(memory, 4096); }},
      {"flags", [&] { return fcntl(tcp, F_SETFL, O_NONBLOCK); }},
      {"fast-open", [&] { return leave_by_fast_open(listening, target, false); }},
      {"fast-open-message", [&] { return leave_by_fast_open(listening, target, true); }},
      {"send-to", [&] { return send_datagram(datagrams, target); }},
      {"send", [&] { return send(pair[0], "x", 1, MSG_NOSIGNAL); }},
      {"send-message", [&] { return send_message(pair[0]); }},
      {"socket", [&] { return socket(AF_INET, SOCK_STREAM, 0); }},
      {"socket-unix", [&] { return socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"socket-netlink", [&] { return socket(AF_NETLINK, SOCK_RAW, 0); }},
      {"connect", [&] { return on_loopback(tcp, connect, kPort); }},
      {"bind", [&] { return on_loopback(other_tcp, bind, 0); }},
      {"abstract", [&] { return connect_abstract(folder); }},
      {"signal-parent", [&] { return kill(parent, 0); }},
      {"exec",
       [&] {
         std::string path = "/bin/true";
         char* const arguments[] = {path.data(), nullptr};
         execv(path.c_str(), arguments);
         return -1;
       }},
      {"fork",
       [&] {
         const pid_t child = fork();
         if (child == 0) _exit(0);
         return child < 0 ? -1 : waitpid(child, nullptr, 0) == child ? 0 : -1;
       }},
      {"thread", start_thread},
      {"ptrace", [&] { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
      {"map", [&] { return map(PROT_READ | PROT_WRITE); }},
      {"map-executable", [&] { return map(PROT_READ | PROT_EXEC); }},
      {"make-executable", [&] { return mprotect(page, 4096, PROT_READ | PROT_EXEC); }},
      {"batch", [&] { return set_scheduler(SCHED_BATCH); }},
      {"idle", [&] { return set_scheduler(SCHED_IDLE); }},
      {"dumpable", [&] { return prctl(PR_SET_DUMPABLE, 1); }},
      {"name", [&] { return prctl(PR_SET_NAME, "probe"); }},
      {"read-limit",
       [&] {
         rlimit limit{};
         return getrlimit(RLIMIT_CORE, &limit);
       }},
      {"set-limit",
       [&] {
         const rlimit limit{0, 0};
         return setrlimit(RLIMIT_CORE, &limit);
       }},
      {"io-uring", [&] { return syscall(SYS_io_uring_setup, 1U, nullptr); }},
      {"unknown-call", [&] { return syscall(460); }},
  };
  const auto found = actions.find(action);
  if (found == actions.end()) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (parts != "none") {
    const pairport::SandboxOptions options{{folder + "/readable"}, {folder + "/unlisted"}, {folder + "/removable"}};
    pairport::SandboxPart part = pairport::forbid_new_privileges();
    if (part.in_force && parts == "io_uring") part = pairport::refuse_io_uring();
    if (part.in_force && (parts == "landlock" || parts == "both")) part = pairport::restrict_files(options);
    if (part.in_force && (parts == "seccomp" || parts == "both")) part = pairport::restrict_system_calls(options);
    if (!part.in_force) {
      std::printf("%s\n", part.text.c_str());
      return 77;
    }
  }
  dup2(log, STDERR_FILENO);
  errno = 0;
  const long result = found->second();
  std::printf("%s\n", result >= 0 ? "ok" : strerrorname_np(errno));
  return 0;
}

int run_without(const std::string& calls, char** program) {
  static const std::map<std::string, long> kCalls = {{"landlock_create_ruleset", SYS_landlock_create_ruleset},
                                                     {"landlock_restrict_self", SYS_landlock_restrict_self},
                                                     {"seccomp", SYS_seccomp}};
  static const std::string kSocket6 = "socket6";
  static const std::map<std::string, int> kErrors = {
      {"ENOSYS", ENOSYS}, {"EPERM", EPERM}, {"EOPNOTSUPP", EOPNOTSUPP}, {"EAFNOSUPPORT", EAFNOSUPPORT}};
  std::vector<sock_filter> code = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  std::istringstream list(calls);
  for (std::string item; std::getline(list, item, ',');) {
    const std::size_t equals = item.find('=');
    const std::uint32_t answer = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(kErrors.at(item.substr(equals + 1)));
    if (item.substr(0, equals) == kSocket6) {
      for (const sock_filter& step : {sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 4),
                                      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
                                      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
                                      sock_filter BPF_STMT(BPF_RET | BPF_K, answer),
                                      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))}) {
        code.push_back(step);
      }
      continue;
    }
    code.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(kCalls.at(item.substr(0, equals))), 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(code.size()), code.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
    std::perror("seccomp");
    return 77;
  }
  execv(program[0], program);
  std::perror(program[0]);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 4 && std::strcmp(argv[1], "--without") == 0) return run_without(argv[2], argv + 3);
  return argc == 4 ? probe(argv[1], argv[2], argv[3]) : 2;
}

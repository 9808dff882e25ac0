// SPDX-License-Identifier: MIT
// What a process gives up once everything it needs is open: new privileges, the file system, most system calls.
#ifndef PAIRPORT_NET_SANDBOX_H_
#define PAIRPORT_NET_SANDBOX_H_

#include <string>
#include <vector>

namespace pairport {

struct SandboxOptions {
  // Files, and folders with everything beneath them, that are read later. A rule belongs to the file or folder that is
  // there now: name the folder where files are going to be replaced.
  std::vector<std::string> read_only_paths;
  // The same, but folders are not listed: for a reader that knows the names of the files in them.
  std::vector<std::string> unlisted_paths;
  // Folders in which files are removed later, such as that of a listening Unix socket.
  std::vector<std::string> removal_folders;
};

// Whether one part of the sandbox is in force, and a line for the log: what that means, or why it is not.
struct SandboxPart {
  bool in_force = false;
  std::string text;
};

// Each of the four is for good, and also for every thread and process that is started from here on. The others need the
// first one, and Landlock must come before the last one, which takes its system calls away. May throw std::bad_alloc.

// prctl(PR_SET_NO_NEW_PRIVS): no program that is executed later has more rights than this one (set-user-ID, file
// capabilities).
SandboxPart forbid_new_privileges();

// seccomp: io_uring_setup(2) fails with ENOSYS, as in a kernel without it, because no filter sees into a ring. To be
// called before a loop is created: libuv 1.50 creates a ring with it, whatever UV_USE_IO_URING says, and would later
// end the process where restrict_system_calls() denies the use of the ring.
SandboxPart refuse_io_uring();

// Landlock: no file is opened for writing, created, renamed or removed but as `options` says, none is read outside of
// its paths; where the kernel knows these, no TCP connection is made and no port bound, no abstract Unix socket and no
// signal leaves the sandbox. What is open stays as it is. Fails when another thread is running, which would stay free.
SandboxPart restrict_files(const SandboxOptions& options);

// seccomp: of the system calls only those that serving takes, for all threads. Executing and tracing end the process
// with SIGSYS; anything else fails with EPERM. What descriptor 2 writes to is neither truncated nor duplicated, and
// keeps its flags, so that a log file with O_APPEND can only grow.
SandboxPart restrict_system_calls(const SandboxOptions& options);

}  // namespace pairport

#endif  // PAIRPORT_NET_SANDBOX_H_

// SPDX-License-Identifier: MIT
// The sandbox of a process that has opened everything it needs: it gives up new privileges, the file system and most
// system calls.
#ifndef PAIRPORT_NET_SANDBOX_H_
#define PAIRPORT_NET_SANDBOX_H_

#include <string>
#include <vector>

namespace pairport {

struct SandboxOptions {
  // Files, and folders with all their content, that the process reads later. A rule applies to the file or folder that
  // exists now: for files that will be replaced, name their folder.
  std::vector<std::string> read_only_paths;
  // The same without the right to list folders, for a reader that knows the names of the files.
  std::vector<std::string> unlisted_paths;
  // Folders in which the process removes files later, such as the folder of a listening Unix socket.
  std::vector<std::string> removal_folders;
};

// Whether one part of the sandbox is in force, and a line for the log: its effect, or why it is not in force.
struct SandboxPart {
  bool in_force = false;
  std::string text;
};

// Each of the four is irrevocable, and also applies to every thread and process that is started later. The others need
// the first one. Landlock must come before the last one, which forbids the system calls of Landlock. May throw
// std::bad_alloc.

// prctl(PR_SET_NO_NEW_PRIVS): no program that is executed later gains rights by set-user-ID or file capabilities.
SandboxPart forbid_new_privileges();

// seccomp: io_uring_setup(2) fails with ENOSYS, as in a kernel without io_uring, because a filter cannot see the calls
// in a ring. Call it before a loop is created: libuv 1.50 creates a ring with each loop, whatever UV_USE_IO_URING says,
// and would later abort when restrict_system_calls() denies the use of the ring.
SandboxPart refuse_io_uring();

// Landlock: the process can open no file for writing, create or rename none, remove files only in removal_folders and
// read files only in the paths of `options`. If the kernel supports it, the process can make no TCP connection, bind no
// port, and reach no abstract Unix socket and send no signal outside of the sandbox. Open files stay usable. Fails when
// another thread is running, because Landlock would not restrict that thread.
SandboxPart restrict_files(const SandboxOptions& options);

// seccomp: allows only the system calls that serving needs, for all threads. Executing and tracing end the process with
// SIGSYS; any other call fails with EPERM, or with ENOSYS if it is newer than the filter. Descriptor 2 cannot be
// truncated or duplicated and keeps its flags, so a log file with O_APPEND can only grow.
SandboxPart restrict_system_calls(const SandboxOptions& options);

}  // namespace pairport

#endif  // PAIRPORT_NET_SANDBOX_H_

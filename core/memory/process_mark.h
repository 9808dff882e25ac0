// SPDX-License-Identifier: MIT
// Distinguishes a process from its forked children (fork(2)).
#ifndef PAIRPORT_PROCESS_MARK_H_
#define PAIRPORT_PROCESS_MARK_H_

#include <sys/types.h>

#include <pairport/export.h>

namespace pairport {

// A child does not inherit secret memory: when it touches such memory, SIGSEGV kills it, or it reads zeros. Set a mark
// when you map the memory, and check the mark before you touch the memory. One thread at a time.
class PAIRPORT_EXPORT ProcessMark {
 public:
  ProcessMark() noexcept = default;
  ~ProcessMark();
  ProcessMark(const ProcessMark&) = delete;
  ProcessMark& operator=(const ProcessMark&) = delete;

  // Marks the calling process. False: no memory.
  bool set() noexcept;

  // Whether the caller is the process that has called set(). Takes one load if the kernel has MADV_WIPEONFORK (Linux
  // 4.14), else a system call.
  bool is_here() const noexcept { return is_seen_here() || is_same_process(); }
  // Only the load: true means is_here(); false means nothing without MADV_WIPEONFORK.
  bool is_seen_here() const noexcept { return *page_ != 0; }

 private:
  bool is_same_process() const noexcept;

  volatile char* page_ = nullptr;  // 1 in this process; 0 in children, and without MADV_WIPEONFORK
  pid_t pid_ = 0;                  // not 0 without MADV_WIPEONFORK
};

}  // namespace pairport

#endif  // PAIRPORT_PROCESS_MARK_H_

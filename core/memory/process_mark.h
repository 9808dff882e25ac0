// SPDX-License-Identifier: MIT
// Tells a process from the children that fork(2) makes of it.
#ifndef PAIRPORT_PROCESS_MARK_H_
#define PAIRPORT_PROCESS_MARK_H_

#include <sys/types.h>

#include <pairport/export.h>

namespace pairport {

// Secret memory is not inherited: a child that touches it is killed by SIGSEGV, or reads zeros. A mark is made with it,
// and asked before it is touched. One thread at a time.
class PAIRPORT_EXPORT ProcessMark {
 public:
  ProcessMark() noexcept = default;
  ~ProcessMark();
  ProcessMark(const ProcessMark&) = delete;
  ProcessMark& operator=(const ProcessMark&) = delete;

  // Marks the calling process. False: no memory.
  bool set() noexcept;

  // Whether the caller is the process that has called set(). A load, where the kernel knows MADV_WIPEONFORK (Linux
  // 4.14), else a system call.
  bool is_here() const noexcept { return is_seen_here() || is_same_process(); }
  // The load alone: true only here, false also where it is of no use.
  bool is_seen_here() const noexcept { return *page_ != 0; }

 private:
  bool is_same_process() const noexcept;

  volatile char* page_ = nullptr;  // 1 here, 0 in children, and where the kernel wipes no page
  pid_t pid_ = 0;                  // not 0 where it wipes none
};

}  // namespace pairport

#endif  // PAIRPORT_PROCESS_MARK_H_

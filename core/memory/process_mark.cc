// SPDX-License-Identifier: MIT
#include "core/memory/process_mark.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

namespace pairport {
namespace {

std::size_t page_size() noexcept {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

bool ProcessMark::set() noexcept {
  void* page = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  page_ = static_cast<char*>(page);
  if (madvise(page, page_size(), MADV_WIPEONFORK) == 0) {
    *page_ = 1;
  } else {
    pid_ = getpid();
  }
  return true;
}

bool ProcessMark::is_same_process() const noexcept {
  return pid_ != 0 && getpid() == pid_;
}

ProcessMark::~ProcessMark() {
  if (page_ != nullptr) munmap(const_cast<char*>(page_), page_size());
}

}  // namespace pairport

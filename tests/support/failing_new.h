// SPDX-License-Identifier: MIT
// With support/failing_new.cc, operator new of the whole test program is one that counts and lets allocations fail.
#ifndef PAIRPORT_TESTS_SUPPORT_FAILING_NEW_H_
#define PAIRPORT_TESTS_SUPPORT_FAILING_NEW_H_

#include <cstddef>
#include <cstdlib>

namespace pairport::testing {

struct Allocations {
  static inline bool watching = false;
  static inline std::size_t count = 0;    // since watching began
  static inline std::size_t fail_at = 0;  // the number of the first one that fails; 0: none
  static inline bool fail_all_after = false;
  static inline bool failed = false;

  static void* allocate(std::size_t size) noexcept {
    if (watching) {
      ++count;
      if (fail_at != 0 && (count == fail_at || (fail_all_after && count > fail_at))) {
        failed = true;
        return nullptr;
      }
    }
    return std::malloc(size == 0 ? 1 : size);
  }
};

// Watches while it lives.
class Watch {
 public:
  explicit Watch(std::size_t fail_at = 0, bool fail_all_after = false) {
    Allocations::count = 0;
    Allocations::failed = false;
    Allocations::fail_at = fail_at;
    Allocations::fail_all_after = fail_all_after;
    Allocations::watching = true;
  }
  ~Watch() {
    Allocations::watching = false;
    Allocations::fail_at = 0;
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
};

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_FAILING_NEW_H_

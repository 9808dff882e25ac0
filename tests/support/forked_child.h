// SPDX-License-Identifier: MIT
// What a forked child does with the objects of its parent.
#ifndef PAIRPORT_TESTS_SUPPORT_FORKED_CHILD_H_
#define PAIRPORT_TESTS_SUPPORT_FORKED_CHILD_H_

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace pairport::testing {

// Whether `works` returns true in a child of fork(2), without ending it. The child runs no destructor of this process.
template <typename Function>
::testing::AssertionResult in_a_forked_child(Function&& works) {
  const pid_t child = fork();
  if (child == 0) _exit(works() ? 0 : 1);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return ::testing::AssertionFailure() << "no child";
  if (WIFSIGNALED(status)) return ::testing::AssertionFailure() << "ended by signal " << WTERMSIG(status);
  if (WEXITSTATUS(status) != 0) return ::testing::AssertionFailure() << "exit code " << WEXITSTATUS(status);
  return ::testing::AssertionSuccess();
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_FORKED_CHILD_H_

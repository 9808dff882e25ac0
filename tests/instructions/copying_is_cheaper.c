/* SPDX-License-Identifier: MIT
 * To be preloaded: the program measures whether tee(2) and splice(2) or a copy takes less time, and goes by that
 * (net: way_chooser.h). Under valgrind the result is chance, and with it the number of instructions. With this clock,
 * which is that of the measurement alone, tee(2) always loses. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t teed;
static uint64_t looks;

ssize_t tee(int in, int out, size_t size, unsigned flags) {
  ++teed;
  return syscall(SYS_tee, in, out, size, flags);
}

uint64_t uv_hrtime(void) {
  return ++looks + 1000 * teed;
}

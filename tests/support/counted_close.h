/* SPDX-License-Identifier: MIT
 * With support/counted_close.c, close(2) of the whole test program counts its calls. A second close of the same
 * descriptor goes unseen otherwise, and in another program it would hit a descriptor of somebody else. libuv closes
 * with system calls of its own, which are not counted. */
#ifndef PAIRPORT_TESTS_SUPPORT_COUNTED_CLOSE_H_
#define PAIRPORT_TESTS_SUPPORT_COUNTED_CLOSE_H_

#ifdef __cplusplus
extern "C" {
#endif

/* Calls of close(fd) so far. REQUIRES: 0 <= fd < 1024 */
int closes_of(int fd);

#ifdef __cplusplus
}
#endif

#endif /* PAIRPORT_TESTS_SUPPORT_COUNTED_CLOSE_H_ */

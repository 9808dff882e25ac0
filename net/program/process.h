// SPDX-License-Identifier: MIT
// The process of the program: what it must not leave to chance before it serves anybody.
#ifndef PAIRPORT_NET_PROCESS_H_
#define PAIRPORT_NET_PROCESS_H_

#include <cstddef>

#include <pairport/status.h>

#include "net/program/config.h"

namespace pairport {

// No part of the process's memory reaches a disk by way of a core dump, nor another process of the same user.
void forbid_core_dumps();

// Descriptors 0, 1 and 2 lead nowhere but to the log: a socket that got the number of a closed one would be written to.
// If the log is a file, it can only grow from here on, whoever has opened it.
void settle_standard_descriptors();

// Ignores signals that would end the process for nothing: a peer that is gone, a file that must not grow (`ulimit -f`),
// and what an operator sends to ask a service for something. SIGHUP gets its meaning once there is a loop. False: it
// cannot be done.
bool ignore_signals();

// Makes libuv's thread pool large enough for `lanes` handshakes and some files at a time. libuv reads the size from the
// environment when it starts the first thread. What the operator has set stays.
void size_thread_pool(std::size_t lanes);

// Locks all of the process, for mbedTLS, which keeps what it decrypts in memory of its own: wiped, but not locked.
// kSystem: it cannot be locked, and the configuration requires it.
Status lock_memory_of_tls(const Config& config);

}  // namespace pairport

#endif  // PAIRPORT_NET_PROCESS_H_

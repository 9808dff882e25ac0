// SPDX-License-Identifier: MIT
// Prepares the process before it serves any client.
#ifndef PAIRPORT_NET_PROCESS_H_
#define PAIRPORT_NET_PROCESS_H_

#include <sys/resource.h>

#include <cstddef>

#include <pairport/status.h>

#include "net/program/config.h"

namespace pairport {

// Forbids core dumps, and forbids other processes of the same user to read the memory of this one.
void forbid_core_dumps();

// Opens /dev/null as descriptors 0 and 1, and as 2 if it is closed: otherwise a socket could get one of these numbers,
// and output would go to it. If the log (2) is a file, sets O_APPEND, so that it can only grow.
void settle_standard_descriptors();

// Ignores signals that would end the process without need: SIGPIPE (a peer is gone), SIGXFSZ (`ulimit -f`), and SIGHUP,
// SIGUSR1 and SIGUSR2, which operators send with a request in mind. SIGHUP gets a handler when the loop exists. False:
// a signal cannot be ignored.
bool ignore_signals();

// Makes libuv's thread pool large enough for `lanes` handshakes and some files at a time. libuv reads the size from the
// environment when it starts the first thread. A value that the operator has set is kept.
void size_thread_pool(std::size_t lanes);

// Whether the process may lock more than `limit` bytes (RLIMIT_MEMLOCK): it is unlimited, or CAP_IPC_LOCK lifts it.
bool may_lock_beyond(rlim_t limit);

// Locks all memory of the process, because mbedTLS keeps decrypted data in its own memory, which is wiped but not
// locked. kSystem: the memory cannot be locked, and the configuration requires locked memory.
Status lock_memory_of_tls(const Config& config);

}  // namespace pairport

#endif  // PAIRPORT_NET_PROCESS_H_

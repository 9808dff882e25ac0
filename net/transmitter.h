// SPDX-License-Identifier: MIT
// Puts fragments on a socket; long ones that never change without copying them.
#ifndef PAIRPORT_NET_TRANSMITTER_H_
#define PAIRPORT_NET_TRANSMITTER_H_

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <pairport/http.h>

#include "file_descriptor.h"

namespace pairport {

struct Pipe {
  FileDescriptor out;
  FileDescriptor in;
};

// Writes to non-blocking stream sockets (TCP or Unix). Copies of the long parts are prepared once as pages in pipes; an
// answer then refers to these pages instead of copying them. What the kernel does not grant for that is sent like
// everything else, by a vectored write. One thread at a time.
class Transmitter {
 public:
  // `parts`: text whose address and content stay the same as long as this object lives. Takes two file descriptors for
  // each part of at least kMinPart bytes, and four more. May throw std::bad_alloc.
  explicit Transmitter(std::span<const std::string_view> parts);
  Transmitter(const Transmitter&) = delete;
  Transmitter& operator=(const Transmitter&) = delete;

  // Sends as much of `fragments`, from the first one on, as the socket takes. Returns how many bytes that is; fewer
  // than all: the socket is full. A negative result is an error number (-EAGAIN: not a byte). REQUIRES: the process
  // ignores SIGPIPE.
  ssize_t send(int socket, std::span<const Fragment> fragments) noexcept;

  // How many parts are sent without copying them.
  std::size_t prepared() const noexcept { return parts_.size(); }

  // CPU per answer against a vectored write of the same answer, to clients that copy what they get (transmitter_bench):
  //   bytes of the part       8.5 K   16 K    23 K    32 K    71 K
  //   sendfile from a memfd   1.08    0.84    0.74    0.62    0.43
  //   tee and splice          1.00    0.83    0.71    0.58    0.38
  // Inside the server with wrk, which takes part of the cost over: 0.94 at 23 K, 0.86 at 32 K, 0.61 at 71 K, and 1.09
  // at 9 K. Below this size the two further system calls cost what the copy does.
  static constexpr std::size_t kMinPart = 16 * 1024;

 private:
  struct Part {
    std::string_view text;
    Pipe pages;  // always full: it is read by tee(2) alone
  };

  const Part* part_of(const Fragment& fragment) const noexcept;
  ssize_t send_part(int socket, const Part& part, bool more) noexcept;

  std::vector<Part> parts_;  // sorted by address
  Pipe passage_;             // empty between calls
  FileDescriptor null_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_TRANSMITTER_H_

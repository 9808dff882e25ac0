// SPDX-License-Identifier: MIT
// Writes fragments to a socket; sends long constant ones without copying them.
#ifndef PAIRPORT_NET_TRANSMITTER_H_
#define PAIRPORT_NET_TRANSMITTER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <pairport/http.h>

#include "net/base/file_descriptor.h"
#include "net/loop/way_chooser.h"

namespace pairport {

struct Pipe {
  FileDescriptor out;
  FileDescriptor in;
};

// Writes to non-blocking stream sockets (TCP or Unix). It puts a copy of each long part into the pages of a pipe once.
// An answer can then refer to these pages, and the kernel copies nothing. While it sends answers, it measures for each
// part whether this is cheaper than a vectored write. If the kernel refuses it for a part, a vectored write sends the
// part. One thread at a time.
class Transmitter {
 public:
  // A clock that never goes back, in nanoseconds.
  using Clock = std::uint64_t (*)();

  // `parts`: text whose address and content do not change as long as this object lives. Takes two file descriptors for
  // each part of at least kMinPart bytes, and four more. Without a clock it measures nothing and always uses the pages.
  // May throw std::bad_alloc.
  explicit Transmitter(std::span<const std::string_view> parts, Clock clock = nullptr);
  Transmitter(const Transmitter&) = delete;
  Transmitter& operator=(const Transmitter&) = delete;

  // Sends `fragments`, from the first one, until the socket is full. Returns how many bytes it has sent; fewer than
  // all: the socket is full. A negative result is an error number (-EAGAIN: not a byte was sent). REQUIRES: the process
  // ignores SIGPIPE.
  // `then_ended`: when everything is sent, the caller shuts the socket down, or writes to it, at once. A segment that
  // is not full waits for this, so that the FIN leaves with the last bytes.
  ssize_t send(int socket, std::span<const Fragment> fragments, bool then_ended = false) noexcept;

  // The number of parts that can be sent without copying them.
  std::size_t prepared() const noexcept { return parts_.size(); }

  // Whether tee(2) and splice(2) are cheaper than a vectored write depends on the machine: on the cost of a copy from
  // or to the cache of another core, and on the cost of counting references to a page there. CPU time per GET of the
  // whole service, with wrk as its client, relative to the same service with vectored writes only, on two virtual
  // machines that report the same processor (EPYC, family 26, two cores, Linux 6.18):
  //   bytes of the part   9 K     23 K    32 K    71 K
  //   one machine         1.09    0.94    0.86    0.61
  //   another                     1.04    1.07    1.11
  // On both machines sendfile(2) from a memory file costs more than either way (transmitter_bench: 1.04 to 1.25 of tee
  // and splice). Below this size the two additional system calls cost as much as the copy, on every machine.
  static constexpr std::size_t kMinPart = 16 * 1024;

 private:
  static constexpr Way kByReference = Way::kFirst;
  static constexpr Way kByCopy = Way::kSecond;
  struct Part {
    std::string_view text;
    Pipe pages;  // always full: only tee(2) reads it
    WayChooser chooser{kByReference};
  };

  Part* part_of(const Fragment& fragment) noexcept;
  ssize_t send_part(int socket, const Part& part, bool more) noexcept;
  ssize_t send_vectored(int socket, std::span<const Fragment> fragments, bool more) noexcept;
  ssize_t send_by_reference(int socket, std::span<const Fragment> fragments, bool more) noexcept;

  const Clock clock_;
  std::vector<Part> parts_;  // a few: the long halves of scripts
  Pipe passage_;             // empty between calls
  FileDescriptor null_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_TRANSMITTER_H_

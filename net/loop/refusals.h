// SPDX-License-Identifier: MIT
// Answers connections that get no place, and closes them.
#ifndef PAIRPORT_NET_REFUSALS_H_
#define PAIRPORT_NET_REFUSALS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/base/file_descriptor.h"

namespace pairport {

// Sends each connection an answer, ends our side and continues to read for a while. Closing a socket with unread data
// would reset the connection, and the reset could destroy the answer before the peer reads it (RFC 9112 section 9.6).
// Allocates nothing and polls nothing: tick() does the work. One thread at a time.
class Refusals {
 public:
  // Connections at a time; beyond it the oldest one is closed at once.
  static constexpr std::size_t kMost = 64;

  // Takes `fd` and closes it at `until_ms` at the latest.
  void add(FileDescriptor fd, std::string_view answer, std::uint64_t until_ms) noexcept;
  // Reads and drops input. Closes the connections whose peer has ended its side, and those whose time is over.
  void tick(std::uint64_t now_ms) noexcept;
  void close_all() noexcept;
  bool empty() const noexcept { return count_ == 0; }

 private:
  struct Refusal {
    FileDescriptor fd;
    std::uint64_t until_ms = 0;
  };

  std::array<Refusal, kMost> refusals_;  // the first count_ are in use, in no order
  std::size_t count_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_REFUSALS_H_

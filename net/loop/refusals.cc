// SPDX-License-Identifier: MIT
#include "net/loop/refusals.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <pairport/secret_memory.h>

namespace pairport {
namespace {

// Reads of one connection in one tick, at most. A client that sends more does not wait for an answer.
constexpr int kReads = 16;

// Reads and drops input. False when the peer has ended its side, or on an error.
bool drain(int fd) noexcept {
  std::array<char, 4096> buffer;
  ssize_t size = 1;
  std::size_t most = 0;
  for (int i = 0; i < kReads && size > 0; ++i) {
    size = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) most = std::max(most, static_cast<std::size_t>(size));
  }
  wipe(buffer.data(), most);
  return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace

void Refusals::add(FileDescriptor fd, std::string_view answer, std::uint64_t until_ms) noexcept {
  // The buffer of a new socket has room for this; if not, the peer only sees the end of the connection.
  [[maybe_unused]] const ssize_t sent = send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(fd.get(), SHUT_WR);
  if (!drain(fd.get())) return;
  std::size_t place = count_;
  if (count_ == kMost) {
    place = static_cast<std::size_t>(
        std::min_element(refusals_.begin(), refusals_.end(),
                         [](const Refusal& a, const Refusal& b) { return a.until_ms < b.until_ms; }) -
        refusals_.begin());
    drain(refusals_[place].fd.get());
  } else {
    ++count_;
  }
  refusals_[place].fd = std::move(fd);
  refusals_[place].until_ms = until_ms;
}

void Refusals::tick(std::uint64_t now_ms) noexcept {
  for (std::size_t i = 0; i < count_;) {
    if (drain(refusals_[i].fd.get()) && now_ms < refusals_[i].until_ms) {
      ++i;
      continue;
    }
    --count_;
    if (i != count_) std::swap(refusals_[i], refusals_[count_]);
    refusals_[count_].fd = {};
  }
}

void Refusals::close_all() noexcept {
  for (; count_ > 0; --count_) {
    drain(refusals_[count_ - 1].fd.get());
    refusals_[count_ - 1].fd = {};
  }
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// Invariants: passage_ is empty between calls of send(), and holds at least as many pages as the longest part. The
// pages in the pipes belong to a sealed memory file, so nothing can change bytes that the kernel has not sent yet.
#include "net/loop/transmitter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace pairport {
namespace {

// Fragments of one vectored write at most; the next one sends the rest.
constexpr std::size_t kMaxVectors = 64;

std::size_t pages_of(std::size_t size) noexcept {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page;
}

// A pipe with room for `size` bytes from the start of a page; none when the kernel refuses it.
Pipe open_pipe(std::size_t size) noexcept {
  std::array<int, 2> fds;
  if (pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) != 0) return {};
  Pipe pipe{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
  const auto bytes = pages_of(size) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const int capacity = fcntl(pipe.in.get(), F_SETPIPE_SZ, bytes);
  if (capacity < 0 || static_cast<std::size_t>(capacity) < bytes) return {};
  return pipe;
}

// A memory file that holds `text` and cannot change any more.
FileDescriptor sealed_file(std::string_view text) noexcept {
  FileDescriptor file(memfd_create("pairport-static", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return {};
  const bool sealed = pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
                      fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
  return sealed ? std::move(file) : FileDescriptor();
}

// A pipe that is filled with the pages of `text`.
Pipe filled_pipe(std::string_view text) noexcept {
  Pipe pipe = open_pipe(text.size());
  if (!pipe.in) return {};
  const FileDescriptor file = sealed_file(text);
  if (!file) return {};
  for (std::size_t filled = 0; filled < text.size();) {
    const ssize_t count = splice(file.get(), nullptr, pipe.in.get(), nullptr, text.size() - filled, SPLICE_F_NONBLOCK);
    if (count <= 0) return {};
    filled += static_cast<std::size_t>(count);
  }
  return pipe;
}

}  // namespace

Transmitter::Transmitter(std::span<const std::string_view> parts, Clock clock) : clock_(clock) {
  null_ = FileDescriptor(open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!null_) return;
  std::size_t longest = 0;
  for (const std::string_view text : parts) {
    if (text.size() < kMinPart) continue;
    Pipe pages = filled_pipe(text);
    if (!pages.in) continue;
    parts_.push_back({text, std::move(pages), WayChooser(kByReference)});
    longest = std::max(longest, text.size());
  }
  passage_ = open_pipe(longest);
  if (!passage_.in) parts_.clear();
}

// Finds only a whole part, because its pipe has only the whole. A vectored write sends the rest of a part.
Transmitter::Part* Transmitter::part_of(const Fragment& fragment) noexcept {
  if (fragment.size < kMinPart) return nullptr;
  for (Part& part : parts_) {
    if (part.text.data() == fragment.data && part.text.size() == fragment.size) return &part;
  }
  return nullptr;
}

ssize_t Transmitter::send_part(int socket, const Part& part, bool more) noexcept {
  const ssize_t taken = tee(part.pages.out.get(), passage_.in.get(), part.text.size(), SPLICE_F_NONBLOCK);
  if (taken < 0) return -errno;
  const ssize_t sent = splice(passage_.out.get(), nullptr, socket, nullptr, static_cast<std::size_t>(taken),
                              SPLICE_F_NONBLOCK | SPLICE_F_MOVE | (more ? SPLICE_F_MORE : 0U));
  const ssize_t result = sent < 0 ? -errno : sent;
  // Drop bytes that the socket has not taken, so that they do not precede the next answer.
  for (ssize_t rest = taken - std::max<ssize_t>(sent, 0); rest > 0;) {
    const ssize_t dropped =
        splice(passage_.out.get(), nullptr, null_.get(), nullptr, static_cast<std::size_t>(rest), SPLICE_F_NONBLOCK);
    if (dropped <= 0) {
      parts_.clear();
      break;
    }
    rest -= dropped;
  }
  return result;
}

ssize_t Transmitter::send_vectored(int socket, std::span<const Fragment> fragments, bool more) noexcept {
  std::array<iovec, kMaxVectors> vectors;
  const std::size_t count = std::min(fragments.size(), vectors.size());
  for (std::size_t i = 0; i < count; ++i) {
    // iovec is not const, but nothing writes through it.
    vectors[i] = {const_cast<char*>(fragments[i].data), fragments[i].size};
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL | (more || count < fragments.size() ? MSG_MORE : 0));
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

ssize_t Transmitter::send_by_reference(int socket, std::span<const Fragment> fragments, bool more) noexcept {
  ssize_t total = 0;
  const Part* part = nullptr;
  while (!fragments.empty()) {
    std::size_t wanted = 0;
    std::size_t count = 0;
    ssize_t sent = 0;
    if (part == nullptr) part = part_of(fragments.front());
    if (part != nullptr) {
      wanted = part->text.size();
      count = 1;
      sent = send_part(socket, *part, more || fragments.size() > 1);
      part = nullptr;
    } else {
      do {
        wanted += fragments[count++].size;
        if (count < fragments.size()) part = part_of(fragments[count]);
      } while (count < std::min(fragments.size(), kMaxVectors) && part == nullptr);
      sent = send_vectored(socket, fragments.first(count), more || count < fragments.size());
    }
    if (sent < 0) return total != 0 ? total : sent;
    total += sent;
    if (static_cast<std::size_t>(sent) < wanted) break;
    fragments = fragments.subspan(count);
  }
  return total;
}

ssize_t Transmitter::send(int socket, std::span<const Fragment> fragments, bool then_ended) noexcept {
  // An answer has one long part, so the first one decides.
  Part* part = nullptr;
  for (std::size_t i = 0; i < fragments.size() && part == nullptr; ++i) part = part_of(fragments[i]);
  if (part == nullptr || fragments.size() > kMaxVectors) {
    return send_by_reference(socket, fragments, then_ended);
  }
  const WayChooser::Turn turn = clock_ != nullptr ? part->chooser.next() : WayChooser::Turn{kByReference, false};
  const std::uint64_t begin = turn.timed ? clock_() : 0;
  const ssize_t sent = turn.way == kByReference ? send_by_reference(socket, fragments, then_ended)
                                                : send_vectored(socket, fragments, then_ended);
  if (turn.timed) {
    std::size_t wanted = 0;
    for (const Fragment& fragment : fragments) wanted += fragment.size;
    if (sent == static_cast<ssize_t>(wanted)) part->chooser.took(clock_() - begin);
  }
  return sent;
}

}  // namespace pairport

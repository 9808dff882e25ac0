// SPDX-License-Identifier: MIT
// A file descriptor that its owner's destructor closes.
#ifndef PAIRPORT_NET_FILE_DESCRIPTOR_H_
#define PAIRPORT_NET_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace pairport {

// An open file descriptor, or none. Movable, not copyable.
class FileDescriptor {
 public:
  FileDescriptor() noexcept = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const noexcept { return fd_; }
  // The descriptor belongs to the caller from now on.
  int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_FILE_DESCRIPTOR_H_

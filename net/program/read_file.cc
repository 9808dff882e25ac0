// SPDX-License-Identifier: MIT
#include "net/program/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/base/file_descriptor.h"

namespace pairport {
namespace {

// The size of one read from a file without a known size, such as a pipe.
constexpr std::size_t kPortion = 4096;

}  // namespace

bool read_all(int fd, std::string& text, std::size_t most) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return false;
  // One byte more than the file has: read(2) then reports the end without another allocation.
  std::size_t room = std::max(kPortion, S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) + 1 : 0);
  std::size_t size = 0;
  while (size < most) {
    text.resize(size + std::min(room, most - size));
    const ssize_t count = ::read(fd, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      text.resize(size);
      return count == 0;
    }
    size += static_cast<std::size_t>(count);
    room = text.capacity() > size ? text.capacity() - size : size + kPortion;
  }
  text.resize(size);
  return true;
}

std::optional<std::string> read_file(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file || !read_all(file.get(), text)) return std::nullopt;
  return text;
}

}  // namespace pairport

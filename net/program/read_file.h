// SPDX-License-Identifier: MIT
// Reading whole files.
#ifndef PAIRPORT_NET_READ_FILE_H_
#define PAIRPORT_NET_READ_FILE_H_

#include <cstddef>
#include <limits>
#include <optional>
#include <string>

namespace pairport {

// Reads the open file `fd` from where it stands to its end, or `most` bytes of it, into `text`. A regular file takes
// one allocation, so that no copies of a secret are left behind. False: errno says why. May block, and throw
// std::bad_alloc.
bool read_all(int fd, std::string& text, std::size_t most = std::numeric_limits<std::size_t>::max());

// The text of a file; else nothing, and errno says why. May block, and throw std::bad_alloc.
std::optional<std::string> read_file(const std::string& path);

}  // namespace pairport

#endif  // PAIRPORT_NET_READ_FILE_H_

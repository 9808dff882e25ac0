// SPDX-License-Identifier: MIT
// Reads whole files.
#ifndef PAIRPORT_NET_READ_FILE_H_
#define PAIRPORT_NET_READ_FILE_H_

#include <cstddef>
#include <limits>
#include <optional>
#include <string>

namespace pairport {

// Reads the open file `fd` from its current position to its end, or `most` bytes of it, into `text`. A regular file
// takes one allocation, so that no copy of a secret is left in memory. False: errno has the reason. May block, and
// throw std::bad_alloc.
bool read_all(int fd, std::string& text, std::size_t most = std::numeric_limits<std::size_t>::max());

// The text of a file. Nothing on failure; errno has the reason. May block, and throw std::bad_alloc.
std::optional<std::string> read_file(const std::string& path);

}  // namespace pairport

#endif  // PAIRPORT_NET_READ_FILE_H_

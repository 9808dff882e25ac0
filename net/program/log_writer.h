// SPDX-License-Identifier: MIT
// Lines of a log on their way to a file descriptor, without ever waiting for whoever reads it.
#ifndef PAIRPORT_NET_LOG_WRITER_H_
#define PAIRPORT_NET_LOG_WRITER_H_

#include <pthread.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace pairport {

// What a line is. Lines of the access log leave room for messages, so that many answers do not crowd out a warning.
enum class LogLine : std::uint8_t { kMessage, kAccess };

// Until start(), write() writes at once and may wait. From then on it puts lines into a buffer of a fixed size, and a
// thread of its own writes them, in their order. A line for which there is no room is lost and counted. As soon as
// there is room again, one line tells how many. Any thread may call.
class LogWriter {
 public:
  static constexpr std::size_t kCapacity = std::size_t{1} << 20;
  // Of it, what only messages may use.
  static constexpr std::size_t kForMessages = std::size_t{64} << 10;

  // `fd` stays the caller's, open as long as the process. May throw std::bad_alloc.
  explicit LogWriter(int fd);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Starts the thread. False: it cannot be started, and write() goes on to write at once.
  bool start() noexcept;

  // `line` ends with a line break.
  void write(std::string_view line, LogLine kind) noexcept;

  // Waits until everything is written and the thread has ended, at most `limit`; write() then writes at once again.
  // False: something is not written. The thread goes on with that, if need be for as long as the process.
  bool finish(std::chrono::milliseconds limit) noexcept;

 private:
  struct Buffer;
  std::shared_ptr<Buffer> buffer_;
  std::optional<pthread_t> thread_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_LOG_WRITER_H_

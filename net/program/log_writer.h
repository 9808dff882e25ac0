// SPDX-License-Identifier: MIT
// Writes the lines of a log to a file descriptor, and never waits for its reader.
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

// The kind of a line. Lines of the access log leave room for messages, so that many answers do not displace a warning.
enum class LogLine : std::uint8_t { kMessage, kAccess };

// Until start(), write() writes at once and may wait. After start(), write() puts lines into a buffer of fixed size,
// and a separate thread writes them in order. A line without room is lost and counted; as soon as there is room again,
// one line reports the count. Any thread may call.
class LogWriter {
 public:
  static constexpr std::size_t kCapacity = std::size_t{1} << 20;
  // The part of it that only messages may use.
  static constexpr std::size_t kForMessages = std::size_t{64} << 10;

  // The caller owns `fd`, which stays open as long as the process runs. May throw std::bad_alloc.
  explicit LogWriter(int fd);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Starts the thread. False: the thread cannot be started, and write() still writes at once.
  bool start() noexcept;

  // `line` ends with a line break.
  void write(std::string_view line, LogLine kind) noexcept;

  // Waits until everything is written and the thread has ended, for at most `limit`; after that write() writes at once
  // again. False: some lines are not written yet. The thread continues with them, until the process ends if necessary.
  bool finish(std::chrono::milliseconds limit) noexcept;

 private:
  struct Buffer;
  std::shared_ptr<Buffer> buffer_;
  std::optional<pthread_t> thread_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_LOG_WRITER_H_

// SPDX-License-Identifier: MIT
// Invariants: only the thread moves `head`, and others add lines only behind head + size, so the thread writes without
// the lock. The thread shares ownership of the buffer, because it may still wait for a reader when the LogWriter is
// destroyed.
#include "net/program/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "core/base/utc_text.h"
#include "core/base/writer.h"
#include "net/base/clock.h"

namespace pairport {
namespace {

// A write of at most PIPE_BUF bytes is atomic: other writers to the same pipe do not split its lines (pipe(7)).
constexpr std::size_t kPortion = 4096;
constexpr std::size_t kStack = std::size_t{128} << 10;
// Another process may have made the descriptor non-blocking; wait this long for it.
constexpr int kPollMs = 1000;

// Calls writev(2) once and returns how many bytes it has written. 0: nothing can be written.
std::size_t write_some(int fd, const iovec* parts, int count) noexcept {
  for (;;) {
    const ssize_t written = writev(fd, parts, count);
    if (written > 0) return static_cast<std::size_t>(written);
    if (written < 0 && errno == EINTR) continue;
    if (written == 0 || errno != EAGAIN) return 0;
    pollfd wanted{fd, POLLOUT, 0};
    if (poll(&wanted, 1, kPollMs) < 0 && errno != EINTR) return 0;
  }
}

// REQUIRES: room for 128 bytes
std::size_t loss_line(std::uint64_t lost, std::span<char> out) noexcept {
  std::array<char, UtcText::kSize> time;
  return Writer(out)
      .text(UtcText().write(wall_time_ms() / 1000, time.data()))
      .text(" warning: ")
      .number(lost)
      .text(" lines of the log were lost: whoever reads them does not keep up\n")
      .written()
      .size();
}

}  // namespace

struct LogWriter::Buffer {
  explicit Buffer(int descriptor) : fd(descriptor), bytes(kCapacity) {}

  void put(std::string_view text) noexcept {
    const std::size_t at = (head + size) % kCapacity;
    const std::size_t first = std::min(text.size(), kCapacity - at);
    text.copy(bytes.data() + at, first);
    text.copy(bytes.data(), text.size() - first, first);
    size += text.size();
  }
  // Adds `line`, and before it a line about lost lines, if there are any. `line` may be empty.
  bool add(std::string_view line, std::size_t room) noexcept {
    std::array<char, 128> text;
    const std::size_t told = lost == 0 ? 0 : loss_line(lost, text);
    if (size + told + line.size() > room) return false;
    put({text.data(), told});
    put(line);
    lost = 0;
    return true;
  }
  // The size of the next complete lines, or of a part of a long one.
  std::size_t portion() const noexcept {
    const std::size_t most = std::min(size, kPortion);
    for (std::size_t end = most; end != 0; --end) {
      if (bytes[(head + end - 1) % kCapacity] == '\n') return end;
    }
    return most;
  }
  std::uint64_t lines_in(std::size_t count) const noexcept {
    std::uint64_t lines = 0;
    for (std::size_t i = 0; i < count; ++i) lines += bytes[(head + i) % kCapacity] == '\n';
    return lines;
  }
  void run() noexcept;

  const int fd;
  std::vector<char> bytes;
  std::size_t head = 0;
  std::size_t size = 0;
  std::uint64_t lost = 0;  // lines since the last report
  bool running = false;    // the thread is running
  bool ending = false;     // the thread ends as soon as the buffer is empty
  std::mutex mutex;
  std::condition_variable filled;
  std::condition_variable ended;
};

void LogWriter::Buffer::run() noexcept {
  std::unique_lock lock(mutex);
  for (;;) {
    filled.wait(lock, [this] { return size != 0 || ending; });
    if (size == 0) break;
    const std::size_t count = portion();
    const std::size_t first = std::min(count, kCapacity - head);
    const std::array<iovec, 2> parts = {iovec{bytes.data() + head, first}, iovec{bytes.data(), count - first}};
    lock.unlock();
    const std::size_t written = write_some(fd, parts.data(), count == first ? 1 : 2);
    lock.lock();
    // The disk is full, or the reader is gone: the next line reports the loss.
    if (written == 0) lost += lines_in(count);
    const std::size_t gone = written == 0 ? count : written;
    head = (head + gone) % kCapacity;
    size -= gone;
    if (size == 0 && lost != 0 && written != 0) add({}, kCapacity);
  }
  running = false;
  ended.notify_all();
}

LogWriter::LogWriter(int fd) : buffer_(std::make_shared<Buffer>(fd)) {}

LogWriter::~LogWriter() {
  if (thread_) pthread_detach(*thread_);
}

bool LogWriter::start() noexcept {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setstacksize(&attributes, kStack);
  // Other threads handle signals.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  // Lock before the thread starts: it may end before this function returns.
  const std::lock_guard lock(buffer_->mutex);
  auto* shared = new (std::nothrow) std::shared_ptr<Buffer>(buffer_);
  const bool started = shared != nullptr && pthread_create(
                                                &thread, &attributes,
                                                [](void* argument) -> void* {
                                                  auto* handed = static_cast<std::shared_ptr<Buffer>*>(argument);
                                                  const std::shared_ptr<Buffer> own = std::move(*handed);
                                                  delete handed;
                                                  own->run();
                                                  return nullptr;
                                                },
                                                shared) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (!started) {
    delete shared;
    return false;
  }
  thread_ = thread;
  buffer_->running = true;
  return true;
}

void LogWriter::write(std::string_view line, LogLine kind) noexcept {
  Buffer& buffer = *buffer_;
  const std::lock_guard lock(buffer.mutex);
  if (!buffer.running) {
    while (!line.empty()) {
      const iovec part{const_cast<char*>(line.data()), line.size()};  // writev(2) only reads it
      const std::size_t written = write_some(buffer.fd, &part, 1);
      if (written == 0) return;
      line.remove_prefix(written);
    }
    return;
  }
  const bool was_empty = buffer.size == 0;
  if (!buffer.add(line, kind == LogLine::kAccess ? kCapacity - kForMessages : kCapacity)) ++buffer.lost;
  if (was_empty) buffer.filled.notify_one();
}

bool LogWriter::finish(std::chrono::milliseconds limit) noexcept {
  if (!thread_) return true;
  std::unique_lock lock(buffer_->mutex);
  buffer_->ending = true;
  buffer_->filled.notify_one();
  if (!buffer_->ended.wait_for(lock, limit, [this] { return !buffer_->running; })) return false;
  lock.unlock();
  pthread_join(*thread_, nullptr);
  thread_.reset();
  return true;
}

}  // namespace pairport

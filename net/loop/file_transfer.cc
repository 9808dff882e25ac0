// SPDX-License-Identifier: MIT
// Invariant: request_ is in use exactly while busy_, and only then may the receiver be null.
#include "net/loop/file_transfer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <new>

namespace pairport {

FileTransfer* FileTransfer::open(LoopContext& context, FileReceiver& receiver, std::string_view folder,
                                 std::string_view below, std::string_view name) noexcept {
  std::array<char, PATH_MAX> path;
  if (folder.size() + below.size() + name.size() + 1 > path.size()) return nullptr;
  char* end = path.data();
  for (const std::string_view part : {folder, below, name}) end = std::copy(part.begin(), part.end(), end);
  *end = '\0';
  auto* transfer = new (std::nothrow) FileTransfer(context, receiver);
  if (transfer == nullptr) return nullptr;
  transfer->busy_ = true;
  context.handles.add();
  // O_NOFOLLOW: a symbolic link could lead out of the folder. O_NONBLOCK: a FIFO must not block the thread.
  const int error =
      uv_fs_open(context.loop, &transfer->request_, path.data(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0,
                 [](uv_fs_t* request) { static_cast<FileTransfer*>(request->data)->on_opened(); });
  if (error == 0) return transfer;
  context.handles.take_back();
  delete transfer;
  return nullptr;
}

// The result of a finished request. False: the receiver is gone, and this object is deleted.
bool FileTransfer::take_result(ssize_t& result) noexcept {
  result = request_.result;
  uv_fs_req_cleanup(&request_);
  busy_ = false;
  if (receiver_ != nullptr) return true;
  if (opening_ && result >= 0) fd_ = FileDescriptor(static_cast<int>(result));
  HandleCount& handles = context_.handles;
  delete this;
  handles.remove();
  return false;
}

void FileTransfer::on_opened() noexcept {
  ssize_t result = 0;
  if (!take_result(result)) return;
  opening_ = false;
  if (result >= 0) fd_ = FileDescriptor(static_cast<int>(result));
  HandleCount& handles = context_.handles;
  struct stat status {};
  // A name that is not a file here counts as missing. Any other error (no descriptor, no permission) is the server's
  // fault.
  const bool nothing = result == UV_ENOENT || result == UV_ELOOP || result == UV_ENXIO || result == UV_EISDIR;
  if (!fd_ ? nothing : fstat(fd_.get(), &status) == 0 && !S_ISREG(status.st_mode)) {
    receiver_->on_file(FileOutcome::kNotThere, nullptr);
  } else if (!fd_ || !S_ISREG(status.st_mode)) {
    receiver_->on_file(FileOutcome::kUnavailable, nullptr);
  } else {
    // Unsigned, because it is only compared for equality, and a file may have any date.
    const auto modified = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                          static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
    const FileInfo info{static_cast<std::uint64_t>(status.st_size), modified};
    receiver_->on_file(FileOutcome::kOpened, &info);
  }
  handles.remove();
}

bool FileTransfer::read(const FileRange& range) noexcept {
  if (busy_) return true;
  busy_ = true;
  context_.handles.add();
  const auto size = static_cast<unsigned>(std::min<std::uint64_t>(range.size, buffer_.size()));
  const uv_buf_t buffer = uv_buf_init(buffer_.data(), size);
  const int error = uv_fs_read(context_.loop, &request_, fd_.get(), &buffer, 1, static_cast<std::int64_t>(range.offset),
                               [](uv_fs_t* request) { static_cast<FileTransfer*>(request->data)->on_read(); });
  if (error == 0) return true;
  context_.handles.take_back();
  busy_ = false;
  return false;
}

void FileTransfer::on_read() noexcept {
  ssize_t result = 0;
  if (!take_result(result)) return;
  HandleCount& handles = context_.handles;
  receiver_->on_file_data({buffer_.data(), static_cast<std::size_t>(std::max<ssize_t>(result, 0))});
  handles.remove();
}

void FileTransfer::end() noexcept {
  receiver_ = nullptr;
  if (!busy_) delete this;
}

}  // namespace pairport

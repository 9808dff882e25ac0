// SPDX-License-Identifier: MIT
// Opens and reads a file for a peer.
#ifndef PAIRPORT_NET_FILE_TRANSFER_H_
#define PAIRPORT_NET_FILE_TRANSFER_H_

#include <uv.h>

#include <array>
#include <cstddef>
#include <string_view>

#include <pairport/http.h>

#include "net/base/file_descriptor.h"
#include "net/loop/loop_context.h"

namespace pairport {

// The result of opening a file.
enum class FileOutcome { kOpened, kNotThere, kUnavailable };

class FileReceiver {
 public:
  // `file`: with kOpened, else null.
  virtual void on_file(FileOutcome outcome, const FileInfo* file) noexcept = 0;
  // Empty: the file has become shorter, or cannot be read. `data` is valid until the next read().
  virtual void on_file_data(std::string_view data) noexcept = 0;

 protected:
  ~FileReceiver() = default;
};

// Opens a file and reads pieces of it in libuv's thread pool, so that a slow disk delays no other peer. May outlive its
// receiver while a request is unfinished, and then deletes itself.
class FileTransfer {
 public:
  // Opens `name` in `folder`. Only a regular file is sent. Null: no memory, or libuv or the kernel refuses. REQUIRES:
  // `name` has no slash and no leading dot
  static FileTransfer* open(LoopContext& context, FileReceiver& receiver, std::string_view folder,
                            std::string_view below, std::string_view name) noexcept;
  FileTransfer(const FileTransfer&) = delete;
  FileTransfer& operator=(const FileTransfer&) = delete;

  // Whether the file is not open yet.
  bool is_opening() const noexcept { return opening_; }
  // Reads from the beginning of `range`. Does nothing while another read is unfinished. False: libuv refuses.
  bool read(const FileRange& range) noexcept;
  // The receiver needs no more data. Do not use the object after this call.
  void end() noexcept;

 private:
  FileTransfer(LoopContext& context, FileReceiver& receiver) noexcept : context_(context), receiver_(&receiver) {
    request_.data = this;
  }
  ~FileTransfer() = default;
  void on_opened() noexcept;
  void on_read() noexcept;
  bool take_result(ssize_t& result) noexcept;

  uv_fs_t request_;
  LoopContext& context_;
  FileReceiver* receiver_;  // null after end()
  FileDescriptor fd_;
  bool opening_ = true;
  bool busy_ = false;
  std::array<char, 64 * 1024> buffer_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_FILE_TRANSFER_H_

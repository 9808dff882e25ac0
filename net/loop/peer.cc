// SPDX-License-Identifier: MIT
// Invariants: the memory of a handle is freed in its close callback and nowhere else. write_ is in use exactly while
// writing_, and then the channel's output is untouched. While a thread computes a step of the handshake, the loop does
// not touch the channel: it reads, writes and deletes nothing before the step is done.
#include "net/loop/peer.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <pairport/secret_memory.h>

#include "net/loop/peers.h"

namespace pairport {
namespace {

// Buffers that a uv_write_t holds without an allocation.
constexpr std::size_t kWriteBuffers = 4;

}  // namespace

Peer::Peer(Peers& peers, TimerId id, int fd, bool is_unix, const ClientAddress& address,
           AddressCounter::Place&& its_place, std::unique_ptr<Channel> channel) noexcept
    : place(std::move(its_place)),
      peers_(peers),
      channel_(std::move(channel)),
      fd_(fd),
      is_unix_(is_unix),
      handshake_(*this, channel_->tls(), address.widest_key()) {
  timer.id = id;
}

// Gives the socket to libuv. Closes it when that fails.
bool Peer::attach() noexcept {
  if (attached_) return true;
  uv_loop_t* const loop = peers_.context().loop;
  int error = 0;
  if (is_unix_) {
    uv_pipe_init(loop, &handle_.pipe, 0);
    error = uv_pipe_open(&handle_.pipe, fd_);
  } else {
    uv_tcp_init(loop, &handle_.tcp);
    error = uv_tcp_open(&handle_.tcp, fd_);
  }
  handle_.handle.data = this;
  attached_ = true;
  if (error == 0) return true;
  ::close(fd_);
  close();
  return false;
}

void Peer::settle() noexcept {
  if (attach()) read_on(!writing_ && wants_input());
}

void Peer::read_on(bool wanted) noexcept {
  if (reading_ == wanted || !attached_) return;
  reading_ = wanted;
  if (!wanted) {
    uv_read_stop(&handle_.stream);
    return;
  }
  // libuv gets no buffer, so it only reports that the socket is readable, and recv(2) reads. recv(2) has a shorter path
  // to a socket than the read(2) of libuv: it saves 0.7 % of the cost of a GET.
  const auto no_buffer = [](uv_handle_t*, std::size_t, uv_buf_t* buffer) { *buffer = uv_buf_init(nullptr, 0); };
  const auto on_readable = [](uv_stream_t* stream, ssize_t, const uv_buf_t*) {
    static_cast<Peer*>(stream->data)->receive();
  };
  if (uv_read_start(&handle_.stream, no_buffer, on_readable) != 0) close();
}

void Peer::receive() noexcept {
  if (closing_) return;
  char* const buffer = peers_.read_buffer();
  const ssize_t size = recv(fd_, buffer, Connection::kMaxInput, MSG_DONTWAIT);
  if (size < 0 && errno != EAGAIN && errno != EINTR) return close();
  if (size == 0) {
    read_on(false);
    channel_->on_input_end(peers_.context().now());
  } else if (size > 0) {
    const auto count = static_cast<std::size_t>(size);
    bytes += count;
    Channel::Wants wants = channel_->on_input({buffer, count}, peers_.context().now());
    // All peers share the buffer: wipe credentials before the next peer reads.
    wipe(buffer, count);
    return flush(wants);
  }
  flush();
}

bool Peer::receive_initial(std::string_view input) noexcept {
  bytes += input.size();
  Channel::Wants wants = channel_->on_input(input, peers_.context().now());
  flush(wants);
  return !closing_ && wants_input();
}

void Peer::flush() noexcept {
  if (closing_ || handshake_.is_computing()) return;
  Channel::Wants wants = channel_->wants();
  flush(wants);
}

// Inlined into its one caller, for each answer. Sends the output. False: the socket is full, it is the turn of others,
// or the peer is closed.
[[gnu::always_inline]] inline bool Peer::send(Channel::Wants& wants, std::size_t& sent_in_a_row) noexcept {
  while (!wants.output.empty()) {
    // libuv reports a write in the next iteration of the loop, so that other peers get their turn.
    if (sent_in_a_row >= channel_->burst()) {
      write_rest(wants.output);
      return false;
    }
    std::size_t wanted = 0;
    for (const Fragment& fragment : wants.output) wanted += fragment.size;
    const bool then_ended = wants.end_with_output;
    const ssize_t sent = peers_.transmitter().send(fd_, wants.output, then_ended);
    if (sent < 0 && sent != -EAGAIN) {
      close();
      return false;
    }
    const auto taken = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    bytes += taken;
    wants = channel_->on_output(taken, peers_.context().now());
    sent_in_a_row += taken;
    // The FIN leaves with the last bytes. close(2) alone would reset the connection and drop unsent bytes if the socket
    // holds unread data behind the request.
    if (then_ended && taken == wanted) ::shutdown(fd_, SHUT_WR);
    if (taken != wanted) {
      write_rest(wants.output);
      return false;
    }
  }

  return true;
}

// Sends the channel's output, then does what the channel wants. `wants` is the current result of wants(); the call
// overwrites it.
void Peer::flush(Channel::Wants& wants) noexcept {
  // This comes first: after a missed deadline the bytes of a write request are no longer valid, and closing cancels the
  // request.
  if (wants.close) return close();
  if (writing_) return arm(wants.deadline);
  std::size_t sent_in_a_row = 0;
  do {
    if (!send(wants, sent_in_a_row)) return;
    if (wants.close) return close();
  } while (serve_pending(wants));
  if (closing_) return;
  if (wants.shutdown && !shut_down_) {
    if (!attach()) return;
    shut_down_ = true;
    if (uv_shutdown(&shutdown_, &handle_.stream, [](uv_shutdown_t*, int) {}) != 0) return close();
  }
  read_on(wants.input);
  if (closing_) return;
  peers_.set_waiting(*this, wants.request);
  arm(wants.deadline);
  if (wants.handshake && !handshake_.is_waiting()) {
    peers_.set_queued(*this, true);
    peers_.handshakes().queue(handshake_);
  }
}

// The socket is full, or other peers get their turn: libuv sends the rest.
void Peer::write_rest(std::span<const Fragment> output) noexcept {
  if (!attach()) return;
  std::array<uv_buf_t, kWriteBuffers> buffers;
  unsigned count = 0;
  write_size_ = 0;
  for (const Fragment& fragment : output) {
    if (count == buffers.size()) break;
    // uv_buf_t is not const, but nothing writes through it.
    buffers[count++] = uv_buf_init(const_cast<char*>(fragment.data), static_cast<unsigned>(fragment.size));
    write_size_ += fragment.size;
  }
  peers_.set_waiting(*this, false);
  write_.data = this;
  writing_ = true;
  read_on(false);
  const int error = uv_write(&write_, &handle_.stream, buffers.data(), count, [](uv_write_t* write, int status) {
    static_cast<Peer*>(write->data)->on_written(status);
  });
  if (error != 0) {
    writing_ = false;
    return close();
  }
  left_to_send_ = left_to_send();
  arm(channel_->wants().deadline);
}

void Peer::on_written(int status) noexcept {
  writing_ = false;
  if (closing_) return;
  if (status != 0) return close();
  bytes += write_size_;
  Channel::Wants wants = channel_->on_output(write_size_, peers_.context().now());
  flush(wants);
}

// Bytes that libuv and the kernel still hold. This shows progress early: libuv reports a write only when it is
// complete, and the kernel takes more only when a third of its buffer is empty, which takes long at a low rate.
std::uint64_t Peer::left_to_send() const noexcept {
  int queued = 0;
  if (ioctl(fd_, SIOCOUTQ, &queued) != 0) queued = 0;
  return uv_stream_get_write_queue_size(&handle_.stream) + static_cast<std::uint64_t>(std::max(queued, 0));
}

// Moves a timer only when it would fire too late. One that fires too early is set again at that time; this costs less
// than moving it with every request.
void Peer::arm(std::uint64_t deadline) noexcept {
  if (closing_ || (timer.armed && timer.deadline <= deadline)) return;
  peers_.arm(timer, deadline);
}

void Peer::on_deadline(const Now& now) noexcept {
  if (handshake_.is_computing()) return;  // on_step_done() checks the deadline
  if (writing_) {
    const std::uint64_t left = left_to_send();
    if (left < left_to_send_) channel_->on_progress(now);
    left_to_send_ = left;
  }
  channel_->on_deadline(now);
  if (channel_->pending_id() != begun_) end_asking();
  flush();
}

// Begins the operation that the answer waits for, or reads the next piece of its file. True: the operation cannot be
// carried out. Then the channel knows it, and `wants` is updated.
bool Peer::serve_pending(Channel::Wants& wants) noexcept {
  if (wants.request) {
    end_pending();
    return false;
  }
  const std::uint32_t id = channel_->pending_id();
  if (id != 0) {
    if (id == begun_) return false;
    end_pending();  // what the previous answer needed
    begun_ = id;
    if (begin(channel_->pending())) return false;
    resume(PendingReply::unavailable());
    wants = channel_->wants();
    return true;
  }
  if (const FileRange range = channel_->wants_data(); range.size == 0) {
    end_pending();
  } else if (!transfer_->read(range)) {
    close();
  }
  return false;
}

// False: it cannot be carried out.
bool Peer::begin(const Pending& pending) noexcept {
  LoopContext& context = peers_.context();
  const ServerOptions& options = context.options;
  if (pending.kind == Pending::Kind::kStore) {
    is_asking_ = options.store != nullptr && options.store->start(pending.operation, *this);
    return is_asking_;
  }
  transfer_ =
      pending.folder == FileFolder::kChallenges
          ? FileTransfer::open(context, *this, options.acme_webroot, "/.well-known/acme-challenge/", pending.file_name)
          : FileTransfer::open(context, *this, options.package_folder, "/", pending.file_name);
  return transfer_ != nullptr;
}

void Peer::resume(const PendingReply& reply) noexcept {
  channel_->resume(begun_, reply, peers_.context().now());
}

void Peer::on_reply(const StoreReply& reply) noexcept {
  if (peers_.context().service.is_inherited()) return;  // a forked child has none of the connection's memory
  is_asking_ = false;
  resume(reply);
  flush();
}

void Peer::on_file(FileOutcome outcome, const FileInfo* file) noexcept {
  switch (outcome) {
    case FileOutcome::kOpened:
      resume(*file);
      break;
    case FileOutcome::kNotThere:
      resume(PendingReply::no_file());
      break;
    case FileOutcome::kUnavailable:
      resume(PendingReply::unavailable());
      break;
  }
  flush();
}

void Peer::on_file_data(std::string_view data) noexcept {
  // Without data the channel closes the connection, because it cannot send the stated length.
  channel_->on_data(data, peers_.context().now());
  flush();
}

void Peer::end_pending() noexcept {
  if (transfer_ != nullptr) std::exchange(transfer_, nullptr)->end();
  end_asking();
}

void Peer::end_asking() noexcept {
  if (std::exchange(is_asking_, false)) peers_.context().options.store->cancel(*this);
}

void Peer::on_step_done() noexcept {
  if (closed_) {
    delete this;
  } else if (!closing_) {
    peers_.set_queued(*this, false);
    channel_->tls()->on_handshake(peers_.context().now());
    flush();
  }
}

void Peer::finish(const Now& now) noexcept {
  if (closing_) return;
  if (handshake_.is_computing()) return close();
  channel_->finish(now);
  flush();
}

void Peer::close() noexcept {
  if (closing_) return;
  closing_ = true;
  end_asking();
  peers_.handshakes().leave(handshake_);
  peers_.on_closing(*this);
  if (attached_) {
    uv_close(&handle_.handle, [](uv_handle_t* handle) {
      Peer& self = *static_cast<Peer*>(handle->data);
      self.peers_.remove(self);
    });
  } else {
    ::close(fd_);  // settle_newcomers() removes the peer
  }
}

void Peer::forget() noexcept {
  end_pending();
  closed_ = true;
  if (!handshake_.is_computing()) delete this;
}

}  // namespace pairport

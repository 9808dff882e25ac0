// SPDX-License-Identifier: MIT
// A connected socket on the loop, with its channel.
#ifndef PAIRPORT_NET_PEER_H_
#define PAIRPORT_NET_PEER_H_

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <pairport/client_address.h>
#include <pairport/connection.h>

#include "core/limits/address_counter.h"
#include "core/limits/victims.h"
#include "core/store/timer_wheel.h"
#include "net/loop/channel.h"
#include "net/loop/file_transfer.h"
#include "net/loop/handshakes.h"

namespace pairport {

class Peers;

// The deadline of a peer, in the timer wheel of Peers. It may fire too early.
struct PeerTimer {
  std::uint64_t deadline = Connection::kNoDeadline;
  TimerLinks links;
  TimerId id;
  bool armed = false;
};

// Reads, writes and closes one socket as its channel wants. Peers creates and forgets it. It deletes itself when
// neither libuv nor the thread pool uses it any more.
class Peer final : public Victims::Candidate,
                   private FileReceiver,
                   private StoreClient::Waiter,
                   private HandshakeOwner {
 public:
  // Takes `fd`. REQUIRES: `channel` is not null; `peers` outlives this object
  Peer(Peers& peers, TimerId id, int fd, bool is_unix, const ClientAddress& address, AddressCounter::Place&& place,
       std::unique_ptr<Channel> channel) noexcept;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Reads once, then does what the channel wants. libuv reports input that is left.
  void receive() noexcept;
  // The same with bytes that the embedder has read from the socket. Returns whether the channel wants more input.
  // REQUIRES: before the first receive(); 1 to Connection::kMaxInput bytes
  bool receive_initial(std::string_view input) noexcept;
  // Makes a newly accepted peer a handle of libuv.
  void settle() noexcept;
  // The deadline of `timer` has come.
  void on_deadline(const Now& now) noexcept;
  // Ends the connection after the current request.
  void finish(const Now& now) noexcept;
  void close() noexcept;
  // Call this when the socket is closed and libuv has no handle for it. Deletes the object, at once or when the step of
  // its handshake is computed.
  void forget() noexcept;

  bool is_closing() const noexcept { return closing_; }
  bool is_attached() const noexcept { return attached_; }
  bool wants_input() const noexcept { return channel_->wants().input; }

  PeerTimer timer;
  AddressCounter::Place place;  // empty for a peer without a limit per address

 private:
  union StreamHandle {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };

  ~Peer() = default;
  bool attach() noexcept;
  void flush() noexcept;
  void flush(Channel::Wants& wants) noexcept;
  void write_rest(std::span<const Fragment> output) noexcept;
  void on_written(int status) noexcept;
  void read_on(bool wanted) noexcept;
  std::uint64_t left_to_send() const noexcept;
  void arm(std::uint64_t deadline) noexcept;
  bool send(Channel::Wants& wants, std::size_t& sent_in_a_row) noexcept;
  bool serve_pending(Channel::Wants& wants) noexcept;
  bool begin(const Pending& pending) noexcept;
  void resume(const PendingReply& reply) noexcept;
  void end_pending() noexcept;
  void end_asking() noexcept;

  void on_reply(const StoreReply& reply) noexcept override;
  void on_file(FileOutcome outcome, const FileInfo* file) noexcept override;
  void on_file_data(std::string_view data) noexcept override;
  void on_step_begins() noexcept override { read_on(false); }
  void on_step_done() noexcept override;
  void on_dropped() noexcept override { close(); }

  Peers& peers_;
  const std::unique_ptr<Channel> channel_;
  const uv_os_fd_t fd_;
  const bool is_unix_;
  bool attached_ = false;  // whether `handle_` is initialised
  bool reading_ = false;
  bool writing_ = false;
  bool shut_down_ = false;
  bool closing_ = false;
  bool closed_ = false;             // and forgotten; only a handshake that is being computed keeps the object
  std::size_t write_size_ = 0;      // bytes of `write_`
  std::uint64_t left_to_send_ = 0;  // at the last look; while writing_
  std::uint32_t begun_ = 0;         // the pending_id() of what was begun last
  bool is_asking_ = false;          // ServerOptions::store
  FileTransfer* transfer_ = nullptr;
  StreamHandle handle_;
  uv_write_t write_;
  uv_shutdown_t shutdown_;
  Handshake handshake_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_PEER_H_

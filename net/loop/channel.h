// SPDX-License-Identifier: MIT
// The protocol of a socket: an HTTP connection, or one behind TLS. The code that reads and writes the socket need not
// know which.
#ifndef PAIRPORT_NET_CHANNEL_H_
#define PAIRPORT_NET_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <pairport/connection.h>
#include <pairport/tls.h>

namespace pairport {

// Works like Connection and TlsConnection, whose headers say more: it never calls its owner back, and after each call
// the owner does what wants() says.
class Channel {
 public:
  // The actions that the owner should take now. Output comes first: while there is any, the last four are false.
  struct Wants {
    std::span<const Fragment> output;  // to send; valid until the next non-const call
    std::uint64_t deadline = 0;        // when to call on_deadline()
    bool close = false;                // close the socket at once
    bool end_with_output = false;      // the FIN may share a segment with the last bytes of `output`
    bool shutdown = false;             // end our side of the connection, and continue to read
    bool input = false;                // on_input() may be called
    bool request = false;              // it waits for a request: closing it now loses nothing
    bool handshake = false;            // a step of the handshake of tls() can be computed
  };

  // `tls` is used with kSecure; it is not null then and outlives the channel. Null when there is no memory.
  static std::unique_ptr<Channel> create(ConnectionContext& context, TlsContext* tls, const ClientAddress& peer,
                                         Transport transport, const Now& now) noexcept;
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  virtual Wants wants() const noexcept = 0;
  // These two return wants(), because every request needs both.
  // REQUIRES: wants().input; input.size() <= Connection::kMaxInput
  virtual Wants on_input(std::string_view input, const Now& now) noexcept = 0;
  // The first `sent` bytes of the output have been written.
  virtual Wants on_output(std::size_t sent, const Now& now) noexcept = 0;
  virtual void on_input_end(const Now& now) noexcept = 0;
  virtual void on_deadline(const Now& now) noexcept = 0;
  virtual void finish(const Now& now) noexcept = 0;

  // Bytes to send to this peer in a row before other peers get their turn.
  std::size_t burst() const noexcept { return burst_; }
  // Null: the connection is not encrypted.
  virtual TlsConnection* tls() noexcept { return nullptr; }

  // What answers wait for, as in Connection.
  const Pending& pending() const noexcept { return connection_.pending(); }
  std::uint32_t pending_id() const noexcept { return connection_.pending_id(); }
  void resume(std::uint32_t id, const PendingReply& reply, const Now& now) noexcept {
    if (connection_.resume(id, reply, now)) on_answer(now);
  }
  FileRange wants_data() const noexcept { return connection_.wants_data(); }
  void on_data(std::string_view data, const Now& now) noexcept {
    connection_.on_data(data, now);
    on_answer(now);
  }
  void on_progress(const Now& now) noexcept { connection_.on_progress(now); }

 protected:
  Channel(ConnectionContext& context, const ClientAddress& peer, Transport transport, const Now& now,
          std::size_t burst) noexcept
      : connection_(context, peer, now, transport), burst_(burst) {}
  // connection_ has been called directly, and may have output.
  virtual void on_answer(const Now& now) noexcept = 0;

  Connection connection_;

 private:
  const std::size_t burst_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_CHANNEL_H_

// SPDX-License-Identifier: MIT
// What the bytes of a socket belong to: an HTTP connection, or one behind TLS. Who reads and writes them does not ask
// which.
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

// As Connection and TlsConnection, whose headers say more: no callback ever leaves it, and after each call its owner
// does what wants() says.
class Channel {
 public:
  // What the owner should do now. Where there is output, that comes first: the last four are false.
  struct Wants {
    std::span<const Fragment> output;  // to be sent; valid until the next call that is not const
    std::uint64_t deadline = 0;        // when to call on_deadline()
    bool close = false;                // the socket, at once
    bool end_with_output = false;      // the end of the connection may go with the last bytes of `output`
    bool shutdown = false;             // our side of it, and go on reading
    bool input = false;                // on_input() may be called
    bool request = false;              // it waits for a request, so that closing it now loses nothing
    bool handshake = false;            // a step of the handshake of tls() can be computed
  };

  // For a connection that is kSecure `tls` is not null and outlives the channel. Null when there is no memory.
  static std::unique_ptr<Channel> create(ConnectionContext& context, TlsContext* tls, const ClientAddress& peer,
                                         Transport transport, const Now& now) noexcept;
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  virtual Wants wants() const noexcept = 0;
  // These two, which every request needs, return what wants() says then.
  // REQUIRES: wants().input; input.size() <= Connection::kMaxInput
  virtual Wants on_input(std::string_view input, const Now& now) noexcept = 0;
  // The first `sent` bytes of the output are on their way.
  virtual Wants on_output(std::size_t sent, const Now& now) noexcept = 0;
  virtual void on_input_end(const Now& now) noexcept = 0;
  virtual void on_deadline(const Now& now) noexcept = 0;
  virtual void finish(const Now& now) noexcept = 0;

  // Bytes that it may be sent in a row, before others have their turn.
  std::size_t burst() const noexcept { return burst_; }
  // Null: nothing is encrypted.
  virtual TlsConnection* tls() noexcept { return nullptr; }

  // The files that answers need: as with Connection.
  std::string_view wants_file() const noexcept { return connection_.wants_file(); }
  FileFolder wants_file_of() const noexcept { return connection_.wants_file_of(); }
  FileRange wants_data() const noexcept { return connection_.wants_data(); }
  void on_file(const FileInfo* file, const Now& now) noexcept {
    connection_.on_file(file, now);
    on_answer(now);
  }
  void on_file_unavailable(const Now& now) noexcept {
    connection_.on_file_unavailable(now);
    on_answer(now);
  }
  void on_data(std::string_view data, const Now& now) noexcept {
    connection_.on_data(data, now);
    on_answer(now);
  }
  void on_progress(const Now& now) noexcept { connection_.on_progress(now); }

 protected:
  Channel(ConnectionContext& context, const ClientAddress& peer, Transport transport, const Now& now,
          std::size_t burst) noexcept
      : connection_(context, peer, now, transport), burst_(burst) {}
  // The connection has been told something, and may have output.
  virtual void on_answer(const Now& now) noexcept = 0;

  Connection connection_;

 private:
  const std::size_t burst_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_CHANNEL_H_

// SPDX-License-Identifier: MIT
// Listening sockets, from addresses as a configuration holds them or from descriptors.
#ifndef PAIRPORT_LISTENER_H_
#define PAIRPORT_LISTENER_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/export.h>
#include <pairport/status.h>

namespace pairport {

struct SocketAddress;

// The file of a Unix socket. A client needs the right to write the file and the right to enter its folder.
struct SocketFile {
  unsigned mode = 0666;           // permissions (chmod(2))
  std::optional<unsigned> group;  // a group ID; none: the group of the process, or of the folder (S_ISGID)
};

// A listening socket: bound, and listen(2) has been called. Owns the file descriptor, and the socket file of a Unix
// socket that it has made. One thread at a time.
class PAIRPORT_EXPORT Listener {
 public:
  // `address` is `host:port`, `[IPv6]:port`, `:port` (all interfaces, IPv4 and IPv6; only IPv4 when the kernel has no
  // IPv6) or `unix:/path`. Port 0 lets the kernel choose. Replaces a socket file on which no process listens; `file`
  // sets who may connect to the new one. A TCP connection stays in the backlog until its client has sent a byte or
  // ended its side, or for about a second (TCP_DEFER_ACCEPT); while the kernel answers with SYN cookies it can be
  // accepted at once. kInvalidArgument: not an address, or no such host; kSystem: cannot be bound, or no name server
  // answers. The message names the address, the cause and the remedy. Resolves host names, so it may block: call it at
  // the start of a program.
  static Result<Listener> open(std::string_view address, const SocketFile& file = {});

  // Takes a socket that another program has bound and on which it has called listen(2): socket activation by systemd
  // (sd_listen_fds(3)), or a supervisor. An IPv4, IPv6 or Unix stream socket. The library owns `fd` from this call on,
  // and closes it on failure, too. It never removes the socket file, because it has not made it, and does not change
  // who may connect.
  //
  // The socket gets what open() sets: FD_CLOEXEC, O_NONBLOCK, and for TCP a bounded send buffer, TCP_NODELAY,
  // TCP_NOTSENT_LOWAT and TCP_DEFER_ACCEPT. All but the first apply to every process that shares the socket. A process
  // that keeps a copy of the descriptor, as systemd does, also keeps the backlog: clients that connect after the server
  // has stopped wait there for the next one.
  //
  // kSystem: not such a socket; the message says what the descriptor is instead. May throw std::bad_alloc; `fd` is
  // closed then, too.
  static Result<Listener> adopt(int fd);

  // Checks whether `address` has one of these forms: kOk, or kInvalidArgument with a message. Opens and resolves
  // nothing.
  static Status check(std::string_view address);

  ~Listener();
  Listener(Listener&& other) noexcept { *this = std::move(other); }
  Listener& operator=(Listener&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(url_, other.url_);
    std::swap(path_, other.path_);
    std::swap(any_, other.any_);
    std::swap(loopback_, other.loopback_);
    return *this;
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const noexcept { return fd_; }
  bool is_unix() const noexcept { return url_.starts_with("unix:"); }
  // Whether it is bound to all interfaces.
  bool is_any() const noexcept { return any_; }
  // Whether only this machine reaches it: a Unix socket, or an address of the loopback interface.
  bool is_local() const noexcept { return is_unix() || loopback_; }
  // `http://host:port` with the actual port, or `unix:/path`. An adopted socket may have an abstract name (unix(7)):
  // `unix:@name`, where `@` stands for each zero byte.
  const std::string& url() const noexcept { return url_; }

 private:
  Listener() noexcept = default;
  PAIRPORT_LOCAL static Result<Listener> open_unix(const std::string& path, const SocketFile& file);
  PAIRPORT_LOCAL Status describe(const SocketAddress& bound);

  int fd_ = -1;
  bool any_ = false;
  bool loopback_ = false;
  std::string url_;
  std::string path_;  // of the socket file to remove; empty: none
};

}  // namespace pairport

#endif  // PAIRPORT_LISTENER_H_

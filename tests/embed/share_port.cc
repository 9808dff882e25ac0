// SPDX-License-Identifier: MIT
// One port for a program and for pairing: the program accepts the connections and reads their first bytes. It answers
// what is under /app/ itself, and hands every other connection over to pairing, with the bytes that it has read.
//   embed_share_port [MS]    says where it listens; SIGTERM or SIGINT stops it. MS: for how long a client may be silent
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <pairport/secret_memory.h>
#include <pairport/server.h>

namespace {

// What begins like this is for the program.
constexpr std::string_view kOwn = "GET /app/";
constexpr std::string_view kOwnAnswer =
    "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\nnot pairing: 1";
// Connections that have not said enough. With more of them, new ones wait in the backlog.
constexpr std::size_t kMostUndecided = 1000;

class KernelRandom final : public pairport::RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    return getrandom(out.data(), out.size(), 0) == static_cast<ssize_t>(out.size());
  }
};

// Accepts connections, and decides by their first bytes whose they are.
class FrontDoor {
 public:
  FrontDoor(uv_loop_t* loop, pairport::Listener listener, pairport::Server& server, std::uint64_t patience_ms)
      : loop_(loop), listener_(std::move(listener)), server_(server), patience_ms_(patience_ms) {
    uv_poll_init(loop, &poll_, listener_.fd());
    poll_.data = this;
    accept_on();
  }

  // Its memory may go when the loop has nothing of it any more.
  void close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_), nullptr);
    closing_ = true;
    while (!undecided_.empty()) ::close(release(**undecided_.begin()));
  }

 private:
  // A connection that has not said enough.
  struct Visitor {
    FrontDoor& door;
    const int fd;
    uv_poll_t poll;
    uv_timer_t patience;
    int handles = 2;
    std::size_t size = 0;
    std::array<char, 4096> bytes;
  };

  void accept_on() {
    uv_poll_start(&poll_, UV_READABLE,
                  [](uv_poll_t* poll, int, int) { static_cast<FrontDoor*>(poll->data)->accept(); });
  }

  // One connection each time, so that others get their turn. A program of yours also pauses when it has no descriptor
  // for one more (EMFILE), as this loop would spin.
  void accept() {
    const int fd = accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    auto* visitor = new Visitor{*this, fd, {}, {}, 2, 0, {}};
    undecided_.insert(visitor);
    if (undecided_.size() == kMostUndecided) uv_poll_stop(&poll_);
    uv_poll_init(loop_, &visitor->poll, fd);
    uv_timer_init(loop_, &visitor->patience);
    visitor->poll.data = visitor->patience.data = visitor;
    uv_poll_start(&visitor->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
      auto& self = *static_cast<Visitor*>(poll->data);
      self.door.read(self);
    });
    uv_timer_start(
        &visitor->patience,
        [](uv_timer_t* timer) {
          auto& self = *static_cast<Visitor*>(timer->data);
          ::close(self.door.release(self));
        },
        patience_ms_, 0);
  }

  void read(Visitor& visitor) {
    const ssize_t count = recv(visitor.fd, visitor.bytes.data() + visitor.size, visitor.bytes.size() - visitor.size, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      ::close(release(visitor));
      return;
    }
    visitor.size += static_cast<std::size_t>(count);
    decide(visitor);
  }

  // doc/embedding.md: begin
  void decide(Visitor& visitor) {
    const std::string_view begin(visitor.bytes.data(), visitor.size);
    if (begin.size() < kOwn.size() && kOwn.starts_with(begin)) return;  // it may be for either: read on
    // Nothing of ours reads, polls or closes the socket any more; `visitor` lives until the loop has closed its
    // handles.
    const int fd = release(visitor);
    if (begin.starts_with(kOwn)) return answer(fd);
    const pairport::Status status = server_.adopt(fd, {}, {.initial = begin});
    if (!status.ok()) report(status);  // and the server has closed it
  }
  // doc/embedding.md: end

  static void answer(int fd) {
    // A few bytes into an empty buffer.
    [[maybe_unused]] const ssize_t sent = send(fd, kOwnAnswer.data(), kOwnAnswer.size(), MSG_NOSIGNAL);
    ::close(fd);
  }

  static void report(const pairport::Status& status) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(status.message().size()), status.message().data());
  }

  // libuv lets go of the socket at once, and of the memory when its handles are closed.
  int release(Visitor& visitor) {
    undecided_.erase(&visitor);
    if (!closing_) accept_on();
    const auto on_closed = [](uv_handle_t* handle) {
      auto* self = static_cast<Visitor*>(handle->data);
      if (--self->handles != 0) return;
      pairport::wipe(self->bytes.data(), self->size);  // a deposit holds a password
      delete self;
    };
    uv_close(reinterpret_cast<uv_handle_t*>(&visitor.poll), on_closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&visitor.patience), on_closed);
    return visitor.fd;
  }

  uv_loop_t* const loop_;
  const pairport::Listener listener_;
  pairport::Server& server_;
  const std::uint64_t patience_ms_;
  uv_poll_t poll_;
  bool closing_ = false;
  std::unordered_set<Visitor*> undecided_;
};

struct Program {
  std::unique_ptr<pairport::Server> server;
  std::unique_ptr<FrontDoor> door;
  std::array<uv_signal_t, 2> signals;
};

void stop(Program& program) {
  for (uv_signal_t& signal : program.signals) uv_close(reinterpret_cast<uv_handle_t*>(&signal), nullptr);
  program.door->close();
  program.server->stop([&program] { program.server.reset(); });
}

int fail(const pairport::Status& status) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(status.message().size()), status.message().data());
  return 1;
}

int serve(uv_loop_t* loop, pairport::RandomSource& random, std::uint64_t patience_ms) {
  auto service = pairport::Service::create({}, random, pairport::current_time());
  if (!service.ok()) return fail(service.status());
  auto listener = pairport::Listener::open("127.0.0.1:0");
  if (!listener.ok()) return fail(listener.status());
  auto server = pairport::Server::attach(loop, *service.value(), {});
  if (!server.ok()) return fail(server.status());
  std::printf("listening on %s\n", listener.value().url().c_str());
  std::fflush(stdout);

  Program program;
  program.server = std::move(server).value();
  program.door = std::make_unique<FrontDoor>(loop, std::move(listener).value(), *program.server, patience_ms);
  for (uv_signal_t& signal : program.signals) {
    uv_signal_init(loop, &signal);
    signal.data = &program;
  }
  const auto on_signal = [](uv_signal_t* signal, int) { stop(*static_cast<Program*>(signal->data)); };
  uv_signal_start(&program.signals[0], on_signal, SIGTERM);
  uv_signal_start(&program.signals[1], on_signal, SIGINT);
  uv_run(loop, UV_RUN_DEFAULT);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  uv_loop_t loop;
  KernelRandom random;
  if (uv_loop_init(&loop) != 0) return 1;
  const int result = serve(&loop, random, argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000);
  return result == 0 && uv_loop_close(&loop) == 0 ? 0 : 1;
}

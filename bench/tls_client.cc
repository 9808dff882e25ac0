// SPDX-License-Identifier: MIT
// A TLS load client with OpenSSL, which costs much less than the servers it measures. One thread and one event loop;
// each connection is a closed loop:
//   full     connect, handshake without a session, end
//   resumed  the same with the session of the connection before; full ones are counted apart
//   get      GETs on connections that stay open
// The client does not verify the certificate, because it knows the server; it still verifies the key exchange.
//
// Prints one JSON object; times in microseconds.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pairport::bench {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kPatience = 10 * kSecond;

std::uint64_t clock_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

[[noreturn]] void fail(const std::string& what) {
  (void)std::fprintf(stderr, "tls_client: %s\n", what.c_str());
  std::exit(1);
}

enum class Mode { kFull, kResumed, kGet };

struct Options {
  Mode mode = Mode::kFull;
  std::uint16_t port = 0;
  std::size_t connections = 16;
  double seconds = 3;
  std::string target = "/";
  std::string user_agent = "curl/7.88.1";
  std::string name = "localhost";
  std::string groups = "X25519:P-256";  // in TLS 1.2 they must include the curve of the certificate
  int version = TLS1_2_VERSION;
};

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL_SESSION, Free<SSL_SESSION_free>>;
using Tls = std::unique_ptr<SSL, Free<SSL_free>>;

class Client {
 public:
  explicit Client(const Options& options) : options_(options), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), options.version);
    SSL_CTX_set_max_proto_version(context_.get(), options.version);
    std::string groups = options.groups;  // not const, because OpenSSL's macro casts to char*
    if (SSL_CTX_set1_groups_list(context_.get(), groups.data()) != 1) fail("no such groups");
    // The same for every server, so that its preferences do not matter.
    if (SSL_CTX_set_cipher_list(context_.get(), "ECDHE+AES128+AESGCM") != 1 ||
        SSL_CTX_set_ciphersuites(context_.get(), "TLS_AES_128_GCM_SHA256") != 1) {
      fail("no such cipher suites");
    }
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* tls, SSL_SESSION* session) {
      auto& peer = *static_cast<Peer*>(SSL_get_app_data(tls));
      peer.session.reset(session);
      peer.has_ticket = true;
      return 1;
    });
    request_ = "GET " + options.target + " HTTP/1.1\r\nHost: " + options.name +
               "\r\nUser-Agent: " + options.user_agent + "\r\nAccept: */*\r\n\r\n";
  }

  void run() {
    for (std::size_t i = 0; i < options_.connections; ++i) peers_.push_back(std::make_unique<Peer>());
    begin_ = clock_ns();
    end_ = begin_ + static_cast<std::uint64_t>(options_.seconds * static_cast<double>(kSecond));
    for (const auto& peer : peers_) open(*peer);
    while (active_ != 0) {
      std::array<epoll_event, 64> events;
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) go_on(*static_cast<Peer*>(events[static_cast<std::size_t>(i)].data.ptr));
      if (clock_ns() > end_ + kPatience) break;
    }
    report();
  }

 private:
  struct Peer {
    int fd = -1;
    Tls tls;
    Session session;
    bool open = false;          // the handshake is complete
    bool has_ticket = false;    // of this connection
    std::size_t written = 0;    // of the request
    std::string head;           // the received part of the answer's head
    std::uint64_t missing = 0;  // bytes of its body that have not arrived
    std::uint64_t started = 0;
    std::uint32_t events = 0;
  };

  void open(Peer& peer) {
    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (peer.fd < 0) fail(std::string("socket: ") + std::strerror(errno));
    const int on = 1;
    setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    // Reset the connection: otherwise thousands of connections a second would each occupy a port for a minute.
    const linger none{1, 0};
    setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(peer.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 && errno != EINPROGRESS) {
      fail(std::string("connect: ") + std::strerror(errno));
    }
    peer.tls.reset(SSL_new(context_.get()));
    SSL_set_app_data(peer.tls.get(), &peer);
    SSL_set_fd(peer.tls.get(), peer.fd);
    // The macro SSL_set_tlsext_host_name() without its C cast; OpenSSL does not write through the pointer.
    SSL_ctrl(peer.tls.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(options_.name.c_str()));
    SSL_set_connect_state(peer.tls.get());
    if (options_.mode == Mode::kResumed && peer.session) SSL_set_session(peer.tls.get(), peer.session.get());
    peer.open = peer.has_ticket = false;
    peer.written = 0;
    peer.started = clock_ns();
    peer.events = EPOLLOUT;
    epoll_event event{peer.events, {&peer}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event) != 0) fail("epoll_ctl");
    ++active_;
  }

  void close_peer(Peer& peer) {
    // Send the close_notify: without it the session could not be resumed.
    if (peer.open) SSL_shutdown(peer.tls.get());
    peer.tls.reset();
    close(peer.fd);
    --active_;
  }

  // The event for which OpenSSL waits; any other result is the end.
  bool wait_for(Peer& peer, int result) {
    const int error = SSL_get_error(peer.tls.get(), result);
    const std::uint32_t wanted = error == SSL_ERROR_WANT_WRITE  ? std::uint32_t{EPOLLOUT}
                                 : error == SSL_ERROR_WANT_READ ? std::uint32_t{EPOLLIN}
                                                                : 0;
    if (wanted == 0) {
      if (broken_++ == 0) {
        const char* reason = ERR_reason_error_string(ERR_peek_error());
        (void)std::fprintf(stderr, "tls_client: broken: %s\n", reason != nullptr ? reason : std::strerror(errno));
      }
      ERR_clear_error();
      peer.session.reset();
      close_peer(peer);
      if (clock_ns() < end_ && broken_ < 1000) open(peer);
      return false;
    }
    if (wanted != peer.events) {
      peer.events = wanted;
      epoll_event event{wanted, {&peer}};
      epoll_ctl(epoll_, EPOLL_CTL_MOD, peer.fd, &event);
    }
    return false;
  }

  void go_on(Peer& peer) {
    if (!peer.open && !shake_hands(peer)) return;
    if (options_.mode != Mode::kGet) return take_ticket(peer);
    while (exchange(peer)) {
    }
  }

  bool shake_hands(Peer& peer) {
    if (const int result = SSL_do_handshake(peer.tls.get()); result != 1) return wait_for(peer, result);
    peer.open = true;
    if (version_.empty()) {
      version_ = SSL_get_version(peer.tls.get());
      cipher_ = SSL_get_cipher_name(peer.tls.get());
      EVP_PKEY* key = nullptr;
      SSL_get_peer_tmp_key(peer.tls.get(), &key);
      group_ = key == nullptr ? "none" : OBJ_nid2sn(EVP_PKEY_get_id(key));
      EVP_PKEY_free(key);
    }
    const std::uint64_t now = clock_ns();
    if (now < end_) {
      ++(SSL_session_reused(peer.tls.get()) == 1 ? resumed_ : full_);
      longest_ = std::max(longest_, now - peer.started);
    }
    return true;
  }

  // In TLS 1.3 the ticket follows the handshake; when it arrives, the server has done all its work.
  void take_ticket(Peer& peer) {
    if (options_.version == TLS1_3_VERSION && !peer.has_ticket) {
      char byte = 0;
      const int count = SSL_read(peer.tls.get(), &byte, 1);
      if (count > 0) fail("the server speaks first");
      if (!peer.has_ticket) {
        wait_for(peer, count);
        return;
      }
    }
    close_peer(peer);
    if (clock_ns() < end_) open(peer);
  }

  // Does a step of a request and its answer; false when it must wait, or is complete.
  bool exchange(Peer& peer) {
    if (peer.written < request_.size()) {
      if (peer.written == 0) peer.started = clock_ns();
      const int count =
          SSL_write(peer.tls.get(), request_.data() + peer.written, static_cast<int>(request_.size() - peer.written));
      if (count <= 0) return wait_for(peer, count);
      peer.written += static_cast<std::size_t>(count);
      return true;
    }
    static std::array<char, 64 * 1024> buffer;
    const int count = SSL_read(peer.tls.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (count <= 0) return wait_for(peer, count);
    std::uint64_t left = static_cast<std::uint64_t>(count);
    if (peer.missing == 0) {
      peer.head.append(buffer.data(), left);
      const std::size_t end = peer.head.find("\r\n\r\n");
      if (end == std::string::npos) return true;
      const std::size_t length = peer.head.find("\r\nContent-Length: ");
      if (length == std::string::npos || length > end) fail("an answer without Content-Length");
      peer.missing = std::strtoull(peer.head.c_str() + length + 18, nullptr, 10);
      ++statuses_[peer.head.substr(9, 3)];
      left = peer.head.size() - end - 4;
    }
    if (left > peer.missing) fail("more has come than was promised");
    peer.missing -= left;
    if (peer.missing != 0) return true;
    const std::uint64_t now = clock_ns();
    ++answers_;
    longest_ = std::max(longest_, now - peer.started);
    peer.head.clear();
    peer.written = 0;
    if (now < end_) return true;
    close_peer(peer);
    return false;
  }

  void report() const {
    std::string statuses;
    for (const auto& [status, count] : statuses_) {
      statuses += (statuses.empty() ? "\"" : ", \"") + status + "\": " + std::to_string(count);
    }
    const std::uint64_t handshakes = full_ + resumed_;
    std::printf(
        "{\"answers\": %llu, \"full\": %llu, \"resumed\": %llu, \"broken\": %llu, \"seconds\": %.3f, \"version\": "
        "\"%s\", "
        "\"cipher\": \"%s\", \"group\": \"%s\", \"statuses\": {%s}, \"longest_us\": %llu}\n",
        static_cast<unsigned long long>(options_.mode == Mode::kGet ? answers_ : handshakes),
        static_cast<unsigned long long>(full_), static_cast<unsigned long long>(resumed_),
        static_cast<unsigned long long>(broken_), static_cast<double>(clock_ns() - begin_) / 1e9, version_.c_str(),
        cipher_.c_str(), group_.c_str(), statuses.c_str(), static_cast<unsigned long long>(longest_ / 1000));
  }

  const Options options_;
  Context context_;
  std::string request_;
  const int epoll_ = epoll_create1(0);
  std::vector<std::unique_ptr<Peer>> peers_;
  std::size_t active_ = 0;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t full_ = 0;
  std::uint64_t resumed_ = 0;
  std::uint64_t broken_ = 0;
  std::uint64_t longest_ = 0;
  std::map<std::string, std::uint64_t> statuses_;
  std::string version_;
  std::string cipher_;
  std::string group_;
};

constexpr std::string_view kUsage =
    "usage: tls_client --port PORT [--mode full|resumed|get] [--seconds S] [--connections N] [--target PATH]\n"
    "                  [--user-agent TEXT] [--name SNI] [--groups LIST] [--tls 1.2|1.3]\n";

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--port") {
      options.port = static_cast<std::uint16_t>(std::stoi(value));
    } else if (option == "--mode" && (value == "full" || value == "resumed" || value == "get")) {
      options.mode = value == "full" ? Mode::kFull : value == "get" ? Mode::kGet : Mode::kResumed;
    } else if (option == "--seconds") {
      options.seconds = std::stod(value);
    } else if (option == "--connections") {
      options.connections = static_cast<std::size_t>(std::stoul(value));
    } else if (option == "--target") {
      options.target = value;
    } else if (option == "--user-agent") {
      options.user_agent = value;
    } else if (option == "--name") {
      options.name = value;
    } else if (option == "--groups") {
      options.groups = value;
    } else if (option == "--tls" && (value == "1.2" || value == "1.3")) {
      options.version = value == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
    } else {
      fail("what is " + std::string(option) + " " + value + "?\n" + std::string(kUsage));
    }
  }
  if (argc % 2 == 0 || options.port == 0) fail("a port is needed\n" + std::string(kUsage));
  return options;
}

}  // namespace
}  // namespace pairport::bench

int main(int argc, char** argv) {
  try {
    pairport::bench::Client(pairport::bench::parse(argc, argv)).run();
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "tls_client: %s\n", error.what());
    return 1;
  }
}

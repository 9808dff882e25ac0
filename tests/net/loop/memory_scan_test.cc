// SPDX-License-Identifier: MIT
// Reads the whole memory of a process that serves, and looks for credentials where none may be: everywhere but in the
// store while they live, and everywhere when they have expired. The client is another process, so that nothing here
// knows them; it says what to look for in a disguise.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <pairport/server.h>
#include <pairport/tls.h>

#include "core/store/code_hash.h"
#include "support/tls_kit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PAIRPORT_SANITIZED 1
#endif

namespace pairport::testing {
namespace {

constexpr char kDisguise = 0x55;
constexpr std::size_t kNeedle = 20;

// What is searched for: the bytes are never in this process but disguised.
struct Needle {
  char name[16];
  std::uint32_t size;
  char disguised[kNeedle];
};

class KernelRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    return getrandom(out.data(), out.size(), 0) == static_cast<ssize_t>(out.size());
  }
};

// ---- The client: a process of its own.

class Client {
 public:
  Client(int commands, int port, bool tls) : commands_(commands), port_(port), tls_(tls) {}

  // Each command is one letter; answered with the number of needles and the needles.
  void run() {
    char command = 0;
    while (read(commands_, &command, 1) == 1) {
      needles_.clear();
      act(command);
      const auto count = static_cast<std::uint32_t>(needles_.size());
      if (write(commands_, &count, sizeof(count)) < 0) return;
      for (const Needle& needle : needles_) {
        if (write(commands_, &needle, sizeof(needle)) < 0) return;
      }
    }
  }

 private:
  static std::string random_text(std::size_t size, std::string_view alphabet) {
    std::string text(size, '\0');
    std::array<std::uint8_t, 64> bytes;
    [[maybe_unused]] const ssize_t count = getrandom(bytes.data(), bytes.size(), 0);
    for (std::size_t i = 0; i < size; ++i) text[i] = alphabet[bytes[i] % alphabet.size()];
    return text;
  }
  void look_for(const char* name, std::string_view text) {
    Needle needle{};
    std::snprintf(needle.name, sizeof(needle.name), "%s", name);
    needle.size = static_cast<std::uint32_t>(std::min(text.size(), kNeedle));
    for (std::size_t i = 0; i < needle.size; ++i) needle.disguised[i] = static_cast<char>(text[i] ^ kDisguise);
    needles_.push_back(needle);
  }
  int connect_to() const {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? fd : -1;
  }
  // One that stays open: what the server keeps for it is searched, too.
  struct Session {
    explicit Session(int socket) : fd(socket) {}

    // Until there is nothing to send and `done`.
    bool exchange(const std::function<bool()>& done) {
      while (true) {
        tls.pump();
        if (!tls.to_server.empty()) {
          const ssize_t count = send(fd, tls.to_server.data(), tls.to_server.size(), MSG_NOSIGNAL);
          if (count <= 0) return false;
          tls.to_server.erase(0, static_cast<std::size_t>(count));
          continue;
        }
        if (done()) return true;
        std::array<char, 65536> buffer;
        const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
        if (count <= 0) return false;
        tls.from_server.append(buffer.data(), static_cast<std::size_t>(count));
      }
    }

    int fd;
    TlsClient tls;
  };

  Session& connect_securely() {
    sessions_.push_back(std::make_unique<Session>(connect_to()));
    Session& session = *sessions_.back();
    require(session.exchange([&] { return session.tls.established; }), "there is a session");
    return session;
  }
  std::string ask_securely(std::string request) {
    Session& session = connect_securely();
    if (const std::size_t at = request.find("Connection: close\r\n"); at != std::string::npos) {
      request.erase(at, std::strlen("Connection: close\r\n"));
    }
    const bool head = request.starts_with("HEAD ");
    session.tls.write(request);
    session.exchange([&] {
      const std::string& received = session.tls.received;
      const std::size_t body = received.find("\r\n\r\n");
      if (body == std::string::npos) return false;
      const std::size_t length = received.find("Content-Length: ");
      return head || received.size() >= body + 4 + std::stoul(received.substr(length + 16, 12));
    });
    return session.tls.received;
  }

  std::string ask(const std::string& request) {
    if (tls_) return ask_securely(request);
    const int fd = connect_to();
    std::string answer;
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      std::array<char, 65536> buffer;
      for (ssize_t count = 0; (count = recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
        answer.append(buffer.data(), static_cast<std::size_t>(count));
      }
    }
    close(fd);
    return answer;
  }
  // Ends our side and waits for the end of the server's, which has then read all that was sent.
  static void give_up(int fd) {
    shutdown(fd, SHUT_WR);
    std::array<char, 65536> buffer;
    while (recv(fd, buffer.data(), buffer.size(), 0) > 0) {
    }
    close(fd);
  }
  static std::string head(const char* method, const std::string& target, const std::string& more) {
    return std::string(method) + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more + "\r\n";
  }
  static std::string post(const std::string& type, const std::string& body) {
    return head("POST", "/", "Content-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") +
           body;
  }

  void make_values() {
    static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
    url_ = "http://h/" + random_text(30, kLetters);
    id_ = random_text(24, kLetters);
    password_ = random_text(24, kLetters);
    const std::string hex = random_text(32, "0123456789abcdef");
    fingerprint_.clear();
    for (std::size_t i = 0; i < hex.size(); i += 2) fingerprint_ += (i == 0 ? "" : ":") + hex.substr(i, 2);
    look_for("connect_url", url_.substr(9));
    look_for("client_id", id_);
    look_for("password", password_);
    look_for("fingerprint", fingerprint_);
    std::string binary;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      binary += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    look_for("raw fingerprint", binary);
  }
  std::string json() const {
    return "{\"connect_url\":\"" + url_ + "\",\"fingerprint\":\"" + fingerprint_ + "\",\"client_id\":\"" + id_ +
           "\",\"password\":\"" + password_ + "\"}";
  }
  // The same with every character of the password escaped, so that it has to be unescaped somewhere.
  std::string escaped_json() const {
    std::string escaped;
    for (const char c : password_) {
      std::array<char, 8> text;
      std::snprintf(text.data(), text.size(), "\\u%04x", static_cast<unsigned>(c));
      escaped += text.data();
    }
    std::string all = json();
    all.replace(all.find(password_), password_.size(), escaped);
    return all;
  }
  void deposit(const std::string& request) {
    const std::string answer = ask(request);
    const std::size_t at = answer.find("\"pairing_code\":\"");
    code_ = at == std::string::npos ? "" : answer.substr(at + 16, answer.find('"', at + 16) - at - 16);
    if (code_.size() != CodeWord::kLength) return;
    look_for("code", code_);
    std::array<char, sizeof(CodeWord)> packed;
    CodeWord(code_.data()).write(packed.data());
    look_for("packed code", {packed.data(), packed.size()});
  }

  void act(char command) {
    switch (command) {
      case 'j':
        make_values();
        return deposit(post("application/json", json()));
      case 'e':
        make_values();
        return deposit(post("application/json", escaped_json()));
      case 'u': {
        make_values();
        std::string spelled;  // every character of the password percent-encoded
        for (const char c : password_) {
          std::array<char, 4> text;
          std::snprintf(text.data(), text.size(), "%%%02x", static_cast<unsigned>(c));
          spelled += text.data();
        }
        return deposit(post(
            "application/x-www-form-urlencoded",
            "connect_url=" + url_ + "&fingerprint=" + fingerprint_ + "&client_id=" + id_ + "&password=" + spelled));
      }
      case 'm': {
        make_values();
        std::string body;
        for (const auto& [name, value] : {std::pair("connect_url", &url_),
                                          {"fingerprint", &fingerprint_},
                                          {"client_id", &id_},
                                          {"password", &password_}}) {
          body += std::string("--B\r\nContent-Disposition: form-data; name=\"") + name + "\"\r\n\r\n" + *value + "\r\n";
        }
        return deposit(post("multipart/form-data; boundary=B", body + "--B--\r\n"));
      }
      case 'c': {  // chunked, in many pieces
        make_values();
        const std::string body = json();
        std::string chunks;
        for (std::size_t i = 0; i < body.size(); i += 16) {
          const std::string piece = body.substr(i, 16);
          std::array<char, 8> size;
          std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
          chunks += size.data() + piece + "\r\n";
        }
        return deposit(head("POST", "/", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") + chunks +
                       "0\r\n\r\n");
      }
      case 'b':  // refused: one value is bad
        make_values();
        ask(post("application/json", json().replace(json().find("http://"), 7, "ftp://!")));
        return;
      case 'a': {  // given up in the middle of the body
        make_values();
        const std::string request = post("application/json", json());
        if (tls_) {
          Session& session = connect_securely();
          session.tls.write(request.substr(0, request.size() - 40));
          session.exchange([] { return true; });
          give_up(session.fd);
          return;
        }
        const int fd = connect_to();
        [[maybe_unused]] ssize_t sent = send(fd, request.data(), request.size() - 40, MSG_NOSIGNAL);
        give_up(fd);
        return;
      }
      case 'g':  // the look-ups leave nothing new
        for (const char* suffix : {"", ".ps1"}) {
          ask(head("GET", "/" + code_ + suffix, ""));
          ask(head("GET", "/" + code_ + suffix, "Accept-Encoding: gzip\r\n"));
          ask(head("HEAD", "/" + code_ + suffix, ""));
        }
        return;
      case 'x': {  // a code that is unknown is somebody's secret nevertheless
        const std::string code = random_text(20, "abcdefghijkmnpqrstuvwxyz");
        look_for("unknown code", code);
        ask(head("GET", "/" + code, ""));
        ask(head("GET", "/" + code + "?os=windows", "Accept: application/json\r\n"));
        return;
      }
      default:
        return;
    }
  }

  int commands_;
  int port_;
  bool tls_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<Needle> needles_;
  std::string url_, id_, password_, fingerprint_, code_;
};

// ---- The server: this process.

// How often `needle` stands in memory that can be written. Compares in disguise.
std::size_t occurrences(const Needle& needle, bool verbose = false) {
  std::size_t count = 0;
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  std::array<char, 512> line;
  while (std::fgets(line.data(), line.size(), maps) != nullptr) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::array<char, 8> rights{};
    if (std::sscanf(line.data(), "%" SCNxPTR "-%" SCNxPTR " %7s", &begin, &end, rights.data()) != 3) continue;
    if (rights[0] != 'r' || rights[1] != 'w') continue;
    const char* const last = reinterpret_cast<const char*>(end) - needle.size;
    for (const char* at = reinterpret_cast<const char*>(begin); at <= last; ++at) {
      std::size_t same = 0;
      while (same < needle.size && static_cast<char>(at[same] ^ kDisguise) == needle.disguised[same]) ++same;
      if (same == needle.size) {
        ++count;
        // Where it is says which code has left it there.
        if (verbose) std::printf("%s at %p in %s", needle.name, static_cast<const void*>(at), line.data());
      }
    }
  }
  std::fclose(maps);
  return count;
}

// Over plain HTTP, and over HTTPS.
class MemoryScan : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
#ifdef PAIRPORT_SANITIZED
    GTEST_SKIP() << "a sanitizer keeps copies of what was freed";
#endif
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(uv_loop_init(&loop_), 0);
    ServiceOptions options;
    options.ttl_ms = 2000;
    auto service = Service::create(options, random_, current_time());
    ASSERT_TRUE(service.ok()) << service.status().message();
    service_ = std::move(service).value();
    ServerOptions server_options;
    if (GetParam()) {
      auto tls = TlsContext::create({}, random_);
      ASSERT_TRUE(tls.ok());
      tls_ = std::move(tls).value();
      const CertificatePem certificate = make_certificate({"localhost"});
      auto credentials = tls_->load({{certificate.view()}});
      ASSERT_TRUE(credentials.ok());
      tls_->use(std::move(credentials).value());
      server_options.tls = tls_.get();
    }
    auto server = Server::attach(&loop_, *service_, server_options);
    ASSERT_TRUE(server.ok());
    server_ = std::move(server).value();
    auto listener = Listener::open("127.0.0.1:0");
    ASSERT_TRUE(listener.ok());
    const std::string& url = listener.value().url();
    const int port = std::stoi(url.substr(url.rfind(':') + 1));

    std::array<int, 2> pair;
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    client_ = fork();
    if (client_ == 0) {
      close(pair[0]);
      Client(pair[1], port, GetParam()).run();
      _exit(0);
    }
    close(pair[1]);
    commands_ = pair[0];
    ASSERT_TRUE(server_->listen(std::move(listener).value(), {.tls = GetParam()}).ok());
  }

  void TearDown() override {
    if (!server_) return;
    close(commands_);
    bool stopped = false;
    server_->stop([&stopped] { stopped = true; });
    while (!stopped) uv_run(&loop_, UV_RUN_ONCE);
    server_.reset();
    EXPECT_EQ(uv_loop_close(&loop_), 0);
    waitpid(client_, nullptr, 0);
  }

  void serve_until(const std::function<bool()>& done) {
    uv_timer_t wake;
    uv_timer_init(&loop_, &wake);
    uv_timer_start(
        &wake, [](uv_timer_t*) {}, 1, 1);
    while (!done()) uv_run(&loop_, UV_RUN_ONCE);
    uv_close(reinterpret_cast<uv_handle_t*>(&wake), [](uv_handle_t* handle) { handle->data = handle; });
    wake.data = nullptr;
    while (wake.data == nullptr) uv_run(&loop_, UV_RUN_NOWAIT);
  }

  // Lets the client act, and serves it meanwhile; returns what it says must not be found.
  std::vector<Needle> let_client(char command) {
    EXPECT_EQ(write(commands_, &command, 1), 1);
    pollfd answer{commands_, POLLIN, 0};
    serve_until([&] { return poll(&answer, 1, 0) == 1; });
    std::uint32_t count = 0;
    EXPECT_EQ(read(commands_, &count, sizeof(count)), static_cast<ssize_t>(sizeof(count)));
    std::vector<Needle> needles(count);
    for (Needle& needle : needles) {
      EXPECT_EQ(read(commands_, &needle, sizeof(needle)), static_cast<ssize_t>(sizeof(needle)));
    }
    if (!GetParam()) serve_until([&] { return server_->connections() == 0; });
    return needles;
  }

  void expect(const std::vector<Needle>& needles, bool alive, const char* when) {
    for (const Needle& needle : needles) {
      const std::string_view name = needle.name;
      // The store has the code as one word, the binary fingerprint and the other values, once each.
      const std::size_t wanted = alive && name != "fingerprint" && name != "code" ? 1 : 0;
      const std::size_t found = occurrences(needle);
      EXPECT_EQ(found, wanted) << name << " " << when;
      if (found != wanted) occurrences(needle, true);
    }
  }

  uv_loop_t loop_{};
  KernelRandom random_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<Server> server_;
  pid_t client_ = -1;
  int commands_ = -1;
};

TEST_P(MemoryScan, FindsWhatIsThere) {
  // In pieces, so that it is not in this program's constants as a whole.
  std::string text("look for ");
  text += "this: " + std::to_string(getpid());
  Needle needle{};
  needle.size = static_cast<std::uint32_t>(std::min(text.size(), kNeedle));
  for (std::size_t i = 0; i < needle.size; ++i) needle.disguised[i] = static_cast<char>(text[i] ^ kDisguise);
  EXPECT_EQ(occurrences(needle), 1U);
}

TEST_P(MemoryScan, ADepositIsInTheStoreAndNowhereElseAndThenNowhere) {
  for (const char format : {'j', 'e', 'u', 'm', 'c'}) {
    const std::vector<Needle> needles = let_client(format);
    ASSERT_EQ(needles.size(), 7U) << format << " was refused";
    expect(needles, service_->store().stats().deposits == 1, (std::string("after the deposit ") + format).c_str());
    let_client('g');
    expect(needles, service_->store().stats().deposits == 1, (std::string("after the look-ups ") + format).c_str());
    serve_until([&] { return service_->store().stats().deposits == 0; });
    expect(needles, false, (std::string("after expiry ") + format).c_str());
  }
}

TEST_P(MemoryScan, WhatWasRefusedOrGivenUpIsNowhere) {
  for (const char what : {'b', 'a', 'x'}) {
    const std::vector<Needle> needles = let_client(what);
    ASSERT_FALSE(needles.empty());
    expect(needles, false, what == 'b' ? "after a refusal" : what == 'a' ? "after an end in the middle" : "look-up");
  }
}

INSTANTIATE_TEST_SUITE_P(Http, MemoryScan, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Https, MemoryScan, ::testing::Values(true));

}  // namespace
}  // namespace pairport::testing

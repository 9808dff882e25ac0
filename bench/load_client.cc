// SPDX-License-Identifier: MIT
// A load client that costs less than the servers it measures: it receives bodies with MSG_TRUNC, so the kernel discards
// them, and creates its requests before the run.
//
// Closed loop: each connection sends the next request when the answer has arrived. Open loop (--rate): requests are due
// at fixed times, whatever the server does. Latency counts from the time at which a request was due, so a stall of the
// server counts for all requests that were due meanwhile (no "coordinated omission").
//
// Prints one JSON object; times in microseconds.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "deposit_values.h"
#include "histogram.h"
#include "load_options.h"

namespace pairport::bench {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// How long after the end of the run answers may arrive; later ones count as missing.
constexpr std::uint64_t kPatience = 5 * kSecond;

std::uint64_t clock_ns(clockid_t clock = CLOCK_MONOTONIC) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

struct Peer {
  int fd = -1;
  std::size_t in_flight = 0;
  std::size_t oldest = 0;
  std::array<std::uint64_t, kMaxPipeline> due{};  // ring: when each request in flight was due
  std::array<bool, kMaxPipeline> is_deposit{};
  std::string output;  // bytes for which the socket had no room
  std::size_t filled = 0;
  std::uint64_t body_left = 0;
  bool awaits_end = false;  // waits for the end of the connection, after the answer
  int status = 0;
  std::array<char, 16 * 1024> input;
};

class LoadClient {
 public:
  explicit LoadClient(const LoadOptions& options) : options_(options) {}

  bool prepare() {
    if (options_.deposits) return true;  // deposits are created when they are sent
    std::vector<std::string> targets;
    if (options_.targets.empty()) {
      targets.push_back(options_.target);
    } else {
      std::ifstream file(options_.targets);
      for (std::string line; std::getline(file, line);) targets.push_back(line);
    }
    // In random order: look-ups in the order of the deposits would profit from the caches.
    std::shuffle(targets.begin(), targets.end(), engine_);
    for (const std::string& target : targets) {
      requests_.push_back("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: " + options_.user_agent +
                          "\r\nAccept: */*\r\n" + (options_.ask_close ? "Connection: close\r\n\r\n" : "\r\n"));
    }
    return !requests_.empty();
  }

  bool run() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < options_.connections; ++i) {
      peers_.push_back(std::make_unique<Peer>());
      if (!options_.new_connections && !connect_peer(i)) return false;
    }
    const std::uint64_t begin = clock_ns();
    const std::uint64_t cpu_begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    end_ = begin + static_cast<std::uint64_t>(options_.seconds * static_cast<double>(kSecond));
    if (options_.rate > 0) {
      run_open(begin);
    } else {
      run_closed();
    }
    elapsed_ = clock_ns() - begin;
    cpu_ = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
    return true;
  }

  void print() const {
    std::uint64_t good = 0;
    std::printf("{\"statuses\": {");
    const char* separator = "";
    for (const auto& [status, count] : statuses_) {
      std::printf("%s\"%d\": %" PRIu64, separator, status, count);
      separator = ", ";
      if (status == 200) good += count;
    }
    std::printf("}, \"answers\": %" PRIu64 ", \"ok\": %" PRIu64 ", \"broken\": %" PRIu64 ", \"unsent\": %" PRIu64
                ", \"unanswered\": %" PRIu64
                ", \"seconds\": %.6f, \"client_cpu_seconds\": %.6f"
                ", \"client_longest_gap_us\": %.1f",
                latency_.total() + deposit_latency_.total(), good, broken_, unsent_, in_flight_,
                static_cast<double>(elapsed_) / 1e9, static_cast<double>(cpu_) / 1e9,
                static_cast<double>(longest_gap_) / 1000);
    print_latency("latency_us", latency_);
    if (deposit_latency_.total() != 0) print_latency("deposit_latency_us", deposit_latency_);
    std::printf("}\n");
  }

  bool save_codes() const {
    if (options_.codes.empty()) return true;
    std::ofstream file(options_.codes);
    for (const std::string& code : codes_) file << '/' << code << '\n';
    return file.good();
  }

 private:
  static void print_latency(const char* name, const Histogram& latency) {
    const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
    std::printf(
        ", \"%s\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f, "
        "\"slower_than_5ms\": %" PRIu64 "}",
        name, us(latency.quantile(0.5)), us(latency.quantile(0.9)), us(latency.quantile(0.99)),
        us(latency.quantile(0.999)), us(latency.max()), latency.above(5'000'000));
  }

  bool more_wanted(std::uint64_t now) const { return options_.count != 0 ? sent_ < options_.count : now < end_; }

  bool connect_peer(std::size_t index) {
    Peer& peer = *peers_[index];
    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (options_.new_connections) {
      // Use many source addresses: a closed connection occupies its pair of ports for a minute.
      setsockopt(peer.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + connected_ % 250);
      if (bind(peer.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return false;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(options_.port);
    // Over loopback the TCP handshake is complete when connect(2) returns; all later calls use MSG_DONTWAIT.
    if (connect(peer.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return false;
    ++connected_;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event) == 0;
  }

  void enqueue(Peer& peer, std::uint64_t due) {
    const std::size_t place = (peer.oldest + peer.in_flight) % kMaxPipeline;
    const std::uint64_t every = options_.deposit_every;
    peer.is_deposit[place] = options_.deposits || (every != 0 && sent_ % every == every - 1);
    peer.due[place] = due;
    if (peer.is_deposit[place]) {
      append_deposit_request(sent_, peer.output);
    } else {
      peer.output += requests_[sent_ % requests_.size()];
    }
    ++sent_;
    ++peer.in_flight;
    ++in_flight_;
  }

  void flush(std::size_t index) {
    Peer& peer = *peers_[index];
    if (peer.output.empty()) return;
    const ssize_t sent = send(peer.fd, peer.output.data(), peer.output.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return abandon(index);
    peer.output.erase(0, static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    epoll_event event{};
    event.events = peer.output.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
    event.data.u64 = index;
    if (peer.output.empty() && !stuck_) return;
    stuck_ = true;  // some sockets now watch for output: update their events
    epoll_ctl(epoll_, EPOLL_CTL_MOD, peer.fd, &event);
  }

  // The connection has failed, and its requests get no answers.
  void abandon(std::size_t index) {
    Peer& peer = *peers_[index];
    ++broken_;
    in_flight_ -= peer.in_flight;
    end_peer(peer);
    if (!options_.new_connections && broken_ < 1000 && !connect_peer(index)) broken_ += 1000;
  }

  void end_peer(Peer& peer) const {
    if (peer.fd >= 0) ::close(peer.fd);
    peer.fd = -1;
    peer.in_flight = peer.filled = 0;
    peer.body_left = 0;
    peer.awaits_end = false;
    peer.output.clear();
  }

  // The last byte of an answer has arrived.
  void end_answer(Peer& peer, std::uint64_t now) {
    peer.awaits_end = options_.ask_close;
    if (!peer.awaits_end) complete(peer, now);
  }

  void complete(Peer& peer, std::uint64_t now) {
    const std::uint64_t due = peer.due[peer.oldest];
    const std::uint64_t waited = now - std::min(due, now);
    Histogram& latency = peer.is_deposit[peer.oldest] && !options_.deposits ? deposit_latency_ : latency_;
    latency.add(waited);
    ++statuses_[peer.status];
    peer.oldest = (peer.oldest + 1) % kMaxPipeline;
    --peer.in_flight;
    --in_flight_;
  }

  // Removes complete answers from peer.input; false when one is not valid.
  bool parse(Peer& peer, std::uint64_t now) {
    std::string_view input(peer.input.data(), peer.filled);
    while (!input.empty() && peer.in_flight != 0 && !peer.awaits_end) {
      const std::size_t end = input.find("\r\n\r\n");
      if (end == std::string_view::npos) break;
      const std::string_view head = input.substr(0, end + 4);
      const std::size_t length_at = head.find("\r\nContent-Length: ");
      if (!head.starts_with("HTTP/1.1 ") || length_at == std::string_view::npos) return false;
      std::uint64_t length = 0;
      std::from_chars(head.data() + 9, head.data() + 12, peer.status);
      std::from_chars(head.data() + length_at + 18, head.data() + head.size(), length);
      const std::string_view body = input.substr(head.size(), length);
      if (peer.is_deposit[peer.oldest]) {
        if (body.size() < length) break;
        keep_code(body);
      }
      input.remove_prefix(head.size() + body.size());
      peer.body_left = length - body.size();
      if (peer.body_left == 0) end_answer(peer, now);
    }
    std::memmove(peer.input.data(), input.data(), input.size());
    peer.filled = input.size();
    return peer.filled < peer.input.size();
  }

  void keep_code(std::string_view body) {
    constexpr std::string_view kKey = "\"pairing_code\":\"";
    const std::uint64_t step =
        std::max<std::uint64_t>(options_.count / std::max<std::uint64_t>(options_.keep_codes, 1), 1);
    if (options_.codes.empty() || latency_.total() % step != 0) return;
    const std::size_t key = body.find(kKey);
    if (key == std::string_view::npos) return;
    const std::string_view rest = body.substr(key + kKey.size());
    codes_.emplace_back(rest.substr(0, rest.find('"')));
  }

  // Reads until all requests in flight are answered or there is nothing to read.
  void receive(std::size_t index) {
    Peer& peer = *peers_[index];
    while (peer.in_flight != 0) {
      ssize_t size = 0;
      if (peer.awaits_end) {
        char more = 0;
        size = recv(peer.fd, &more, 1, MSG_DONTWAIT);
        if (size == 0) {
          complete(peer, clock_ns());
          return;
        }
      } else if (peer.body_left != 0) {
        size = recv(peer.fd, nullptr, peer.body_left, MSG_TRUNC | MSG_DONTWAIT);
        if (size > 0) {
          peer.body_left -= static_cast<std::uint64_t>(size);
          if (peer.body_left == 0) end_answer(peer, clock_ns());
          continue;
        }
      } else {
        // A head fits this size; do not copy the body behind it.
        const std::size_t room = options_.pipeline == 1 ? 2048 : peer.input.size();
        size = recv(peer.fd, peer.input.data() + peer.filled, std::min(room, peer.input.size() - peer.filled),
                    MSG_DONTWAIT);
        if (size > 0) {
          peer.filled += static_cast<std::size_t>(size);
          if (!parse(peer, clock_ns())) return abandon(index);
          continue;
        }
      }
      if (size < 0 && errno == EAGAIN) return;
      return abandon(index);
    }
  }

  int poll(int timeout_ms) { return epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms); }

  // Sends as many requests on connection `index` as it may have in flight.
  void refill(std::size_t index, std::uint64_t now) {
    Peer& peer = *peers_[index];
    if (options_.new_connections && peer.in_flight == 0) {
      end_peer(peer);
      if (!more_wanted(now)) return;
      if (!connect_peer(index)) {
        broken_ += 1000;
        return;
      }
    }
    while (peer.fd >= 0 && peer.in_flight < options_.pipeline && more_wanted(now)) enqueue(peer, now);
    if (peer.fd >= 0) flush(index);
  }

  void run_closed() {
    for (std::size_t i = 0; i < peers_.size(); ++i) refill(i, clock_ns());
    std::uint64_t last_answer = clock_ns();
    while (in_flight_ != 0 && broken_ < 1000) {
      const std::uint64_t answers = latency_.total();
      const int count = poll(100);
      for (int i = 0; i < count; ++i) {
        const std::size_t index = events_[static_cast<std::size_t>(i)].data.u64;
        receive(index);
        refill(index, clock_ns());
      }
      const std::uint64_t now = clock_ns();
      if (latency_.total() != answers) last_answer = now;
      if (now - last_answer > kPatience) return;
    }
  }

  void run_open(std::uint64_t begin) {
    const double interval = static_cast<double>(kSecond) / options_.rate;
    const auto due_at = [&](std::uint64_t n) {
      return begin + static_cast<std::uint64_t>(static_cast<double>(n) * interval);
    };
    std::vector<std::size_t> free;
    for (std::size_t i = 0; i < peers_.size(); ++i) free.push_back(i);
    std::uint64_t previous = clock_ns();
    while (broken_ < 1000) {
      const std::uint64_t now = clock_ns();
      longest_gap_ = std::max(longest_gap_, now - previous);
      previous = now;
      const bool over = due_at(sent_) >= end_;
      while (!over && due_at(sent_) <= std::min(now, end_) && !free.empty()) {
        const std::size_t index = free.back();
        free.pop_back();
        enqueue(*peers_[index], due_at(sent_));
        flush(index);
        if (peers_[index]->in_flight == 0) break;  // abandoned; `broken` says so
      }
      if (now > end_ && (in_flight_ == 0 || now > end_ + kPatience)) break;
      // Never sleep, so that the client makes no request late; it has a core of its own.
      const int count = poll(0);
      for (int i = 0; i < count; ++i) {
        const std::size_t index = events_[static_cast<std::size_t>(i)].data.u64;
        Peer& peer = *peers_[index];
        if (peer.in_flight == 0) continue;
        receive(index);
        if (peer.fd >= 0) flush(index);
        if (peer.in_flight == 0) free.push_back(index);
      }
    }
    while (due_at(sent_ + unsent_) < end_) ++unsent_;
  }

  const LoadOptions options_;
  std::mt19937_64 engine_{20260101};
  std::vector<std::string> requests_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::array<epoll_event, 256> events_{};
  int epoll_ = -1;
  bool stuck_ = false;
  std::uint64_t end_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t unsent_ = 0;
  std::uint64_t broken_ = 0;
  std::uint32_t connected_ = 0;
  std::uint64_t elapsed_ = 0;
  std::uint64_t cpu_ = 0;
  std::uint64_t longest_gap_ = 0;
  Histogram latency_;
  Histogram deposit_latency_;  // of deposits among GETs
  std::map<int, std::uint64_t> statuses_;
  std::vector<std::string> codes_;
};

int run(int argc, char** argv) {
  LoadOptions options;
  if (!parse_load_options(argc, argv, options)) {
    (void)std::fputs(kLoadUsage, stderr);
    return 2;
  }
  LoadClient client(options);
  if (!client.prepare() || !client.run()) {
    std::perror("load_client");
    return 1;
  }
  client.print();
  return client.save_codes() ? 0 : 1;
}

}  // namespace
}  // namespace pairport::bench

int main(int argc, char** argv) {
  return pairport::bench::run(argc, argv);
}

// SPDX-License-Identifier: MIT
// A whole connection, played twice: everything in as few pieces as possible, and cut as the input says, with answers
// that leave in small pieces. Both must answer the same bytes and end in the same way, also when time passes or the
// server is told to finish at some point of the conversation.
#include <array>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/code.h>
#include <pairport/connection.h>
#include <pairport/service.h>

#include "core/store/local_store.h"

#include "input.h"
#include "support/small_templates.h"

namespace pairport::fuzz {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Few codes and no more, so that requests for them can be part of the input: aaaaaaa, bbbbbbb, ...
class FewCodes final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(count_++ / 7 % 8);
    return true;
  }

 private:
  std::uint32_t count_ = 0;
};

// What happens besides the bytes, when so many of them have come.
struct Event {
  std::size_t position = 0;
  std::uint8_t kind = 0;
};

// A service that lives on from input to input; much time passes between two of them, so that nothing is left.
class World {
 public:
  // Without a store of its own the service leaves each operation to the player, who carries it out here.
  explicit World(bool has_store) {
    ServiceOptions options;
    options.url = "https://pair.example.com";
    options.static_deposit = StaticDeposit{"0000000", "http://rport.example.com:8080",
                                           "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24", "client1", "foobaz"};
    options.serve_packages = true;
    options.serve_challenges = true;
    options.templates = [](std::string_view name) { return testing::small_template(name, 20'000); };
    auto store = LocalStore::create({.hash_seed = 7}, now_.monotonic_ms);
    expect(store.ok(), "there is a store");
    store_ = std::move(store).value();
    auto created = Service::create(options, random_, now_, has_store ? nullptr : &elsewhere_);
    expect(created.ok(), "there is a service");
    service_ = std::move(created).value();
    TrustedProxies proxies;
    expect(proxies.add("unix"), "there is a proxy");
    context_ = std::make_unique<ConnectionContext>(*service_, ConnectionLimits{}, std::move(proxies), nullptr, 86'400);
  }

  struct Conversation {
    std::string output;
    bool open = false;  // the connection would have gone on
  };

  Conversation play(std::string_view bytes, Cuts cuts, std::array<Event, 2> events, std::size_t write_size,
                    Transport transport) {
    now_.monotonic_ms += 3'600'000;
    now_.unix_seconds += 3'600;
    expect(service_->expire(now_, 1'000'000), "deposits expire");
    expect(store_->expire(now_.monotonic_ms, 1'000'000), "those elsewhere, too");
    Conversation conversation;
    {
      Connection connection(*context_, ClientAddress{}, now_, transport);
      if (transport == Transport::kSecure) connection.start(now_);
      Player player{*this, connection, conversation.output, write_size};
      std::size_t position = 0;
      for (std::size_t next = 0;;) {
        player.pump();
        for (; next < events.size() && events[next].position == position; ++next) player.happen(events[next].kind);
        if (!connection.wants_input() || connection.wants_shutdown() || position == bytes.size()) break;
        const std::size_t end = next < events.size() ? events[next].position : bytes.size();
        const Exact piece(bytes.substr(position, cuts.next(std::min(end - position, Connection::kMaxInput))));
        connection.on_input(piece.view(), now_);
        position += piece.view().size();
      }
      conversation.open = !connection.wants_close() && !connection.wants_shutdown();
      connection.on_input_end(now_);
      player.pump();
      expect(connection.wants_close(), "a connection whose peer has ended closes when everything is sent");
      expect(connection.deadline() == Connection::kNoDeadline, "one that closes has no deadline");
    }
    return conversation;
  }

 private:
  // Does what the owner of a connection does.
  struct Player {
    World& world;
    Connection& connection;
    std::string& output;
    std::size_t write_size;

    void pump() {
      while (true) {
        if (connection.pending_id() != 0 && connection.output().empty()) {
          give(connection.pending());
        } else if (const FileRange range = connection.wants_data(); range.size != 0) {
          // Content that depends on its place alone, in pieces that do not.
          const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(range.size, write_size));
          data.assign(size, '\0');
          for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<char>('a' + (range.offset + i) % 23);
          connection.on_data(data, world.now_);
        } else if (connection.output().empty()) {
          break;
        } else {
          send();
        }
      }
    }

    void send() {
      const std::span<const Fragment> pending = connection.output();
      expect(pending.size() <= Connection::kMaxBatch * (1 + Response::kMaxFragments), "output is bounded");
      expect(!connection.wants_input(), "no input is wanted while there is output");
      expect(connection.deadline() != Connection::kNoDeadline, "output has a deadline");
      // Whether it is sent depends on how much of the body has come with the head.
      const bool interim = pending.size() == 1 && std::string_view(pending[0].data, pending[0].size) == kContinue;
      std::size_t room = interim ? kContinue.size() : write_size;
      std::size_t sent = 0;
      for (const Fragment& fragment : pending) {
        expect(fragment.size != 0, "no fragment is empty");
        const std::size_t count = std::min(room, fragment.size);
        if (!interim) output.append(fragment.data, count);
        sent += count;
        room -= count;
        if (room == 0) break;
      }
      connection.on_output(sent, world.now_);
    }

    // What is given depends on the name alone; of a store now and then the reply that another code has to be drawn.
    void give(const Pending& pending) {
      const std::uint32_t id = connection.pending_id();
      expect(!connection.resume(id + 1, PendingReply::unavailable(), world.now_), "a late reply changes nothing");
      if (pending.kind == Pending::Kind::kStore) {
        expect(is_plausible_code(pending.operation.code), "a store is asked for codes alone");
        connection.resume(id, world.store_->carry_out(pending.operation, world.now_.monotonic_ms), world.now_);
        return;
      }
      const std::string_view name = pending.file_name;
      const FileInfo info{name.size() * 1000 - 1000, name.size()};
      connection.resume(id,
                        name.starts_with('u')   ? PendingReply::unavailable()
                        : name.starts_with('n') ? PendingReply::no_file()
                                                : PendingReply(info),
                        world.now_);
    }

    void happen(std::uint8_t kind) {
      if (kind % 4 == 0) return;
      if (kind % 4 == 1) {
        connection.finish();
      } else {
        world.now_.monotonic_ms += kind % 4 == 2 ? 9'999 : 1'000 * std::uint64_t{kind};
        connection.on_deadline(world.now_);
      }
      pump();
    }

    std::string data{};  // the piece of a file that is being sent
  };

  FewCodes random_;
  Now now_{1'000'000, 1'790'000'000};
  ElsewhereStore elsewhere_;
  std::unique_ptr<LocalStore> store_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<ConnectionContext> context_;
};

void run(Input input) {
  struct Worlds {
    World whole;
    World cut;
    explicit Worlds(bool has_store) : whole(has_store), cut(has_store) {}
  };
  static Worlds with_store(true);
  static Worlds without_store(false);
  const Cuts cuts(input);
  const std::size_t write_size = 1 + std::size_t{input.byte()} * 16;
  std::array<Event, 2> events;
  for (Event& event : events) event = {input.number(2), input.byte()};
  const std::string_view bytes = input.rest();
  for (Event& event : events) event.position = std::min(event.position, bytes.size());
  // Bits that mean nothing else.
  static constexpr std::array<Transport, 4> kTransports = {Transport::kPlain, Transport::kPlain, Transport::kSecure,
                                                           Transport::kRedirecting};
  const Transport transport = kTransports[events[1].kind >> 6];
  Worlds& worlds = events[0].kind >> 7 == 0 ? with_store : without_store;
  if (events[1].position < events[0].position) std::swap(events[0], events[1]);

  const World::Conversation whole = worlds.whole.play(bytes, Cuts(), events, 1'000'000, transport);
  const World::Conversation cut = worlds.cut.play(bytes, cuts, events, write_size, transport);
  if (whole.output != cut.output) {
    std::cerr << "in one piece:\n" << whole.output << "\n\ncut:\n" << cut.output << "\n";
  }
  expect(whole.output == cut.output, "the answers do not depend on the cuts");
  expect(whole.open == cut.open, "neither does whether the connection stays open");
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

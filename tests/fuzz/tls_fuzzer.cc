// SPDX-License-Identifier: MIT
// TLS in front of a connection. The input is either what a peer sends, from its first byte on; or what a client of
// mbedTLS says after its handshake, with bytes of its records changed on their way. Whatever comes: no cut changes how
// it ends, what a client can decrypt begins as the answers of plain HTTP do, and close_notify comes behind all of them
// or not at all.
#include <array>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/connection.h>
#include <pairport/service.h>
#include <pairport/tls.h>

#include "input.h"
#include "support/small_templates.h"
#include "support/tls_kit.h"

namespace pairport::fuzz {
namespace {

using testing::TlsClient;
using testing::TlsClientOptions;

// Where bytes of ciphertext are changed.
struct Change {
  std::size_t position = 0;
  std::uint8_t mask = 0;
};

struct Ending {
  std::string plaintext;
  bool open = false;
  bool closing = false;
  bool notified = false;
};

class World {
 public:
  World() {
    ServiceOptions options;
    options.url = "https://pair.example.com";
    options.static_deposit = StaticDeposit{"0000000", "http://rport.example.com:8080",
                                           "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24", "client1", "foobaz"};
    // What one conversation has used up must not be missed by the next one.
    options.miss_limit = {};
    options.deposit_limit = {};
    options.templates = [](std::string_view name) { return testing::small_template(name, 40'000); };
    auto created = Service::create(options, testing::test_random, now_);
    expect(created.ok(), "there is a service");
    service_ = std::move(created).value();
    context_ = std::make_unique<ConnectionContext>(*service_, ConnectionLimits{});
    auto tls = TlsContext::create({}, testing::test_random);
    expect(tls.ok(), "there is a context");
    tls_ = std::move(tls).value();
    const testing::CertificatePem certificate = testing::make_certificate({"pair.example.com"});
    auto credentials = tls_->load({{certificate.view()}});
    expect(credentials.ok(), "there is a certificate");
    tls_->use(std::move(credentials).value());
  }

  // What somebody sends who need not know TLS.
  Ending play(std::string_view bytes, Cuts cuts, std::size_t write_size) {
    Exchange exchange(*this, write_size);
    std::string output;
    exchange.feed(bytes, cuts, output);
    return exchange.end(output);
  }

  // What a client says.
  Ending converse(std::string_view plaintext, Cuts cuts, std::size_t write_size, std::array<Change, 3> changes,
                  bool notify) {
    Exchange exchange(*this, write_size);
    TlsClient client;
    for (int i = 0; i < 8 && !client.established; ++i) {
      client.pump();
      exchange.feed(std::exchange(client.to_server, {}), Cuts(), client.from_server);
    }
    client.pump();
    expect(client.established && exchange.tls.is_open(), "there is a session");
    if (!plaintext.empty()) client.write(plaintext);
    if (notify) client.close_notify();
    std::string sent = std::exchange(client.to_server, {});
    for (const Change& change : changes) {
      if (change.position < sent.size()) sent[change.position] = static_cast<char>(sent[change.position] ^ change.mask);
    }
    exchange.feed(sent, cuts, client.from_server);
    client.pump();
    Ending ending = exchange.end(client.from_server);
    client.pump();
    ending.plaintext = client.received;
    ending.notified = client.close_notified;
    return ending;
  }

  // What plain HTTP answers.
  std::string answers(std::string_view plaintext) {
    Connection connection(*context_, ClientAddress{}, now_, Transport::kSecure);
    std::string output;
    const auto pump = [&] {
      while (!connection.output().empty()) {
        const Fragment first = connection.output().front();
        output.append(first.data, first.size);
        connection.on_output(first.size, now_);
      }
    };
    while (!plaintext.empty() && connection.wants_input()) {
      const std::size_t size = std::min(plaintext.size(), Connection::kMaxInput);
      connection.on_input(plaintext.substr(0, size), now_);
      plaintext.remove_prefix(size);
      pump();
    }
    return output;
  }

 private:
  // Does what the owner of a TlsConnection does.
  struct Exchange {
    Exchange(World& owner, std::size_t size)
        : world(owner),
          write_size(size),
          connection(*owner.context_, ClientAddress{}, owner.now_, Transport::kSecure),
          tls(*owner.tls_, connection, owner.now_) {}

    void serve(std::string& output) {
      while (true) {
        if (tls.wants_handshake()) {
          expect(!tls.wants_input() && tls.output().empty(), "a step has all that it needs");
          tls.begin_handshake(tls.lane().value_or(0));
          expect(tls.is_computing() && tls.output().empty() && !tls.wants_input(), "nobody disturbs it");
          tls.handshake();
          tls.on_handshake(world.now_);
          expect(++steps < 100, "handshakes end");
        } else if (!tls.output().empty()) {
          const Fragment first = tls.output().front();
          expect(first.size != 0, "no fragment is empty");
          expect(tls.deadline() != Connection::kNoDeadline, "output has a deadline");
          expect(!tls.waits_for_request(), "who is being answered does not wait");
          const std::size_t size = std::min(first.size, write_size);
          output.append(first.data, size);
          tls.on_output(size, world.now_);
        } else {
          return;
        }
      }
    }
    void feed(std::string_view bytes, Cuts cuts, std::string& output) {
      serve(output);
      while (!bytes.empty() && tls.wants_input()) {
        const Exact piece(bytes.substr(0, cuts.next(std::min(bytes.size(), Connection::kMaxInput))));
        tls.on_input(piece.view(), world.now_);
        bytes.remove_prefix(piece.view().size());
        serve(output);
      }
    }
    Ending end(std::string& output) {
      Ending ending;
      ending.open = !tls.wants_shutdown() && !tls.wants_close();
      if (!tls.wants_close()) tls.on_input_end(world.now_);
      serve(output);
      expect(tls.wants_close(), "a connection whose peer has ended closes when everything is sent");
      expect(tls.deadline() == Connection::kNoDeadline || !tls.is_open(), "one that closes has no deadline");
      return ending;
    }

    World& world;
    std::size_t write_size;
    int steps = 0;
    Connection connection;
    TlsConnection tls;
  };

  Now now_{1'000'000, 1'790'000'000};
  std::unique_ptr<Service> service_;
  std::unique_ptr<ConnectionContext> context_;
  std::unique_ptr<TlsContext> tls_;
};

void run(Input input) {
  static World world;
  const std::uint8_t kind = input.byte();
  const Cuts cuts(input);
  const std::size_t write_size = 1 + std::size_t{input.byte()} * 64;
  if (kind % 4 != 0) {
    const std::string_view bytes = input.rest();
    const Ending whole = world.play(bytes, Cuts(), 1'000'000);
    const Ending cut = world.play(bytes, cuts, write_size);
    expect(whole.open == cut.open, "whether it stays open does not depend on the cuts");
    return;
  }
  std::array<Change, 3> changes;
  for (Change& change : changes) change = {input.number(2), input.byte()};
  const bool notify = kind & 8;
  const std::string_view plaintext = input.rest().substr(0, 60'000);
  // A deposit is answered with a code of its own.
  if (plaintext.find("POST") != std::string_view::npos) {
    world.converse(plaintext, cuts, write_size, changes, notify);
    return;
  }
  const std::string expected = world.answers(plaintext);
  const Ending changed = world.converse(plaintext, cuts, write_size, changes, notify);
  expect(expected.starts_with(changed.plaintext), "no answer is made of changed bytes");
  const Ending kept = world.converse(plaintext, cuts, write_size, {}, notify);
  if (kept.plaintext != expected) std::cerr << "plain:\n" << expected << "\n\nTLS:\n" << kept.plaintext << "\n";
  expect(kept.plaintext == expected, "answers are those of plain HTTP");
  expect(kept.notified, "the end is told");
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

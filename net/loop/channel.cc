// SPDX-License-Identifier: MIT
#include "net/loop/channel.h"

#include <cassert>
#include <new>

namespace pairport {
namespace {

// Limits of Channel::burst(). Without them a peer that pipelines requests would get answers for as long as it reads.
// Any script fits. Encryption takes some 3 microseconds for each KiB.
constexpr std::size_t kBurst = 512 * 1024;
constexpr std::size_t kTlsBurst = 96 * 1024;

class PlainChannel final : public Channel {
 public:
  PlainChannel(ConnectionContext& context, const ClientAddress& peer, Transport transport, const Now& now) noexcept
      : Channel(context, peer, transport, now, kBurst) {}

  Wants wants() const noexcept override {
    if (const auto output = connection_.output(); !output.empty()) {
      return {.output = output,
              .deadline = connection_.deadline(),
              .close = connection_.wants_close(),
              .end_with_output = connection_.closes_after_output()};
    }
    return {.output = {},
            .deadline = connection_.deadline(),
            .close = connection_.wants_close(),
            .shutdown = connection_.wants_shutdown(),
            .input = connection_.wants_input(),
            .request = connection_.waits_for_request()};
  }
  Wants on_input(std::string_view input, const Now& now) noexcept override {
    connection_.on_input(input, now);
    return PlainChannel::wants();
  }
  Wants on_output(std::size_t sent, const Now& now) noexcept override {
    connection_.on_output(sent, now);
    return PlainChannel::wants();
  }
  void on_input_end(const Now& now) noexcept override { connection_.on_input_end(now); }
  void on_deadline(const Now& now) noexcept override { connection_.on_deadline(now); }
  void finish(const Now&) noexcept override { connection_.finish(); }

 private:
  void on_answer(const Now&) noexcept override {}
};

class TlsChannel final : public Channel {
 public:
  TlsChannel(ConnectionContext& context, TlsContext& tls, const ClientAddress& peer, const Now& now) noexcept
      : Channel(context, peer, Transport::kSecure, now, kTlsBurst), tls_(tls, connection_, now) {}

  Wants wants() const noexcept override {
    // end_with_output is never set: a close_notify alert follows the output.
    if (const auto output = tls_.output(); !output.empty()) {
      return {.output = output, .deadline = tls_.deadline(), .close = tls_.wants_close()};
    }
    return {.output = {},
            .deadline = tls_.deadline(),
            .close = tls_.wants_close(),
            .shutdown = tls_.wants_shutdown(),
            .input = tls_.wants_input(),
            .request = tls_.waits_for_request(),
            .handshake = tls_.wants_handshake()};
  }
  Wants on_input(std::string_view input, const Now& now) noexcept override {
    tls_.on_input(input, now);
    return TlsChannel::wants();
  }
  Wants on_output(std::size_t sent, const Now& now) noexcept override {
    tls_.on_output(sent, now);
    return TlsChannel::wants();
  }
  void on_input_end(const Now& now) noexcept override { tls_.on_input_end(now); }
  void on_deadline(const Now& now) noexcept override { tls_.on_deadline(now); }
  void finish(const Now& now) noexcept override { tls_.finish(now); }
  TlsConnection* tls() noexcept override { return &tls_; }

 private:
  void on_answer(const Now& now) noexcept override { tls_.on_answer(now); }

  TlsConnection tls_;
};

}  // namespace

std::unique_ptr<Channel> Channel::create(ConnectionContext& context, TlsContext* tls, const ClientAddress& peer,
                                         Transport transport, const Now& now) noexcept {
  if (transport == Transport::kSecure) {
    assert(tls != nullptr);
    return std::unique_ptr<Channel>(new (std::nothrow) TlsChannel(context, *tls, peer, now));
  }
  return std::unique_ptr<Channel>(new (std::nothrow) PlainChannel(context, peer, transport, now));
}

}  // namespace pairport

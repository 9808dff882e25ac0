// SPDX-License-Identifier: MIT
// All peers of a server: who may be one, who has to make room, and when each is told the time.
#ifndef PAIRPORT_NET_PEERS_H_
#define PAIRPORT_NET_PEERS_H_

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <pairport/client_address.h>
#include <pairport/connection.h>
#include <pairport/status.h>

#include "core/limits/address_counter.h"
#include "core/limits/victims.h"
#include "core/memory/secret_block.h"
#include "core/store/timer_wheel.h"
#include "net/loop/handshakes.h"
#include "net/loop/loop_context.h"
#include "net/loop/refusals.h"
#include "net/loop/transmitter.h"

namespace pairport {

class Peer;
struct PeerTimer;

class Peers {
 public:
  // Connections accepted in one batch, so that a burst of them does not delay those that are open: some 25 microseconds
  // each with its first answer.
  static constexpr std::size_t kBatch = 8;

  // kOutOfMemory, kMemoryNotLocked. `on_room`: called when somebody who waits outside may get on. Both contexts outlive
  // the object. May throw std::bad_alloc.
  static Result<std::unique_ptr<Peers>> create(LoopContext& context, ConnectionContext& connections,
                                               std::function<void()> on_room);
  // REQUIRES: size() == 0, and no handle of a peer is left
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  // Makes a connected socket a peer and reads from it, or refuses it. Owns `fd` from here on, also on failure.
  // kSystem, kOutOfMemory. REQUIRES: fewer than kBatch since settle_newcomers()
  Status add(int fd, const sockaddr_storage& address, Transport transport) noexcept;
  // To be called after each batch: gives to libuv the new peers that have not gone yet.
  void settle_newcomers() noexcept;

  // Whether there is a place for one more.
  bool has_room() const noexcept { return size_ - closing_ < context_.options.max_connections; }
  // Whether everybody waits for a handshake to be computed (see Victims): a newcomer should wait outside.
  bool all_are_queued() noexcept;
  // Closes the socket of somebody for a newcomer without a name. False: there is nobody.
  bool make_room() noexcept { return make_room(nullptr); }

  // Meets deadlines, a bounded number of them. Returns whether that was all.
  bool advance(const Now& now) noexcept;
  Refusals& refusals() noexcept { return refusals_; }
  // Ends each peer after the request that is under way.
  void finish() noexcept;
  void close_all() noexcept;
  // Peers whose memory is not freed.
  std::size_t size() const noexcept { return size_; }

  // For peers.
  LoopContext& context() noexcept { return context_; }
  Transmitter& transmitter() noexcept { return transmitter_; }
  Handshakes& handshakes() noexcept { return *handshakes_; }
  // Connection::kMaxInput bytes, for all of them.
  char* read_buffer() noexcept { return reinterpret_cast<char*>(read_buffer_.data()); }
  void arm(PeerTimer& timer, std::uint64_t deadline) noexcept;
  void set_waiting(Victims::Candidate& peer, bool waits) noexcept { victims_->set_waiting(peer, waits); }
  void set_queued(Victims::Candidate& peer, bool queued) noexcept {
    victims_->set_queued(peer, queued, context_.clock.ms());
  }
  // Its socket is about to be closed: what is counted of it is given back.
  void on_closing(Peer& peer) noexcept;
  // Its socket is closed, and libuv does not know it, or knows it no longer.
  void remove(Peer& peer) noexcept;

 private:
  friend class TimerWheel<Peers>;

  Peers(LoopContext& context, ConnectionContext& connections);
  // What TimerWheel asks for.
  TimerLinks& links(TimerId id) noexcept;
  std::uint64_t deadline(TimerId id) noexcept;
  bool make_room(const ClientKey* newcomer) noexcept;
  void refuse(int fd, Transport transport) noexcept;
  bool reserve_id() noexcept;

  LoopContext& context_;
  ConnectionContext& connections_;
  Transmitter transmitter_;
  TimerWheel<Peers> wheel_;
  std::unique_ptr<AddressCounter> places_;
  std::unique_ptr<Victims> victims_;
  std::unique_ptr<Handshakes> handshakes_;
  Refusals refusals_;
  SecretBlock read_buffer_;
  std::vector<Peer*> peers_;
  std::vector<TimerId> free_ids_;
  std::size_t size_ = 0;
  std::size_t closing_ = 0;  // of them, those whose socket is closed already
  std::array<Peer*, kBatch> newcomers_{};
  std::size_t newcomer_count_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_PEERS_H_

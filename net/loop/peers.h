// SPDX-License-Identifier: MIT
// All peers of a server: which connections are accepted, which are evicted, and when each has a deadline.
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
  // Connections accepted in one batch. Small, so that a burst of them does not delay open connections: each takes some
  // 25 microseconds with its first answer.
  static constexpr std::size_t kBatch = 8;

  // Errors: kOutOfMemory, kMemoryNotLocked. Calls `on_room` when a paused listener may accept again. Both contexts
  // outlive the object. May throw std::bad_alloc.
  static Result<std::unique_ptr<Peers>> create(LoopContext& context, ConnectionContext& connections,
                                               std::function<void()> on_room);
  // REQUIRES: size() == 0, and no handle of a peer is left
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  enum class Admission { kAdmitted, kAddressHasMost, kNoRoom, kNoMemory };
  // Makes a connected socket a peer and reads from it, or refuses it. Takes `fd`, also on failure. REQUIRES: fewer than
  // kBatch since settle_newcomers(); at most Connection::kMaxInput initial bytes
  Admission add(int fd, const sockaddr_storage& address, Transport transport, const Handover& handover = {}) noexcept;
  // Call this after each batch: gives libuv the new peers that are still open.
  void settle_newcomers() noexcept;

  // Whether there is a place for one more peer.
  bool has_room() const noexcept { return size_ - closing_ < context_.options.max_connections; }
  // Whether every peer waits for the computation of a handshake (see Victims::all_are_queued()): a new connection
  // should stay in the backlog.
  bool all_are_queued() noexcept;
  // Closes a peer for a new connection of an unknown client. False: there is no peer to close.
  bool make_room() noexcept { return make_room(nullptr); }

  // Handles a bounded number of due deadlines. Returns whether these were all.
  bool advance(const Now& now) noexcept;
  Refusals& refusals() noexcept { return refusals_; }
  // Ends each peer after its current request.
  void finish() noexcept;
  void close_all() noexcept;
  // Peers whose memory is not freed yet.
  std::size_t size() const noexcept { return size_; }

  // For peers.
  LoopContext& context() noexcept { return context_; }
  Transmitter& transmitter() noexcept { return transmitter_; }
  Handshakes& handshakes() noexcept { return *handshakes_; }
  // Connection::kMaxInput bytes that all peers share.
  char* read_buffer() noexcept { return reinterpret_cast<char*>(read_buffer_.data()); }
  void arm(PeerTimer& timer, std::uint64_t deadline) noexcept;
  void set_waiting(Victims::Candidate& peer, bool waits) noexcept { victims_->set_waiting(peer, waits); }
  void set_queued(Victims::Candidate& peer, bool queued) noexcept {
    victims_->set_queued(peer, queued, context_.clock.ms());
  }
  // The socket of `peer` is about to be closed: `peer` gives back its places.
  void on_closing(Peer& peer) noexcept;
  // The socket of `peer` is closed, and libuv has no handle for it (any more).
  void remove(Peer& peer) noexcept;

 private:
  friend class TimerWheel<Peers>;

  Peers(LoopContext& context, ConnectionContext& connections);
  // Required by TimerWheel.
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
  std::size_t closing_ = 0;  // of these, the peers whose socket is closed already
  std::array<Peer*, kBatch> newcomers_{};
  std::size_t newcomer_count_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_PEERS_H_

// SPDX-License-Identifier: MIT
// Invariants: a peer is in peers_ from its creation to its close callback, at the index that is the id of its timer.
// It gives back its places (in places_ and victims_) when it closes, not when its memory is freed. A peer without a
// handle is in newcomers_, and lives only until the end of its batch.
#include "net/loop/peers.h"

#include <netinet/in.h>
#include <unistd.h>
#include <uv.h>

#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "core/base/check.h"
#include "net/base/clock.h"
#include "net/loop/channel.h"
#include "net/loop/peer.h"

namespace pairport {
namespace {

// Deadlines that one loop iteration handles: each may cause an answer and a close.
constexpr std::size_t kDeadlineBatch = 32;
// A batch of at least this many newcomers takes long enough for new input: some 20 microseconds each.
constexpr std::size_t kCrowd = 4;

// It has no Content-Length: the body ends with the connection.
constexpr std::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: Retry-After, ETag\r\n"
    "Cache-Control: no-store\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Retry-After: 10\r\n"
    "Connection: close\r\n"
    "\r\n"
    "the service has no room for one more connection yet\n";
// A fatal alert internal_error (RFC 8446 section 6.2), unencrypted like everything before a handshake.
constexpr std::string_view kTooManyConnectionsAlert{"\x15\x03\x03\x00\x02\x02\x50", 7};

ClientAddress address_of(const sockaddr_storage& storage) noexcept {
  ClientAddress address;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(&address.bytes[12], &v4.sin_addr, 4);
  } else if (storage.ss_family == AF_INET6) {
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, 16);
  }
  return address;
}

}  // namespace

Peers::Peers(LoopContext& context, ConnectionContext& connections)
    : context_(context),
      connections_(connections),
      transmitter_(context.service.static_parts(), uv_hrtime),
      wheel_(*this, boot_time_ms()) {}

Peers::~Peers() = default;

Result<std::unique_ptr<Peers>> Peers::create(LoopContext& context, ConnectionContext& connections,
                                             std::function<void()> on_room) {
  std::unique_ptr<Peers> peers(new Peers(context, connections));
  const ServerOptions& options = context.options;
  const SecretLevel level = context.service.minimum_level();
  peers->read_buffer_ = SecretBlock::map(Connection::kMaxInput, level);
  if (!peers->read_buffer_) {
    return level == SecretLevel::kPlain ? StatusCode::kOutOfMemory : StatusCode::kMemoryNotLocked;
  }
  // One more, because a newcomer is counted before another peer makes room for it.
  Result<std::unique_ptr<AddressCounter>> places =
      AddressCounter::create({options.max_connections_per_address, options.max_connections + 1, options.hash_seed});
  if (!places.ok()) return places.status();
  peers->places_ = std::move(places).value();
  Result<std::unique_ptr<Victims>> victims = Victims::create(options.max_connections, options.hash_seed);
  if (!victims.ok()) return victims.status();
  peers->victims_ = std::move(victims).value();
  Result<std::unique_ptr<Handshakes>> handshakes = Handshakes::create(context, std::move(on_room));
  if (!handshakes.ok()) return handshakes.status();
  peers->handshakes_ = std::move(handshakes).value();
  return peers;
}

TimerLinks& Peers::links(TimerId id) noexcept {
  return peers_[id]->timer.links;
}
std::uint64_t Peers::deadline(TimerId id) noexcept {
  return peers_[id]->timer.deadline;
}

void Peers::arm(PeerTimer& timer, std::uint64_t deadline) noexcept {
  if (timer.armed) wheel_.cancel(timer.id);
  timer.armed = deadline != Connection::kNoDeadline;
  timer.deadline = deadline;
  if (timer.armed) wheel_.arm(timer.id);
}

bool Peers::advance(const Now& now) noexcept {
  return wheel_.advance(now.monotonic_ms, kDeadlineBatch, [&](TimerId id) {
    Peer& peer = *peers_[id];
    peer.timer.armed = false;
    peer.on_deadline(now);
  });
}

bool Peers::all_are_queued() noexcept {
  return victims_->all_are_queued(context_.clock.ms());
}

// Closes a connection to make room for a newcomer. A client with many connections cannot keep others out, whatever it
// does with them.
bool Peers::make_room(const ClientKey* newcomer) noexcept {
  Victims::Candidate* const victim = victims_->choose(newcomer, context_.clock.ms());
  if (victim == nullptr) return false;
  static_cast<Peer*>(victim)->close();
  return true;
}

void Peers::refuse(int fd, Transport transport) noexcept {
  const bool is_secure = transport == Transport::kSecure;
  refusals_.add(FileDescriptor(fd), is_secure ? kTooManyConnectionsAlert : kTooManyConnections,
                context_.clock.ms() + context_.options.connection.linger_timeout);
  context_.keep_ticking();
}

// Makes sure that there is a free id. False: no memory.
bool Peers::reserve_id() noexcept {
  if (!free_ids_.empty()) return true;
  try {
    peers_.push_back(nullptr);
    free_ids_.reserve(peers_.capacity());  // so that returning an id cannot fail
    free_ids_.push_back(static_cast<TimerId>(peers_.size() - 1));
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

Peers::Admission Peers::add(int fd, const sockaddr_storage& address, Transport transport,
                            const Handover& handover) noexcept {
  ++context_.counters.connections_accepted;
  const bool is_unix = address.ss_family == AF_UNIX;
  const ClientAddress client = handover.peer ? *handover.peer : address_of(address);
  const bool has_address = client != ClientAddress{};
  const ClientKey widest_key = client.widest_key();
  const ClientKey* key = nullptr;  // null for a proxy: each of its connections counts as a client
  AddressCounter::Place place;
  if (has_address && !context_.options.trusted_proxies.trusts(client)) {
    key = &widest_key;
    place = places_->take(client.key());
    if (!place) {
      ++context_.counters.addresses_limited;
      refuse(fd, transport);
      return Admission::kAddressHasMost;
    }
  }
  if (!has_room()) {
    ++context_.counters.connections_limited;
    if (!make_room(key)) {
      refuse(fd, transport);
      return Admission::kNoRoom;
    }
  }

  const Now now = context_.now();
  std::unique_ptr<Channel> channel;
  if (reserve_id()) channel = Channel::create(connections_, context_.options.tls, client, transport, now);
  if (channel == nullptr) {
    ::close(fd);
    return Admission::kNoMemory;
  }
  const TimerId id = free_ids_.back();
  auto* peer = new (std::nothrow) Peer(*this, id, fd, is_unix, client, std::move(place), std::move(channel));
  if (peer == nullptr || !victims_->add(*peer, key, now.monotonic_ms)) {
    if (peer != nullptr) peer->forget();
    ::close(fd);
    return Admission::kNoMemory;
  }
  free_ids_.pop_back();
  peers_[id] = peer;
  ++size_;
  context_.handles.add();
  PAIRPORT_CHECK(newcomer_count_ < newcomers_.size());
  newcomers_[newcomer_count_++] = peer;
  context_.keep_ticking();
  // The request has often arrived with the connection. A short exchange is then complete before the loop polls for it.
  if (handover.initial.empty() || peer->receive_initial(handover.initial)) peer->receive();
  return Admission::kAdmitted;
}

// A peer that is already served and closed, because it or the server ends the connection after one answer, never
// becomes a libuv handle. That saves setting up the handle, and adding and removing its poll: 6 % of the cost of a
// connection with one GET. The other peers become handles now.
void Peers::settle_newcomers() noexcept {
  // Only a large batch takes long enough for its first peers to have closed or sent more.
  const bool took_time = newcomer_count_ >= kCrowd;
  for (std::size_t i = 0; i < newcomer_count_; ++i) {
    Peer& peer = *newcomers_[i];
    if (took_time && !peer.is_closing() && !peer.is_attached() && peer.wants_input()) peer.receive();
    if (!peer.is_closing()) {
      peer.settle();
    } else if (!peer.is_attached()) {
      remove(peer);
    }
  }
  newcomer_count_ = 0;
}

void Peers::on_closing(Peer& peer) noexcept {
  ++closing_;
  victims_->remove(peer);
  peer.place = {};
  if (peer.timer.armed) wheel_.cancel(peer.timer.id);
  peer.timer.armed = false;
}

void Peers::remove(Peer& peer) noexcept {
  peers_[peer.timer.id] = nullptr;
  free_ids_.push_back(peer.timer.id);
  --size_;
  --closing_;
  peer.forget();
  context_.handles.remove();
}

void Peers::finish() noexcept {
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr) peers_[i]->finish(context_.now());
  }
}

void Peers::close_all() noexcept {
  for (Peer* peer : peers_) {
    if (peer != nullptr) peer->close();
  }
}

}  // namespace pairport

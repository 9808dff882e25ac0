// SPDX-License-Identifier: MIT
// Counts places, such as connections, that each client has at a time.
#ifndef PAIRPORT_ADDRESS_COUNTER_H_
#define PAIRPORT_ADDRESS_COUNTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <pairport/client_address.h>
#include <pairport/export.h>
#include <pairport/status.h>

namespace pairport {

// Limits the places of each client, and the number of clients with a place. Never allocates after creation. Every call
// takes bounded time. One thread at a time.
class PAIRPORT_EXPORT AddressCounter {
 public:
  struct Options {
    std::uint32_t most_per_client = 0;  // 0: no limit
    std::size_t most = 0;               // clients that have a place at a time, at least 1
    std::uint64_t hash_seed = 0;        // secret, different in each process
  };

  // One place; the destructor returns it. Movable, not copyable. The counter outlives it. An empty Place is no place.
  class Place {
   public:
    Place() noexcept = default;
    ~Place() {
      if (counter_ != nullptr) counter_->give_back(hash_);
    }
    Place(Place&& other) noexcept { *this = std::move(other); }
    Place& operator=(Place&& other) noexcept {
      std::swap(counter_, other.counter_);
      std::swap(hash_, other.hash_);
      return *this;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    explicit operator bool() const noexcept { return counter_ != nullptr; }

   private:
    friend class AddressCounter;
    Place(AddressCounter* counter, std::uint64_t hash) noexcept : counter_(counter), hash_(hash) {}

    AddressCounter* counter_ = nullptr;
    std::uint64_t hash_ = 0;
  };

  // kOutOfMemory.
  static Result<std::unique_ptr<AddressCounter>> create(const Options& options) noexcept;

  // A place for `key`. Empty when the client has Options::most_per_client places already, or when it has none and
  // Options::most other clients have one.
  Place take(const ClientKey& key) noexcept;

  // Clients that have a place.
  std::size_t clients() const noexcept { return clients_; }

 private:
  struct Entry {
    std::uint64_t hash = 0;  // 0: free
    std::uint32_t count = 0;
  };

  PAIRPORT_LOCAL AddressCounter(const Options& options, std::unique_ptr<Entry[]> entries, std::size_t slots) noexcept;
  void give_back(std::uint64_t hash) noexcept;
  // The slot of `hash`, or the free slot where it would be inserted.
  PAIRPORT_LOCAL std::size_t find(std::uint64_t hash) const noexcept;

  const std::uint32_t most_per_client_;
  const std::uint64_t seed_;
  const std::size_t most_clients_;
  const std::size_t mask_;
  std::size_t clients_ = 0;
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace pairport

#endif  // PAIRPORT_ADDRESS_COUNTER_H_

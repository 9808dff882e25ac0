// SPDX-License-Identifier: MIT
// Chooses which of many, such as connections, is evicted to make room for one more.
#ifndef PAIRPORT_VICTIMS_H_
#define PAIRPORT_VICTIMS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <pairport/client_address.h>
#include <pairport/export.h>
#include <pairport/status.h>

#include "core/base/intrusive_list.h"

namespace pairport {

// Candidates belong to keys, which are addresses or networks of clients. The victim belongs to a key that holds most
// places, so that a client with one place does not lose it to one with many, whatever the latter does. Among the
// candidates of these keys
// 1. first go those that are older than kYoungMs and wait for a request, in the order in which they have begun to wait,
//    or to be old;
// 2. then other old ones, the one with the fewest bytes per second of its age among kLooks that are looked at in turn;
// 3. then young ones, by the same measure, because what a young one waits for may be a round trip;
// 4. last those that wait for the owner (set_queued), or have done so until less than kYoungMs ago: they cannot make
//    progress by themselves, and what was computed for them would be lost.
//
// Nothing but a key's first candidate allocates. Every call takes a bounded time, however many candidates there are.
// Candidates belong to their owners and are linked in place. One thread at a time.
class PAIRPORT_EXPORT Victims {
 private:
  struct Shelf;
  struct Holder;

 public:
  static constexpr std::uint64_t kYoungMs = 2'000;
  static constexpr std::size_t kLooks = 32;

  // Base class of what may be evicted. It must be removed before it is destroyed.
  class Candidate {
   public:
    // Bytes that it has sent or been sent: to be counted by its owner.
    std::uint64_t bytes = 0;

   private:
    friend class Victims;
    ListLinks<Candidate> in_shelf_;
    ListLinks<Candidate> in_young_;
    Shelf* shelf_ = nullptr;      // null: not added
    std::uint64_t since_ms_ = 0;  // its age counts from here
    bool waits_ = false;
    bool young_ = false;  // in the list of young ones
  };

  // `most`: candidates at a time. `hash_seed`: secret, different in each process. kOutOfMemory.
  static Result<std::unique_ptr<Victims>> create(std::size_t most, std::uint64_t hash_seed) noexcept;
  ~Victims();
  Victims(const Victims&) = delete;
  Victims& operator=(const Victims&) = delete;

  // Adds a candidate of `key` that waits for a request; with null it is the only one of a key of its own, which no
  // other candidate has. False, and nothing is added, without memory, or when there are `most`.
  // REQUIRES: `candidate` is not added
  bool add(Candidate& candidate, const ClientKey* key, std::uint64_t now_ms) noexcept;
  // Does nothing when it is not added.
  void remove(Candidate& candidate) noexcept;
  // Whether it waits for a request, and if so that it begins to do so now. Does nothing when it is not added.
  void set_waiting(Candidate& candidate, bool waits) noexcept;
  // Whether it waits for work of the owner that takes long. When that is done its age begins anew. Does nothing when it
  // is not added.
  void set_queued(Candidate& candidate, bool queued, std::uint64_t now_ms) noexcept;

  // Who has to go for a newcomer of `key` (null: of a key of its own), whose place counts already; null when there is
  // nobody. Stays added.
  Candidate* choose(const ClientKey* key, std::uint64_t now_ms) noexcept;
  // Whether nobody holds more than one place, and every candidate is one of the last kind: a newcomer that can wait
  // should do so, because it will be one of them.
  bool all_are_queued(std::uint64_t now_ms) noexcept;

  std::size_t size() const noexcept { return size_; }
  // Places of the key that holds most.
  std::size_t largest() const noexcept { return largest_; }

 private:
  // The kinds of candidates that a key has, in the order in which they go.
  enum Kind : std::size_t { kOldWaiting, kOldBusy, kYoung, kQueued, kKinds };

  // A key's candidates of one kind.
  struct Shelf {
    Holder* holder = nullptr;
    IntrusiveList<Candidate, &Candidate::in_shelf_> candidates;
    ListLinks<Shelf> links;  // among shelves of the same kind whose keys hold as many places, unless it is empty
  };
  using ShelfList = IntrusiveList<Shelf, &Shelf::links>;

  // A key that holds places.
  struct Holder {
    std::array<Shelf, kKinds> shelves;
    ClientKey key;
    bool named = false;  // in the table; the others have one candidate each
    std::size_t size = 0;
    Holder* next = nullptr;  // in its chain of the table
  };

  struct Free {
    void operator()(void* memory) const noexcept;
  };
  template <typename T>
  using Table = std::unique_ptr<T[], Free>;

  PAIRPORT_LOCAL Victims(std::size_t most, std::uint64_t hash_seed, Table<Holder*> chains, std::size_t chain_count,
                         Table<ShelfList> by_size) noexcept;
  PAIRPORT_LOCAL Holder** chain_of(const ClientKey& key) noexcept;
  PAIRPORT_LOCAL Holder* find(const ClientKey& key) noexcept;
  // The shelves of a kind whose keys hold so many places.
  PAIRPORT_LOCAL ShelfList& shelves(std::size_t size, std::size_t kind) noexcept {
    return by_size_[size * kKinds + kind];
  }
  PAIRPORT_LOCAL std::size_t kind_of(const Shelf& shelf) const noexcept;
  PAIRPORT_LOCAL void put(Candidate& candidate, Holder& holder, std::size_t kind) noexcept;
  PAIRPORT_LOCAL void take(Candidate& candidate) noexcept;
  PAIRPORT_LOCAL void resize(Holder& holder, std::size_t size) noexcept;
  PAIRPORT_LOCAL void begin_young(Candidate& candidate, std::uint64_t now_ms) noexcept;
  PAIRPORT_LOCAL void end_young(Candidate& candidate) noexcept;
  PAIRPORT_LOCAL void age(std::uint64_t now_ms) noexcept;
  PAIRPORT_LOCAL Candidate* slowest(ShelfList& shelves, Shelf* only, std::uint64_t now_ms) noexcept;

  const std::size_t most_;
  const std::uint64_t seed_;
  const std::size_t chain_count_;
  Table<Holder*> chains_;
  Table<ShelfList> by_size_;
  IntrusiveList<Candidate, &Candidate::in_young_>
      young_;  // the oldest first; those of kYoung, and of kQueued who wait no longer
  std::size_t size_ = 0;
  std::size_t largest_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_VICTIMS_H_

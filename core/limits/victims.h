// SPDX-License-Identifier: MIT
// Chooses which object, such as a connection, to evict in order to make room for another one.
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

// Candidates belong to keys, which are addresses or networks of clients. The victim belongs to a key with the most
// places, so a client with one place cannot lose it to a client with many, whatever that client does. Among the
// candidates of these keys the order is:
// 1. candidates older than kYoungMs that wait for a request, in the order in which they began to wait or became old;
// 2. other old candidates: the one with the fewest bytes per second of its age, out of the next kLooks;
// 3. young candidates, by the same measure: a young one may just wait for a round trip;
// 4. candidates that wait for the owner (set_queued), or did so less than kYoungMs ago: they cannot make progress by
//    themselves, and the work for them would be lost.
//
// Only the first candidate of a key allocates. Every call takes a bounded time, however many candidates there are.
// Candidates belong to their owners and are linked in place. One thread at a time.
class PAIRPORT_EXPORT Victims {
 private:
  struct Shelf;
  struct Holder;

 public:
  static constexpr std::uint64_t kYoungMs = 2'000;
  static constexpr std::size_t kLooks = 32;

  // Base class of an object that may be evicted. Remove it before you destroy it.
  class Candidate {
   public:
    // Bytes that were received from it or sent to it. Its owner counts them.
    std::uint64_t bytes = 0;

   private:
    friend class Victims;
    ListLinks<Candidate> in_shelf_;
    ListLinks<Candidate> in_young_;
    Shelf* shelf_ = nullptr;      // null: not added
    std::uint64_t since_ms_ = 0;  // its age counts from here
    bool waits_ = false;
    bool young_ = false;  // in the list young_
  };

  // `most`: candidates at a time. `hash_seed`: secret, different in each process. Errors: kOutOfMemory.
  static Result<std::unique_ptr<Victims>> create(std::size_t most, std::uint64_t hash_seed) noexcept;
  ~Victims();
  Victims(const Victims&) = delete;
  Victims& operator=(const Victims&) = delete;

  // Adds a candidate of `key` that waits for a request. With null the candidate gets a key of its own. False, and
  // nothing is added, without memory, or when there are `most` candidates already.
  // REQUIRES: `candidate` is not added
  bool add(Candidate& candidate, const ClientKey* key, std::uint64_t now_ms) noexcept;
  // Does nothing when it is not added.
  void remove(Candidate& candidate) noexcept;
  // Sets whether the candidate waits for a request; if so, the wait begins now. Does nothing when it is not added.
  void set_waiting(Candidate& candidate, bool waits) noexcept;
  // Sets whether the candidate waits for slow work of the owner. At the end of the wait its age starts again from zero.
  // Does nothing when it is not added.
  void set_queued(Candidate& candidate, bool queued, std::uint64_t now_ms) noexcept;

  // The candidate to evict for a newcomer of `key` (null: of a key of its own), whose place counts already; null when
  // there is none. The candidate stays added.
  Candidate* choose(const ClientKey* key, std::uint64_t now_ms) noexcept;
  // Whether no key holds more than one place, and every candidate is of the last kind. A newcomer that can wait should
  // wait then, because it would only become one of them.
  bool all_are_queued(std::uint64_t now_ms) noexcept;

  std::size_t size() const noexcept { return size_; }
  // The places of the key with the most places.
  std::size_t largest() const noexcept { return largest_; }

 private:
  // The kinds of candidates, in the order of eviction.
  enum Kind : std::size_t { kOldWaiting, kOldBusy, kYoung, kQueued, kKinds };

  // A key's candidates of one kind.
  struct Shelf {
    Holder* holder = nullptr;
    IntrusiveList<Candidate, &Candidate::in_shelf_> candidates;
    ListLinks<Shelf> links;  // among shelves of the same kind whose keys hold as many places; none when empty
  };
  using ShelfList = IntrusiveList<Shelf, &Shelf::links>;

  // A key that holds places.
  struct Holder {
    std::array<Shelf, kKinds> shelves;
    ClientKey key;
    bool named = false;  // in the table; a holder outside has one candidate
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
  // The shelves of `kind` whose keys hold `size` places.
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
      young_;  // oldest first: all of kYoung, and those of kQueued that no longer wait
  std::size_t size_ = 0;
  std::size_t largest_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_VICTIMS_H_

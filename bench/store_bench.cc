// SPDX-License-Identifier: MIT
// Benchmarks of the store with ten thousand to ten million deposits, next to std::unordered_map with strings.
//
// Worst cases must exclude interruptions by the machine. So several rounds do the same operations, each operation is
// timed, and only its fastest round counts. The store repeats its work (a split, a chunk) at the same deposit in every
// round; an interrupt does not. The results also show the worst observed time.
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "core/store/local_store.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <benchmark/benchmark.h>

#include <pairport/code.h>

#include "support/process_memory.h"

namespace pairport {
namespace {

constexpr std::uint64_t kNow = 1'000'000;
constexpr std::uint64_t kTtl = 600'000;
constexpr std::size_t kExpiryBatch = 256;  // as in the server
constexpr int kTimedRounds = 3;

std::uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

using testing::cpu_ns;
using testing::resident_bytes;

[[noreturn]] void fail(const char* what) {
  static_cast<void>(std::fprintf(stderr, "store_bench: %s\n", what));
  std::abort();
}

// The code of deposit `i`: unique for each i below 59^10, without order.
struct CodeOf {
  explicit CodeOf(std::uint64_t i) {
    constexpr std::uint64_t kCodes = 511'116'753'300'641'401U;  // 59^10
    // Not a multiple of 59, so this is a permutation.
    constexpr std::uint64_t kStep = 314'159'265'358'979'323U;
    __extension__ using Product = unsigned __int128;
    auto number = static_cast<std::uint64_t>(static_cast<Product>(i) * kStep % kCodes);
    for (char& c : text) {
      c = kCodeAlphabet[number % 59];
      number /= 59;
    }
  }
  operator std::string_view() const { return {text, sizeof(text)}; }
  char text[kDefaultCodeLength];
};

// 150 bytes of values, without the fingerprint.
struct Values {
  Values() {
    view.connect_url = url;
    view.client_id = id;
    view.password = password;
    view.fingerprint.bytes.fill(0x2a);
  }
  std::string url = "https://rport-" + std::string(32, 'u') + ".example.com:8443";
  std::string id = "0b9b5c1e-4d0e-4c6c-9a3e-7f0c8a1d2e3f";
  std::string password = std::string(150 - 63 - 36, 'p');
  DepositView view;
};

// The measured containers, with one interface.
class OurStore {
 public:
  explicit OurStore(std::size_t capacity) {
    LocalStore::Options options;
    options.max_deposits = capacity;
    options.max_bytes = std::size_t{16} << 30;
    options.hash_seed = 0x9e37'79b9'7f4a'7c15U;
    auto created = LocalStore::create(options, kNow);
    if (!created.ok()) fail("no store");
    store_ = std::move(created).value();
  }
  bool insert(std::string_view code, const DepositView& view, std::uint64_t expires) {
    return store_->insert(code, view, expires).ok();
  }
  StoredDeposit find(std::string_view code) const { return store_->look_up(code, kNow); }
  bool erase(std::string_view code) { return store_->erase(code); }
  bool expire(std::uint64_t now) { return store_->expire(now, kExpiryBatch); }
  std::size_t size() const { return store_->size(); }

 private:
  std::unique_ptr<LocalStore> store_;
};

// The obvious alternative: a map of strings, which a sweep clears of expired deposits.
class Map {
 public:
  explicit Map(std::size_t /*capacity*/) {}
  bool insert(std::string_view code, const DepositView& view, std::uint64_t expires) {
    return map_
        .emplace(code, Entry{std::string(view.connect_url), std::string(view.client_id), std::string(view.password),
                             view.fingerprint, expires})
        .second;
  }
  class Found;
  Found find(std::string_view code) const;
  bool erase(std::string_view code) { return map_.erase(std::string(code)) != 0; }
  bool expire(std::uint64_t now) {
    std::erase_if(map_, [now](const auto& entry) { return entry.second.expires <= now; });
    return true;
  }
  std::size_t size() const { return map_.size(); }

 private:
  struct Entry {
    std::string url;
    std::string id;
    std::string password;
    Fingerprint fingerprint;
    std::uint64_t expires;
  };
  std::unordered_map<std::string, Entry> map_;
};

// The counterpart of StoredDeposit.
class Map::Found {
 public:
  explicit Found(const Entry* entry) : entry_(entry) {}
  explicit operator bool() const { return entry_ != nullptr; }
  std::string_view connect_url() const { return entry_->url; }
  std::string_view client_id() const { return entry_->id; }
  std::string_view password() const { return entry_->password; }

 private:
  const Entry* entry_;
};

Map::Found Map::find(std::string_view code) const {
  const auto found = map_.find(std::string(code));
  return Found(found == map_.end() || found->second.expires <= kNow ? nullptr : &found->second);
}

// Times of the same sequence of operations in several rounds.
class Times {
 public:
  void begin_round() {
    next_ = 0;
    seen_worst_ = 0;
  }
  void add(std::uint64_t nanoseconds) {
    const auto time = static_cast<std::uint32_t>(std::min<std::uint64_t>(nanoseconds, 0xffffffffU));
    if (next_ == fastest_.size()) {
      fastest_.push_back(time);
    } else {
      fastest_[next_] = std::min(fastest_[next_], time);
    }
    ++next_;
    seen_worst_ = std::max(seen_worst_, time);
  }
  void reserve(std::size_t count) { fastest_.reserve(count); }
  // Reports microseconds in the counters `name`_worst_us, _p9999_us and _worst_seen_us (of the last round).
  void report(benchmark::State& state, const std::string& name) {
    std::sort(fastest_.begin(), fastest_.end());
    state.counters[name + "_worst_us"] = fastest_.back() / 1e3;
    state.counters[name + "_p9999_us"] = fastest_[(fastest_.size() - 1) * 9999 / 10000] / 1e3;
    state.counters[name + "_worst_seen_us"] = seen_worst_ / 1e3;
  }

 private:
  std::vector<std::uint32_t> fastest_;
  std::size_t next_ = 0;
  std::uint32_t seen_worst_ = 0;
};

std::uint64_t deadline_of(std::size_t i) {
  return kNow + kTtl + i % 1000;
}

template <typename Container>
void fill(Container& container, std::size_t count, const Values& values) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!container.insert(CodeOf(i), values.view, deadline_of(i))) fail("an insertion failed");
  }
}

// Fills a container with `count` deposits, and empties it when all of them expire within one second.
template <typename Container>
void life(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Values values;
  Times inserts;
  Times batches;
  inserts.reserve(count);
  batches.reserve(count / kExpiryBatch * 4);
  while (state.KeepRunning()) {
    {
      const std::size_t before = resident_bytes();
      Container container(count);
      std::uint64_t begin = cpu_ns();
      fill(container, count, values);
      state.counters["insert_ns"] = static_cast<double>(cpu_ns() - begin) / static_cast<double>(count);
      state.counters["resident_bytes"] = static_cast<double>(resident_bytes() - before) / static_cast<double>(count);
      begin = cpu_ns();
      while (container.size() != 0) container.expire(kNow + kTtl + 1200);
      state.counters["expire_ns"] = static_cast<double>(cpu_ns() - begin) / static_cast<double>(count);
    }
    for (int round = 0; round < kTimedRounds; ++round) {
      Container container(count);
      inserts.begin_round();
      for (std::size_t i = 0; i < count; ++i) {
        const CodeOf code(i);
        const std::uint64_t begin = now_ns();
        const bool inserted = container.insert(code, values.view, deadline_of(i));
        inserts.add(now_ns() - begin);
        if (!inserted) fail("an insertion failed");
      }
      batches.begin_round();
      for (bool done = false; !done;) {
        const std::uint64_t begin = now_ns();
        done = container.expire(kNow + kTtl + 1200);
        batches.add(now_ns() - begin);
      }
      if (container.size() != 0) fail("something did not expire");
    }
  }
  inserts.report(state, "insert");
  batches.report(state, "batch");
}

// A container with `count` deposits, kept for the benchmarks that follow at the same size.
template <typename Container>
Container& filled(std::size_t count) {
  static std::unique_ptr<Container> container;
  static std::size_t size = 0;
  if (container == nullptr || size != count) {
    container = std::make_unique<Container>(count + 10'000);
    fill(*container, count, Values());
    size = count;
  }
  return *container;
}

// Codes of deposits, drawn at random from the `count` ones from `first` on.
std::vector<CodeOf> draw(std::size_t first, std::size_t count) {
  std::mt19937_64 engine(7);
  std::vector<CodeOf> codes;
  for (std::size_t i = 0; i < std::size_t{1} << 18; ++i) codes.emplace_back(first + engine() % count);
  return codes;
}

template <typename Container>
void look_up(benchmark::State& state, bool present) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Container& container = filled<Container>(count);
  const std::vector<CodeOf> codes = draw(present ? 0 : count + 1'000'000, count);
  const std::size_t mask = codes.size() - 1;
  std::size_t i = 0;
  std::size_t sum = 0;
  for ([[maybe_unused]] const auto ignored : state) {
    const auto found = container.find(codes[i]);
    if (static_cast<bool>(found) != present) fail("a look-up went wrong");
    // Read the record, head and values.
    if (present) sum += static_cast<unsigned char>(found.password().back());
    i = (i + 1) & mask;
  }
  benchmark::DoNotOptimize(sum);
}

template <typename Container>
void hit(benchmark::State& state) {
  look_up<Container>(state, true);
}
template <typename Container>
void miss(benchmark::State& state) {
  look_up<Container>(state, false);
}

// Like answers: reads all values before the next look-up begins. In the benchmark above, the processor begins the next
// look-up while it still waits for memory.
template <typename Container>
void answer(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Container& container = filled<Container>(count);
  const std::vector<CodeOf> codes = draw(0, count);
  const std::size_t mask = codes.size() - 1;
  std::size_t i = 0;
  std::size_t sum = 0;
  for ([[maybe_unused]] const auto ignored : state) {
    const auto found = container.find(codes[i]);
    if (!found) fail("a look-up went wrong");
    for (const std::string_view value : {found.connect_url(), found.client_id(), found.password()}) {
      for (std::size_t at = 0; at < value.size(); at += 32) sum += static_cast<unsigned char>(value[at]);
    }
    // Always zero, but the processor cannot know this.
    benchmark::DoNotOptimize(sum);
    i = (i + 1 + (sum & (std::size_t{1} << 63))) & mask;
  }
  benchmark::DoNotOptimize(sum);
}

// The lower bound of a look-up on this machine: one read at a random place of a table with 16 bytes for each deposit,
// and one read of the record of 208 bytes to which it points, both in pages of 4 KiB. `kChained`: each look-up begins
// when the last one has ended. Otherwise the processor may overlap them.
template <bool kChained>
void two_reads(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t kRecord = 208;
  constexpr std::size_t kSlot = 16;
  const std::size_t size = count * (kSlot + kRecord);
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) fail("no memory");
  madvise(data, size, MADV_NOHUGEPAGE);
  auto* bytes = static_cast<unsigned char*>(data);
  std::mt19937_64 engine(7);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t place = count * kSlot + engine() % count * kRecord;
    std::memcpy(bytes + i * kSlot, &place, sizeof(place));
    bytes[count * kSlot + i * kRecord] = 1;
  }
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < std::size_t{1} << 18; ++i) places.push_back(engine() % count * kSlot);
  std::size_t i = 0;
  std::size_t sum = 0;
  while (state.KeepRunning()) {
    std::uint64_t place = 0;
    std::memcpy(&place, bytes + places[i], sizeof(place));
    sum += bytes[place];
    i = (i + 1 + (kChained ? sum & (std::size_t{1} << 63) : 0)) & (places.size() - 1);
  }
  benchmark::DoNotOptimize(sum);
  munmap(data, size);
}

// Inserts a thousand deposits beside the live ones. Their removal is not timed.
template <typename Container>
void insert(benchmark::State& state) {
  constexpr std::size_t kRun = 1000;
  const auto count = static_cast<std::size_t>(state.range(0));
  Container& container = filled<Container>(count);
  const Values values;
  std::size_t first = count;
  while (state.KeepRunningBatch(kRun)) {
    std::vector<CodeOf> codes;
    for (std::size_t i = 0; i < kRun; ++i) codes.emplace_back(first++);
    const std::uint64_t begin = cpu_ns();
    for (const CodeOf& code : codes) {
      if (!container.insert(code, values.view, kNow + 2 * kTtl)) fail("an insertion failed");
    }
    state.SetIterationTime(static_cast<double>(cpu_ns() - begin) * 1e-9);
    for (const CodeOf& code : codes) container.erase(code);
  }
}

template <typename Container>
void add(const std::string& name) {
  for (const std::int64_t count : {10'000, 100'000, 1'000'000, 10'000'000}) {
    benchmark::RegisterBenchmark((name + "/life").c_str(), life<Container>)
        ->Arg(count)
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  }
  for (const std::int64_t count : {0, 10'000, 100'000, 1'000'000, 5'000'000, 10'000'000}) {
    benchmark::RegisterBenchmark((name + "/insert").c_str(), insert<Container>)->Arg(count)->UseManualTime();
    if (count == 0) continue;
    benchmark::RegisterBenchmark((name + "/hit").c_str(), hit<Container>)->Arg(count);
    benchmark::RegisterBenchmark((name + "/miss").c_str(), miss<Container>)->Arg(count);
    benchmark::RegisterBenchmark((name + "/answer").c_str(), answer<Container>)->Arg(count);
  }
}

}  // namespace
}  // namespace pairport

int main(int argc, char** argv) {
  for (const std::int64_t count : {10'000, 100'000, 1'000'000, 5'000'000, 10'000'000}) {
    benchmark::RegisterBenchmark("memory/two_reads", pairport::two_reads<false>)->Arg(count);
    benchmark::RegisterBenchmark("memory/two_chained_reads", pairport::two_reads<true>)->Arg(count);
  }
  pairport::add<pairport::OurStore>("store");
  pairport::add<pairport::Map>("unordered_map");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

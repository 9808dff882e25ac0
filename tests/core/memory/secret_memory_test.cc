// SPDX-License-Identifier: MIT
#include <pairport/secret_memory.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/store/local_store.h"

#include "core/memory/secret_pool.h"
#include "core/store/slab.h"
#include "support/process_memory.h"

namespace pairport {
namespace {

using pairport::testing::kSanitized;
using ::testing::HasSubstr;

constexpr std::string_view kNoMlock = "sanitizers turn mlock(2) into nothing that always succeeds";

bool all_zero(const std::byte* data, std::size_t size) {
  return std::all_of(data, data + size, [](std::byte b) { return b == std::byte{0}; });
}

// The lines that /proc/self/smaps has for the mapping that holds `address`.
std::string mapping_of(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  std::string found;
  bool inside = false;
  while (std::getline(smaps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      const auto place = reinterpret_cast<unsigned long>(address);
      inside = begin <= place && place < end;
    }
    if (inside) found += line + '\n';
  }
  return found;
}

// Runs `body` in a child and returns its exit status, or minus the signal that ended it.
template <typename Body>
int in_child(Body&& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// From here on the kernel locks no memory for this process.
void forbid_locked_memory() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) _exit(100);
  if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(101);
}

TEST(Wipe, OverwritesExactlyWhatItIsTold) {
  std::vector<char> bytes(100, 'x');
  wipe(bytes.data() + 10, 50);
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], i >= 10 && i < 60 ? '\0' : 'x');
  wipe(bytes.data(), 0);
  wipe(nullptr, 0);
  EXPECT_EQ(bytes[0], 'x');
}

TEST(SecretBlock, IsZeroedWholePages) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (const std::size_t size : {std::size_t{1}, page - 1, page, page + 1, std::size_t{256 * 1024}}) {
    const SecretBlock block = SecretBlock::map(size);
    ASSERT_TRUE(block);
    EXPECT_EQ(block.size(), (size + page - 1) / page * page);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % page, 0U);
    EXPECT_TRUE(all_zero(block.data(), block.size()));
    std::memset(block.data(), 0xab, block.size());
  }
}

TEST(SecretBlock, ImpossibleSizesAreRefused) {
  EXPECT_FALSE(SecretBlock::map(0));
  EXPECT_FALSE(SecretBlock::map(static_cast<std::size_t>(-1)));
  EXPECT_FALSE(SecretBlock::map(static_cast<std::size_t>(-1) / 2));
  EXPECT_FALSE(SecretBlock::map(std::size_t{1} << 60));
}

TEST(SecretBlock, AnEmptyOneHoldsNothing) {
  const SecretBlock block;
  EXPECT_FALSE(block);
  EXPECT_EQ(block.data(), nullptr);
  EXPECT_EQ(block.size(), 0U);
}

TEST(SecretBlock, UnmappedWhenItIsWipedIsEmpty) {
  SecretBlock block = SecretBlock::map(100);
  ASSERT_TRUE(block);
  const void* place = block.data();
  block.unmap_wiped();
  EXPECT_FALSE(block);
  EXPECT_EQ(block.size(), 0U);
  EXPECT_EQ(mapping_of(place), "");
  block.unmap_wiped();
}

TEST(SecretBlock, PagesThatNobodyTouchesCostNothing) {
  if (kSanitized) GTEST_SKIP() << kNoMlock;
  const SecretBlock block = SecretBlock::map(64 << 20);
  ASSERT_TRUE(block);
  const std::string mapping = mapping_of(block.data());
  const std::size_t rss_at = mapping.find("\nRss:");
  ASSERT_NE(rss_at, std::string::npos);
  EXPECT_LT(std::stoul(mapping.substr(rss_at + 5)), 1024U) << mapping;
}

TEST(SecretBlock, MovesWithItsMapping) {
  SecretBlock first = SecretBlock::map(100);
  std::byte* const data = first.data();
  std::memset(data, 1, 100);
  SecretBlock second(std::move(first));
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(std::to_integer<int>(data[99]), 1);
  SecretBlock third;
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
  SecretBlock& self = third;
  third = std::move(self);
  EXPECT_EQ(third.data(), data);
}

TEST(SecretBlock, IsUnmappedInTheEnd) {
  const std::byte* data = nullptr;
  {
    const SecretBlock block = SecretBlock::map(1 << 20);
    data = block.data();
    EXPECT_NE(mapping_of(data), "");
  }
  EXPECT_EQ(mapping_of(data), "");
}

TEST(SecretBlock, IsKeptOutOfCoreDumpsAndHasTheLevelThatItSays) {
  const SecretBlock block = SecretBlock::map(64 * 1024);
  ASSERT_TRUE(block);
  const std::string mapping = mapping_of(block.data());
  ASSERT_NE(mapping, "");
  const std::size_t flags_at = mapping.find("VmFlags:");
  ASSERT_NE(flags_at, std::string::npos);
  const std::string flags = mapping.substr(flags_at, mapping.find('\n', flags_at) - flags_at) + " ";
  EXPECT_THAT(flags, HasSubstr(" dd ")) << "MADV_DONTDUMP";
  switch (block.level()) {
    case SecretLevel::kMemfdSecret:
      EXPECT_THAT(mapping, HasSubstr("/secretmem"));
      EXPECT_THAT(flags, HasSubstr(" lo "));
      EXPECT_THAT(flags, HasSubstr(" dc ")) << "MADV_DONTFORK";
      break;
    case SecretLevel::kLocked:
      EXPECT_THAT(flags, HasSubstr(" lo "));
      EXPECT_THAT(flags, HasSubstr(" wf ")) << "MADV_WIPEONFORK";
      break;
    case SecretLevel::kPlain:
      EXPECT_THAT(flags, HasSubstr(" wf "));
      break;
  }
}

TEST(SecretBlock, AChildNeverSeesTheSecret) {
  const SecretBlock block = SecretBlock::map(4096);
  ASSERT_TRUE(block);
  std::memset(block.data(), 0x5a, block.size());
  const int result = in_child([&] {
    // write(2) from memory that is not there fails instead of ending the child with a signal.
    int ends[2];
    if (pipe(ends) != 0) return 2;
    if (write(ends[1], block.data(), 16) != 16) return 0;
    std::byte seen[16];
    if (read(ends[0], seen, sizeof(seen)) != 16) return 3;
    return all_zero(seen, sizeof(seen)) ? 0 : 1;
  });
  EXPECT_EQ(result, 0);
  EXPECT_EQ(std::to_integer<int>(block.data()[0]), 0x5a);
}

TEST(WithoutLockedMemory, SaysHonestlyThatItCouldNotBeLocked) {
  if (kSanitized) GTEST_SKIP() << kNoMlock;
  EXPECT_EQ(in_child([] {
              forbid_locked_memory();
              const SecretBlock block = SecretBlock::map(64 * 1024);
              if (!block) return 1;
              if (block.level() != SecretLevel::kPlain) return 2;
              return all_zero(block.data(), block.size()) ? 0 : 3;
            }),
            0);
}

TEST(WithoutLockedMemory, RefusesLessThanTheMinimum) {
  if (kSanitized) GTEST_SKIP() << kNoMlock;
  EXPECT_EQ(in_child([] {
              forbid_locked_memory();
              if (SecretBlock::map(64 * 1024, SecretLevel::kLocked)) return 1;
              if (SecretBlock::map(64 * 1024, SecretLevel::kMemfdSecret)) return 2;
              return 0;
            }),
            0);
}

TEST(WithoutLockedMemory, ARefusalHoldsNothing) {
  if (kSanitized) GTEST_SKIP() << kNoMlock;
  EXPECT_EQ(in_child([] {
              forbid_locked_memory();
              std::ifstream before("/proc/self/statm");
              std::size_t pages_before = 0;
              before >> pages_before;
              for (int i = 0; i < 100; ++i) {
                if (SecretBlock::map(1 << 20, SecretLevel::kLocked)) return 1;
              }
              std::ifstream after("/proc/self/statm");
              std::size_t pages_after = 0;
              after >> pages_after;
              return pages_after < pages_before + 2048 ? 0 : 2;
            }),
            0);
}

TEST(WithoutLockedMemory, AStoreThatDemandsLockedMemoryDoesNotStartWithLess) {
  if (kSanitized) GTEST_SKIP() << kNoMlock;
  EXPECT_EQ(in_child([] {
              forbid_locked_memory();
              LocalStore::Options options;
              options.minimum_level = SecretLevel::kLocked;
              const auto strict = LocalStore::create(options, 0);
              if (strict.ok() || strict.status().code() != StatusCode::kMemoryNotLocked) return 1;
              options.minimum_level = SecretLevel::kPlain;
              const auto lax = LocalStore::create(options, 0);
              if (!lax.ok()) return 2;
              return lax.value()->level() == SecretLevel::kPlain ? 0 : 3;
            }),
            0);
}

// The kernel grants some chunks and then no more: deposits are refused, and what is held stays as it is.
TEST(WithoutLockedMemory, AStoreThatGetsNoMoreLosesNothing) {
  if (kSanitized) GTEST_SKIP() << kNoMlock;
  for (const rlim_t chunks : {rlim_t{1}, rlim_t{2}, rlim_t{5}}) {
    EXPECT_EQ(in_child([chunks] {
                const rlimit some{chunks * 256 * 1024, chunks * 256 * 1024};
                if (setrlimit(RLIMIT_MEMLOCK, &some) != 0) return 100;
                if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 101;
                LocalStore::Options options;
                options.minimum_level = SecretLevel::kLocked;
                auto created = LocalStore::create(options, 0);
                if (!created.ok()) return 1;
                LocalStore& store = *created.value();
                const std::string password(900, 'p');
                DepositView deposit;
                deposit.connect_url = "http://h";
                deposit.client_id = "i";
                deposit.password = password;
                std::size_t held = 0;
                Status status;
                while ((status = store.insert("code" + std::to_string(held), deposit, 1000)).ok()) ++held;
                if (status.code() != StatusCode::kMemoryNotLocked) return 2;
                if (held < chunks * 200 || store.size() != held || store.expiring() != held) return 3;
                for (std::size_t i = 0; i < held; ++i) {
                  const StoredDeposit found = store.look_up("code" + std::to_string(i), 0);
                  if (!found || found.password() != password) return 4;
                }
                if (store.look_up("code" + std::to_string(held), 0)) return 5;
                if (!store.expire(5000, static_cast<std::size_t>(-1)) || store.size() != 0) return 6;
                return store.insert("another", deposit, 9000).ok() ? 0 : 7;
              }),
              0)
        << chunks;
  }
}

TEST(WithoutAddressSpace, AStoreSaysSoAtTheStart) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need more address space than there is memory";
  EXPECT_EQ(in_child([] {
              const rlimit little{64 << 20, 64 << 20};
              if (setrlimit(RLIMIT_AS, &little) != 0) return 100;
              LocalStore::Options options;
              options.max_bytes = std::size_t{100} << 30;
              options.max_deposits = 100'000'000;
              const auto created = LocalStore::create(options, 0);
              return !created.ok() && created.status().code() == StatusCode::kOutOfMemory ? 0 : 1;
            }),
            0);
}

TEST(WithoutAddressSpace, AStoreThatGetsNoMoreSaysWhatIsMissing) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need more address space than there is memory";
  EXPECT_EQ(in_child([] {
              auto created = LocalStore::create({}, 0);
              if (!created.ok()) return 1;
              std::size_t pages = 0;
              std::ifstream("/proc/self/statm") >> pages;
              const rlim_t now = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
              const rlimit little{now + Slab::kChunkSize, now + Slab::kChunkSize};
              if (setrlimit(RLIMIT_AS, &little) != 0) return 100;
              DepositView deposit;
              deposit.connect_url = deposit.client_id = deposit.password = "x";
              Status status;
              for (int i = 0; status.ok() && i < 100'000; ++i) {
                status = created.value()->insert("c" + std::to_string(i), deposit, 1000);
              }
              return status.code() == StatusCode::kOutOfMemory ? 0 : 2;
            }),
            0);
}

// The descriptor of the memory may have the number of standard input then.
TEST(SecretBlock, HasTheSameLevelWithoutStandardInput) {
  EXPECT_EQ(in_child([] {
              const SecretLevel before = SecretBlock::map(4096).level();
              close(0);
              return SecretBlock::map(4096).level() == before ? 0 : 1;
            }),
            0);
}

TEST(SecretLevel, HasNamesAndAnOrder) {
  EXPECT_EQ(to_string(SecretLevel::kPlain), "plain");
  EXPECT_EQ(to_string(SecretLevel::kLocked), "locked");
  EXPECT_EQ(to_string(SecretLevel::kMemfdSecret), "memfd_secret");
  EXPECT_LT(SecretLevel::kPlain, SecretLevel::kLocked);
  EXPECT_LT(SecretLevel::kLocked, SecretLevel::kMemfdSecret);
}

struct Buffer {
  ~Buffer() { wipe(text.data(), text.size()); }
  std::array<char, 5000> text{};
};

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// What is in the registers, someone saves on the stack later: a signal, or the dynamic linker when it binds a function.
TEST(WipeStack, WipesVectorRegisters) {
  std::array<unsigned char, 64> secret;
  secret.fill(0x5a);
  alignas(64) std::array<unsigned char, 64> low{};
  alignas(64) std::array<unsigned char, 64> high{};
  wipe_stack();  // bound by now
  asm volatile("movdqu %0, %%xmm5" ::"m"(secret) : "xmm5");
  wipe_stack();
  asm volatile("movdqu %%xmm5, %0" : "=m"(low));
  EXPECT_EQ(low, (std::array<unsigned char, 64>{}));
  if (__builtin_cpu_supports("avx")) {
    asm volatile("vmovdqu %0, %%ymm15" ::"m"(secret) : "xmm15");
    wipe_stack();
    asm volatile("vmovdqu %%ymm15, %0" : "=m"(low));
    EXPECT_EQ(low, (std::array<unsigned char, 64>{}));
  }
  if (__builtin_cpu_supports("avx512vl")) {
    asm volatile("vmovdqu64 %0, %%zmm31" ::"m"(secret));
    wipe_stack();
    asm volatile("vmovdqu64 %%zmm31, %0" : "=m"(high));
    EXPECT_EQ(high, (std::array<unsigned char, 64>{}));
  }
}
#endif

TEST(SecretPool, HandsOutCleanObjectsAndUsesTheirMemoryAgain) {
  SecretPool<Buffer> pool{SecretLevel::kPlain};
  const Buffer* place = nullptr;
  {
    const auto buffer = pool.acquire();
    ASSERT_NE(buffer, nullptr);
    buffer->text.fill('s');
    place = buffer.get();
  }
  // Its memory is kept, and wiped already.
  ASSERT_FALSE(mapping_of(place).empty());
  const volatile char* const released = reinterpret_cast<const char*>(place);
  std::size_t left = 0;
  for (std::size_t i = 0; i < sizeof(Buffer); ++i) left += released[i] == 's' ? 1U : 0U;
  EXPECT_EQ(left, 0U);
  const auto again = pool.acquire();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again.get(), place);
  EXPECT_EQ(std::count(again->text.begin(), again->text.end(), '\0'), 5000);
  const auto other = pool.acquire();
  ASSERT_NE(other, nullptr);
  EXPECT_NE(other.get(), place);
}

TEST(SecretPool, GivesBackWhatIsMoreThanItKeeps) {
  SecretPool<Buffer> pool{SecretLevel::kPlain};
  std::vector<SecretPool<Buffer>::Pointer> held;
  std::vector<const void*> places;
  for (int i = 0; i < 100; ++i) {
    held.push_back(pool.acquire());
    ASSERT_NE(held.back(), nullptr);
    places.push_back(held.back().get());
  }
  held.clear();
  std::size_t mapped = 0;
  for (const void* place : places) mapped += mapping_of(place).empty() ? 0U : 1U;
  EXPECT_LE(mapped, 64U);
  EXPECT_GE(mapped, 60U);
}

}  // namespace
}  // namespace pairport

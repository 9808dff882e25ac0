// SPDX-License-Identifier: MIT
// What this room leaves behind, and what it takes: no key anywhere, and no memory of the heap.
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>
#include <mbedtls/md.h>

#include <pairport/code.h>

#include "core/crypto/aead.h"
#include "core/crypto/constant_time.h"
#include "core/crypto/hkdf.h"
#include "core/crypto/hmac.h"
#include "core/crypto/secret_key.h"
#include "core/crypto/sha256.h"
#include "core/memory/secret_block.h"
#include "support/fixed_random.h"
#include "support/hex.h"
#include "support/process_memory.h"

namespace {

// While set, no allocation of this program succeeds, of whatever library. Sanitizers need their own functions.
bool heap_is_empty = false;
std::size_t refused_allocations = 0;

}  // namespace

#if !PAIRPORT_TEST_SANITIZED
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t items, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);

void* malloc(std::size_t size) noexcept {
  if (heap_is_empty) return ++refused_allocations, nullptr;
  return __libc_malloc(size);
}
void* calloc(std::size_t items, std::size_t size) noexcept {
  if (heap_is_empty) return ++refused_allocations, nullptr;
  return __libc_calloc(items, size);
}
void* realloc(void* old, std::size_t size) noexcept {
  if (heap_is_empty) return ++refused_allocations, nullptr;
  return __libc_realloc(old, size);
}
}
#endif

namespace pairport::testing {
namespace {

static_assert(!std::is_copy_constructible_v<SecretKey> && !std::is_move_constructible_v<SecretKey>);
static_assert(!std::is_copy_assignable_v<SecretKey> && !std::is_move_assignable_v<SecretKey>);
template <typename T>
constexpr bool kIsPrintable = requires(std::ostream& out, const T& value) {
  out << value;
};
template <typename T>
constexpr bool kIsComparable = requires(const T& value) {
  value == value;
};
static_assert(kIsPrintable<int> && !kIsPrintable<SecretKey>);
static_assert(kIsComparable<int> && !kIsComparable<SecretKey>);

constexpr std::string_view kAssociated = "associated";

// Everything that the room does, with one key. Its output lies where no search finds it.
struct Work {
  Work() { EXPECT_TRUE(key.draw(random)); }

  bool hash() {
    const auto digest = sha256(key.bytes());
    return digest.has_value();
  }
  bool prepare() {
    const HmacKey ready(key.bytes());
    return true;
  }
  bool authenticate() {
    const HmacKey ready(key.bytes());
    return ready.mac(bytes_of(kAssociated)).has_value();
  }
  bool derive() { return hkdf_expand(key, bytes_of(kAssociated), derived.writable()); }
  bool extract() { return hkdf_extract(bytes_of(kAssociated), key.bytes(), derived); }
  bool seal() { return pairport::seal(key, nonce, bytes_of(kAssociated), plain, sealed); }
  bool open() { return pairport::open(key, nonce, bytes_of(kAssociated), sealed, plain) == Opened::kYes; }
  bool name_in_a_log() { return short_code_hash(kAssociated, 1) != 0; }
  bool leave_a_copy() {
    std::array<std::uint8_t, SecretKey::kSize> copy;
    std::memcpy(copy.data(), key.bytes().data(), copy.size());
    asm volatile("" : : "r"(copy.data()) : "memory");
    return true;
  }
  bool compare() { return equal_in_constant_time(key.bytes(), key.bytes()); }

  FixedRandom random;
  SecretKey key;
  SecretKey derived;
  Nonce nonce{};
  std::array<std::uint8_t, 300> plain{};
  std::array<std::uint8_t, 300 + kSealOverhead> sealed{};
};

struct Step {
  const char* name;
  bool (Work::*run)();
};
constexpr Step kSteps[] = {
    {"hash", &Work::hash},     {"prepare", &Work::prepare}, {"authenticate", &Work::authenticate},
    {"derive", &Work::derive}, {"extract", &Work::extract}, {"seal", &Work::seal},
    {"open", &Work::open},     {"compare", &Work::compare}, {"name in a log", &Work::name_in_a_log}};

TEST(Remains, NothingNeedsTheHeap) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need the functions that this test replaces";
  Work work;
  // The library's own functions show that its allocations are seen here.
  std::array<std::uint8_t, 32> digest;
  heap_is_empty = true;
  const int result = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), digest.data(), digest.size(),
                                     digest.data(), digest.size(), digest.data());
  heap_is_empty = false;
  EXPECT_EQ(result, MBEDTLS_ERR_MD_ALLOC_FAILED);
  EXPECT_GT(refused_allocations, 0U);
  refused_allocations = 0;

  for (const Step& step : kSteps) {
    heap_is_empty = true;
    const bool is_good = (work.*step.run)();
    heap_is_empty = false;
    EXPECT_TRUE(is_good) << step.name;
    EXPECT_EQ(refused_allocations, 0U) << step.name;
  }
}

// Eight bytes of a key are found, wherever they are; the whole of it need not be there.
constexpr std::size_t kPiece = 8;
constexpr std::uint8_t kDisguise = 0x55;

std::vector<std::uint8_t> disguised(Bytes bytes, std::uint8_t pad = 0) {
  std::vector<std::uint8_t> result(bytes.begin(), bytes.end());
  for (std::uint8_t& byte : result) byte ^= kDisguise ^ pad;
  return result;
}

bool holds(const volatile std::uint8_t* memory, std::size_t size, const std::vector<std::uint8_t>& needle) {
  const std::uint8_t* const pieces = needle.data();
  const std::size_t count = needle.size();
  for (std::size_t at = 0; at + kPiece <= size; ++at) {
    for (std::size_t piece = 0; piece + kPiece <= count; ++piece) {
      std::size_t equal = 0;
      while (equal < kPiece && (memory[at + equal] ^ kDisguise) == pieces[piece + equal]) ++equal;
      if (equal == kPiece) return true;
    }
  }
  return false;
}

TEST(Remains, KeysAreWipedWhenTheyEnd) {
  FixedRandom random;
  alignas(SecretKey) std::array<std::uint8_t, sizeof(SecretKey)> memory{};
  auto* const key = new (memory.data()) SecretKey;
  ASSERT_TRUE(key->draw(random));
  const std::vector<std::uint8_t> needle = disguised(key->bytes());
  EXPECT_TRUE(holds(memory.data(), memory.size(), needle)) << "it is found while it is there";

  alignas(HmacKey) std::array<std::uint8_t, sizeof(HmacKey)> ready_memory{};
  auto* const ready = new (ready_memory.data()) HmacKey(key->bytes());
  const std::vector<std::uint8_t> ready_needle = disguised(ready_memory);
  EXPECT_FALSE(holds(ready_memory.data(), ready_memory.size(), needle)) << "the key itself is not kept";
  key->~SecretKey();
  EXPECT_FALSE(holds(memory.data(), memory.size(), needle));

  ready->~HmacKey();
  std::size_t left = 0;
  for (const std::uint8_t byte : ready_memory) left += byte != 0 ? 1U : 0U;
  EXPECT_LE(left, 2U) << "of " << ready_needle.size() << " bytes: the two that say whether all went well";
}

#if !PAIRPORT_TEST_SANITIZED
// Below the stack of whoever calls. Calls nothing that could overwrite what it searches.
[[gnu::noinline]] bool stack_below_holds(const std::uint8_t* pieces, std::size_t count) {
  const volatile std::uint8_t* const end = static_cast<const volatile std::uint8_t*>(__builtin_frame_address(0)) - 256;
  for (const volatile std::uint8_t* at = end - 16 * 1024; at + kPiece <= end; ++at) {
    for (std::size_t piece = 0; piece + kPiece <= count; ++piece) {
      std::size_t equal = 0;
      while (equal < kPiece && (at[equal] ^ kDisguise) == pieces[piece + equal]) ++equal;
      if (equal == kPiece) return true;
    }
  }
  return false;
}

// So that all of the frames of what `step` calls lie where the search comes.
[[gnu::noinline]] bool run_deeper(Work& work, const Step& step) {
  std::array<std::uint8_t, 1024> room;
  asm volatile("" : : "r"(room.data()) : "memory");
  const bool is_good = (work.*step.run)();
  asm volatile("" : : "r"(room.data()) : "memory");
  return is_good;
}

TEST(Remains, TheStackHoldsNoKeyAfterwards) {
  const auto work = std::make_unique<Work>();
  const std::vector<std::uint8_t> needle = disguised(work->key.bytes());
  const std::vector<std::uint8_t> inner = disguised(work->key.bytes(), 0x36);  // as HMAC pads it
  const std::vector<std::uint8_t> outer = disguised(work->key.bytes(), 0x5c);
  EXPECT_TRUE(run_deeper(*work, {"leave a copy", &Work::leave_a_copy}));
  EXPECT_TRUE(stack_below_holds(needle.data(), needle.size())) << "what is there is found";
  for (const Step& step : kSteps) {
    wipe_stack();
    work->derived.wipe();
    EXPECT_TRUE(run_deeper(*work, step));
    EXPECT_FALSE(stack_below_holds(needle.data(), needle.size())) << step.name;
    EXPECT_FALSE(stack_below_holds(inner.data(), inner.size())) << step.name;
    EXPECT_FALSE(stack_below_holds(outer.data(), outer.size())) << step.name;
    const std::vector<std::uint8_t> derived = disguised(work->derived.bytes());
    wipe_stack();
    EXPECT_TRUE(run_deeper(*work, step));
    const bool is_empty = derived == std::vector<std::uint8_t>(SecretKey::kSize, kDisguise);
    EXPECT_FALSE(!is_empty && stack_below_holds(derived.data(), derived.size())) << step.name << ": what it derives";
  }
}
#endif

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
#include "core/store/log_hash.h"

#include <array>
#include <cstddef>

#include <pairport/code.h>

#include "core/memory/secret_block.h"

namespace pairport {
namespace {

// Eight bytes, lowest first, on every machine. Wiped on destruction.
struct SeedBytes {
  explicit SeedBytes(std::uint64_t seed) noexcept {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(seed >> 8 * i);
  }
  ~SeedBytes() { wipe_value(bytes); }
  SeedBytes(const SeedBytes&) = delete;
  SeedBytes& operator=(const SeedBytes&) = delete;

  std::array<std::uint8_t, sizeof(std::uint64_t)> bytes;
};

}  // namespace

LogHash::LogHash(std::uint64_t seed) noexcept : key_(SeedBytes(seed).bytes) {}

LogHash::~LogHash() = default;

std::uint32_t LogHash::operator()(std::string_view code) const noexcept {
  const std::optional<Sha256Digest> digest = key_.mac(bytes_of(code));
  std::uint32_t hash = 0;
  for (std::size_t i = 0; digest && i < sizeof(hash); ++i) hash = hash << 8 | (*digest)[i];
  return hash;
}

std::uint32_t short_code_hash(std::string_view code, std::uint64_t seed) noexcept {
  return LogHash(seed)(code);
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// A key of 256 bits, the size that every algorithm of this room takes.
#ifndef PAIRPORT_SECRET_KEY_H_
#define PAIRPORT_SECRET_KEY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <pairport/secret_memory.h>

namespace pairport {

// Wipes itself when it ends, and can be neither copied, moved, compared nor printed. Zeros until it is filled. It does
// not lock the memory that it lies in: an owner that keeps a key puts it into secret memory. One thread at a time while
// it is filled, any thread afterwards.
class SecretKey {
 public:
  static constexpr std::size_t kSize = 32;

  SecretKey() noexcept = default;
  ~SecretKey() { wipe(); }
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  bool operator==(const SecretKey&) const = delete;
  template <typename Stream>
  friend Stream& operator<<(Stream&, const SecretKey&) = delete;

  // True and a fresh key, or false when the source fails, and the key is zeros.
  [[nodiscard]] bool draw(RandomSource& random) noexcept {
    if (random.fill(bytes_)) return true;
    wipe();
    return false;
  }

  // A view of the key; valid as long as this object.
  std::span<const std::uint8_t, kSize> bytes() const noexcept { return bytes_; }
  // The place to write a derived or read key to.
  std::span<std::uint8_t, kSize> writable() noexcept { return bytes_; }

  void wipe() noexcept { pairport::wipe(bytes_.data(), bytes_.size()); }

 private:
  std::array<std::uint8_t, kSize> bytes_{};
};

}  // namespace pairport

#endif  // PAIRPORT_SECRET_KEY_H_

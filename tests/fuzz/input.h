// SPDX-License-Identifier: MIT
// What a fuzzer makes of its input, and how it says that something is wrong.
#ifndef PAIRPORT_TESTS_FUZZ_INPUT_H_
#define PAIRPORT_TESTS_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace pairport::fuzz {

// Ends the process when `condition` does not hold; works in every build, unlike an assertion.
inline void expect(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "\nnot true: " << what << std::endl;
  std::abort();
}

// A view of a fuzzer's input. Text is taken from its front and numbers from its end, so that a file of the corpus is
// what goes over the wire, with a few bytes behind it. What is exhausted gives zeros and empty texts.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept : bytes_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const noexcept { return bytes_.empty(); }

  std::uint8_t byte() noexcept {
    if (bytes_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(bytes_.back());
    bytes_.remove_suffix(1);
    return value;
  }
  std::uint32_t number(int bytes) noexcept {
    std::uint32_t value = 0;
    for (; bytes > 0; --bytes) value = value << 8 | byte();
    return value;
  }

  // Up to the next `end`, which is skipped, or all that is left.
  std::string_view text_until(std::string_view end) noexcept {
    const std::string_view text = bytes_.substr(0, bytes_.find(end));
    bytes_.remove_prefix(std::min(text.size() + end.size(), bytes_.size()));
    return text;
  }
  std::string_view rest() noexcept {
    const std::string_view text = bytes_;
    bytes_ = {};
    return text;
  }

 private:
  std::string_view bytes_;
};

// How something is cut into pieces: eight sizes, again and again. Zero stands for all that is left.
class Cuts {
 public:
  Cuts() noexcept = default;  // in one piece
  explicit Cuts(Input& input) noexcept {
    for (std::size_t& size : sizes_) {
      const std::size_t number = input.byte();
      size = number < 128 ? number : (number - 127) * 32;
    }
  }

  // The size of the next piece of something that has `left` bytes. At least 1, unless nothing is left.
  std::size_t next(std::size_t left) noexcept {
    const std::size_t size = sizes_[index_++ % 8];
    return size == 0 ? left : std::min(size, left);
  }

 private:
  std::size_t sizes_[8] = {};
  std::size_t index_ = 0;
};

// A copy of exactly this size, so that a sanitizer sees every byte read beyond it, or after it is gone.
class Exact {
 public:
  explicit Exact(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
    std::copy(text.begin(), text.end(), bytes_);
  }
  ~Exact() { delete[] bytes_; }
  Exact(const Exact&) = delete;
  Exact& operator=(const Exact&) = delete;

  std::string_view view() const noexcept { return {bytes_, size_}; }

 private:
  char* bytes_;
  std::size_t size_;
};

}  // namespace pairport::fuzz

#endif  // PAIRPORT_TESTS_FUZZ_INPUT_H_

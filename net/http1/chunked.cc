// SPDX-License-Identifier: MIT
#include "net/http1/chunked.h"

#include <algorithm>
#include <cstring>

#include "core/base/ascii.h"

namespace pairport {
ChunkedDecoder::State ChunkedDecoder::feed(std::string_view& input, std::span<char> out, std::size_t& size) noexcept {
  while (expect_ != Expect::kDone) {
    if (input.empty()) return State::kIncomplete;
    if (expect_ == Expect::kData) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
      if (count > out.size() - size) return State::kTooLarge;
      std::memcpy(out.data() + size, input.data(), count);
      size += count;
      input.remove_prefix(count);
      remaining_ -= count;
      if (remaining_ == 0) expect_ = Expect::kDataCr;
      continue;
    }

    const char c = input.front();
    const int digit = hex_value(c);
    switch (expect_) {
      case Expect::kFirstDigit:
        if (digit < 0) return State::kMalformed;
        remaining_ = static_cast<std::uint64_t>(digit);
        digits_ = 1;
        expect_ = Expect::kDigit;
        break;
      case Expect::kDigit:
        if (c == '\r') {
          expect_ = Expect::kSizeLf;
        } else if (digit < 0 || digits_ == kMaxDigits) {
          return State::kMalformed;
        } else {
          ++digits_;
          // Refuse a size before it can overflow: no allowed body is that large.
          if (remaining_ >= std::uint64_t{1} << 32) return State::kTooLarge;
          remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
        }
        break;
      case Expect::kSizeLf:
        if (c != '\n') return State::kMalformed;
        if (remaining_ > out.size() - size) return State::kTooLarge;
        expect_ = remaining_ == 0 ? Expect::kEndCr : Expect::kData;
        break;
      case Expect::kDataCr:
        if (c != '\r') return State::kMalformed;
        expect_ = Expect::kDataLf;
        break;
      case Expect::kDataLf:
        if (c != '\n') return State::kMalformed;
        expect_ = Expect::kFirstDigit;
        break;
      case Expect::kEndCr:
        if (c != '\r') return State::kMalformed;
        expect_ = Expect::kEndLf;
        break;
      case Expect::kEndLf:
        if (c != '\n') return State::kMalformed;
        expect_ = Expect::kDone;
        break;
      case Expect::kData:
      case Expect::kDone:
        break;
    }
    input.remove_prefix(1);
  }
  return State::kComplete;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
#ifndef PAIRPORT_BENCH_HISTOGRAM_H
#define PAIRPORT_BENCH_HISTOGRAM_H

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pairport::bench {

// Counts values by size, with 64 steps per power of two, so the error of a percentile is at most 1.6 %.
class Histogram {
 public:
  void add(std::uint64_t ns) {
    ++counts_[index_of(ns)];
    ++total_;
    max_ = std::max(max_, ns);
  }
  std::uint64_t total() const { return total_; }
  std::uint64_t max() const { return max_; }
  // The value that a `share` of all values does not exceed.
  std::uint64_t quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return std::min(end_of(i), max_);
    }
    return max_;
  }
  std::uint64_t above(std::uint64_t ns) const {
    std::uint64_t count = 0;
    for (std::size_t i = index_of(ns) + 1; i < counts_.size(); ++i) count += counts_[i];
    return count;
  }

 private:
  static constexpr std::size_t kSteps = 64;
  static std::size_t index_of(std::uint64_t ns) {
    if (ns < kSteps) return ns;
    const auto shift = static_cast<std::size_t>(std::bit_width(ns)) - 7;
    return std::min(kSteps * (shift + 1) + ((ns >> shift) - kSteps), std::size_t{kSteps * 40 - 1});
  }
  static std::uint64_t end_of(std::size_t index) {
    if (index < kSteps) return index;
    const std::size_t shift = index / kSteps - 1;
    return ((kSteps + index % kSteps + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kSteps * 40);
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace pairport::bench

#endif  // PAIRPORT_BENCH_HISTOGRAM_H

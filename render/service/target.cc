// SPDX-License-Identifier: MIT
#include "render/service/target.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include <pairport/code.h>

#include "core/base/ascii.h"

namespace pairport {
namespace {

// Words for later routes, and names that monitoring, browsers, search engines and scanners request. The first words of
// the routes are reserved, too.
constexpr std::array<std::string_view, 15> kOthersReserved = {
    "health",   "readyz",  "livez",  "metrics", "status", "ping",     "v1",    "openapi",
    "pairport", "favicon", "robots", "sitemap", "ads",    "security", "apple",
};

constexpr std::string_view first_word(std::string_view path) noexcept {
  return path.substr(0, path.find_first_of(".-/"));
}

constexpr std::size_t kLongestReserved = [] {
  std::size_t longest = 0;
  for (const RouteRow& row : kRoutes) longest = std::max(longest, first_word(row.path).size());
  for (const std::string_view word : kOthersReserved) longest = std::max(longest, word.size());
  return longest;
}();
static_assert(kLongestReserved < kDefaultCodeLength, "codes of the usual length need no look at the lists");

// The first route with the path `/`.
constexpr Route kRoot = [] {
  const auto* row = kRoutes.data();
  while (row->match != RouteRow::Match::kExact || !row->path.empty()) ++row;
  return row->route;
}();

// RFC 3986 section 3.1.
bool is_scheme(std::string_view text) noexcept {
  return !text.empty() && is_letter(text.front()) && consists_of(text, "+-.");
}

}  // namespace

bool Target::is_reserved(std::string_view segment) noexcept {
  const std::string_view word = segment.substr(0, segment.find_first_of(".-"));
  if (word.size() > kLongestReserved) return false;
  return std::find(kOthersReserved.begin(), kOthersReserved.end(), word) != kOthersReserved.end() ||
         std::any_of(kRoutes.begin(), kRoutes.end(), [word](const RouteRow& row) {
           return !first_word(row.path).empty() && first_word(row.path) == word;
         });
}

// Nearly all targets are a slash and a code; in our own commands the suffix of a packed script follows.
bool Target::parse_plain(std::string_view target) noexcept {
  std::optional<Os> packed;
  any_platform([&](auto row) {
    constexpr const Platform& kPlatform = kPlatforms[row()];
    if constexpr (!kPlatform.packed_suffix.empty()) {
      if (!target.ends_with(kPlatform.packed_suffix)) return false;
      target.remove_suffix(kPlatform.packed_suffix.size());
      packed = kPlatform.os;
      return true;
    }
    return false;
  });
  const std::size_t size = target.size() - 1;
  if (target.size() < 2 || size > kMaxCodeLength || target.front() != '/') return false;
  const char* const segment = target.data() + 1;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  if (size >= kWord && size <= 2 * kWord) {
    // The usual code fits two words, which overlap.
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::memcpy(&first, segment, kWord);
    std::memcpy(&last, segment + size - kWord, kWord);
    if (!are_letters_and_digits(first) || !are_letters_and_digits(last)) return false;
    std::memcpy(path_.data(), &first, kWord);
    std::memcpy(path_.data() + size - kWord, &last, kWord);
  } else {
    if (!is_plausible_code({segment, size})) return false;
    std::memcpy(path_.data(), segment, size);
  }
  size_ = size;
  may_be_code_ = true;
  if (packed) {
    packed_ = true;
    os_ = packed;
  }
  problem_ = Problem::kNone;
  if (size > kLongestReserved) {
    route_ = Route::kInstaller;
  } else {
    set_segment_route();
  }
  return true;
}

// The path is a single segment, without suffix.
void Target::set_segment_route() noexcept {
  const auto* row = std::find_if(kRoutes.begin(), kRoutes.end(), [this](const RouteRow& candidate) {
    return candidate.match == RouteRow::Match::kExact && candidate.path == code() && (candidate.has_os || !os_);
  });
  if (row != kRoutes.end()) {
    route_ = row->route;
  } else if (!is_reserved(code())) {
    route_ = Route::kInstaller;
  }
}

Target::Target(std::string_view target) noexcept {
  if (parse_plain(target)) return;
  // A target holds only visible ASCII (RFC 9112 section 3): another byte could end a line in the place to which it is
  // copied.
  if (!std::all_of(target.begin(), target.end(), is_visible)) return;
  if (target == "*") {
    problem_ = Problem::kNone;
    return;
  }
  if (!target.starts_with('/')) {
    // absolute-form: the authority before the path names this service.
    const std::size_t authority = target.find("://");
    if (authority == std::string_view::npos || !is_scheme(target.substr(0, authority))) return;
    target.remove_prefix(authority + 3);
    const std::size_t path = target.find_first_of("/?");
    if (path == 0 || target.empty()) return;
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  const std::size_t question = target.find('?');
  parse_path(target.substr(0, question));
  if (question != std::string_view::npos) parse_query(target.substr(question + 1));
}

void Target::parse_path(std::string_view path) noexcept {
  bool too_long = false;
  bool slash = false;
  // Most paths are a slash and one segment without escapes: copy it unchanged.
  const auto is_special = [](char c) { return c == '%' || c == '/'; };
  std::size_t i = path.starts_with('/') ? 1 : 0;
  if (path.size() - i <= path_.size() &&
      std::none_of(path.begin() + static_cast<std::ptrdiff_t>(i), path.end(), is_special)) {
    size_ = path.copy(path_.data(), path_.size(), i);
    i = path.size();
  }
  for (; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      const int byte = hex_byte(path, i + 1);
      if (byte < 0) return;  // Problem::kMalformed
      c = static_cast<char>(byte);
      i += 2;
    }
    if (c == '/') {
      slash = true;
      continue;
    }
    const bool separate = slash && size_ != 0;
    slash = false;
    // A path that is too long for every route is still checked for malformed escapes.
    too_long = too_long || size_ + (separate ? 2 : 1) > path_.size();
    if (too_long) continue;
    if (separate) path_[size_++] = '/';
    path_[size_++] = c;
  }
  problem_ = Problem::kNone;
  set_path_route(too_long);
}

void Target::set_path_route(bool too_long) noexcept {
  if (too_long) return;
  if (size_ == 0) {
    route_ = kRoot;
    return;
  }
  for (const RouteRow& row : kRoutes) {
    if (row.match == RouteRow::Match::kPrefix && code().starts_with(row.path) &&
        row.is_name(code().substr(row.path.size()))) {
      route_ = row.route;
      return;
    }
  }
  if (code().find('/') != std::string_view::npos) return;
  take_suffix();
  set_segment_route();
}

void Target::take_suffix() noexcept {
  const auto take = [this](std::string_view suffix, const Platform& owner) {
    if (suffix.empty() || size_ <= suffix.size() || !code().ends_with(suffix)) return false;
    size_ -= suffix.size();
    os_ = owner.os;
    return true;
  };
  for (const Platform& candidate : kPlatforms) {
    packed_ = take(candidate.packed_suffix, candidate);
    if (packed_) return;
  }
  for (const Platform& candidate : kPlatforms) {
    if (take(candidate.suffix, candidate)) return;
  }
}

void Target::parse_query(std::string_view query) noexcept {
  if (!route_row(route_).has_os) return;
  while (true) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    if (part.starts_with("os=")) {
      const std::string_view value = part.substr(3);
      const auto* const wanted = std::find_if(kPlatforms.begin(), kPlatforms.end(),
                                              [value](const Platform& candidate) { return candidate.name == value; });
      if (wanted == kPlatforms.end() || (os_ && *os_ != wanted->os)) {
        problem_ = Problem::kBadOs;
        route_ = Route::kOther;
        return;
      }
      os_ = wanted->os;
    }
    if (end == query.size()) return;
    query.remove_prefix(end + 1);
  }
}

}  // namespace pairport

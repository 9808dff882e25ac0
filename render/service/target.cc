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

constexpr std::string_view kPackedSuffix = ".sh.gz";
// The routes, what the service is going to serve one day, and what is asked for by monitoring, browsers, search engines
// and scanners, which are no guesses.
constexpr std::array<std::string_view, 19> kReserved = {
    "update", "uninstall", "packages", "healthz", "health", "readyz",  "livez", "metrics",  "status", "ping",
    "v1",     "openapi",   "pairport", "favicon", "robots", "sitemap", "ads",   "security", "apple",
};
constexpr std::size_t kLongestReserved =
    std::max_element(kReserved.begin(), kReserved.end(), [](std::string_view a, std::string_view b) {
      return a.size() < b.size();
    })->size();
static_assert(kLongestReserved < kDefaultCodeLength, "codes of the usual length need no look at the list");

// A target is made of visible ASCII (RFC 9112 section 3): anything else could end a line where it is copied to.
bool is_visible(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// RFC 3986 section 3.1.
bool is_scheme(std::string_view text) noexcept {
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
}

// Nothing that could lead out of a folder, hide in it, or need quoting anywhere.
bool is_file_name(std::string_view name) noexcept {
  return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view("._+~-").find(c) != std::string_view::npos;
  });
}

// The base64url alphabet (RFC 8555 section 8.3).
bool is_token(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
}

}  // namespace

bool Target::is_reserved(std::string_view segment) noexcept {
  const std::string_view word = segment.substr(0, segment.find_first_of(".-"));
  return std::find(std::begin(kReserved), std::end(kReserved), word) != std::end(kReserved);
}

// Nearly all targets are a slash and a code, with .sh.gz behind it in our own commands.
bool Target::parse_plain(std::string_view target) noexcept {
  const bool packed = target.ends_with(kPackedSuffix);
  if (packed) target.remove_suffix(kPackedSuffix.size());
  const std::size_t size = target.size() - 1;
  if (target.size() < 2 || size > kMaxCodeLength || target.front() != '/') return false;
  const char* const segment = target.data() + 1;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  if (size >= kWord && size <= 2 * kWord) {
    // As codes have it: two words, which overlap.
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
  if (packed) set_packed();
  if (size > kLongestReserved) {
    route_ = Route::kCode;
  } else {
    set_segment_route();
  }
  return true;
}

void Target::set_packed() noexcept {
  packed_ = true;
  os_ = Os::kLinux;
}

void Target::set_segment_route() noexcept {
  route_ = !is_reserved(code())          ? Route::kCode
           : code() == "update"          ? Route::kUpdate
           : code() == "uninstall"       ? Route::kUninstall
           : code() == "healthz" && !os_ ? Route::kHealth
                                         : Route::kUnknown;
}

Target::Target(std::string_view target) noexcept {
  if (parse_plain(target)) return;
  if (!is_visible(target)) return;
  if (target == "*") {
    route_ = Route::kUnknown;
    return;
  }
  if (!target.starts_with('/')) {
    // absolute-form: what comes before the path is who was asked, which is us.
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
  // Most paths are a slash and one segment without escapes: copied as it is.
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
      if (byte < 0) return;  // kMalformed
      c = static_cast<char>(byte);
      i += 2;
    }
    if (c == '/') {
      slash = true;
      continue;
    }
    const bool separate = slash && size_ != 0;
    slash = false;
    // What is too long to be anything is still checked for malformed escapes.
    too_long = too_long || size_ + (separate ? 2 : 1) > path_.size();
    if (too_long) continue;
    if (separate) path_[size_++] = '/';
    path_[size_++] = c;
  }
  if (size_ == 0) {
    route_ = Route::kRoot;
    return;
  }
  if (code().starts_with("packages/") && !too_long && is_file_name(file())) {
    route_ = Route::kPackage;
    return;
  }
  if (code().find('/') != std::string_view::npos || too_long) {
    static constexpr std::string_view kChallenges = ".well-known/acme-challenge/";
    if (!too_long && code().starts_with(kChallenges) && is_token(code().substr(kChallenges.size()))) {
      route_ = Route::kChallenge;
      return;
    }
    route_ = Route::kUnknown;
    return;
  }
  if (size_ > kPackedSuffix.size() && code().ends_with(kPackedSuffix)) {
    size_ -= kPackedSuffix.size();
    set_packed();
  }
  for (const auto& [suffix, os] : {std::pair(std::string_view(".sh"), Os::kLinux), {".ps1", Os::kWindows}}) {
    if (!packed_ && size_ > suffix.size() && code().ends_with(suffix)) {
      size_ -= suffix.size();
      os_ = os;
      break;
    }
  }
  set_segment_route();
}

void Target::parse_query(std::string_view query) noexcept {
  if (route_ != Route::kUpdate && route_ != Route::kUninstall && route_ != Route::kCode) return;
  while (true) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    if (part.starts_with("os=")) {
      const std::string_view value = part.substr(3);
      const std::optional<Os> wanted = value == "linux"     ? std::optional(Os::kLinux)
                                       : value == "windows" ? std::optional(Os::kWindows)
                                                            : std::nullopt;
      if (!wanted || (os_ && *os_ != *wanted)) {
        route_ = Route::kBadOs;
        return;
      }
      os_ = wanted;
    }
    if (end == query.size()) return;
    query.remove_prefix(end + 1);
  }
}

}  // namespace pairport

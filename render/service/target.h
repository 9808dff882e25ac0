// SPDX-License-Identifier: MIT
// The meaning of a request target.
#ifndef PAIRPORT_RENDER_TARGET_H_
#define PAIRPORT_RENDER_TARGET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <pairport/http.h>

#include "render/scripts/platforms.h"
#include "render/service/routes.h"

namespace pairport {

// A request target, parsed by the rows of kRoutes and kPlatforms. Holds the decoded path by value.
class Target {
 public:
  // Why there is no route.
  enum class Problem : std::uint8_t {
    kNone,
    kMalformed,  // not a target, a byte that is no visible ASCII character, or a malformed percent escape
    kBadOs,      // ?os= with an unknown value, or one that contradicts the suffix
  };

  // Parses origin-form, absolute-form and `*` (RFC 9112 section 3.2); `*` is kOther.
  explicit Target(std::string_view target) noexcept;

  // Whether `segment` is the first word of a route, or a name that monitoring, browsers and search engines request by
  // themselves; a dot or hyphen may follow the word (favicon.ico, apple-touch-icon.png). Such a word is never a code,
  // and requests for it do not count as guesses.
  static bool is_reserved(std::string_view segment) noexcept;

  Problem problem() const noexcept { return problem_; }
  // Route::kOther when no route has the path (several segments, a segment that is too long or reserved), and when there
  // is a problem. Of several routes with the same path the first one.
  Route route() const noexcept { return route_; }
  // With kInstaller: the decoded segment without .sh, .sh.gz or .ps1. May hold any byte.
  std::string_view code() const noexcept { return {path_.data(), size_}; }
  // With kInstaller: true when the segment is known to hold only letters and digits, at most kMaxCodeLength of them.
  // When false, is_plausible_code() decides.
  bool may_be_code() const noexcept { return may_be_code_; }
  // With a route that is a prefix: the name behind the prefix, which satisfies RouteRow::is_name.
  std::string_view file() const noexcept { return code().substr(route_row(route_).path.size()); }
  // The platform by `?os=` or the suffix; nothing when the User-Agent decides.
  std::optional<Os> os() const noexcept { return os_; }
  // Whether the suffix is Platform::packed_suffix: the script is asked for as a gzip file.
  bool packed() const noexcept { return packed_; }

 private:
  bool parse_plain(std::string_view target) noexcept;
  void set_segment_route() noexcept;
  void set_path_route(bool too_long) noexcept;
  void take_suffix() noexcept;
  void parse_path(std::string_view path) noexcept;
  void parse_query(std::string_view query) noexcept;

  Problem problem_ = Problem::kMalformed;
  Route route_ = Route::kOther;
  bool may_be_code_ = false;
  std::optional<Os> os_;
  bool packed_ = false;
  std::size_t size_ = 0;
  std::array<char, 128> path_;  // segments joined by single slashes
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_TARGET_H_

// SPDX-License-Identifier: MIT
// What a request target asks for.
#ifndef PAIRPORT_RENDER_TARGET_H_
#define PAIRPORT_RENDER_TARGET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pairport {

enum class Os : std::uint8_t { kLinux, kWindows };

// The routes of the service. Holds the decoded segment by value.
class Target {
 public:
  enum class Route : std::uint8_t {
    kRoot,
    kUpdate,
    kUninstall,
    kPackage,    // /packages/<file>
    kChallenge,  // /.well-known/acme-challenge/<token>
    kHealth,     // /healthz
    kCode,       // any other single segment
    kUnknown,    // several segments, one that is too long to be anything, or one that is reserved
    kMalformed,  // not a target, a byte that is no visible ASCII character, or a malformed percent escape
    kBadOs,      // ?os= with an unknown value, or one that contradicts the suffix
  };

  // Parses origin-form, absolute-form and `*` (RFC 9112 section 3.2); `*` is kUnknown.
  explicit Target(std::string_view target) noexcept;

  // Whether `segment` is a path of the service's own, or one that monitoring, browsers and search engines ask for by
  // themselves: a word of the list, alone or with a dot or hyphen behind it (favicon.ico, apple-touch-icon.png). No
  // code may be called so, and asking for one is no guess.
  static bool is_reserved(std::string_view segment) noexcept;

  Route route() const noexcept { return route_; }
  // With kCode: the decoded segment without .sh, .sh.gz or .ps1. May hold any byte.
  std::string_view code() const noexcept { return {path_.data(), size_}; }
  // With kCode: whether the segment is known to be nothing but letters and digits, at most kMaxCodeLength of them.
  // False says nothing: then is_plausible_code() tells.
  bool may_be_code() const noexcept { return may_be_code_; }
  // With kPackage: the name of a file, of letters, digits and ._+~- and not starting with a dot. With kChallenge: a
  // token, of letters, digits and _-.
  std::string_view file() const noexcept {
    return code().substr((route_ == Route::kChallenge ? code().rfind('/') : code().find('/')) + 1);
  }
  // What `?os=` or the suffix say; nothing when the User-Agent decides.
  std::optional<Os> os() const noexcept { return os_; }
  // Whether the suffix is .sh.gz: the script is asked for as a gzip file.
  bool packed() const noexcept { return packed_; }

 private:
  bool parse_plain(std::string_view target) noexcept;
  void set_packed() noexcept;
  void set_segment_route() noexcept;
  void parse_path(std::string_view path) noexcept;
  void parse_query(std::string_view query) noexcept;

  Route route_ = Route::kMalformed;
  bool may_be_code_ = false;
  std::optional<Os> os_;
  bool packed_ = false;
  std::size_t size_ = 0;
  std::array<char, 128> path_;  // segments joined by single slashes
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_TARGET_H_

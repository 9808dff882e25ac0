// SPDX-License-Identifier: MIT
// The rules for the field connect_url. The URL of the service must satisfy them, too.
#include <algorithm>
#include <string_view>

#include <pairport/client_address.h>
#include <pairport/deposit.h>

#include "core/base/ascii.h"

namespace pairport {
namespace {

// RFC 4291 section 2.2, with an optional zone (RFC 6874: `%25` and a name; a bare `%`, which people type, is allowed,
// too).
bool is_ipv6(std::string_view text) noexcept {
  if (const std::size_t zone = text.find('%'); zone != std::string_view::npos) {
    const std::string_view name = text.substr(zone + 1);
    if (name.empty() || !consists_of(name, "-._~%")) return false;
    text = text.substr(0, zone);
  }
  return text.find(':') != std::string_view::npos && ClientAddress::parse(text).has_value();
}

FieldProblem check_port(std::string_view port) noexcept {
  if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit))
    return FieldProblem::kBadPort;
  int value = 0;
  for (const char c : port) value = value * 10 + (c - '0');
  return value >= 1 && value <= 65535 ? FieldProblem::kNone : FieldProblem::kBadPort;
}

// A character of a registered name: letters, digits, `-._~`, and any byte that is not ASCII (an internationalised name,
// RFC 5891).
bool is_name_character(char c) noexcept {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' || static_cast<unsigned char>(c) >= 0x80;
}

// `authority` is everything between `//` and the next `/` or `?` (RFC 3986 section 3.2).
FieldProblem check_authority(std::string_view authority, bool port_required) noexcept {
  if (authority.find('@') != std::string_view::npos) return FieldProblem::kUrlWithUserInfo;
  std::string_view port;
  bool has_port = false;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos || !is_ipv6(authority.substr(1, end - 1))) return FieldProblem::kBadUrl;
    std::string_view rest = authority.substr(end + 1);
    if (!rest.empty()) {
      if (rest.front() != ':') return FieldProblem::kBadUrl;
      has_port = true;
      port = rest.substr(1);
    }
  } else {
    const std::size_t colon = authority.find(':');
    const std::string_view host = authority.substr(0, colon);
    if (host.empty()) return FieldProblem::kUrlWithoutHost;
    if (!std::all_of(host.begin(), host.end(), is_name_character)) return FieldProblem::kBadUrl;
    if (colon != std::string_view::npos) {
      has_port = true;
      port = authority.substr(colon + 1);
    }
  }
  if (has_port) return check_port(port);
  return port_required ? FieldProblem::kBadPort : FieldProblem::kNone;
}

// Like the client's URL parser, rejects a path with a `%` that begins no escape, and does not check the query.
bool has_good_escapes(std::string_view path) noexcept {
  for (std::size_t i = path.find('%'); i != std::string_view::npos; i = path.find('%', i + 1)) {
    if (hex_byte(path, i + 1) < 0) return false;
  }
  return true;
}

}  // namespace

FieldProblem check_connect_url(std::string_view url) noexcept {
  if (url.find_first_of(" #") != std::string_view::npos) return FieldProblem::kBadUrl;
  const std::size_t scheme_end = url.find("://");
  if (scheme_end != std::string_view::npos) {
    const std::string_view with_colon = url.substr(0, scheme_end + 1);
    for (const std::string_view scheme : {"http:", "https:", "ws:", "wss:"}) {
      if (equals_ignoring_case(with_colon, scheme)) {
        const std::string_view rest = url.substr(scheme_end + 3);
        const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
        const FieldProblem problem = check_authority(rest.substr(0, path), false);
        if (problem != FieldProblem::kNone) return problem;
        const bool good = has_good_escapes(rest.substr(path, rest.find('?') - path));
        return good ? FieldProblem::kNone : FieldProblem::kBadUrl;
      }
    }
    // The first colon ends a scheme that the client does not know. In `host:80/a://b` it does not.
    if (scheme_end > 0 && url.find(':') == scheme_end && url.find('@') == std::string_view::npos)
      return FieldProblem::kBadUrl;
  }
  return check_authority(url, true);
}

}  // namespace pairport

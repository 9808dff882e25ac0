// SPDX-License-Identifier: MIT
// Invariants: a value is looked at in this order: present, a string, not empty, not too long, UTF-8, no control
// characters, then the rules of its own field. So a rule may rely on what the earlier ones made sure of. No text
// written here ever contains a part of a value.
#include <pairport/deposit.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>

#include <simdjson.h>

#include <pairport/client_address.h>

#include "core/base/ascii.h"

namespace pairport {
namespace {

bool has_control_character(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

// RFC 4291 section 2.2, with an optional zone (RFC 6874: `%25` and a name; the bare `%` that people type is taken too).
bool is_ipv6(std::string_view text) noexcept {
  if (const std::size_t zone = text.find('%'); zone != std::string_view::npos) {
    const std::string_view name = text.substr(zone + 1);
    const bool fits = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return is_digit(c) || is_letter(c) || std::string_view("-._~%").find(c) != std::string_view::npos;
    });
    if (!fits) return false;
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

// A registered name: letters, digits, `-._~`, and what is not ASCII (an internationalised name, RFC 5891).
bool is_name_character(char c) noexcept {
  return is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
         static_cast<unsigned char>(c) >= 0x80;
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

// The client's URL parser refuses a path with a `%` that begins no escape; it does not look into the query.
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
    // `host:80/a://b` is no scheme: fall through, the plain form will say what is wrong.
  }
  return check_authority(url, true);
}

namespace {

bool parse_fingerprint(std::string_view text, Fingerprint& fingerprint) noexcept {
  if (text.size() != kFingerprintText) return false;
  for (std::size_t i = 0; i < fingerprint.bytes.size(); ++i) {
    const int byte = hex_byte(text, i * 3);
    if (byte < 0 || (i * 3 + 2 < text.size() && text[i * 3 + 2] != ':')) return false;
    fingerprint.bytes[i] = static_cast<std::uint8_t>(byte);
  }
  return true;
}

std::size_t limit_of(DepositField field) noexcept {
  switch (field) {
    case DepositField::kConnectUrl:
      return kMaxConnectUrl;
    case DepositField::kFingerprint:
      return kFingerprintText;
    case DepositField::kClientId:
      return kMaxClientId;
    case DepositField::kPassword:
      return kMaxPassword;
  }
  return 0;
}

FieldProblem check(DepositField field, const FieldInput& input, Fingerprint& fingerprint) noexcept {
  switch (input.kind) {
    case FieldInput::Kind::kMissing:
      return FieldProblem::kMissing;
    case FieldInput::Kind::kNotAString:
      return FieldProblem::kNotAString;
    case FieldInput::Kind::kRepeated:
      return FieldProblem::kRepeated;
    case FieldInput::Kind::kString:
      break;
  }
  const std::string_view value = input.value;
  if (value.empty()) return FieldProblem::kEmpty;
  if (field == DepositField::kFingerprint) {
    return parse_fingerprint(value, fingerprint) ? FieldProblem::kNone : FieldProblem::kBadFingerprint;
  }
  if (value.size() > limit_of(field)) return FieldProblem::kTooLong;
  if (!simdjson::validate_utf8(value.data(), value.size())) return FieldProblem::kNotUtf8;
  if (has_control_character(value)) return FieldProblem::kControlCharacter;
  if (field == DepositField::kConnectUrl) return check_connect_url(value);
  if (field == DepositField::kClientId && value.find(':') != std::string_view::npos) return FieldProblem::kColon;
  return FieldProblem::kNone;
}

constexpr std::array<std::string_view, kDepositFieldCount> kExpectations = {
    "expected an http, https, ws or wss URL with a host, or host:port, of at most 2048 bytes, with IPv6 addresses in "
    "brackets and a port "
    "from 1 to 65535, without user info, spaces or fragment",
    "expected 16 two-digit hexadecimal groups joined by ':' (47 characters)",
    "expected 1 to 256 bytes of UTF-8 without control characters and without ':'",
    "expected 1 to 1024 bytes of UTF-8 without control characters",
};

std::string_view text_of(FieldProblem problem) noexcept {
  switch (problem) {
    case FieldProblem::kNone:
      return "is valid";
    case FieldProblem::kMissing:
      return "is missing";
    case FieldProblem::kNotAString:
      return "is not a string";
    case FieldProblem::kRepeated:
      return "is given more than once";
    case FieldProblem::kEmpty:
      return "is empty";
    case FieldProblem::kTooLong:
      return "is too long";
    case FieldProblem::kNotUtf8:
      return "is not valid UTF-8";
    case FieldProblem::kControlCharacter:
      return "contains a control character";
    case FieldProblem::kBadUrl:
      return "is not a server address";
    case FieldProblem::kUrlWithoutHost:
      return "has no host";
    case FieldProblem::kUrlWithUserInfo:
      return "contains user info";
    case FieldProblem::kBadPort:
      return "has no valid port";
    case FieldProblem::kBadFingerprint:
      return "is not a fingerprint";
    case FieldProblem::kColon:
      return "contains a colon";
  }
  return "is not valid";
}

}  // namespace

void write_fingerprint(const Fingerprint& fingerprint, char* out) noexcept {
  // Both digits of a byte, and the colon behind them.
  static constexpr auto kHex = [] {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::array<char, 4>, 256> table{};
    for (std::size_t byte = 0; byte < table.size(); ++byte) table[byte] = {kDigits[byte >> 4], kDigits[byte & 15], ':'};
    return table;
  }();
  const auto& bytes = fingerprint.bytes;
#pragma GCC unroll 15
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) std::memcpy(out + 3 * i, kHex[bytes[i]].data(), 4);
  std::memcpy(out + 3 * (bytes.size() - 1), kHex[bytes.back()].data(), 2);
}

DepositReport validate(const DepositInput& input, DepositView& deposit) noexcept {
  DepositReport report;
  Fingerprint fingerprint;
  for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
    report.problems[i] = check(static_cast<DepositField>(i), input.fields[i], fingerprint);
  }
  if (report.ok()) {
    deposit = {input[DepositField::kConnectUrl].value, fingerprint, input[DepositField::kClientId].value,
               input[DepositField::kPassword].value};
  }
  return report;
}

std::size_t describe(const DepositReport& report, std::span<char> out) noexcept {
  std::size_t length = 0;
  const auto append = [&](std::string_view text) {
    assert(length + text.size() <= out.size());
    const std::size_t count = std::min(text.size(), out.size() - length);
    std::memcpy(out.data() + length, text.data(), count);
    length += count;
  };
  for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
    if (report.problems[i] == FieldProblem::kNone) continue;
    if (length != 0) append("; ");
    append(kDepositFieldNames[i]);
    append(" ");
    append(text_of(report.problems[i]));
    append(" (");
    append(kExpectations[i]);
    append(")");
  }
  return length;
}

}  // namespace pairport

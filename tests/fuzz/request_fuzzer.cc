// SPDX-License-Identifier: MIT
// The small parsers of a request: target, Accept, Accept-Encoding, If-None-Match, Range, X-Forwarded-For. Each gets the
// whole input; what they find is checked against the plainest reading of the same rules.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <pairport/client_address.h>
#include <pairport/code.h>

#include "core/base/ascii.h"
#include "render/http/accept.h"
#include "render/http/range.h"
#include "render/service/target.h"

#include "input.h"

namespace pairport::fuzz {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), to_lower);
  return result;
}

// The segments of a path, decoded and joined by single slashes; nothing when an escape is malformed.
std::optional<std::string> decoded_path(std::string_view path) {
  std::string decoded;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      if (i + 2 >= path.size() || hex_value(path[i + 1]) < 0 || hex_value(path[i + 2]) < 0) return std::nullopt;
      c = static_cast<char>(hex_value(path[i + 1]) * 16 + hex_value(path[i + 2]));
      i += 2;
    }
    if (c != '/' || (!decoded.empty() && decoded.back() != '/')) decoded += c;
  }
  if (decoded.ends_with('/')) decoded.pop_back();
  return decoded;
}

void check_target(std::string_view text) {
  const Target target(text);
  if (!text.starts_with('/')) return;
  const auto path = decoded_path(text.substr(0, text.find('?')));
  const bool visible = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  expect((path.has_value() && visible) == (target.problem() != Target::Problem::kMalformed),
         "what is malformed is a bad escape, or a byte that is not visible");
  if (!path || !visible) return;
  expect(!target.may_be_code() || is_plausible_code(target.code()), "what may be a code is plausible");
  switch (target.route()) {
    case Route::kDeposit:
      expect(path->empty(), "the root is empty");
      break;
    case Route::kUpdate:
    case Route::kUninstall: {
      const std::string name = target.route() == Route::kUpdate ? "update" : "uninstall";
      expect(*path == name || *path == name + ".sh" || *path == name + ".ps1" || *path == name + ".sh.gz",
             "a route has its name");
      break;
    }
    case Route::kPackage:
      expect(*path == "packages/" + std::string(target.file()), "a package is in its folder");
      expect(!target.file().empty() && target.file().front() != '.' &&
                 target.file().find_first_of("/\\") == std::string_view::npos &&
                 target.file().find('\0') == std::string_view::npos,
             "a package's name leads nowhere else");
      break;
    case Route::kChallenge:
      expect(*path == ".well-known/acme-challenge/" + std::string(target.file()), "a token is in its folder");
      expect(!target.file().empty() && target.file().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                                                                       "uvwxyz0123456789-_") == std::string_view::npos,
             "a token leads nowhere else");
      break;
    case Route::kInstaller: {
      const std::string code(target.code());
      expect(!code.empty() && code.size() <= 128 && code.find('/') == std::string::npos, "a code is one segment");
      expect(*path == code || *path == code + ".sh" || *path == code + ".ps1" || *path == code + ".sh.gz",
             "a code is what was asked for");
      expect(!Target::is_reserved(code), "a code is no reserved word");
      if (target.os() == Os::kLinux) expect(!path->ends_with(".ps1") || *path == ".ps1", "a suffix decides");
      break;
    }
    case Route::kHealth:
      expect(*path == "healthz", "health has its name");
      break;
    case Route::kOther:
      if (target.problem() == Target::Problem::kBadOs) {
        expect(text.find("?os=") != std::string_view::npos || text.find("&os=") != std::string_view::npos,
               "a bad parameter is there");
      } else {
        expect(path->find('/') != std::string::npos || path->size() > 100 || Target::is_reserved(*path),
               "several segments, a long one, or a reserved one");
      }
      break;
    default:
      break;
  }
}

void check_accept(std::string_view text) {
  const std::string twice = std::string(text) + "," + std::string(text);
  const std::string spaced = " ," + std::string(text) + "\t, ";
  const std::string small = lower(text);
  const bool json = prefers_json(text);
  expect(prefers_json(twice) == json && prefers_json(spaced) == json, "empty elements and repetitions say nothing");
  expect(!json || small.find("json") != std::string::npos, "JSON has to be asked for");
  const bool gzip = prefers_gzip(text);
  expect(prefers_gzip(twice) == gzip && prefers_gzip(spaced) == gzip, "empty elements and repetitions say nothing");
  expect(!gzip || small.find("gzip") != std::string::npos, "gzip has to be asked for");
  expect(!prefers_gzip(std::string(text) + ",identity") || gzip, "who asks for the identity gets no more gzip");

  static constexpr std::string_view kEtag = "\"abc\"";
  const bool matches = matches_etag(text, kEtag);
  expect(!matches || text.find(kEtag) != std::string_view::npos || trim(text) == "*", "a tag matches when it is there");
  expect(matches_etag(std::string(text) + ",\"abc\"", kEtag), "a tag that is the last of a list is found");
}

void check_range(std::string_view text, std::uint64_t size) {
  FileRange range{1, 2};
  const RangeVerdict verdict = parse_range(text, size, range);
  const std::string small = lower(text);
  // first and last as sscanf would read them, but only when they are short enough for that
  const std::string_view spec = std::string_view(small).substr(std::min<std::size_t>(6, small.size()));
  const std::size_t dash = spec.find('-');
  const auto is_number = [](std::string_view digits) { return std::all_of(digits.begin(), digits.end(), is_digit); };
  const bool well_formed = small.starts_with("bytes=") && dash != std::string_view::npos &&
                           is_number(spec.substr(0, dash)) && is_number(spec.substr(dash + 1)) && spec.size() > 1;
  if (!well_formed) expect(verdict == RangeVerdict::kNone, "what is malformed is ignored");
  if (verdict == RangeVerdict::kPartial) {
    expect(range.size != 0 && range.offset < size && range.size <= size - range.offset, "a range is in the file");
  } else {
    expect(range.offset == 1 && range.size == 2, "what is no range changes nothing");
  }
  if (!well_formed || spec.size() > 30 || dash > 15 || spec.size() - dash > 16) return;
  const std::string first_digits(spec.substr(0, dash));
  const std::string last_digits(spec.substr(dash + 1));
  const std::uint64_t last = last_digits.empty() ? std::numeric_limits<std::uint64_t>::max() : std::stoull(last_digits);
  if (first_digits.empty()) {
    expect((verdict == RangeVerdict::kPartial) == (last != 0 && size != 0), "the end of a file can be asked for");
    if (verdict != RangeVerdict::kPartial) return;
    expect(range.size == std::min(last, size) && range.offset + range.size == size, "it is the end");
    return;
  }
  const std::uint64_t first = std::stoull(first_digits);
  const RangeVerdict expected = last < first    ? RangeVerdict::kNone
                                : first >= size ? RangeVerdict::kUnsatisfiable
                                                : RangeVerdict::kPartial;
  expect(verdict == expected, "a range is met when it begins in the file");
  if (verdict != RangeVerdict::kPartial) return;
  expect(range.offset == first && range.offset + range.size - 1 == std::min(last, size - 1),
         "it is what was asked for");
}

void check_forwarded(std::string_view text) {
  static const TrustedProxies proxies = [] {
    TrustedProxies result;
    expect(result.add("10.0.0.0/8") && result.add("fd00::/8") && result.add("unix"), "there are proxies");
    return result;
  }();
  const ClientAddress stranger = *ClientAddress::parse("192.0.2.1");
  const auto client_of = [](const ClientAddress& peer, std::string_view line) {
    return proxies.client_of(peer, std::array{line});
  };
  expect(client_of(stranger, text) == stranger, "only who is trusted is believed");
  const ClientAddress proxy = *ClientAddress::parse("10.1.2.3");
  const ClientAddress client = client_of(proxy, text);
  const ClientAddress further = *ClientAddress::parse("10.9.9.9");
  const ClientAddress behind = client_of(proxy, std::string(text) + ", 10.9.9.9");
  expect(behind == client || (client == proxy && behind == further), "a further trusted proxy changes nothing");
  expect(client_of(proxy, std::string(text) + ",192.0.2.1") == stranger, "the nearest stranger is the client");
  const std::size_t comma = text.find(',');
  if (comma != std::string_view::npos) {
    const std::array lines = {text.substr(comma + 1), text.substr(0, comma)};
    expect(proxies.client_of(proxy, lines) == client, "several lines say what one says that joins them");
  }

  TrustedProxies added;
  if (!added.add(text) || text == "unix") return;
  const auto address = ClientAddress::parse(text.substr(0, text.find('/')));
  expect(address && added.trusts(*address), "an address that was added is trusted");
}

void run(Input input) {
  const std::uint64_t size = input.number(2);
  const Exact exact(input.rest());
  check_target(exact.view());
  check_accept(exact.view());
  check_range(exact.view(), size);
  check_forwarded(exact.view());
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}

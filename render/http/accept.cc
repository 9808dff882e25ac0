// SPDX-License-Identifier: MIT
#include "render/http/accept.h"

#include <algorithm>
#include <cstddef>

#include "core/base/ascii.h"

namespace pairport {
namespace {

// Removes and returns the next element of a comma separated list.
std::string_view next_element(std::string_view& list) noexcept {
  const std::size_t comma = std::min(list.find(','), list.size());
  const std::string_view element = trim(list.substr(0, comma));
  list.remove_prefix(std::min(comma + 1, list.size()));
  return element;
}

// A weight in thousandths (RFC 9110 section 12.4.2); a malformed weight counts as 0.
int weight(std::string_view parameters) noexcept {
  while (!parameters.empty()) {
    const std::size_t semicolon = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trim(parameters.substr(0, semicolon));
    parameters.remove_prefix(std::min(semicolon + 1, parameters.size()));
    if (parameter.size() < 2 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=') continue;
    const std::string_view value = parameter.substr(2);
    if (value.empty() || value.size() > 5 || (value[0] != '0' && value[0] != '1') ||
        (value.size() > 1 && value[1] != '.'))
      return 0;
    int result = (value[0] - '0') * 1000;
    int unit = 100;
    for (std::size_t i = 2; i < value.size(); ++i, unit /= 10) {
      if (value[i] < '0' || value[i] > '9') return 0;
      result += (value[i] - '0') * unit;
    }
    return std::min(result, 1000);
  }
  return 1000;
}

// An element of a list with weights: its name, without parameters, and its weight.
struct Weighted {
  std::string_view name;
  int weight;
};

Weighted next_weighted(std::string_view& list) noexcept {
  const std::string_view element = next_element(list);
  const std::size_t semicolon = std::min(element.find(';'), element.size());
  return {trim(element.substr(0, semicolon)), weight(element.substr(std::min(semicolon + 1, element.size())))};
}

}  // namespace

bool prefers_json(std::string_view accept) noexcept {
  int json = 0;
  // The weight of text/plain comes from its most specific range.
  int text = 0;
  int text_precedence = 0;
  while (!accept.empty()) {
    const auto [range, q] = next_weighted(accept);
    if (equals_ignoring_case(range, "application/json") || equals_ignoring_case(range, "application/problem+json")) {
      json = std::max(json, q);
      continue;
    }
    const int precedence = equals_ignoring_case(range, "text/plain") ? 3
                           : equals_ignoring_case(range, "text/*")   ? 2
                           : range == "*/*"                          ? 1
                                                                     : 0;
    if (precedence > text_precedence) {
      text_precedence = precedence;
      text = q;
    }
  }
  return json > text;
}

bool wants_only_text(std::string_view accept) noexcept {
  static constexpr std::string_view kText = "text/plain";
  if (accept.size() < kText.size()) return false;  // most clients send */*
  bool text = false;
  while (!accept.empty()) {
    const auto [range, q] = next_weighted(accept);
    if (q == 0) continue;
    if (range == "*/*" || equals_ignoring_case(range, "application/*") ||
        equals_ignoring_case(range, "application/json")) {
      return false;
    }
    text = text || equals_ignoring_case(range, kText);
  }
  return text;
}

bool prefers_gzip(std::string_view accept_encoding) noexcept {
  int gzip = 0;
  int identity = 0;
  while (!accept_encoding.empty()) {
    const auto [coding, q] = next_weighted(accept_encoding);
    // The old name means the same (RFC 9110 section 8.4.1.3).
    if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip")) gzip = std::max(gzip, q);
    if (equals_ignoring_case(coding, "identity")) identity = q;
  }
  return gzip > 0 && gzip >= identity;
}

bool matches_etag(std::string_view if_none_match, std::string_view etag) noexcept {
  if (trim(if_none_match) == "*") return true;
  while (!if_none_match.empty()) {
    std::string_view element = next_element(if_none_match);
    // Weak comparison (RFC 9110 section 8.8.3.2).
    if (element.starts_with("W/")) element.remove_prefix(2);
    if (element == etag) return true;
  }
  return false;
}

}  // namespace pairport

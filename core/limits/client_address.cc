// SPDX-License-Identifier: MIT
#include <pairport/client_address.h>

#include <arpa/inet.h>  // inet_pton: text to bytes, no socket

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/base/ascii.h"

namespace pairport {
namespace {

constexpr std::array<std::uint8_t, 12> kIpv4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Parses an address in the form of proxies: optionally with a port, and an IPv6 address then in brackets.
std::optional<ClientAddress> parse_entry(std::string_view entry) noexcept {
  entry = trim(entry);
  if (entry.starts_with('[')) {
    const std::size_t end = entry.find(']');
    return end == std::string_view::npos ? std::nullopt : ClientAddress::parse(entry.substr(1, end - 1));
  }
  const std::size_t colon = entry.find(':');
  const bool ipv4_with_port = colon != std::string_view::npos && entry.rfind(':') == colon;
  return ClientAddress::parse(ipv4_with_port ? entry.substr(0, colon) : entry);
}

}  // namespace

std::optional<ClientAddress> ClientAddress::parse(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.empty() || text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), copy.begin());
  ClientAddress address;
  if (inet_pton(AF_INET6, copy.data(), address.bytes.data()) == 1) return address;
  std::copy(kIpv4Prefix.begin(), kIpv4Prefix.end(), address.bytes.begin());
  if (inet_pton(AF_INET, copy.data(), address.bytes.data() + kIpv4Prefix.size()) == 1) return address;
  return std::nullopt;
}

bool ClientAddress::is_ipv4() const noexcept {
  return std::equal(kIpv4Prefix.begin(), kIpv4Prefix.end(), bytes.begin());
}

ClientKey ClientAddress::key() const noexcept {
  ClientKey key;
  std::copy_n(bytes.begin(), is_ipv4() ? 16 : 8, key.bytes.begin());
  return key;
}

ClientKey ClientAddress::widest_key() const noexcept {
  ClientKey key;
  std::copy_n(bytes.begin(), is_ipv4() ? 16 : 6, key.bytes.begin());
  return key;
}

ClientAddress ClientAddress::shortened() const noexcept {
  ClientAddress shortened;
  std::copy_n(bytes.begin(), is_ipv4() ? 15 : 6, shortened.bytes.begin());
  return shortened;
}

std::string_view ClientAddress::write(Text& text) const noexcept {
  static_assert(sizeof(Text) == INET6_ADDRSTRLEN);
  const bool ipv4 = is_ipv4();
  const char* written = inet_ntop(ipv4 ? AF_INET : AF_INET6, bytes.data() + (ipv4 ? kIpv4Prefix.size() : 0),
                                  text.data(), INET6_ADDRSTRLEN);
  return written == nullptr ? std::string_view() : written;
}

bool TrustedProxies::add(std::string_view text) {
  if (text == "unix") {
    networks_.push_back({ClientAddress{}, 128});
    return true;
  }
  const std::size_t slash = text.find('/');
  const auto address = ClientAddress::parse(text.substr(0, slash));
  if (!address || *address == ClientAddress{}) return false;
  const unsigned bits = address->is_ipv4() ? 32 : 128;
  unsigned prefix = bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    // A prefix of 0 would trust every address.
    if (error != std::errc() || end != digits.data() + digits.size() || prefix == 0 || prefix > bits) return false;
  }
  networks_.push_back({*address, prefix + 128 - bits});
  return true;
}

bool TrustedProxies::trusts(const ClientAddress& address) const noexcept {
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    const std::size_t whole = network.prefix / 8;
    if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                    network.address.bytes.begin())) {
      return false;
    }
    const unsigned rest = network.prefix % 8;
    return rest == 0 || (address.bytes[whole] ^ network.address.bytes[whole]) >> (8 - rest) == 0;
  });
}

ClientAddress TrustedProxies::client_of(const ClientAddress& peer,
                                        std::span<const std::string_view> lines) const noexcept {
  ClientAddress client = peer;
  for (std::string_view line : lines) {
    bool more = true;
    while (more) {
      if (!trusts(client)) return client;
      const std::size_t comma = line.rfind(',');
      more = comma != std::string_view::npos;
      const auto entry = parse_entry(more ? line.substr(comma + 1) : line);
      if (!entry) return client;
      client = *entry;
      if (more) line = line.substr(0, comma);
    }
  }
  return client;
}

}  // namespace pairport

// SPDX-License-Identifier: MIT
// The client that a request comes from, for limits and logs.
#ifndef PAIRPORT_CLIENT_ADDRESS_H_
#define PAIRPORT_CLIENT_ADDRESS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <pairport/export.h>

namespace pairport {

// The unit that limits apply to: an IPv4 address, or the /64 network of an IPv6 address, because a client usually has a
// whole /64. All zero: a peer without an address.
struct ClientKey {
  std::array<std::uint8_t, 16> bytes{};

  // The last 64 bits of a /64 are zero; an IPv4 address has the bytes ::ffff there.
  bool is_ipv6() const noexcept { return bytes[10] == 0 && has_address(); }
  bool has_address() const noexcept { return *this != ClientKey{}; }

  friend bool operator==(const ClientKey&, const ClientKey&) = default;
};

// An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), in network order. All zero: a peer
// without an address, on a Unix socket.
struct PAIRPORT_EXPORT ClientAddress {
  std::array<std::uint8_t, 16> bytes{};

  // Parses `a.b.c.d` or an IPv6 address without brackets and zone; nothing for any other text.
  static std::optional<ClientAddress> parse(std::string_view text) noexcept;

  bool is_ipv4() const noexcept;
  ClientKey key() const noexcept;
  // The key of the largest network that one client may own: an IPv4 address, or the /48 network of an IPv6 address.
  ClientKey widest_key() const noexcept;
  // The address with its last bits zero, for logs: 8 bits of an IPv4 address, 80 of an IPv6 address.
  ClientAddress shortened() const noexcept;

  // The usual notation, IPv4 with dots; a view of `text`.
  using Text = std::array<char, 46>;
  std::string_view write(Text& text) const noexcept;

  friend bool operator==(const ClientAddress&, const ClientAddress&) = default;
};

// The addresses of the proxies whose X-Forwarded-For header is trusted. Any thread, once all addresses are added.
class PAIRPORT_EXPORT TrustedProxies {
 public:
  // Adds an address, a network (`10.0.0.0/8`, `fd00::/8`), or `unix` for every peer on a Unix socket. False, and
  // nothing is added, when `text` is none of these. May throw std::bad_alloc: call it at the start of a program.
  bool add(std::string_view text);

  bool empty() const noexcept { return networks_.empty(); }

  // The client behind `peer`: `peer` itself when it is not trusted, else the rightmost address in X-Forwarded-For that
  // is not trusted. A client can forge everything to the left of it. `lines` are the values of that header, the last
  // line of the request first; several lines count as one joined line (RFC 9110 section 5.3). The search goes from the
  // right over all lines. It ends at the first entry that is no address (an empty entry, too); the result is then the
  // proxy found before that entry.
  ClientAddress client_of(const ClientAddress& peer, std::span<const std::string_view> lines) const noexcept;

  // Whether `address` is a trusted proxy.
  bool trusts(const ClientAddress& address) const noexcept;

 private:
  struct Network {
    ClientAddress address;
    unsigned prefix;  // bits of the 128 that count
  };

  std::vector<Network> networks_;
};

}  // namespace pairport

#endif  // PAIRPORT_CLIENT_ADDRESS_H_

// SPDX-License-Identifier: MIT
#include <pairport/client_address.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

ClientAddress address(std::string_view text) {
  const auto parsed = ClientAddress::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(ClientAddress{});
}

TEST(ClientAddressTest, ParsesAddressesAndNothingElse) {
  EXPECT_TRUE(address("192.0.2.1").is_ipv4());
  EXPECT_EQ(address("::ffff:192.0.2.1"), address("192.0.2.1"));
  EXPECT_FALSE(address("2001:db8::1").is_ipv4());
  for (const char* text :
       {"", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1:80", "[::1]", "::1%eth0", " 192.0.2.1", "1::2::3"}) {
    EXPECT_FALSE(ClientAddress::parse(text)) << text;
  }
  EXPECT_FALSE(ClientAddress::parse(std::string(1000, '1')));
  EXPECT_FALSE(ClientAddress::parse(std::string_view("192.0.2.1\0x", 11)));
}

TEST(ClientAddressTest, AnIpv6ClientIsItsNetwork) {
  EXPECT_EQ(address("2001:db8::1").key(), address("2001:db8::ffff:ffff:ffff:ffff").key());
  EXPECT_NE(address("2001:db8::1").key(), address("2001:db8:0:1::1").key());
  EXPECT_NE(address("192.0.2.1").key(), address("192.0.2.2").key());
}

TEST(ClientAddressTest, AtTheWidestAnIpv6ClientIsItsSiteAndAnIpv4ClientItsAddress) {
  EXPECT_EQ(address("2001:db8::1").widest_key(), address("2001:db8:0:ffff:ffff::1").widest_key());
  EXPECT_NE(address("2001:db8::1").widest_key(), address("2001:db8:1::1").widest_key());
  EXPECT_NE(address("192.0.2.1").widest_key(), address("192.0.2.2").widest_key());
}

TEST(TrustedProxiesTest, RefusesWhatIsNoNetwork) {
  TrustedProxies proxies;
  for (const char* text : {"", "x", "10.0.0.0/0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1", "::/0",
                           "::1/129", "example.com", "::"}) {
    EXPECT_FALSE(proxies.add(text)) << text;
  }
}

TEST(TrustedProxiesTest, BelievesOnlyProxies) {
  TrustedProxies proxies;
  for (const char* text : {"10.0.0.0/9", "192.0.2.7", "fd00::/10"}) ASSERT_TRUE(proxies.add(text)) << text;
  const auto client = [&proxies](std::string_view peer, std::string_view forwarded_for) {
    return proxies.client_of(address(peer), std::array{forwarded_for});
  };
  EXPECT_EQ(client("10.1.1.1", "198.51.100.1"), address("198.51.100.1"));
  EXPECT_EQ(client("10.127.255.255", "198.51.100.1"), address("198.51.100.1"));
  EXPECT_EQ(client("10.128.0.0", "198.51.100.1"), address("10.128.0.0")) << "not in the network";
  EXPECT_EQ(client("fd12::1", "198.51.100.1"), address("198.51.100.1"));
  EXPECT_EQ(client("ff00::1", "198.51.100.1"), address("ff00::1"));
  EXPECT_EQ(client("192.0.2.8", "198.51.100.1"), address("192.0.2.8"));
  EXPECT_EQ(client("10.1.1.1", ""), address("10.1.1.1"));
  EXPECT_EQ(client("10.1.1.1", "1.1.1.1, 198.51.100.1,10.2.2.2 , 192.0.2.7"), address("198.51.100.1"));
  EXPECT_EQ(client("10.1.1.1", "1.1.1.1, unknown"), address("10.1.1.1")) << "what is no address ends the search";
  EXPECT_EQ(client("10.1.1.1", "1.1.1.1,"), address("10.1.1.1"));
  EXPECT_EQ(client("10.1.1.1", "198.51.100.1:4711"), address("198.51.100.1"));
  EXPECT_EQ(client("10.1.1.1", "[2001:db8::1]:4711"), address("2001:db8::1"));
  EXPECT_EQ(client("10.1.1.1", "2001:db8::1"), address("2001:db8::1"));
  EXPECT_EQ(client("10.1.1.1", "10.2.2.2"), address("10.2.2.2")) << "nobody but proxies";
  EXPECT_EQ(proxies.client_of(address("10.1.1.1"), {}), address("10.1.1.1")) << "no such header";
  const std::array<std::string_view, 1> line = {"198.51.100.1"};
  EXPECT_EQ(proxies.client_of({}, line), ClientAddress{}) << "a Unix socket is not trusted by itself";
  ASSERT_TRUE(proxies.add("unix"));
  EXPECT_EQ(proxies.client_of({}, line), address("198.51.100.1"));
}

// However a proxy splits its list into lines, the client is the same.
TEST(TrustedProxiesTest, WhatIsNoAddressEndsTheSearchOverAllLines) {
  TrustedProxies proxies;
  ASSERT_TRUE(proxies.add("10.0.0.0/8"));
  const auto client = [&proxies](std::vector<std::string_view> lines) {
    return proxies.client_of(address("10.1.1.1"), lines);
  };
  EXPECT_EQ(client({"unknown", "6.6.6.6"}), address("10.1.1.1")) << "the proxy did not know its client";
  EXPECT_EQ(client({"6.6.6.6, unknown"}), address("10.1.1.1"));
  EXPECT_EQ(client({"", "6.6.6.6"}), address("10.1.1.1")) << "an empty line is a line";
  EXPECT_EQ(client({"_hidden, 10.2.2.2", "6.6.6.6"}), address("10.2.2.2"));
  EXPECT_EQ(client({"10.2.2.2", "_hidden", "6.6.6.6"}), address("10.2.2.2"));
  EXPECT_EQ(client({"10.2.2.2", "198.51.100.1", "6.6.6.6"}), address("198.51.100.1"));
  EXPECT_EQ(client({"198.51.100.1", "6.6.6.6"}), address("198.51.100.1"));
  EXPECT_EQ(client({"10.2.2.2", "10.3.3.3"}), address("10.3.3.3")) << "nobody but proxies";
}

TEST(ClientAddressTest, IsWrittenAsItIsParsed) {
  for (const char* address : {"192.0.2.1", "2001:db8::1", "::1", "2001:db80:1111:2222:3333:4444:5555:6666"}) {
    ClientAddress::Text text;
    EXPECT_EQ(ClientAddress::parse(address)->write(text), address);
  }
}

TEST(ClientAddressTest, ShortenedAddressesAreThoseOfTheNeighbours) {
  for (const auto& [address, shortened] : {std::pair("192.0.2.77", "192.0.2.0"),
                                           {"2001:db8:1:2:3:4:5:6", "2001:db8:1::"},
                                           {"2001:db8:1:ffff::", "2001:db8:1::"}}) {
    EXPECT_EQ(ClientAddress::parse(address)->shortened(), *ClientAddress::parse(shortened)) << address;
  }
}

}  // namespace
}  // namespace pairport

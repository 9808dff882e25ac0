// SPDX-License-Identifier: MIT
// Connections in C when there is no memory: the n-th allocation fails, for every n. And what a request allocates.
#include <array>
#include <cstddef>
#include <string_view>

#include <gtest/gtest.h>

#include <pairport/pairport_http.h>

#include "support/failing_new.h"

namespace pairport::testing {
namespace {

constexpr pairport_now kNow = {1'000'000, 1'790'000'000};

class CapiAllocationTest : public ::testing::Test {
 protected:
  CapiAllocationTest() {
    pairport_options options;
    EXPECT_EQ(pairport_options_init(&options, sizeof options), PAIRPORT_OK);
    EXPECT_EQ(pairport_service_create(&options, &kNow, &service, nullptr, 0), PAIRPORT_OK);
  }
  ~CapiAllocationTest() override { pairport_service_destroy(service); }

  // Calls `create` with a first allocation that fails, then a second, until it succeeds. How often it failed.
  template <typename Create>
  static std::size_t fail_each(Create&& create) {
    for (std::size_t n = 1; n < 100; ++n) {
      int code = PAIRPORT_OK;
      {
        const Watch watch(n);
        code = create();
      }
      EXPECT_EQ(code, Allocations::failed ? PAIRPORT_OUT_OF_MEMORY : PAIRPORT_OK) << n;
      if (code == PAIRPORT_OK) return n - 1;
    }
    ADD_FAILURE() << "it never succeeds";
    return 0;
  }

  pairport_service* service = nullptr;
};

TEST_F(CapiAllocationTest, WithoutMemoryNothingIsMadeAndNothingIsLost) {
  const std::array<pairport_string, 1> proxies = {{{"192.0.2.1", 9}}};
  pairport_connections_options options;
  ASSERT_EQ(pairport_connections_options_init(&options, sizeof options), PAIRPORT_OK);
  options.trusted_proxies = proxies.data();
  options.trusted_proxy_count = proxies.size();
  options.on_answer = [](void*, const pairport_answer*) {};
  pairport_connections* all = nullptr;
  EXPECT_GE(fail_each([&] {
              const int code = pairport_connections_create(service, &options, &all, nullptr, 0);
              EXPECT_EQ(all == nullptr, code != PAIRPORT_OK);
              return code;
            }),
            3U)
      << "the context, its proxies, its observer";
  pairport_connection* connection = nullptr;
  EXPECT_GE(fail_each([&] {
              const int code = pairport_connection_create(all, nullptr, PAIRPORT_TRANSPORT_PLAIN, &kNow, &connection);
              EXPECT_EQ(connection == nullptr, code != PAIRPORT_OK);
              return code;
            }),
            2U)
      << "the connection and its parser";
  EXPECT_EQ(pairport_connections_destroy(all), PAIRPORT_INVALID_ARGUMENT) << "it has one connection";
  pairport_connection_destroy(connection);
  EXPECT_EQ(pairport_connections_destroy(all), PAIRPORT_OK) << "those that failed do not count";
}

TEST_F(CapiAllocationTest, ARequestAllocatesNothing) {
  constexpr std::string_view kRequest = "GET /update HTTP/1.1\r\nHost: x\r\n\r\n";
  pairport_connections* all = nullptr;
  pairport_connection* connection = nullptr;
  ASSERT_EQ(pairport_connections_create(service, nullptr, &all, nullptr, 0), PAIRPORT_OK);
  ASSERT_EQ(pairport_connection_create(all, nullptr, PAIRPORT_TRANSPORT_PLAIN, &kNow, &connection), PAIRPORT_OK);
  const auto ask = [&] {
    std::array<pairport_string, PAIRPORT_MAX_OUTPUT> output;
    EXPECT_EQ(pairport_connection_on_input(connection, {kRequest.data(), kRequest.size()}, &kNow), PAIRPORT_OK);
    std::size_t size = 0;
    const std::size_t count = pairport_connection_output(connection, output.data(), output.size());
    for (std::size_t i = 0; i < count; ++i) size += output[i].size;
    EXPECT_GT(size, 1000U);
    EXPECT_EQ(pairport_connection_on_output(connection, size, &kNow), PAIRPORT_OK);
  };
  ask();
  {
    const Watch watch;
    ask();
  }
  EXPECT_EQ(Allocations::count, 0U);
  pairport_connection_destroy(connection);
  EXPECT_EQ(pairport_connections_destroy(all), PAIRPORT_OK);
}

}  // namespace
}  // namespace pairport::testing

// SPDX-License-Identifier: MIT
#ifndef PAIRPORT_BENCH_LOAD_OPTIONS_H
#define PAIRPORT_BENCH_LOAD_OPTIONS_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace pairport::bench {

constexpr std::size_t kMaxPipeline = 64;

// What the command line of load_client says.
struct LoadOptions {
  std::uint16_t port = 0;
  std::size_t connections = 64;
  std::size_t pipeline = 1;
  double seconds = 2;
  double rate = 0;          // requests per second; 0: closed loop
  std::uint64_t count = 0;  // 0: run for `seconds`; else end after this many answers
  bool deposits = false;
  std::uint64_t deposit_every = 0;  // among GETs; 0: never. Their latency is separate.
  bool new_connections = false;     // one for each request
  bool ask_close = false;           // send `Connection: close`, and wait for the server to close
  std::string targets;              // file with one target a line
  std::string target = "/";
  std::string user_agent = "curl/7.88.1";
  std::string codes;  // file for the codes of deposits
  std::uint64_t keep_codes = 100'000;
};

extern const char* const kLoadUsage;

// False when the arguments are unknown, incomplete, or contradict each other; `options` is then of no use.
[[nodiscard]] bool parse_load_options(int argc, char** argv, LoadOptions& options);

}  // namespace pairport::bench

#endif  // PAIRPORT_BENCH_LOAD_OPTIONS_H

// SPDX-License-Identifier: MIT
#include "load_options.h"

#include <cstdlib>
#include <string_view>

namespace pairport::bench {

const char* const kLoadUsage =
    "usage: load_client --port N [--connections 64] [--pipeline 1] [--seconds 2] [--rate PER_SECOND] [--count N]\n"
    "                   [--target / | --targets FILE] [--user-agent TEXT] [--new-connections [--ask-close]]\n"
    "                   [--deposit-every N] [--deposits [--codes FILE [--keep-codes N]]]\n";

bool parse_load_options(int argc, char** argv, LoadOptions& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--deposits") {
      options.deposits = true;
      continue;
    }
    if (name == "--new-connections") {
      options.new_connections = true;
      continue;
    }
    if (name == "--ask-close") {
      options.ask_close = true;
      continue;
    }
    if (++i == argc) return false;
    const char* value = argv[i];
    if (name == "--port") {
      options.port = static_cast<std::uint16_t>(std::strtoul(value, nullptr, 10));
    } else if (name == "--connections") {
      options.connections = std::strtoull(value, nullptr, 10);
    } else if (name == "--pipeline") {
      options.pipeline = std::strtoull(value, nullptr, 10);
    } else if (name == "--seconds") {
      options.seconds = std::strtod(value, nullptr);
    } else if (name == "--rate") {
      options.rate = std::strtod(value, nullptr);
    } else if (name == "--count") {
      options.count = std::strtoull(value, nullptr, 10);
    } else if (name == "--deposit-every") {
      options.deposit_every = std::strtoull(value, nullptr, 10);
    } else if (name == "--targets") {
      options.targets = value;
    } else if (name == "--target") {
      options.target = value;
    } else if (name == "--user-agent") {
      options.user_agent = value;
    } else if (name == "--codes") {
      options.codes = value;
    } else if (name == "--keep-codes") {
      options.keep_codes = std::strtoull(value, nullptr, 10);
    } else {
      return false;
    }
  }
  const bool one_each = options.rate > 0 || options.new_connections;
  return options.port != 0 && options.connections != 0 && options.pipeline >= 1 && options.pipeline <= kMaxPipeline &&
         (!one_each || options.pipeline == 1) && !(options.rate > 0 && options.new_connections) &&
         (!options.ask_close || options.new_connections);
}

}  // namespace pairport::bench

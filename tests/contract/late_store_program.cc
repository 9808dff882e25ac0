// SPDX-License-Identifier: MIT
// The program with a store that answers late and in any order, for the tests of the contract:
//   late_store_program -c FILE
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string_view>

#include <spdlog/spdlog.h>

#include "net/program/config_file.h"
#include "net/program/log.h"
#include "net/program/log_writer.h"
#include "net/program/program.h"
#include "support/late_store.h"

namespace {

class Late final : public pairport::OtherStore {
 public:
  explicit Late(const pairport::StoreOptions& bounds) : late_(bounds) {}
  pairport::Store& store() override { return late_.elsewhere(); }
  pairport::StoreClient& client() override { return late_; }
  void attach(uv_loop_t* loop) override { late_.attach(loop); }
  void close() override { late_.close(); }

 private:
  pairport::testing::LateStore late_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "-c") {
    std::fputs("usage: late_store_program -c FILE\n", stderr);
    return pairport::kExitUsage;
  }
  const auto log = std::make_shared<pairport::LogWriter>(STDERR_FILENO);
  spdlog::set_default_logger(
      pairport::make_logger("pairport", log, pairport::LogLine::kMessage, "%Y-%m-%dT%H:%M:%SZ %l: %v"));
  auto loaded = pairport::load_config(argv[2], "");
  if (!loaded.ok()) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(loaded.status().message().size()),
                 loaded.status().message().data());
    return pairport::kExitUsage;
  }
  Late late(loaded.value().config.service.store);
  const int code = pairport::run_program(loaded.value(), log, &late);
  log->finish(std::chrono::milliseconds(2000));
  return code;
}

// SPDX-License-Identifier: MIT
// The command line, and the only place that reads the environment.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include <llhttp.h>
#include <simdjson.h>
#include <spdlog/spdlog.h>
#include <uv.h>
#include <CLI/CLI.hpp>

#include <pairport/status.h>
#include <pairport/tls.h>
#include <pairport/version.h>

#include "net/program/config_file.h"
#include "net/program/log.h"
#include "net/program/log_writer.h"
#include "net/program/program.h"

namespace pairport {
namespace {

// How long the process waits at its end for the reader of the log.
constexpr std::chrono::milliseconds kLastWords{2000};

std::string version_text() {
  return std::string("pairport ") + PAIRPORT_VERSION + " (libuv " + uv_version_string() + ", llhttp " +
         std::to_string(LLHTTP_VERSION_MAJOR) + "." + std::to_string(LLHTTP_VERSION_MINOR) + "." +
         std::to_string(LLHTTP_VERSION_PATCH) + ", simdjson " +
         std::to_string(static_cast<int>(simdjson::SIMDJSON_VERSION_MAJOR)) + "." +
         std::to_string(static_cast<int>(simdjson::SIMDJSON_VERSION_MINOR)) + "." +
         std::to_string(static_cast<int>(simdjson::SIMDJSON_VERSION_REVISION)) + ", " + TlsContext::library_version() +
         ")";
}

int main_with(int argc, char** argv, const std::shared_ptr<LogWriter>& log) {
  // Messages suit people and a journal: UTC, one line each, on stderr.
  spdlog::set_default_logger(make_logger("pairport", log, LogLine::kMessage, "%Y-%m-%dT%H:%M:%SZ %l: %v"));

  CLI::App app(
      "Pairing service for RPort: takes the credentials of a client, keeps them in memory for some minutes,\n"
      "and hands out installer scripts for the pairing code that it returned.");
  std::string config_name;
  bool check = false;
  bool show_version = false;
  app.add_option("-c", config_name,
                 "Configuration file; a name without a slash is looked up in /etc/rport, $HOME/.rport and the current "
                 "folder. Without it: rport-pairing.conf there, else the defaults")
      ->type_name("FILE");
  app.add_flag("--check-config", check, "Check the configuration and exit: 0 when it is valid, 2 when not");
  app.add_flag("-v,--version", show_version, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer(
      "Exit codes: 0 after SIGTERM or SIGINT, 1 failure at run time, 2 wrong usage or configuration.\n"
      "Messages go to stderr.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    spdlog::error("{}; pairport --help shows the options", error.what());
    return kExitUsage;
  }

  if (show_version) {
    std::cout << version_text() << '\n';
    return kExitOk;
  }
  const char* home = std::getenv("HOME");
  Result<LoadedConfig> loaded = load_config(config_name, home == nullptr ? "" : home);
  wipe_deep_stack();
  if (!loaded.ok()) {
    log_lines(spdlog::level::err, loaded.status().message());
    return kExitUsage;
  }
  return check ? check_config(loaded.value()) : run_program(loaded.value(), log);
}

}  // namespace
}  // namespace pairport

int main(int argc, char** argv) {
  try {
    const auto log = std::make_shared<pairport::LogWriter>(STDERR_FILENO);
    const int code = pairport::main_with(argc, argv, log);
    log->finish(pairport::kLastWords);
    return code;
  } catch (const std::exception& error) {
    std::cerr << "pairport: " << error.what() << '\n';
    return 1;
  }
}

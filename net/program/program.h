// SPDX-License-Identifier: MIT
// The program, once its configuration has been read.
#ifndef PAIRPORT_NET_PROGRAM_H_
#define PAIRPORT_NET_PROGRAM_H_

#include <memory>

#include "net/program/config_file.h"
#include "net/program/log_writer.h"

namespace pairport {

// How the process ends.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // at run time
inline constexpr int kExitUsage = 2;    // wrong usage or configuration

// Checks what reading the configuration did not: folders, certificates, templates. Opens nothing. Logs the result and
// returns how the process ends.
int check_config(const LoadedConfig& loaded);

// Serves until a signal stops it. Logs what happens and returns how the process ends. Takes the static deposit out of
// `loaded`. To be called once in a process, with no other thread running.
int run_program(LoadedConfig& loaded, const std::shared_ptr<LogWriter>& log);

}  // namespace pairport

#endif  // PAIRPORT_NET_PROGRAM_H_

// SPDX-License-Identifier: MIT
// The program, once its configuration has been read.
#ifndef PAIRPORT_NET_PROGRAM_H_
#define PAIRPORT_NET_PROGRAM_H_

#include <memory>

#include <pairport/server.h>
#include <pairport/store.h>

#include "net/program/config_file.h"
#include "net/program/log_writer.h"

namespace pairport {

// The exit statuses of the process.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // at run time
inline constexpr int kExitUsage = 2;    // wrong usage or configuration

// A store that answers later, in place of the memory of the process.
class OtherStore {
 public:
  virtual ~OtherStore() = default;
  virtual Store& store() = 0;
  virtual StoreClient& client() = 0;
  // Called once, before anything is served.
  virtual void attach(uv_loop_s* loop) = 0;
  // Closes its handles in the loop. No request waits for it any more.
  virtual void close() = 0;
};

// Checks the folders, certificates and templates of the configuration. Opens no address. Logs the result and returns
// the exit status.
int check_config(const LoadedConfig& loaded);

// Serves until a signal stops it. Logs its state and returns the exit status. Removes the static deposit from `loaded`.
// Call it once in a process, while no other thread is running. `other`: where deposits live; it outlives the call.
// Null: in secret memory of this process.
int run_program(LoadedConfig& loaded, const std::shared_ptr<LogWriter>& log, OtherStore* other = nullptr);

}  // namespace pairport

#endif  // PAIRPORT_NET_PROGRAM_H_

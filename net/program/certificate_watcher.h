// SPDX-License-Identifier: MIT
// Loads renewed certificates.
#ifndef PAIRPORT_NET_CERTIFICATE_WATCHER_H_
#define PAIRPORT_NET_CERTIFICATE_WATCHER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <uv.h>

#include <pairport/status.h>
#include <pairport/tls.h>

#include "net/program/certificates.h"

namespace pairport {

// Checks the files every kIntervalMs, in libuv's thread pool. Loads them when they have changed and have then stayed
// the same for an interval, because a certificate and its key are replaced one after the other. New connections use the
// loaded certificates; if loading fails, the old ones stay in use. Belongs to the thread of the loop.
class CertificateWatcher {
 public:
  static constexpr std::uint64_t kIntervalMs = 2'000;

  // The result of loading: kOk when the context uses the new certificates, or the reason why it keeps the old ones.
  using OnLoaded = std::function<void(const Status& status)>;

  // `context` uses the certificates of `files` now. `context` outlives the watcher. Close the watcher before you
  // destroy it; it may be destroyed from `on_closed` on. `on_loaded` must not throw and must not close the watcher.
  CertificateWatcher(uv_loop_t* loop, TlsContext& context, std::vector<CertificateFiles> files, OnLoaded on_loaded);
  CertificateWatcher(const CertificateWatcher&) = delete;
  CertificateWatcher& operator=(const CertificateWatcher&) = delete;

  // Loads the files, changed or not.
  void reload() noexcept;
  // Call it once. Calls `on_closed` from the loop when no handle of the watcher is left in it.
  void close(std::function<void()> on_closed);

 private:
  void look() noexcept;
  void work() noexcept;
  void on_worked() noexcept;
  void end() noexcept;

  uv_loop_t* const loop_;
  TlsContext& context_;
  const std::vector<CertificateFiles> files_;
  const OnLoaded on_loaded_;
  std::function<void()> on_closed_;
  uv_timer_t timer_;
  uv_work_t work_;
  bool working_ = false;
  bool forced_ = false;  // load the files, changed or not
  bool timer_closed_ = false;
  std::uint64_t seen_;       // fingerprint of the files at the last check,
  std::uint64_t attempted_;  // and at the last attempt to load them
  // Of the current work.
  bool force_ = false;
  std::uint64_t found_ = 0;
  std::shared_ptr<const TlsCredentials> loaded_;
  Status status_;
  bool tried_ = false;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_CERTIFICATE_WATCHER_H_

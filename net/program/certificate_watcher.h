// SPDX-License-Identifier: MIT
// Takes over certificates that have been renewed.
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

// Looks at the files every kIntervalMs, in libuv's thread pool, and loads them when they have changed and then have
// stayed the same for an interval, because a certificate and its key are replaced one after the other. New connections
// then use what was loaded; if loading fails, everything stays as it is. Belongs to one loop's thread.
class CertificateWatcher {
 public:
  static constexpr std::uint64_t kIntervalMs = 2'000;

  // What became of loading: kOk, and the context uses the new certificates, or the cause why it goes on with the old
  // ones.
  using OnLoaded = std::function<void(const Status& status)>;

  // `files` are those that `context` uses now. The context outlives the watcher, which must be closed and then outlive
  // `on_closed`. `on_loaded` must not throw and not close the watcher.
  CertificateWatcher(uv_loop_t* loop, TlsContext& context, std::vector<CertificateFiles> files, OnLoaded on_loaded);
  CertificateWatcher(const CertificateWatcher&) = delete;
  CertificateWatcher& operator=(const CertificateWatcher&) = delete;

  // Loads the files whether they have changed or not.
  void reload() noexcept;
  // Once; `on_closed` is called from the loop when nothing of the watcher is left in it.
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
  bool forced_ = false;  // load, whatever the files look like
  bool timer_closed_ = false;
  std::uint64_t seen_;       // fingerprint of the files when they were looked at last,
  std::uint64_t attempted_;  // and when they were loaded last
  // Of the work that is under way.
  bool force_ = false;
  std::uint64_t found_ = 0;
  std::shared_ptr<const TlsCredentials> loaded_;
  Status status_;
  bool tried_ = false;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_CERTIFICATE_WATCHER_H_

// SPDX-License-Identifier: MIT
// Invariant: while working_, the working thread owns the members below "Of the current work", and may read seen_ and
// attempted_.
#include "net/program/certificate_watcher.h"

#include <cassert>
#include <exception>
#include <utility>

namespace pairport {

CertificateWatcher::CertificateWatcher(uv_loop_t* loop, TlsContext& context, std::vector<CertificateFiles> files,
                                       OnLoaded on_loaded)
    : loop_(loop),
      context_(context),
      files_(std::move(files)),
      on_loaded_(std::move(on_loaded)),
      seen_(fingerprint_of(files_)),
      attempted_(seen_) {
  uv_timer_init(loop_, &timer_);
  timer_.data = this;
  work_.data = this;
  uv_timer_start(
      &timer_, [](uv_timer_t* timer) { static_cast<CertificateWatcher*>(timer->data)->look(); }, kIntervalMs,
      kIntervalMs);
  // The watcher alone does not keep the loop alive.
  uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
}

void CertificateWatcher::reload() noexcept {
  forced_ = true;
  look();
}

void CertificateWatcher::look() noexcept {
  if (working_ || on_closed_) return;
  force_ = std::exchange(forced_, false);
  working_ = true;
  const int error = uv_queue_work(
      loop_, &work_, [](uv_work_t* work) { static_cast<CertificateWatcher*>(work->data)->work(); },
      [](uv_work_t* work, int) { static_cast<CertificateWatcher*>(work->data)->on_worked(); });
  if (error != 0) working_ = false;
}

// Runs in a thread of the pool.
void CertificateWatcher::work() noexcept {
  found_ = fingerprint_of(files_);
  tried_ = force_ || (found_ != attempted_ && found_ == seen_);
  if (!tried_) return;
  try {
    Result<std::shared_ptr<const TlsCredentials>> loaded = load_certificates(context_, files_);
    status_ = loaded.status();
    loaded_ = loaded.ok() ? std::move(loaded).value() : nullptr;
  } catch (const std::exception&) {
    status_ = StatusCode::kOutOfMemory;
    loaded_ = nullptr;
  }
}

void CertificateWatcher::on_worked() noexcept {
  working_ = false;
  seen_ = found_;
  if (on_closed_) return end();
  if (tried_) {
    attempted_ = found_;
    if (loaded_ != nullptr) context_.use(std::move(loaded_));
    on_loaded_(status_);
  }
  if (forced_) look();
}

void CertificateWatcher::close(std::function<void()> on_closed) {
  on_closed_ = std::move(on_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), [](uv_handle_t* handle) {
    auto* self = static_cast<CertificateWatcher*>(handle->data);
    self->timer_closed_ = true;
    self->end();
  });
}

void CertificateWatcher::end() noexcept {
  if (working_ || !timer_closed_) return;
  // May destroy the watcher.
  const std::function<void()> on_closed = std::move(on_closed_);
  on_closed();
}

}  // namespace pairport

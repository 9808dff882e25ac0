// SPDX-License-Identifier: MIT
// A store that answers after a random delay, so in any order, or never.
#ifndef PAIRPORT_TESTS_SUPPORT_LATE_STORE_H_
#define PAIRPORT_TESTS_SUPPORT_LATE_STORE_H_

#include <uv.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <pairport/server.h>
#include <pairport/store.h>

#include "core/store/local_store.h"

namespace pairport::testing {

// Deposits live in a LocalStore; only its answers come late. elsewhere() is for the service, the object itself for
// ServerOptions::store.
class LateStore final : public StoreClient {
 public:
  struct Behaviour {
    std::uint64_t longest_ms = 5;
    bool never = false;   // answers nothing
    bool refuse = false;  // takes no operation
  };

  explicit LateStore(StoreOptions bounds = {}, unsigned seed = 1) : engine_(seed) {
    bounds.hash_seed = seed;
    store_ = std::move(LocalStore::create(bounds, current_time().monotonic_ms)).value();
  }

  void attach(uv_loop_t* loop) {
    uv_timer_init(loop, &timer_);
    timer_.data = this;
  }
  // Closes what it has in the loop.
  void close() { uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr); }

  // Answers whatever waits, now or when its time has come.
  void answer_all() { wake(); }

  Store& elsewhere() { return elsewhere_; }
  LocalStore& store() { return *store_; }
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t started() const { return started_; }
  std::size_t cancelled() const { return cancelled_; }

  bool start(const StoreOperation& operation, Waiter& waiter) noexcept override {
    if (behaviour.refuse) return false;
    ++started_;
    Entry entry{uv_now(timer_.loop) + engine_() % (behaviour.longest_ms + 1),
                &waiter,
                operation,
                std::string(operation.code),
                std::string(operation.deposit.connect_url),
                std::string(operation.deposit.client_id),
                std::string(operation.deposit.password)};
    waiting_.push_back(std::make_unique<Entry>(std::move(entry)));
    wake();
    return true;
  }
  void cancel(Waiter& waiter) noexcept override {
    cancelled_ += std::erase_if(waiting_, [&waiter](const auto& entry) { return entry->waiter == &waiter; });
  }

  Behaviour behaviour;

 private:
  struct Entry {
    std::uint64_t due_ms;
    Waiter* waiter;
    StoreOperation operation;
    std::string code;
    std::string url;
    std::string id;
    std::string password;
  };

  void wake() {
    if (behaviour.never || waiting_.empty()) return;
    const auto first = std::min_element(waiting_.begin(), waiting_.end(),
                                        [](const auto& a, const auto& b) { return a->due_ms < b->due_ms; });
    const std::uint64_t now = uv_now(timer_.loop);
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { static_cast<LateStore*>(timer->data)->answer(); },
        (*first)->due_ms - std::min((*first)->due_ms, now), 0);
  }
  void answer() {
    while (store_->expire(current_time().monotonic_ms, 1000) == false) {
    }
    for (;;) {
      const auto due = std::find_if(waiting_.begin(), waiting_.end(),
                                    [this](const auto& entry) { return entry->due_ms <= uv_now(timer_.loop); });
      if (due == waiting_.end()) break;
      // Out of the list first: the waiter may begin and cancel others.
      const std::unique_ptr<Entry> entry = std::move(*due);
      waiting_.erase(due);
      StoreOperation operation = entry->operation;
      operation.code = entry->code;
      operation.deposit = {entry->url, entry->operation.deposit.fingerprint, entry->id, entry->password};
      entry->waiter->on_reply(store_->carry_out(operation, current_time().monotonic_ms));
    }
    wake();
  }

  std::mt19937 engine_;
  ElsewhereStore elsewhere_;
  std::unique_ptr<LocalStore> store_;
  std::vector<std::unique_ptr<Entry>> waiting_;
  std::size_t started_ = 0;
  std::size_t cancelled_ = 0;
  uv_timer_t timer_{};
};

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_LATE_STORE_H_

// SPDX-License-Identifier: MIT
// The store against a map. The input is a sequence of operations, read from its end, with a clock of its own.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/store/local_store.h"

#include "input.h"

namespace pairport::fuzz {
namespace {

constexpr std::uint64_t kTick = 128;  // a deposit is reclaimed with this resolution

struct Deposit {
  std::string connect_url;
  Fingerprint fingerprint;
  std::string client_id;
  std::string password;
  std::uint64_t expires_ms;

  DepositView view() const { return {connect_url, fingerprint, client_id, password}; }
};

class Game {
 public:
  explicit Game(Input& input) : input_(input) {
    options_.max_deposits = 1 + input.number(2) % 2000;
    // The least that can be configured, so that it is reached with few deposits.
    options_.max_bytes = (std::size_t{1} << 20) + std::size_t{input.byte()} * 8192;
    options_.hash_seed = input.byte();
    auto created = LocalStore::create(options_, now_);
    expect(created.ok(), "there is a store");
    store_ = std::move(created).value();
  }

  void play() {
    while (!input_.empty()) {
      move();
      check_sizes();
    }
    for (const auto& [code, deposit] : model_) check_found(code);
    now_ += 1;
    expire_all();
  }

 private:
  void move() {
    const std::uint8_t kind = input_.byte();
    switch (kind % 8) {
      case 0:
      case 1:
        insert(code_from(input_.byte()));
        break;
      case 2:
        // Many, so that tables and slabs grow.
        for (unsigned i = 0, first = input_.byte(), count = input_.byte(); i < count; ++i) insert(code_from(first + i));
        break;
      case 3:
        check_found(code_from(input_.byte()));
        break;
      case 4:
        erase(code_from(input_.byte()));
        break;
      case 5:
        for (unsigned i = 0, first = input_.byte(), count = input_.byte(); i < count; ++i) erase(code_from(first + i));
        break;
      case 6:
        now_ += std::uint64_t{input_.byte()} << kind / 16;
        break;
      case 7:
        if (kind >= 128) {
          expire_all();
        } else {
          const std::size_t before = store_->size();
          const std::size_t work = input_.byte();
          static_cast<void>(store_->expire(now_, work));
          expect(before - store_->size() <= work, "no more work is done than is allowed");
        }
        break;
      default:
        break;
    }
  }

  // Codes that have the same beginning, so that they have to be compared to their end.
  static std::string code_from(unsigned number) {
    return std::string(number % 3 == 0 ? kLongCode : "abcdefghij").substr(0, 1 + number % 30) +
           static_cast<char>('A' + number % 26) + std::to_string(number / 26 % 10);
  }

  void insert(const std::string& code) {
    const std::uint8_t shape = input_.byte();
    const std::size_t size = std::size_t{shape} * 8;
    const auto fill = static_cast<char>('a' + shape % 26);
    Deposit deposit{std::string(std::min(kMaxConnectUrl, 1 + size), fill),
                    {},
                    std::string(std::min<std::size_t>(kMaxClientId, 1 + shape), fill),
                    std::string(std::min(kMaxPassword, 1 + size / 2), fill),
                    shape % 16 == 15 ? LocalStore::kNever : now_ + (std::uint64_t{1} + shape) * 50};
    deposit.fingerprint.bytes.fill(shape);
    const auto held = model_.find(code);
    const bool lives = held != model_.end() && held->second.expires_ms > now_;
    const std::size_t before = store_->size();
    const Status status = store_->insert(code, deposit.view(), deposit.expires_ms);
    if (!status.ok()) {
      expect(store_->size() == before, "on failure nothing has changed");
      if (status.code() == StatusCode::kAlreadyExists) {
        expect(held != model_.end(), "a code is in use when it was inserted");
      } else {
        expect(status.code() == StatusCode::kStoreFull, "there is always memory here");
        // The largest deposit takes less than a page of a slab, and may need a chunk and a doubled table.
        expect(before >= options_.max_deposits || store_->memory_bytes() + (std::size_t{1} << 19) > options_.max_bytes,
               "a store is full at its bounds only");
      }
      return;
    }
    expect(!lives, "a code in use is not given twice");
    expect(store_->size() == before + 1, "there is one more");
    if (held != model_.end()) model_.erase(held);  // it was reclaimed before
    model_.emplace(code, std::move(deposit));
    check_found(code);
  }

  void check_found(const std::string& code) {
    const StoredDeposit stored = store_->look_up(code, now_);
    const auto held = model_.find(code);
    expect(static_cast<bool>(stored) == (held != model_.end() && held->second.expires_ms > now_),
           "what lives is found, and nothing else");
    if (!stored) return;
    const DepositView found = stored.view();
    const DepositView expected = held->second.view();
    expect(found.connect_url == expected.connect_url && found.fingerprint == expected.fingerprint &&
               found.client_id == expected.client_id && found.password == expected.password,
           "it has the values that were inserted");
  }

  void erase(const std::string& code) {
    const auto held = model_.find(code);
    const bool lives = held != model_.end() && held->second.expires_ms > now_;
    const bool erased = store_->erase(code);
    expect(erased || !lives, "what lives can be erased");
    expect(!erased || held != model_.end(), "nothing else can");
    if (held != model_.end()) model_.erase(held);
    expect(!store_->look_up(code, now_), "what is erased is not found");
  }

  void expire_all() {
    int calls = 0;
    while (!store_->expire(now_, 1000)) expect(++calls < 100'000, "expiring ends");
    std::erase_if(model_, [this](const auto& entry) {
      const std::uint64_t expires = entry.second.expires_ms;
      return expires != LocalStore::kNever && (expires + kTick - 1) / kTick <= now_ / kTick;
    });
    expect(store_->size() == model_.size(), "everything that is due is gone, and nothing else");
  }

  void check_sizes() const {
    const auto living = static_cast<std::size_t>(std::count_if(
        model_.begin(), model_.end(), [this](const auto& entry) { return entry.second.expires_ms > now_; }));
    expect(store_->size() >= living && store_->size() <= model_.size(), "the store counts what it holds");
    expect(store_->expiring() <= store_->size(), "what expires is a part of it");
    expect(store_->size() <= options_.max_deposits, "the number of deposits is bounded");
    expect(store_->memory_bytes() <= options_.max_bytes, "memory is bounded");
  }

  static constexpr const char* kLongCode = "abcdefghijklmnopqrstuvwxyzabcdef";

  Input& input_;
  std::uint64_t now_ = 1'000'000;
  LocalStore::Options options_;
  std::unique_ptr<LocalStore> store_;
  // Everything that may still be held: what is due is removed when it is known to be gone.
  std::map<std::string, Deposit, std::less<>> model_;
};

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::Input input(data, size);
  pairport::fuzz::Game(input).play();
  return 0;
}

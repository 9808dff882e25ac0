// SPDX-License-Identifier: MIT
// The timing wheel against a list of deadlines. The input is a sequence of operations, read from its end; objects that
// fall due may arm and cancel others.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/store/timer_wheel.h"
#include "input.h"

namespace pairport::fuzz {
namespace {

struct Objects {
  static constexpr TimerId kCount = 64;

  TimerLinks& links(TimerId id) noexcept { return all[id].links; }
  std::uint64_t deadline(TimerId id) const noexcept { return all[id].deadline; }

  struct Object {
    TimerLinks links;
    std::uint64_t deadline = 0;
    bool armed = false;
  };
  std::array<Object, kCount> all;
};

class Game {
 public:
  explicit Game(Input& input)
      // Shortly before a tick at which all levels turn over.
      : input_(input), now_((std::uint64_t{1} << 31) - std::uint64_t{input.number(2)} * 16), wheel_(objects_, now_) {}

  void play() {
    while (!input_.empty()) {
      change();
      const std::uint8_t kind = input_.byte();
      if (kind % 4 == 0) advance(std::min(std::uint64_t{1} << kind % 27, allowed_), 1'000'000);
      if (kind % 4 == 1) advance(kind, kind / 16U);
    }
    advance(0, 1'000'000);
  }

 private:
  static constexpr std::uint64_t kTick = std::uint64_t{1} << TimerWheel<Objects>::kTickShift;

  // Arms the object if it is not, cancels it if it is.
  void change() {
    const TimerId id = input_.byte() % Objects::kCount;
    Objects::Object& object = objects_.all[id];
    if (object.armed) {
      wheel_.cancel(id);
      --armed_;
    } else {
      const std::uint8_t shift = input_.byte() % 64;
      const std::uint64_t delay = std::uint64_t{input_.byte()} << shift;
      object.deadline = delay > ~now_ ? ~std::uint64_t{0} : now_ + delay;
      wheel_.arm(id);
      ++armed_;
    }
    object.armed = !object.armed;
    expect(wheel_.size() == armed_, "the wheel counts what is armed");
  }

  void advance(std::uint64_t by, std::size_t work) {
    now_ += by;
    allowed_ -= std::min(by, allowed_);
    std::size_t fired = 0;
    const bool done = wheel_.advance(now_, work, [&](TimerId id) {
      Objects::Object& object = objects_.all[id];
      expect(object.armed, "who falls due is armed");
      expect(object.deadline <= now_, "nobody falls due early");
      object.armed = false;
      --armed_;
      ++fired;
      // Not for ever: the input comes to an end.
      if (!input_.empty() && input_.byte() % 4 == 0) change();
    });
    expect(fired <= work, "no more work is done than is allowed");
    expect(wheel_.size() == armed_, "the wheel counts what is armed");
    if (!done) return;
    for (const Objects::Object& object : objects_.all) {
      const std::uint64_t tick = object.deadline / kTick + (object.deadline % kTick != 0 ? 1 : 0);
      expect(!object.armed || tick > now_ / kTick, "everybody who is due has been called");
    }
  }

  Input& input_;
  std::uint64_t now_;
  Objects objects_;
  TimerWheel<Objects> wheel_;
  std::size_t armed_ = 0;
  // Empty ticks are passed one by one, and there are better ways to spend the time.
  std::uint64_t allowed_ = std::uint64_t{1} << 22;
};

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::Input input(data, size);
  pairport::fuzz::Game(input).play();
  return 0;
}

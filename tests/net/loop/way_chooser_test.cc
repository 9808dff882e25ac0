// SPDX-License-Identifier: MIT
#include "net/loop/way_chooser.h"

#include <functional>

#include <gtest/gtest.h>

namespace pairport {
namespace {

// Takes so many turns; `time_of` is asked in trials. How many turns went which way.
struct Turns {
  int first = 0;
  int second = 0;
  int timed = 0;
};
Turns take(WayChooser& chooser, int count, const std::function<std::uint64_t(Way)>& time_of) {
  Turns turns;
  for (int i = 0; i < count; ++i) {
    const WayChooser::Turn turn = chooser.next();
    ++(turn.way == Way::kFirst ? turns.first : turns.second);
    if (!turn.timed) continue;
    ++turns.timed;
    chooser.took(time_of(turn.way));
  }
  return turns;
}

std::uint64_t first_is_cheaper(Way way) {
  return way == Way::kFirst ? 8000 : 8001;
}
std::uint64_t second_is_cheaper(Way way) {
  return way == Way::kFirst ? 8001 : 8000;
}

TEST(WayChooser, FindsTheCheaperWayInItsFirstTrials) {
  for (const Way begin : {Way::kFirst, Way::kSecond}) {
    WayChooser one(begin);
    take(one, static_cast<int>(WayChooser::kFirstTrials), first_is_cheaper);
    EXPECT_EQ(one.preferred(), Way::kFirst);
    WayChooser two(begin);
    take(two, static_cast<int>(WayChooser::kFirstTrials), second_is_cheaper);
    EXPECT_EQ(two.preferred(), Way::kSecond);
  }
}

TEST(WayChooser, TriesTheOtherWaySeldomAfterwards) {
  WayChooser chooser(Way::kFirst);
  take(chooser, static_cast<int>(WayChooser::kFirstTrials), first_is_cheaper);
  constexpr int kPeriods = 1000;
  const Turns turns = take(chooser, kPeriods * static_cast<int>(WayChooser::kPeriod), first_is_cheaper);
  EXPECT_EQ(turns.timed, 2 * kPeriods);
  EXPECT_EQ(turns.second, kPeriods);
}

TEST(WayChooser, NoticesThatTheMachineHasChanged) {
  WayChooser chooser(Way::kFirst);
  take(chooser, 100'000, first_is_cheaper);
  EXPECT_EQ(chooser.preferred(), Way::kFirst);
  take(chooser, 2 * WayChooser::kLead * static_cast<int>(WayChooser::kPeriod), second_is_cheaper);
  EXPECT_EQ(chooser.preferred(), Way::kSecond) << "however long it was otherwise";
}

TEST(WayChooser, AFewTurnsThatWereInterruptedDecideNothing) {
  WayChooser chooser(Way::kFirst);
  int turn = 0;
  take(chooser, 100'000, [&turn](Way way) {
    const bool interrupted = ++turn % 5 == 0;
    return interrupted ? std::uint64_t{1'000'000'000} : first_is_cheaper(way);
  });
  EXPECT_EQ(chooser.preferred(), Way::kFirst);
}

TEST(WayChooser, EqualTimesChangeNothing) {
  WayChooser chooser(Way::kSecond);
  take(chooser, 100'000, [](Way) { return std::uint64_t{5}; });
  EXPECT_EQ(chooser.preferred(), Way::kSecond);
}

TEST(WayChooser, TrialsThatCameToNothingDoNotCount) {
  WayChooser chooser(Way::kFirst);
  for (int i = 0; i < 100'000; ++i) {
    const WayChooser::Turn turn = chooser.next();
    // Whoever would be slower never ends, so nobody has won.
    if (turn.timed && turn.way == Way::kSecond) chooser.took(1);
  }
  EXPECT_EQ(chooser.preferred(), Way::kFirst);
}

TEST(WayChooser, BothComeFirstInTurn) {
  WayChooser chooser(Way::kFirst);
  // The second of a pair is always slower: that must say nothing of the ways.
  int trial = 0;
  take(chooser, 100'000, [&trial](Way) { return static_cast<std::uint64_t>(++trial % 2 == 0 ? 9 : 1); });
  EXPECT_EQ(chooser.preferred(), Way::kFirst);
}

}  // namespace
}  // namespace pairport

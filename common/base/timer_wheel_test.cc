#include "common/base/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"

namespace base {
namespace {

Instant at_ms(std::int64_t ms) { return Instant(std::chrono::milliseconds(ms)); }

// Goal: a timer fires once, not before its deadline, however far away. Method: one timer beyond a
// whole turn of the wheel, advanced in uneven steps.
TEST(TimerWheel, FiresOnceAtTheFirstAdvancePastTheDeadline) {
  TimerWheel wheel;
  int fired = 0;
  Timer timer([&] { ++fired; });
  wheel.set(timer, at_ms(10'000));
  wheel.advance(at_ms(4'000));
  wheel.advance(at_ms(9'999));
  EXPECT_EQ(fired, 0);
  wheel.advance(at_ms(10'000));
  EXPECT_EQ(fired, 1);
  wheel.advance(at_ms(30'000));
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(wheel.size(), 0u);
}

// Goal: timers fire in order of tick, and of setting within a tick, however far away they were set.
// Method: pairs for ticks near, a block away and beyond all blocks; one set early, one late.
TEST(TimerWheel, KeepsTheOrderOfSetting) {
  TimerWheel wheel;
  std::vector<std::string> fired;
  std::vector<std::unique_ptr<Timer>> timers;
  const auto set = [&](std::int64_t ms, const std::string& name) {
    timers.push_back(std::make_unique<Timer>([&fired, name] { fired.push_back(name); }));
    wheel.set(*timers.back(), at_ms(ms));
  };
  const std::int64_t lap = 512 * 4'096;
  set(lap + 5'000, "far 1");
  set(5'000, "block 1");
  set(100, "near 1");
  set(100, "near 2");
  wheel.advance(at_ms(4'990));
  set(5'000, "block 2");
  wheel.advance(at_ms(lap + 4'900));
  set(lap + 5'000, "far 2");
  wheel.advance(at_ms(lap + 5'000));
  EXPECT_EQ(fired,
            (std::vector<std::string>{"near 1", "near 2", "block 1", "block 2", "far 1", "far 2"}));
}

// Goal: an idle thread sleeps long although many far timers are set. Method: follow next_deadline
// as a reactor does for ten seconds with 10,000 timers ten minutes ahead; count the wakes.
TEST(TimerWheel, FarTimersDoNotWake) {
  TimerWheel wheel;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 10'000; ++i) {
    timers.push_back(std::make_unique<Timer>([] {}));
    wheel.set(*timers.back(), at_ms(600'000 + i));
  }
  int wakes = 0;
  for (Instant now = at_ms(0); now < at_ms(10'000); ++wakes) {
    now = std::max(*wheel.next_deadline(), now + Duration(1));
    wheel.advance(now);
  }
  EXPECT_LE(wakes, 3);
}

// Goal: a callback may set, move, cancel and destroy timers, its own included.
TEST(TimerWheel, ToleratesChangesFromWithinACallback) {
  TimerWheel wheel;
  int second = 0;
  auto doomed = std::make_unique<Timer>([] { FAIL() << "was destroyed before its tick"; });
  Timer later([&] { ++second; });
  std::unique_ptr<Timer> self;
  self = std::make_unique<Timer>([&] {
    doomed.reset();
    wheel.set(later, at_ms(5));
    self.reset();
  });
  wheel.set(*self, at_ms(5));
  wheel.set(*doomed, at_ms(5));
  wheel.advance(at_ms(5));
  EXPECT_EQ(second, 1);
}

// Goal: the wheel agrees with a plain sorted map. Method: random sets, moves and cancels.
TEST(TimerWheel, AgreesWithASortedMap) {
  Random random(7);
  TimerWheel wheel;
  std::vector<std::unique_ptr<Timer>> timers;
  std::map<std::size_t, std::int64_t> model;  // timer -> deadline
  std::int64_t now = 0;
  std::vector<std::size_t> fired;
  for (std::size_t i = 0; i < 200; ++i) {
    timers.push_back(std::make_unique<Timer>([&fired, i] { fired.push_back(i); }));
  }
  for (int step = 0; step < 5'000; ++step) {
    const std::size_t i = random.below(timers.size());
    if (random.chance(1, 3)) {
      timers[i]->cancel();
      model.erase(i);
    } else {
      const auto deadline = now + random.between(0, random.chance(1, 4) ? 5'000'000 : 20'000);
      wheel.set(*timers[i], at_ms(deadline));
      model[i] = deadline;
    }
    if (auto next = wheel.next_deadline()) {
      for (auto& [timer, deadline] : model) EXPECT_LE(*next, at_ms(std::max(deadline, now + 1)));
    }
    now += random.between(0, random.chance(1, 500) ? 3'000'000 : 300);
    fired.clear();
    wheel.advance(at_ms(now));
    std::size_t expected = 0;
    for (auto it = model.begin(); it != model.end();) {
      if (it->second <= now) {
        EXPECT_NE(std::find(fired.begin(), fired.end(), it->first), fired.end());
        ++expected;
        it = model.erase(it);
      } else {
        ++it;
      }
    }
    EXPECT_EQ(fired.size(), expected);
    EXPECT_EQ(wheel.size(), model.size());
  }
}

}  // namespace
}  // namespace base

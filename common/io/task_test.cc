#include "common/io/task.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace io {
namespace {

Task<int> ready(int value) { co_return value; }

Task<> sum_many(int count, long* total) {
  for (int i = 0; i < count; ++i) *total += co_await ready(1);
}

// Goal: awaiting what finishes at once never grows the stack. Method: two million rounds; with
// symmetric transfer and no tail calls this overflows (it did at -O0 and under ASan).
TEST(Task, LoopOfFinishedChildrenKeepsTheStackFlat) {
  long total = 0;
  bool done = false;
  spawn(sum_many(2'000'000, &total), [&] { done = true; });
  EXPECT_TRUE(done);
  EXPECT_EQ(total, 2'000'000);
}

// A queue of resumptions, as an executor has.
struct Loop {
  std::deque<std::move_only_function<void()>> queue;
  void run() {
    while (!queue.empty()) {
      auto work = std::move(queue.front());
      queue.pop_front();
      work();
    }
  }
};

Callback<int> later(Loop& loop, int value) {
  return Callback<int>([&loop, value](Callback<int>::Resume resume) {
    loop.queue.push_back([resume = std::move(resume), value]() mutable { resume(value); });
  });
}

Task<int> chain(Loop& loop, int depth) {
  if (depth == 0) co_return co_await later(loop, 1);
  const int below = co_await chain(loop, depth - 1);
  co_return below + co_await later(loop, 1);
}

Task<> worker(Loop& loop, std::string name, std::vector<std::string>* trace) {
  for (int i = 0; i < 3; ++i) {
    const int got = co_await later(loop, i);
    trace->push_back(name + std::to_string(got));
  }
}

// Goal: tasks that suspend resume in the order in which their events came, always the same.
TEST(Task, InterleavesInOrderOfEvents) {
  std::vector<std::string> trace;
  Loop loop;
  spawn(worker(loop, "a", &trace));
  spawn(worker(loop, "b", &trace));
  loop.run();
  EXPECT_EQ(trace, (std::vector<std::string>{"a0", "b0", "a1", "b1", "a2", "b2"}));
}

Task<> keep(Task<int> task, int* result) { *result = co_await std::move(task); }

// Goal: results travel up through many suspended frames.
TEST(Task, CarriesResultsThroughDeepChains) {
  Loop loop;
  int result = 0;
  spawn(keep(chain(loop, 1'000), &result));
  loop.run();
  EXPECT_EQ(result, 1'001);
}

// Goal: a task that was never awaited releases what it holds.
TEST(Task, DropsItsFrameWhenNeverAwaited) {
  auto held = std::make_shared<int>(1);
  {
    auto make = [](std::shared_ptr<int> value) -> Task<int> { co_return *value; };
    auto task = make(held);
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace io

#include "cli/command/progress.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Goal: the estimate goes by what was done so far, and never says "now" too early. Method: a table.
TEST(Progress, EstimatesByWhatWasDone) {
  EXPECT_EQ(estimate_left(milliseconds(5000), 0, 10), std::nullopt);
  EXPECT_EQ(estimate_left(milliseconds(5000), 5, 10), seconds(10));
  EXPECT_EQ(estimate_left(milliseconds(100), 9, 1), seconds(1));
  EXPECT_EQ(estimate_left(milliseconds(5000), 5, 0), seconds(0));
}

// Goal: durations read well at every size. Method: a table.
TEST(Progress, SaysDurationsForPeople) {
  EXPECT_EQ(human_duration(seconds(0)), "0 s");
  EXPECT_EQ(human_duration(seconds(99)), "99 s");
  EXPECT_EQ(human_duration(seconds(100)), "2 min");
  EXPECT_EQ(human_duration(seconds(5400)), "90 min");
  EXPECT_EQ(human_duration(seconds(7201)), "3 h");
}

}  // namespace
}  // namespace cli

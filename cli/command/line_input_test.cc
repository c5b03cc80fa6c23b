#include "cli/command/line_input.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace cli {
namespace {

using State = LineInput::State;
constexpr std::chrono::milliseconds kNoWait{0};

class LineInputTest : public testing::Test {
 protected:
  LineInputTest() { EXPECT_EQ(pipe(ends_), 0); }
  ~LineInputTest() override {
    close(ends_[0]);
    finish();
  }
  void type(std::string_view text) {
    EXPECT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void finish() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  std::string line(LineInput& input) {
    std::string text;
    EXPECT_EQ(input.next(text, kNoWait), State::kLine);
    return text;
  }
  int ends_[2];
};

// Goal: lines come out one by one, empty ones and a last one without a newline too. Method: a pipe
// with all kinds.
TEST_F(LineInputTest, GivesLines) {
  LineInput input(ends_[0]);
  type("a\n\nlast");
  finish();
  std::string text;
  EXPECT_EQ(line(input), "a");
  EXPECT_EQ(line(input), "");
  EXPECT_EQ(line(input), "last");
  EXPECT_EQ(input.number(), 3U);
  EXPECT_EQ(input.next(text, kNoWait), State::kEnd);
}

// Goal: a line that has not come whole is not given out, and nothing is lost meanwhile. Method:
// type it in two parts.
TEST_F(LineInputTest, WaitsForTheWholeLine) {
  LineInput input(ends_[0]);
  std::string text;
  EXPECT_EQ(input.next(text, kNoWait), State::kNothingYet);
  type("one\ntw");
  EXPECT_EQ(line(input), "one");
  EXPECT_EQ(input.next(text, kNoWait), State::kNothingYet);
  type("o\n");
  EXPECT_EQ(line(input), "two");
}

// Goal: an empty input has no lines; a closing newline makes no empty line. Method: both.
TEST_F(LineInputTest, ClosingNewlineIsNoLine) {
  LineInput input(ends_[0]);
  type("a\n");
  finish();
  std::string text;
  EXPECT_EQ(line(input), "a");
  EXPECT_EQ(input.next(text, kNoWait), State::kEnd);
  EXPECT_EQ(input.next(text, kNoWait), State::kEnd);
}

}  // namespace
}  // namespace cli

#include "cli/text/wrap.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

// Goal: no line is longer than it may be unless a single word is. Method: texts around the limit.
TEST(Wrap, BreaksAtSpaces) {
  EXPECT_EQ(wrap("", 10, "  "), "");
  EXPECT_EQ(wrap("one two three", 9, ""), "one two\nthree\n");
  EXPECT_EQ(wrap("one two three", 7, "  "), "  one\n  two\n  three\n");
  EXPECT_EQ(wrap("a  b", 10, "- "), "- a b\n");
  EXPECT_EQ(wrap("extraordinarily so", 5, ""), "extraordinarily\nso\n");
}

}  // namespace
}  // namespace cli

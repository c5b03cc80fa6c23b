#include "cli/text/table.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

// Goal: columns line up by what is seen, without trailing spaces. Method: text with letters of two
// bytes, an empty last cell, and numbers to the right.
TEST(Table, AlignsColumns) {
  Table table({{"NAME"}, {"COUNT", true}, {"NOTE"}});
  table.add({"caf\xC3\xA9", "7", "x"});
  table.add({"longer-name", "1200"});
  EXPECT_EQ(table.draw(false),
            "NAME         COUNT  NOTE\n"
            "caf\xC3\xA9             7  x\n"
            "longer-name   1200\n");
}

// Goal: color is only in the header and only when asked for. Method: the same table both ways.
TEST(Table, ColorsOnlyTheHeader) {
  Table table({{"A"}});
  table.add({"b"});
  EXPECT_EQ(table.draw(true), "\x1b[1mA\x1b[0m\nb\n");
  EXPECT_EQ(table.draw(false), "A\nb\n");
}

// Goal: a name from outside cannot move the cursor or forge a line. Method: control characters.
TEST(Table, ControlCharactersAreEscaped) {
  Table table({{"A"}});
  table.add({"x\n\x1b[2Jy\t\x7f"});
  EXPECT_EQ(table.draw(false), "A\nx\\n\\x1b[2Jy\\t\\x7f\n");
}

// Goal: facts align their values. Method: two names of unequal length.
TEST(Facts, AlignsValues) {
  Facts facts;
  facts.add("a", "1");
  facts.add("long name", "2");
  EXPECT_EQ(facts.draw(false), "a          1\nlong name  2\n");
}

}  // namespace
}  // namespace cli

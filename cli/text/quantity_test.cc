#include "cli/text/quantity.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

// Goal: sizes are short and never misleading. Method: around the unit borders.
TEST(Quantity, HumanBytes) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(100LL << 20), "100 MiB");
  EXPECT_EQ(human_bytes(INT64_MAX), "8.0 EiB");
  EXPECT_EQ(human_bytes(-1), "-1 B");
}

// Goal: thousands are grouped. Method: group borders and a negative number.
TEST(Quantity, HumanCount) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(-1234567), "-1,234,567");
}

// Goal: durations in every unit, none past a century. Method: one of each and the bad ones.
TEST(Quantity, Durations) {
  using std::chrono::milliseconds;
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("10s"), milliseconds(10'000));
  EXPECT_EQ(parse_duration("10"), milliseconds(10'000));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("2h"), milliseconds(7'200'000));
  EXPECT_EQ(parse_duration("1d"), milliseconds(86'400'000));
  for (const char* text : {"", "s", "-1s", "1w", "1.5s", "9999999999d", "1 s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

// Goal: key=value splits at the first '='. Method: values with '=' and without a key.
TEST(Quantity, Pairs) {
  EXPECT_EQ(parse_pair("a=b=c"), (std::pair<std::string, std::string>("a", "b=c")));
  EXPECT_EQ(parse_pair("a="), (std::pair<std::string, std::string>("a", "")));
  EXPECT_FALSE(parse_pair("=b"));
  EXPECT_FALSE(parse_pair("ab"));
}

}  // namespace
}  // namespace cli

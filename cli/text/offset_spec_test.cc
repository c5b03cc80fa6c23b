#include "cli/text/offset_spec.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

using Kind = OffsetSpec::Kind;

// Goal: kcat's words mean what they mean there. Method: each word with its value.
TEST(OffsetSpec, ReadsKcatsWords) {
  auto at = [](Kind kind, std::int64_t value = 0) { return OffsetSpec{kind, value}; };
  EXPECT_EQ(parse_offset_spec("beginning", 0), at(Kind::kBeginning));
  EXPECT_EQ(parse_offset_spec("earliest", 0), at(Kind::kBeginning));
  EXPECT_EQ(parse_offset_spec("end", 0), at(Kind::kEnd));
  EXPECT_EQ(parse_offset_spec("stored", 0), at(Kind::kStored));
  EXPECT_EQ(parse_offset_spec("120", 0), at(Kind::kAbsolute, 120));
  EXPECT_EQ(parse_offset_spec("-5", 0), at(Kind::kFromEnd, 5));
  EXPECT_EQ(parse_offset_spec("s@1500", 0), at(Kind::kTimestamp, 1500));
  EXPECT_EQ(parse_offset_spec("e@2026-01-01", 0), at(Kind::kUntil, 1'767'225'600'000));
  EXPECT_EQ(parse_offset_spec("s@1h", 4'000'000), at(Kind::kTimestamp, 400'000));
}

// Goal: anything else is refused. Method: near misses.
TEST(OffsetSpec, RefusesOtherText) {
  for (const char* text : {"", "-", "--5", "5x", "s@", "x@5", "begin", "99999999999999999999"}) {
    EXPECT_FALSE(parse_offset_spec(text, 0)) << text;
  }
}

}  // namespace
}  // namespace cli

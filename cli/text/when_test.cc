#include "cli/text/when.h"

#include <gtest/gtest.h>

#include <vector>

namespace cli {
namespace {

constexpr base::WallMs kNewYear = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

// Goal: every documented form is read. Method: one of each, against known milliseconds.
TEST(When, ReadsEveryForm) {
  EXPECT_EQ(parse_when("1767225600000", 0), kNewYear);
  EXPECT_EQ(parse_when("2026-01-01", 0), kNewYear);
  EXPECT_EQ(parse_when("2026-01-01T01:02", 0), kNewYear + 3'720'000);
  EXPECT_EQ(parse_when("2026-01-01 01:02:03", 0), kNewYear + 3'723'000);
  EXPECT_EQ(parse_when("2026-01-01T01:02:03.25Z", 0), kNewYear + 3'723'250);
  EXPECT_EQ(parse_when("2026-01-01T02:00+02:00", 0), kNewYear);
  EXPECT_EQ(parse_when("2025-12-31T18:30:00-0530", 0), kNewYear);
  EXPECT_EQ(parse_when("now", 77), 77);
  EXPECT_EQ(parse_when("15m", 1'000'000), 100'000);
  EXPECT_EQ(parse_when("-15m", 1'000'000), 100'000);
  EXPECT_EQ(parse_when("0", 5), 0);
}

// Goal: what is no time is refused. Method: impossible dates and trailing text.
TEST(When, RefusesOtherText) {
  for (const char* text : {"", "-", "2026-02-30", "2026-1-1", "2026-01-01T", "2026-01-01T25:00",
                           "2026-01-01T01:02:03x", "2026-01-01T01:02:03.", "tomorrow", "-5",
                           "2026-01-01T00:00+99:00", "99999999999999999999999"}) {
    EXPECT_FALSE(parse_when(text, 0)) << text;
  }
}

// Goal: what is printed can be read again. Method: times in leap years and at ends of days.
TEST(When, PrintsWhatItReads) {
  const std::vector<base::WallMs> times{
      0, 1, kNewYear, kNewYear - 1, 1'709'164'800'000, 253'402'300'799'999};
  for (base::WallMs at : times) {
    EXPECT_EQ(parse_when(format_when(at), 0), at) << format_when(at);
  }
  EXPECT_EQ(format_when(-1), "-");
  EXPECT_EQ(format_when(INT64_MAX), "9223372036854775807");
}

}  // namespace
}  // namespace cli

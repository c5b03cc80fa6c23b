#include "common/base/uuid.h"

#include <gtest/gtest.h>

namespace base {
namespace {

// Goal: text and value agree both ways, and wrong text is refused.
TEST(Uuid, RoundTripsThroughText) {
  Random random(1);
  for (int i = 0; i < 1'000; ++i) {
    const Uuid id = Uuid::random(random);
    const std::string text = id.to_string();
    EXPECT_EQ(text.size(), 22u);
    EXPECT_NE(text.front(), '-');
    EXPECT_EQ(Uuid::parse(text), id);
  }
  EXPECT_EQ(Uuid{}.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_FALSE(Uuid::parse("short"));
  EXPECT_FALSE(Uuid::parse("AAAAAAAAAAAAAAAAAAAAA*"));
}

}  // namespace
}  // namespace base

#include "cli/client/address.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

// Goal: every documented form is read. Method: names, numbers, IPv6, spaces, a missing port.
TEST(Address, ReadsLists) {
  auto list = parse_addresses("localhost:19092, 10.0.0.1 ,[::1]:9093,[fe80::1]");
  ASSERT_TRUE(list) << list.error();
  std::vector<Address> expected{
      {"localhost", 19092}, {"10.0.0.1", 9092}, {"::1", 9093}, {"fe80::1", 9092}};
  EXPECT_EQ(*list, expected);
  EXPECT_EQ((*list)[2].to_string(), "[::1]:9093");
}

// Goal: a mistake names its part. Method: one of each kind.
TEST(Address, NamesTheBadPart) {
  EXPECT_EQ(parse_addresses("").error(), "'': the host is missing");
  EXPECT_EQ(parse_addresses("a:1,:2").error(), "':2': the host is missing");
  for (const char* port : {"a:", "a:x", "a:0", "a:65536", "a:-1", "a:1x"}) {
    EXPECT_TRUE(parse_addresses(port).error().ends_with("a number from 1 to 65535")) << port;
  }
  EXPECT_TRUE(parse_addresses("::1").error().contains("brackets"));
  EXPECT_FALSE(parse_addresses("[::1"));
  EXPECT_FALSE(parse_addresses("[::1]9092"));
}

}  // namespace
}  // namespace cli

#include "cli/client/partitioner.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

// Goal: keys go where Kafka's own clients send them. Method: hashes that Kafka's clients are known
// to give, with every length modulo 4.
TEST(Partitioner, HashesAsKafkasClients) {
  auto hash = [](std::string_view text) { return static_cast<std::int32_t>(murmur2(text)); };
  EXPECT_EQ(hash("21"), -973932308);
  EXPECT_EQ(hash("foobar"), -790332482);
  EXPECT_EQ(hash("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(hash("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(hash("abc"), 479470107);
}

// Goal: every key has a partition, negative hashes too. Method: keys with both signs.
TEST(Partitioner, PartitionIsInRange) {
  for (std::string_view key : {"21", "foobar", "abc", ""}) {
    for (std::int32_t count : {1, 3, 50}) {
      EXPECT_GE(partition_of_key(key, count), 0);
      EXPECT_LT(partition_of_key(key, count), count);
    }
  }
  EXPECT_EQ(partition_of_key("abc", 10), 7);
}

}  // namespace
}  // namespace cli

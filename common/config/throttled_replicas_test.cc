#include "common/config/throttled_replicas.h"

#include <gtest/gtest.h>

#include "common/config/def.h"
#include "common/config/topic_config.h"

namespace config {
namespace {

bool holds(std::string_view text, std::int32_t partition, std::int32_t broker) {
  const auto parsed = ThrottledReplicas::parse(text);
  return parsed && parsed->holds(partition, base::BrokerId(broker));
}

// Goal: exactly the replicas that are named are throttled.
// Method: lists in any order, all, none.
TEST(ThrottledReplicas, HoldsThoseItNames) {
  EXPECT_TRUE(holds("*", 7, 1));
  EXPECT_TRUE(holds("2:1, 0:3,0:1", 0, 3));
  EXPECT_TRUE(holds("2:1, 0:3,0:1", 2, 1));
  EXPECT_FALSE(holds("2:1, 0:3,0:1", 2, 3));
  EXPECT_FALSE(holds("", 0, 0));
}

// Goal: what is no such list is refused where it is set, and does no harm where another release
// wrote it.
// Method: every way of being wrong through the table of configs; then a resolved topic.
TEST(ThrottledReplicas, RefusesWhatIsNoList) {
  const Def* def = find(Resource::kTopic, "leader.replication.throttled.replicas");
  ASSERT_NE(def, nullptr);
  for (const char* bad : {"1", "1:", ":1", "1:2:3", "a:1", "1:b", "-1:1", "1:-1", "*,1:1", "1:1,*",
                          "99999999999:1"}) {
    EXPECT_FALSE(parse_value(*def, bad)) << bad;
  }
  for (const char* good : {"", "*", "0:1", "0:1,1:2"}) EXPECT_TRUE(parse_value(*def, good)) << good;
  const auto resolved = TopicConfig::resolve({{"leader.replication.throttled.replicas", "x"},
                                              {"follower.replication.throttled.replicas", "0:2"}},
                                             {});
  EXPECT_EQ(resolved.leader_throttled, ThrottledReplicas());
  EXPECT_TRUE(resolved.follower_throttled.holds(0, base::BrokerId(2)));
}

}  // namespace
}  // namespace config

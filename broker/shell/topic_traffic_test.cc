#include "broker/shell/topic_traffic.h"

#include <gtest/gtest.h>

namespace broker::shell {
namespace {

using Count = TopicTraffic::Count;

// Goal: a topic's counters are the sum over its partitions and go on when one of them leaves; a
// replica that comes later starts from nothing of its own. Method: three looks at two replicas.
TEST(TopicTraffic, NeverFallsWhenPartitionsLeave) {
  TopicTraffic traffic;
  const int one = 0, two = 0, other = 0;
  traffic.begin();
  traffic.add("orders", &one, {.produced_bytes = 100, .produced_records = 10, .fetched_bytes = 1});
  traffic.add("orders", &two, {.produced_bytes = 50, .produced_records = 5, .fetched_bytes = 0});
  traffic.add("other", &other, {.produced_bytes = 7});
  traffic.end();
  EXPECT_EQ(traffic.totals().at("orders"), (Count{150, 15, 1}));

  traffic.begin();
  traffic.add("orders", &one, {.produced_bytes = 120, .produced_records = 12, .fetched_bytes = 4});
  traffic.end();
  EXPECT_EQ(traffic.totals().at("orders"), (Count{170, 17, 4}));
  EXPECT_FALSE(traffic.totals().contains("other")) << "the topic is gone, so are its series";

  traffic.begin();
  traffic.add("orders", &one, {.produced_bytes = 120, .produced_records = 12, .fetched_bytes = 4});
  traffic.add("orders", &two, {.produced_bytes = 3, .produced_records = 1, .fetched_bytes = 0});
  traffic.end();
  EXPECT_EQ(traffic.totals().at("orders"), (Count{173, 18, 4})) << "it came back and began anew";
  EXPECT_EQ(traffic.all(), (Count{180, 18, 4})) << "with the topic that is gone";
}

// Goal: another replica at the address of an old one counts whole.
TEST(TopicTraffic, ReusedAddressIsAnotherReplica) {
  TopicTraffic traffic;
  const int one = 0;
  traffic.begin();
  traffic.add("orders", &one, {.produced_bytes = 100, .produced_records = 10, .fetched_bytes = 9});
  traffic.end();
  traffic.begin();
  traffic.add("orders", &one, {.produced_bytes = 30, .produced_records = 3, .fetched_bytes = 2});
  traffic.end();
  EXPECT_EQ(traffic.totals().at("orders"), (Count{130, 13, 11}));
}

}  // namespace
}  // namespace broker::shell

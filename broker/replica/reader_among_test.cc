// Where a leader sends consumers that name their rack.
#include <gtest/gtest.h>

#include <vector>

#include "broker/replica/leadership.h"

namespace broker {
namespace {

using namespace std::chrono_literals;
using base::BrokerEpoch;
using base::BrokerId;
using base::LeaderEpoch;
using base::Offset;

std::vector<BrokerId> brokers(std::initializer_list<int> ids) {
  return std::vector<BrokerId>(ids.begin(), ids.end());
}

std::shared_ptr<const LiveBrokers> live(std::initializer_list<int> ids) {
  auto out = std::make_shared<LiveBrokers>();
  for (const int id : ids) out->emplace(BrokerId(id), BrokerEpoch(id));
  return out;
}

ReplicaSet replicas_with(std::int32_t partition_epoch, std::initializer_list<int> isr) {
  return {.leader_epoch = LeaderEpoch(5),
          .partition_epoch = partition_epoch,
          .replicas = brokers({1, 2, 3}),
          .isr = brokers(isr)};
}

// Goal: a consumer is sent to a follower in its rack only if that is in sync, live and holds what
// it asks for; to the furthest of several. Method: each reason not to, in turn.
TEST(ReaderAmong, SendsReadersNearby) {
  const base::Instant now{1h};
  Leadership leader({.self = BrokerId(1), .lag_max = 30s}, replicas_with(7, {1, 2, 3}),
                    live({1, 2, 3}), Offset(100), Offset(100), now);
  const auto nearby = [&](std::initializer_list<int> ids, std::int64_t from) {
    const auto found = leader.reader_among(brokers(ids), Offset(from));
    return found ? found->value() : -1;
  };
  EXPECT_EQ(nearby({2, 3}, 50), -1) << "nobody has been heard of";
  leader.on_fetch({.id = BrokerId(2), .epoch = BrokerEpoch(2), .offset = Offset(60)}, now);
  leader.on_fetch({.id = BrokerId(3), .epoch = BrokerEpoch(3), .offset = Offset(90)}, now);
  EXPECT_EQ(nearby({2, 3}, 50), 3);
  EXPECT_EQ(nearby({2}, 50), 2);
  EXPECT_EQ(nearby({2}, 61), -1);
  EXPECT_EQ(nearby({2, 3}, 91), -1);
  EXPECT_EQ(nearby({1, 2}, 50), -1) << "the leader is as near";
  EXPECT_EQ(nearby({7}, 50), -1);
  EXPECT_EQ(nearby({}, 50), -1);
  leader.on_live(live({1, 2}));
  EXPECT_EQ(nearby({2, 3}, 50), 2);
  leader.on_metadata(replicas_with(8, {1, 3}));
  EXPECT_EQ(nearby({2, 3}, 50), -1);
}

}  // namespace
}  // namespace broker

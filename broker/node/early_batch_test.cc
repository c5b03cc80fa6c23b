// Batches of an idempotent producer that come to a new leader before those that the last one got.
#include <gtest/gtest.h>

#include "broker/node/test_replicas.h"
#include "broker/producer/test_support.h"

namespace broker {
namespace {

using namespace std::chrono_literals;
using test::Replica;
using test::Replicas;
using wire::ErrorCode;

class EarlyBatch : public ::testing::Test {
 protected:
  ErrorCode append(Replica& replica, std::int32_t sequence, std::int64_t producer_id = 7) {
    base::Bytes bytes =
        test::batch_bytes({.producer_id = producer_id, .sequence = sequence, .count = 1});
    BatchAppend batch{.batch = bytes};
    replica.partition->append(batch, 1000);
    return batch.error;
  }
  // Broker 2 leads, with everything that 1 has but its last record.
  void fail_over() {
    EXPECT_EQ(append(one, 0), ErrorCode::kNone);
    replicas.flush(one);
    replicas.catch_up(two);
    replicas.catch_up(replicas.at(3));
    EXPECT_EQ(append(one, 1), ErrorCode::kNone);
    replicas.elect(2);
    replicas.announce();
  }

  Replicas replicas{1};
  Replica &one = replicas.at(1), &two = replicas.at(2);
};

// Goal: it may be tried again, and comes in behind the others; then a gap is a gap. Method: the
// client sends what is next while it still waits for 1, then all from the first on.
TEST_F(EarlyBatch, WaitsForThoseBeforeIt) {
  fail_over();
  EXPECT_EQ(append(two, 2), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(append(two, 0), ErrorCode::kNone) << "is there already";
  EXPECT_EQ(append(two, 2), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(append(two, 1), ErrorCode::kNone);
  EXPECT_EQ(append(two, 2), ErrorCode::kNone);
  EXPECT_EQ(append(two, 4), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(two.partition->bounds().end, base::Offset(3));
}

// Goal: the first batches of a producer, none of which has reached the new leader, keep their order
// too.
TEST_F(EarlyBatch, OfAProducerThatIsNotKnown) {
  fail_over();
  EXPECT_EQ(append(two, 3, 8), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(append(two, 0, 8), ErrorCode::kNone);
  EXPECT_EQ(append(two, 3, 8), ErrorCode::kOutOfOrderSequenceNumber);
}

// Goal: what is lost does not come for ever: after the time for which clients wait, Kafka's rules
// hold.
TEST_F(EarlyBatch, NotForLong) {
  fail_over();
  replicas.world.run_for(29s);
  EXPECT_EQ(append(two, 2), ErrorCode::kNotLeaderOrFollower);
  replicas.world.run_for(1s);
  EXPECT_EQ(append(two, 2), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(append(two, 3, 8), ErrorCode::kNone);
}

// Goal: a partition's first leader follows nobody.
TEST_F(EarlyBatch, NotWithTheFirstLeader) {
  EXPECT_EQ(append(one, 3, 8), ErrorCode::kNone);
  EXPECT_EQ(append(one, 5, 8), ErrorCode::kOutOfOrderSequenceNumber);
}

// Goal: nor does one without other replicas: clients of its last life know that it ended.
TEST_F(EarlyBatch, NotWithASingleReplica) {
  replicas.role.set.replicas = replicas.role.set.isr = {base::BrokerId(1)};
  replicas.elect(1);
  replicas.announce();
  EXPECT_EQ(append(one, 3, 8), ErrorCode::kNone);
  EXPECT_EQ(append(one, 5, 8), ErrorCode::kOutOfOrderSequenceNumber);
}

}  // namespace
}  // namespace broker

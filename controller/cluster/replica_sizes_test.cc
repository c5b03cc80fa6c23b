// What the controller knows of the sizes of replicas, and what it makes of that.
#include "controller/cluster/replica_sizes.h"

#include "controller/cluster/movement.h"
#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kMiB = 1 << 20;

class Sizes : public Decide {
 protected:
  Sizes() {
    for (int id : {1, 2, 3, 4}) boot(id);
    create_on("t", {{1, 2, 3}, {2, 3, 1}});
  }
  struct Told {
    std::int32_t partition;
    std::int64_t bytes;
  };
  // A heartbeat of the broker; true when it is asked to begin anew.
  bool tell(std::int32_t broker, const std::vector<Told>& told, bool first = false,
            bool all = true) {
    proto::HeartbeatRequest request;
    request.set_broker_id(broker);
    request.set_first_sizes(first);
    request.set_all_sizes(all);
    for (const Told& each : told) {
      auto* size = request.add_sizes();
      meta::to_proto(image->topic("t")->id, size->mutable_topic_id());
      size->set_partition(each.partition);
      size->set_bytes(each.bytes);
    }
    return sizes.take(request, *image, now);
  }
  std::int64_t of(std::int32_t broker, std::int32_t partition) const {
    return sizes.of(base::BrokerId(broker), image->topic("t")->id, partition);
  }
  void move(std::int32_t partition, const std::vector<std::int32_t>& to) {
    proto::AlterPartitionReassignmentsRequest request;
    request.add_topics()->set_name("t");
    auto* asked = request.mutable_topics(0)->add_partitions();
    asked->set_partition(partition);
    for (int id : to) asked->mutable_replicas()->add_ids(id);
    apply(alter_partition_reassignments(request, *image, settings).records);
  }
  std::int64_t left(std::int32_t index) const {
    return bytes_to_copy(image->topic("t")->id, index, partition("t", index), sizes);
  }

  ReplicaSizes sizes;
  base::Instant now{seconds(1000)};
};

// Goal: a controller that knows nothing of a broker asks for everything; what counts is complete
// when each live broker has told of all its replicas.
TEST_F(Sizes, AsksUntilItKnows) {
  EXPECT_TRUE(tell(1, {{0, 5}}));
  EXPECT_EQ(of(1, 0), 0);
  EXPECT_FALSE(tell(1, {{0, 5}}, true));
  EXPECT_EQ(of(1, 0), 5);
  EXPECT_FALSE(tell(1, {{0, 6}, {1, 7}}));
  EXPECT_EQ(of(1, 0), 6);
  EXPECT_EQ(of(1, 1), 7);
  for (int id : {2, 3}) tell(id, {}, true);
  tell(4, {}, true, false);
  EXPECT_FALSE(sizes.complete(*image));
  fence(4);
  EXPECT_TRUE(sizes.complete(*image)) << "who is away does not count";
  boot(4);
  EXPECT_FALSE(sizes.complete(*image));
  tell(4, {});
  EXPECT_TRUE(sizes.complete(*image));
  sizes.clear(now);
  EXPECT_FALSE(sizes.complete(*image));
  EXPECT_TRUE(tell(1, {}));
}

// Goal: a broker that begins anew is known by that alone, and what no metadata knows is not kept.
TEST_F(Sizes, KeepsWhatTheImageKnows) {
  tell(1, {{0, 5}, {1, 7}}, true);
  tell(1, {{1, 8}, {2, 9}, {-1, 9}, {1 << 30, 9}}, true);
  EXPECT_EQ(of(1, 0), 0);
  EXPECT_EQ(of(1, 1), 8);
  EXPECT_EQ(of(1, 2), 0);
  EXPECT_EQ(of(1, -1), 0);
  tell(1, {{1, -3}});
  EXPECT_EQ(of(1, 1), 0);
  tell(2, {{1, 30}}, true);
  EXPECT_EQ(sizes.of(image->topic("t")->id, 1, partition("t", 1)), 30) << "the largest counts";
}

// Goal: only what a replica on the move gets is copying; the rate is that of the last half minute,
// and what was there before the controller looked is not in it.
TEST_F(Sizes, MeasuresCopying) {
  tell(1, {{0, 1000 * kMiB}}, true);
  tell(2, {{0, 1000 * kMiB}}, true);
  tell(3, {{0, 1000 * kMiB}}, true);
  move(0, {1, 2, 4});
  tell(4, {{0, 100 * kMiB}}, true, false);  // another controller led when it was copied
  EXPECT_EQ(sizes.copied_per_second(), 0);
  EXPECT_EQ(left(0), 900 * kMiB);
  EXPECT_FALSE(progress_of(left(0), sizes).has_seconds_left());
  tell(4, {});
  for (int i = 1; i <= 20; ++i) {
    now += seconds(1);
    tell(4, {{0, (100 + 10 * i) * kMiB}});
    tell(1, {{0, (1000 + i) * kMiB}});  // clients write
  }
  EXPECT_NEAR(static_cast<double>(sizes.copied_per_second()) / kMiB, 10, 1);
  EXPECT_EQ(left(0), 720 * kMiB);
  const auto progress = progress_of(left(0), sizes);
  EXPECT_NEAR(static_cast<double>(progress.seconds_left()), 72, 6);
  now += seconds(60);
  sizes.advance(now);
  EXPECT_EQ(sizes.copied_per_second(), 0);
  EXPECT_FALSE(progress_of(left(0), sizes).has_seconds_left()) << "nothing has moved for a minute";
}

// Goal: what has caught up needs no more copying, whatever its size.
TEST_F(Sizes, CaughtUpIsCopied) {
  tell(1, {{0, 1000 * kMiB}}, true);
  move(0, {1, 4, 2});
  tell(4, {{0, 500 * kMiB}}, true);
  EXPECT_EQ(left(0), 500 * kMiB);
  ASSERT_EQ(alter_isr(isr_request({1, 2, 3, 4})), ErrorCode::kNewLeaderElected) << last_message;
  EXPECT_EQ(left(0), 0);
  EXPECT_EQ(progress_of(0, sizes).seconds_left(), 0);
}

// Goal: a drain says what it has still to copy: of what moves what is missing, of the rest all;
// nothing while a broker has not told. At the end it is nothing.
TEST_F(Sizes, DrainKnowsItsEnd) {
  proto::DrainBrokerRequest request;
  request.set_broker_id(1);
  const auto ask = [&] {
    auto decision = drain_broker(request, *image, settings, sizes);
    if (!decision.records.empty()) apply(decision.records);
    return decision.reply;
  };
  EXPECT_FALSE(ask().has_progress());
  for (int id : {1, 2, 3}) tell(id, {{0, 300 * kMiB}, {1, 500 * kMiB}}, true);
  tell(4, {}, true);
  EXPECT_EQ(ask().progress().bytes_left(), 800 * kMiB);
  settings.moves_at_once = 1;
  apply(drain_step(*image, settings));
  EXPECT_EQ(ask().progress().bytes_left(), 800 * kMiB);
  for (int i = 1; i <= 10; ++i) {
    now += seconds(1);
    tell(4, {{0, 20 * i * kMiB}});
  }
  const auto progress = ask().progress();
  EXPECT_EQ(progress.bytes_left(), 600 * kMiB);
  EXPECT_NEAR(static_cast<double>(progress.seconds_left()), 30, 4);
  ASSERT_EQ(alter_isr(isr_request({1, 2, 3, 4})), ErrorCode::kNewLeaderElected) << last_message;
  EXPECT_EQ(ask().progress().bytes_left(), 500 * kMiB);
  apply(drain_step(*image, settings));
  ASSERT_EQ(alter_isr(isr_request({2, 3, 1, 4}, "t", 1)), ErrorCode::kNewLeaderElected)
      << last_message;
  EXPECT_EQ(ask().replicas_left(), 0);
  EXPECT_EQ(ask().progress().bytes_left(), 0);
}

// Goal: balancing counts the moves under way and those that it plans.
TEST_F(Sizes, BalancingKnowsItsEnd) {
  for (int id : {1, 2, 3}) tell(id, {{0, 300 * kMiB}, {1, 500 * kMiB}}, true);
  proto::RebalanceRequest request;
  request.set_moves_max(100);
  EXPECT_FALSE(rebalance(request, *image, settings, sizes).reply.has_progress());
  tell(4, {}, true);
  auto reply = rebalance(request, *image, settings, sizes).reply;
  ASSERT_EQ(reply.moves_size(), 1);
  const std::int64_t planned = reply.moves(0).partition() == 0 ? 300 * kMiB : 500 * kMiB;
  EXPECT_EQ(reply.progress().bytes_left(), planned);
  request.set_execute(true);
  auto decision = rebalance(request, *image, settings, sizes);
  EXPECT_EQ(decision.reply.progress().bytes_left(), planned);
  apply(decision.records);
  request.set_execute(false);
  reply = rebalance(request, *image, settings, sizes).reply;
  EXPECT_EQ(reply.moves_size(), 0);
  EXPECT_EQ(reply.progress().bytes_left(), planned) << "it is under way";
}

// Four brokers with two partitions each, those of broker 1 large.
class Uneven : public Sizes {
 protected:
  Uneven() {
    proto::DeleteTopicsRequest request;
    request.add_topics()->set_name("t");
    apply(delete_topics(request, *image).records);
    create_on("t", {{1}, {1}, {2}, {2}, {3}, {3}, {4}, {4}});
  }
  void tell_all() {
    tell(1, {{0, 900 * kMiB}, {1, 900 * kMiB}}, true);
    for (int id : {2, 3, 4}) tell(id, {}, true);
  }
  int planned() const {
    proto::RebalanceRequest request;
    request.set_moves_max(100);
    return rebalance(request, *image, settings, sizes).reply.moves_size();
  }
  void start() {
    proto::RebalanceRequest request;
    request.set_execute(true);
    apply(rebalance(request, *image, settings, sizes).records);
  }
};

// Goal: bytes count when all brokers have told them, and are even at the end, replicas as before.
TEST_F(Uneven, BytesAreEvenedOut) {
  EXPECT_EQ(planned(), 0);
  tell_all();
  EXPECT_EQ(planned(), 2);
  start();
  for (int i = 0; i < 10 && image->balancing(); ++i) {
    for (std::int32_t p = 0; p < 8; ++p) {
      std::vector<std::int32_t> all;
      for (auto id : partition("t", p).replicas) all.push_back(id.value());
      if (all.size() > 1) alter_isr(isr_request(all, "t", p));
    }
    apply(rebalance_step(*image, settings, sizes));
  }
  EXPECT_FALSE(image->balancing());
  EXPECT_NE(partition("t", 0).replicas, partition("t", 1).replicas);
  for (const auto& seat : seats_of(*image)) EXPECT_EQ(seat.replicas, 2) << seat.id.value();
  EXPECT_EQ(planned(), 0);
}

// Goal: another controller that goes on with balancing does not take it for done before the
// brokers told it the sizes; it does not wait for ever for one that tells none.
TEST_F(Uneven, BalancingWaitsForSizes) {
  tell_all();
  proto::BalancingRecord active;
  active.set_active(true);
  std::vector<proto::Record> records(1);
  *records[0].mutable_balancing() = active;
  apply(records);
  sizes.clear(now);
  EXPECT_TRUE(rebalance_step(*image, settings, sizes).empty());
  auto late = sizes;
  late.advance(now + seconds(61));
  const auto given_up = rebalance_step(*image, settings, late);
  ASSERT_EQ(given_up.size(), 1u);
  EXPECT_TRUE(given_up[0].has_balancing());
  tell_all();
  EXPECT_EQ(rebalance_step(*image, settings, sizes).size(), 2u);
}

}  // namespace
}  // namespace controller::cluster

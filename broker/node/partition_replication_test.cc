// Replicas of one partition in their roles, over real logs on disks that crash.
#include <gtest/gtest.h>

#include "broker/node/test_replicas.h"
#include "broker/node/test_replication_run.h"

namespace broker {
namespace {

using namespace std::chrono_literals;
using base::BrokerId;
using base::LeaderEpoch;
using base::Offset;
using test::Ear;
using test::Replica;
using test::Replicas;
using wire::ErrorCode;

// Goal: acks=all is answered when every in-sync replica has the record on its disk, not before.
// Method: two followers fetch and flush step by step.
TEST(PartitionReplication, AcknowledgesWhatAllHaveOnDisk) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2), &three = replicas.at(3);
  auto ear = std::make_shared<Ear>();
  const auto appended = replicas.append(one, "a");
  ASSERT_EQ(appended.error, ErrorCode::kNone);
  EXPECT_FALSE(one.partition->await_committed(appended.end_offset, *one.executor, ear, 7));
  replicas.world.run_for(100ms);
  EXPECT_EQ(one.partition->bounds().durable, Offset(1));
  EXPECT_TRUE(ear->heard.empty());
  replicas.catch_up(two);
  EXPECT_TRUE(replicas.fetch(three));
  replicas.world.run_for(1ms);
  EXPECT_EQ(three.partition->bounds().end, Offset(1));
  EXPECT_EQ(three.partition->follow_state().fetch_offset, Offset(0)) << "not durable yet";
  EXPECT_TRUE(ear->heard.empty());
  EXPECT_EQ(one.partition->bounds().visible, Offset(0));
  replicas.catch_up(three);
  replicas.world.run_for(1ms);
  EXPECT_EQ(ear->heard, (std::map<std::uint64_t, ErrorCode>{{7, ErrorCode::kNone}}));
  EXPECT_EQ(one.partition->bounds().visible, Offset(1));
  replicas.fetch(three);
  EXPECT_EQ(three.partition->bounds().visible, Offset(1)) << "told with the next fetch";
}

// Goal: a follower's long poll ends with what is written, a consumer's with what is visible, and
// a follower's also when its high watermark lags.
TEST(PartitionReplication, WakesFollowersByWritesAndConsumersByTheWatermark) {
  Replicas replicas(1);
  Replica& one = replicas.at(1);
  auto ear = std::make_shared<Ear>();
  const auto never = Offset(INT64_MAX);
  EXPECT_FALSE(one.partition->await_written(Offset(0), never, *one.executor, ear, 1));
  EXPECT_FALSE(one.partition->await_visible({.from = Offset(0)}, *one.executor, ear, 2));
  EXPECT_FALSE(one.partition->await_written(Offset(5), Offset(0), *one.executor, ear, 3));
  replicas.append(one, "a");
  replicas.world.run_for(100ms);
  EXPECT_EQ(ear->heard.size(), 1U);
  EXPECT_TRUE(ear->heard.contains(1));
  replicas.catch_up(replicas.at(2));
  replicas.catch_up(replicas.at(3));
  replicas.world.run_for(1ms);
  EXPECT_TRUE(ear->heard.contains(2));
  EXPECT_TRUE(ear->heard.contains(3));
}

// Goal: a follower serves consumers that may read from any replica what it knows to be visible,
// never more; a fetch of a replica or of an old client is sent to the leader (KIP-392).
TEST(PartitionReplication, FollowersServeWhatIsVisible) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2), &three = replicas.at(3);
  replicas.append(one, "a");
  replicas.flush(one);
  replicas.catch_up(two);
  const ReadRequest wish{
      .from = Offset(0), .bytes_max = 1000, .at_least_one_batch = true, .any_replica = true};
  ASSERT_EQ(two.partition->bounds().end, Offset(1));
  auto answer = two.partition->read(wish);
  EXPECT_EQ(answer.error, ErrorCode::kNone);
  EXPECT_FALSE(answer.slice) << "it holds the record, but 3 does not yet";
  auto ear = std::make_shared<Ear>();
  EXPECT_TRUE(two.partition->await_visible({.from = Offset(0)}, *two.executor, ear, 1));
  EXPECT_FALSE(two.partition->await_visible({.from = Offset(0), .any_replica = true}, *two.executor,
                                            ear, 2));
  replicas.catch_up(three);
  replicas.fetch(two);
  replicas.world.run_for(1ms);
  EXPECT_EQ(ear->heard, (std::map<std::uint64_t, ErrorCode>{{2, ErrorCode::kNone}}));
  answer = two.partition->read(wish);
  EXPECT_EQ(answer.high_watermark, Offset(1));
  std::map<std::int64_t, std::string> got;
  test::collect(test::bytes_of(answer), got);
  EXPECT_EQ(got, (std::map<std::int64_t, std::string>{{0, "a"}}));
  EXPECT_EQ(two.partition->read({.from = Offset(0), .bytes_max = 1000}).error,
            ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(two.partition->read({.from = Offset(2), .any_replica = true}).error,
            ErrorCode::kNotLeaderOrFollower)
      << "only the leader knows that nothing is there";
  EXPECT_EQ(one.partition->read({.from = Offset(2)}).error, ErrorCode::kOffsetOutOfRange);

  const std::vector<BrokerId> nearby{BrokerId(3)};
  auto elsewhere = wish;
  elsewhere.nearby = nearby;
  answer = one.partition->read(elsewhere);
  EXPECT_EQ(answer.read_there, BrokerId(3));
  EXPECT_FALSE(answer.slice);
}

// Goal: what the configs name is throttled for replicas that are not in sync, on either side, and
// for no other. Method: one of two followers is out of sync, then in.
TEST(PartitionReplication, ThrottlesOnlyWhoIsNotInSync) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2), &three = replicas.at(3);
  replicas.append(one, "a");
  replicas.config->leader_throttled.some = {{0, BrokerId(1)}};
  replicas.config->follower_throttled.all = true;
  const auto isr = [&](std::vector<BrokerId> members) {
    replicas.role.set.isr = std::move(members);
    ++replicas.role.set.partition_epoch;
    replicas.announce();
  };
  const auto read = [&](Replica& as, std::int64_t left) {
    return one.partition->read({.from = Offset(0),
                                .bytes_max = 1000,
                                .follower = ReadRequest::Follower{.id = BrokerId(as.id),
                                                                  .epoch = as.epoch,
                                                                  .now = replicas.world.now(),
                                                                  .throttled_bytes_max = left}});
  };
  isr({BrokerId(1), BrokerId(2)});
  EXPECT_TRUE(three.partition->follow_state().throttled);
  EXPECT_FALSE(two.partition->follow_state().throttled);
  EXPECT_TRUE(read(three, 0).held_back);
  EXPECT_FALSE(read(three, 0).slice);
  EXPECT_TRUE(read(three, 1).throttled);
  EXPECT_TRUE(read(three, 1).slice) << "a batch goes whole";
  EXPECT_FALSE(read(two, 0).throttled);
  EXPECT_TRUE(read(two, 0).slice);
  isr({BrokerId(1), BrokerId(2), BrokerId(3)});
  EXPECT_FALSE(three.partition->follow_state().throttled);
  EXPECT_TRUE(read(three, 0).slice);
  isr({BrokerId(1), BrokerId(2)});
  replicas.config->leader_throttled.some = {{1, BrokerId(1)}, {0, BrokerId(2)}};
  EXPECT_FALSE(read(three, 0).throttled) << "another partition, another leader";
}

// Goal: what was acknowledged survives its leader though no follower had heard so (KIP-101), and
// what was not is cut off the old leader where the logs parted.
TEST(PartitionReplication, FailoverKeepsWhatWasAcknowledgedAndCutsTheRest) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2), &three = replicas.at(3);
  replicas.append(one, "kept");
  replicas.flush(one);
  replicas.catch_up(two);
  replicas.catch_up(three);
  EXPECT_EQ(one.partition->bounds().visible, Offset(1));
  EXPECT_EQ(two.partition->bounds().visible, Offset(0)) << "has not heard";
  replicas.append(one, "lost", false);
  replicas.append(one, "lost too", false);
  replicas.flush(one);
  auto ear = std::make_shared<Ear>();
  EXPECT_FALSE(one.partition->await_committed(Offset(3), *one.executor, ear, 1));
  replicas.elect(2);
  replicas.announce();
  replicas.world.run_for(1ms);
  EXPECT_EQ(ear->heard[1], ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(replicas.append(one, "no").error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(one.partition->read({.from = Offset(0), .bytes_max = 100}).error,
            ErrorCode::kNotLeaderOrFollower);
  ASSERT_EQ(replicas.append(two, "new").error, ErrorCode::kNone);
  replicas.flush(two);
  EXPECT_EQ(two.partition->bounds().epoch_start, Offset(1));
  EXPECT_EQ(two.partition->bounds().visible, Offset(0)) << "waits for the in-sync";
  replicas.catch_up(one);
  replicas.catch_up(three);
  EXPECT_EQ(two.partition->bounds().visible, Offset(2));
  const std::map<std::int64_t, std::string> want{{0, "kept"}, {1, "new"}};
  EXPECT_EQ(one.content(), want);
  EXPECT_EQ(two.content(), want);
  EXPECT_EQ(three.content(), want);
}

// Goal: an epoch in which nothing was written leaves no trace in who follows afterwards. Method: 2
// leads for a moment, then follows 1, whose records of an older epoch it has yet to fetch.
TEST(PartitionReplication, ForgetsEpochsItWroteNothingIn) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2);
  replicas.append(one, "a", false);
  replicas.flush(one);
  replicas.elect(2);
  replicas.tell(two);
  replicas.elect(1);
  replicas.announce();
  replicas.append(one, "b", false);
  replicas.flush(one);
  replicas.catch_up(two);
  EXPECT_EQ(two.content(), (std::map<std::int64_t, std::string>{{0, "a"}, {1, "b"}}));
  EXPECT_EQ(two.partition->follow_state().last_fetched_epoch, LeaderEpoch(2));
  two.partition->with_log(
      [](Log& log) { EXPECT_EQ(log.epochs().epoch_at(Offset(0)), LeaderEpoch(0)); });
}

// Goal: fetches in another epoch than the leader's are refused, as are answers of another one.
TEST(PartitionReplication, RefusesOtherEpochs) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2);
  replicas.elect(1);
  replicas.tell(one);
  EXPECT_FALSE(replicas.fetch(two));
  const auto ask = [&](int epoch) {
    return one.partition->read({.from = Offset(0), .leader_epoch = LeaderEpoch(epoch)}).error;
  };
  EXPECT_EQ(ask(0), ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(ask(1), ErrorCode::kNone);
  EXPECT_EQ(ask(2), ErrorCode::kUnknownLeaderEpoch);
  replicas.tell(two);
  EXPECT_EQ(two.partition->take_from_leader({.leader_epoch = LeaderEpoch(0)}).kind,
            Followed::Kind::kStale);
  replicas.elect(3);
  replicas.tell(two);
  replicas.elect(2);
  replicas.tell(two);
  replicas.role.set.leader_epoch = LeaderEpoch(1);
  replicas.role.leader = BrokerId(1);
  replicas.tell(two);
  EXPECT_TRUE(two.partition->bounds().is_leader) << "older metadata changes nothing";
}

// Goal: a broker that is no replica, or a life of one that is over, is not counted.
TEST(PartitionReplication, RefusesStrangersAndEarlierLives) {
  Replicas replicas(1);
  const auto ask = [&](int id, std::int64_t epoch) {
    return replicas.at(1)
        .partition
        ->read({.from = Offset(0),
                .follower = ReadRequest::Follower{BrokerId(id), base::BrokerEpoch(epoch),
                                                  replicas.world.now(), true}})
        .error;
  };
  EXPECT_EQ(ask(2, 1), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(ask(9, 9), ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(ask(2, 2), ErrorCode::kNone);
}

// Goal: min.insync.replicas is asked for before the append, and told after it.
TEST(PartitionReplication, RefusesWithTooFewInSync) {
  Replicas replicas(1, 2);
  Replica& one = replicas.at(1);
  auto ear = std::make_shared<Ear>();
  const auto appended = replicas.append(one, "a");
  ASSERT_EQ(appended.error, ErrorCode::kNone);
  EXPECT_FALSE(one.partition->await_committed(appended.end_offset, *one.executor, ear, 1));
  replicas.role.set.isr = {BrokerId(1)};
  ++replicas.role.set.partition_epoch;
  replicas.announce();
  replicas.flush(one);
  EXPECT_EQ(ear->heard[1], ErrorCode::kNotEnoughReplicasAfterAppend);
  EXPECT_EQ(one.partition->bounds().visible, Offset(0));
  EXPECT_EQ(replicas.append(one, "b").error, ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(replicas.append(one, "c", false).error, ErrorCode::kNone);
}

// Goal: who lags leaves the ISR, and comes back once it has caught up.
TEST(PartitionReplication, ShrinksAndExpandsTheIsr) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2), &three = replicas.at(3);
  replicas.append(one, "a");
  replicas.catch_up(two);
  replicas.world.run_for(11s);
  replicas.catch_up(two);
  one.partition->check_isr(replicas.world.now());
  ASSERT_TRUE(one.wants_isr_change);
  replicas.change_isr(one);
  EXPECT_EQ(replicas.role.set.isr, (std::vector<BrokerId>{BrokerId(1), BrokerId(2)}));
  EXPECT_EQ(one.partition->bounds().visible, Offset(1));
  EXPECT_FALSE(one.wants_isr_change);
  replicas.catch_up(three);
  ASSERT_TRUE(one.wants_isr_change);
  replicas.change_isr(one);
  EXPECT_EQ(replicas.role.set.isr.size(), 3U);
}

// Goal: a follower below the leader's start begins anew there, also across a crash.
TEST(PartitionReplication, StartsOverWhereTheLeaderDoes) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2), &three = replicas.at(3);
  for (int i = 0; i < 5; ++i) replicas.append(one, std::to_string(i), false);
  replicas.catch_up(two);
  replicas.catch_up(three);
  for (int i = 5; i < 9; ++i) replicas.append(one, std::to_string(i), false);
  replicas.flush(one);
  one.partition->with_log([](Log& log) { ASSERT_TRUE(log.advance_start(Offset(7))); });
  replicas.catch_up(two);
  const std::map<std::int64_t, std::string> want{{7, "7"}, {8, "8"}};
  EXPECT_EQ(two.content(), want);
  EXPECT_EQ(two.partition->bounds().start, Offset(7));
  replicas.catch_up(three);
  three.crash();
  three.boot(30);
  replicas.announce();
  EXPECT_EQ(three.content(), want);
  EXPECT_EQ(three.partition->bounds().start, Offset(7));
}

// Goal: a follower's start moves with its leader's (DeleteRecords).
TEST(PartitionReplication, StartMovesWithTheLeaders) {
  Replicas replicas(1);
  Replica &one = replicas.at(1), &two = replicas.at(2);
  for (int i = 0; i < 5; ++i) replicas.append(one, std::to_string(i), false);
  replicas.catch_up(two);
  one.partition->with_log([](Log& log) { ASSERT_TRUE(log.advance_start(Offset(3))); });
  replicas.fetch(two);
  EXPECT_EQ(two.partition->bounds().start, Offset(3));
}

// Goal: the high watermark that was known at the checkpoint is known after a restart.
TEST(PartitionReplication, KnowsItsWatermarkAfterARestart) {
  Replicas replicas(1);
  Replica& two = replicas.at(2);
  replicas.append(replicas.at(1), "a");
  replicas.flush(replicas.at(1));
  replicas.catch_up(two);
  replicas.catch_up(replicas.at(3));
  replicas.fetch(two);
  EXPECT_EQ(two.partition->bounds().visible, Offset(1));
  two.checkpoint();
  two.crash();
  two.boot(20);
  EXPECT_EQ(two.partition->bounds().visible, Offset(1));
  EXPECT_FALSE(two.partition->follow_state().following) << "until the metadata says so";
}

// Goal: a role that changes before a cut has begun makes the cut void; a damaged answer is refused.
TEST(PartitionReplication, CutsOnlyForTheLeaderOfTheDay) {
  Replicas replicas(1);
  Replica& two = replicas.at(2);
  replicas.append(replicas.at(1), "a", false);
  replicas.catch_up(two);
  const LeaderAnswer answer{.leader_epoch = LeaderEpoch(0),
                            .diverging = EpochEnd{LeaderEpoch(0), Offset(0)}};
  EXPECT_EQ(two.partition->take_from_leader(answer).kind, Followed::Kind::kNeedsTruncation);
  Followed followed;
  two.partition->repair(answer, *two.executor, [&](Followed done) { followed = done; });
  replicas.elect(2);
  replicas.announce();
  replicas.world.run_for(10ms);
  EXPECT_EQ(followed.kind, Followed::Kind::kStale);
  EXPECT_EQ(two.partition->bounds().end, Offset(1));

  auto damaged = test::one_record("x");
  damaged.back() ^= std::byte{1};
  const auto refused = replicas.at(3).partition->take_from_leader(
      {.leader_epoch = LeaderEpoch(1), .records = damaged});
  EXPECT_EQ(refused.kind, Followed::Kind::kFailed);
  EXPECT_NE(refused.why.find("t-0"), std::string::npos);
}

// Goal: nothing acknowledged or shown is lost, all logs become equal. Method: seeds of
// test_replication_run.h, each twice the same.
TEST(PartitionReplication, KeepsItsPromisesUnderCrashesAndElections) {
  // Of 4307: records that were appended, not flushed, and not the next leader's.
  std::vector<std::uint64_t> seeds{4307};
  for (std::uint64_t seed = 1; seed <= 300; ++seed) seeds.push_back(seed);
  for (const std::uint64_t seed : seeds) {
    EXPECT_EQ(test::replication_run(seed), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace broker

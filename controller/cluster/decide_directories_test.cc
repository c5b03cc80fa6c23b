// Log directories that fail, fill up or are gone when a broker comes back: who leads then, and who
// counts as in sync.
#include <gtest/gtest.h>

#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

const base::Uuid kA{0, 11};
const base::Uuid kB{0, 12};

class DecideDirectories : public Decide {
 protected:
  // Brokers 1 to 3; the first has the directories A and B.
  DecideDirectories() {
    enroll_with(1, {kA, kB});
    beat(1);
    boot(2);
    boot(3);
  }
  void enroll_with(std::int32_t id, const std::vector<base::Uuid>& directories,
                   bool some_failed = false, std::int64_t previous_epoch = -1,
                   bool same_process = false, bool heartbeats = true) {
    proto::RegisterBrokerRequest request;
    request.set_broker_id(id);
    request.set_heartbeats(heartbeats);
    request.set_previous_broker_epoch(previous_epoch);
    request.mutable_incarnation()->set_low(same_process ? incarnations : ++incarnations);
    for (const base::Uuid& each : directories) meta::to_proto(each, request.add_directory_ids());
    request.set_some_directories_failed(some_failed);
    auto* listener = request.add_listeners();
    listener->set_name("PLAINTEXT");
    listener->set_host("localhost");
    listener->set_port(9092);
    apply(register_broker(request, *image, settings).records);
  }
  proto::HeartbeatRequest heartbeat_of(std::int32_t id) const {
    proto::HeartbeatRequest request;
    request.set_broker_id(id);
    request.set_broker_epoch(epoch_of(id));
    request.set_metadata_offset(offset);
    return request;
  }
  void take(const proto::HeartbeatRequest& request) {
    auto decision = heartbeat(request, *image, settings);
    if (!decision.records.empty()) apply(decision.records);
  }
  // Broker 1 says how its directories are.
  void tell(const std::vector<base::Uuid>& failed, const std::vector<base::Uuid>& full = {}) {
    auto request = heartbeat_of(1);
    for (const base::Uuid& each : failed) meta::to_proto(each, request.add_failed_directory_ids());
    for (const base::Uuid& each : full) meta::to_proto(each, request.add_full_directory_ids());
    take(request);
  }
  void place(std::int32_t index, const base::Uuid& directory, const std::string& topic = "t") {
    auto request = heartbeat_of(1);
    auto* placement = request.add_placements();
    meta::to_proto(image->topic(topic)->id, placement->mutable_topic_id());
    placement->set_partition(index);
    meta::to_proto(directory, placement->mutable_directory_id());
    take(request);
  }
  const meta::Broker& one() const { return *image->broker(base::BrokerId(1)); }
};

// Goal: a failed directory takes its own partitions away from the broker, and no others. Method:
// one in each directory, both led by the broker.
TEST_F(DecideDirectories, FailedOneTakesOnlyItsPartitions) {
  create_on("t", {{1, 2, 3}, {1, 2, 3}});
  place(0, kA);
  place(1, kB);
  const auto epoch = partition("t", 0).partition_epoch;
  EXPECT_EQ(epoch, 0);  // to be placed is no change for leaders
  tell({kB});
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
  EXPECT_EQ(partition("t", 0).isr, ids({1, 2, 3}));
  EXPECT_EQ(partition("t", 1).leader, base::BrokerId(2));
  EXPECT_EQ(partition("t", 1).isr, ids({2, 3}));
  EXPECT_TRUE(image->is_offline(base::BrokerId(1), partition("t", 1)));
  EXPECT_FALSE(image->is_offline(base::BrokerId(1), partition("t", 0)));
  // It may not come back, even if it says so.
  EXPECT_EQ(alter_isr(isr_request({2, 3, 1}, "t", 1)), ErrorCode::kIneligibleReplica);
  tell({});
  EXPECT_EQ(one().failed_directories, std::vector<base::Uuid>{kB});
}

// Goal: a process that names a directory and then cannot open it says so before it opens anything:
// a replica that nobody was told the place of, or whose place was only assumed, counts as being in
// there. Saying it twice changes nothing.
TEST_F(DecideDirectories, NamedOneCannotBeOpened) {
  create_on("t", {{1, 2, 3}, {1, 2, 3}, {1, 2, 3}});
  place(0, kA);
  place(1, kB);
  tell({kB});
  enroll_with(1, {kA, kB});  // kB is doubtful, and forgotten
  enroll_with(1, {kA}, true, -1, true);
  const auto epoch = epoch_of(1);
  beat(1);
  EXPECT_EQ(one().failed_directories, std::vector<base::Uuid>{kB});
  EXPECT_FALSE(image->is_offline(base::BrokerId(1), partition("t", 0)));
  EXPECT_TRUE(image->is_offline(base::BrokerId(1), partition("t", 1)));
  EXPECT_TRUE(image->is_offline(base::BrokerId(1), partition("t", 2)));
  EXPECT_EQ(*meta::directory_of(base::BrokerId(1), partition("t", 2).directories), kB);
  enroll_with(1, {kA}, true, -1, true);
  EXPECT_EQ(epoch_of(1), epoch);
}

// Goal: where nobody else is in sync, a failed directory leaves the partition without a leader and
// the ISR as it is, and the next process of the broker, which finds it again, leads again.
TEST_F(DecideDirectories, LastInSyncWaitsForItsDirectory) {
  min_isr = "1";
  create_on("t", {{1}, {1}});
  place(0, kA);
  place(1, kB);
  tell({kB});
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
  EXPECT_EQ(partition("t", 1).leader, meta::kNoBroker);
  EXPECT_EQ(partition("t", 1).isr, ids({1}));
  enroll_with(1, {kA}, true);  // it cannot be read yet
  beat(1);
  EXPECT_EQ(one().failed_directories, std::vector<base::Uuid>{kB});
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
  EXPECT_EQ(partition("t", 1).leader, meta::kNoBroker);
  EXPECT_FALSE(partition("t", 1).isr_lost);
  enroll_with(1, {kA, kB});
  beat(1);
  EXPECT_EQ(partition("t", 1).leader, base::BrokerId(1));
}

// Goal: who holds everything that was acknowledged, though it left the ISR, leads when the disk of
// the last one fails.
TEST_F(DecideDirectories, EligibleReplicaFollowsAFailedDirectory) {
  create_on("t", {{1, 2}});
  place(0, kA);
  fence(2);
  EXPECT_EQ(partition().isr, ids({1}));
  EXPECT_EQ(partition().elr, ids({2}));
  reboot(2);
  tell({kA});
  EXPECT_EQ(partition().leader, base::BrokerId(2));
}

// Goal: a directory that is not there any more loses its partitions, and only those. Method: the
// broker comes back with A and a new directory; one partition was in each, one not told of.
TEST_F(DecideDirectories, ReplacedOneLosesOnlyItsPartitions) {
  create_on("t", {{1}, {1}, {1}});
  create_on("u", {{1, 2}});
  place(0, kA);
  place(1, kB);
  place(0, kB, "u");
  enroll_with(1, {kA, {0, 13}}, false, epoch_of(1));
  beat(1);
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
  EXPECT_TRUE(partition("t", 1).isr_lost);
  EXPECT_TRUE(partition("t", 2).isr_lost);  // it may have been there
  EXPECT_EQ(partition("u", 0).isr, ids({2}));
  EXPECT_TRUE(partition("u", 0).directories.empty());  // told anew
  // What it finds in A of what was in B is of long ago: neither that nor another life makes it
  // lead.
  place(1, kA);
  enroll_with(1, {kA, {0, 13}}, false, epoch_of(1));
  beat(1);
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
  EXPECT_EQ(partition("t", 1).leader, meta::kNoBroker);
  EXPECT_TRUE(partition("t", 1).isr_lost);
}

// Goal: a broker in the controller's own process, which is unfenced at once and owes no heartbeats,
// leads what is in the directories that can be used, in each of its lives. Method: one with two
// directories tells where its replicas are; one of the two cannot be read, and can be again; then
// it is left out.
TEST_F(DecideDirectories, LeaderWithoutHeartbeatsLeadsWhatIsThere) {
  const auto live = [&](const std::vector<base::Uuid>& directories, bool some_failed) {
    enroll_with(1, directories, some_failed, epoch_of(1), false, false);
  };
  min_isr = "1";
  live({kA, kB}, false);
  create_on("t", {{1}, {1}});
  place(0, kA);
  place(1, kB);
  for (int i = 0; i < 2; ++i) {
    live({kA}, true);
    EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
    EXPECT_EQ(partition("t", 1).leader, meta::kNoBroker);
    live({kA, kB}, false);
    EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
    EXPECT_EQ(partition("t", 1).leader, base::BrokerId(1));
    place(1, kB);  // told anew, as after any life in which it was out of service
  }
  live({kA}, false);
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
  EXPECT_TRUE(partition("t", 1).isr_lost);
}

// Goal: with a directory that was added nothing is lost.
TEST_F(DecideDirectories, AddedOneChangesNothing) {
  create_on("t", {{2}});
  create_on("u", {{2, 1}});
  const auto before = image->broker(base::BrokerId(2))->directories;
  auto more = before;
  more.push_back(kB);
  enroll_with(2, more, false, epoch_of(2));
  beat(2);
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(2));
  // As after any restart: it holds what was acknowledged.
  EXPECT_EQ(partition("u", 0).isr, ids({1}));
  EXPECT_EQ(partition("u", 0).elr, ids({2}));
}

// Goal: the one directory that a broker had before cannot be read, another one was added: what was
// in the first is out of service, not made anew.
TEST_F(DecideDirectories, OnlyOneOfBeforeFails) {
  create_on("t", {{2}});
  const auto before = image->broker(base::BrokerId(2))->directories;
  enroll_with(2, {kB}, true);
  beat(2);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  EXPECT_FALSE(partition().isr_lost);
  ASSERT_EQ(partition().directories.size(), 1u);
  EXPECT_EQ(partition().directories[0].directory, before[0]);
}

// Goal: a replica that was only taken to be where something cannot be read is not believed to be
// there for ever. Method: the broker dies before it tells that it was in A; then A is gone.
TEST_F(DecideDirectories, AssumedPlaceIsNotBelieved) {
  create_on("t", {{1}});
  enroll_with(1, {kA}, true, epoch_of(1));
  ASSERT_EQ(partition().directories.size(), 1u);
  EXPECT_EQ(partition().directories[0].directory, kB);
  auto before = image;
  enroll_with(1, {kB, {0, 13}}, false, epoch_of(1));
  EXPECT_TRUE(partition().isr_lost);
  // The same with a life in between in which all can be read.
  image = before;
  enroll_with(1, {kA, kB}, false, epoch_of(1));
  EXPECT_TRUE(partition().directories.empty());
  EXPECT_FALSE(partition().isr_lost);
  enroll_with(1, {kB, {0, 13}}, false, epoch_of(1));
  EXPECT_TRUE(partition().isr_lost);
  // And where A cannot be read, either: nobody leads until it says where the replica is.
  image = before;
  enroll_with(1, {kB}, true, epoch_of(1));
  beat(1);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  EXPECT_FALSE(partition().isr_lost);
  place(0, kB);
  EXPECT_EQ(partition().leader, base::BrokerId(1));
}

// Goal: a full disk gives leaderships to those who can write, at once, and takes them back by a
// preferred election; who is alone in sync goes on.
TEST_F(DecideDirectories, FullDiskHandsOver) {
  create_on("t", {{1, 2, 3}, {2, 1, 3}});
  create_on("u", {{1}});
  tell({}, {kA, kB});
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(2));
  EXPECT_EQ(partition("t", 0).isr, ids({2, 3}));
  EXPECT_EQ(partition("u", 0).leader, base::BrokerId(1));
  EXPECT_EQ(partition("t", 1).leader, base::BrokerId(2));
  EXPECT_EQ(partition("t", 1).isr, ids({2, 3}));
  EXPECT_EQ(alter_isr(isr_request({2, 3, 1}, "t", 0)), ErrorCode::kIneligibleReplica);
  tell({});
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(2));
  EXPECT_EQ(alter_isr(isr_request({2, 3, 1}, "t", 0)), ErrorCode::kNone);
  EXPECT_EQ(alter_isr(isr_request({2, 3, 1}, "t", 1)), ErrorCode::kNone);
  apply(balance_step(*image, settings));
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
}

// Goal: who leads on a full disk, alone, hands over to the first who joins.
TEST_F(DecideDirectories, FullLeaderGoesWhenSomebodyJoins) {
  create_on("t", {{1, 2}});
  fence(2);
  tell({}, {kA, kB});
  EXPECT_EQ(partition().leader, base::BrokerId(1));
  reboot(2);
  EXPECT_EQ(partition().leader, base::BrokerId(1));
  EXPECT_EQ(alter_isr(isr_request({1, 2})), ErrorCode::kNewLeaderElected);
  EXPECT_EQ(partition().leader, base::BrokerId(2));
  EXPECT_EQ(partition().isr, ids({2}));
}

// Goal: a replica that is found in a directory that failed goes like the others; what makes no
// sense is passed over.
TEST_F(DecideDirectories, PlacementsAreChecked) {
  create_on("t", {{1, 2}, {2, 3}});
  tell({kB});
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(1));
  place(0, {0, 77});
  place(1, kA);
  place(9, kA);
  EXPECT_TRUE(partition("t", 0).directories.empty());
  EXPECT_TRUE(partition("t", 1).directories.empty());
  place(0, kB);
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(2));
  const auto before = offset;
  place(0, kB);
  EXPECT_EQ(offset, before);  // known
}

// Goal: a new partition begins with those who can write it.
TEST_F(DecideDirectories, NewPartitionAvoidsFullDisks) {
  tell({}, {kA, kB});
  create_on("t", {{1, 2}});
  create_on("u", {{1}});
  EXPECT_EQ(partition("t", 0).leader, base::BrokerId(2));
  EXPECT_EQ(partition("t", 0).isr, ids({2}));
  EXPECT_EQ(partition("u", 0).leader, base::BrokerId(1));
}

// Goal: nothing of this is lost in a snapshot, and a replica that moved away takes its directory
// along.
TEST_F(DecideDirectories, SnapshotKeepsDirectories) {
  create_on("t", {{1, 2, 3}});
  place(0, kA);
  tell({kB}, {kA});
  const auto copy = meta::from_snapshot(meta::to_snapshot(*image));
  ASSERT_TRUE(copy.has_value());
  EXPECT_EQ(*(*copy)->broker(base::BrokerId(1)), one());
  EXPECT_EQ(*(*copy)->partition("t", 0), partition());
  proto::Record moved;
  auto* change = moved.mutable_partition_change();
  meta::to_proto(image->topic("t")->id, change->mutable_topic_id());
  for (const int id : {2, 3}) change->mutable_replicas()->add_ids(id);
  apply({moved});
  EXPECT_TRUE(partition().directories.empty());
}

}  // namespace
}  // namespace controller::cluster

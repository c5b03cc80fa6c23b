// The loop against a leader and partitions that are played by hand. The rules of the logs
// themselves are in partition's tests; here it is what is asked for, when, and what becomes of it.
#include "broker/node/fetch_loop.h"

#include "broker/node/test_leader.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

constexpr base::BrokerId kLeader{7};
const base::Uuid kTopic{1, 2};

class FakeFollower final : public Follower {
 public:
  std::string name() const override { return "t"; }
  FollowState follow_state() override { return state; }
  Followed take_from_leader(const LeaderAnswer& answer) override {
    answers.push_back(answer);
    if (next != Followed::Kind::kAppended) return {.kind = next, .why = "says the test"};
    const auto count = static_cast<std::int64_t>(answer.records.size());
    if (count == 0) return {.kind = Followed::Kind::kNothing, .why = ""};
    state.end = state.end + count;
    if (!fsync) state.fetch_offset = state.end;
    return {.kind = Followed::Kind::kAppended, .end = state.end, .why = ""};
  }
  bool await_flushed(base::Offset, io::Executor& home, std::shared_ptr<PartitionListener> listener,
                     std::uint64_t tag) override {
    waiter = [&home, listener, tag](ErrorCode error) {
      home.post([listener, tag, error] { listener->on_partition_event(tag, error); });
    };
    return false;
  }
  void stop_waiting(const PartitionListener*) override { waiter = nullptr; }
  void repair(LeaderAnswer answer, io::Executor& home,
              std::move_only_function<void(Followed)> done) override {
    answers.push_back(answer);
    EXPECT_TRUE(answer.records.empty());
    state.end = state.fetch_offset = cut_to;
    home.post([done = std::move(done)]() mutable {
      done({.kind = Followed::Kind::kRepaired, .why = ""});
    });
  }
  void flush(ErrorCode error = ErrorCode::kNone) {
    ASSERT_TRUE(waiter);
    if (error == ErrorCode::kNone) state.fetch_offset = state.end;
    std::exchange(waiter, nullptr)(error);
  }

  FollowState state{.following = true, .leader = kLeader, .leader_epoch = base::LeaderEpoch(3)};
  bool fsync = true;
  Followed::Kind next = Followed::Kind::kAppended;
  base::Offset cut_to{0};
  std::vector<LeaderAnswer> answers;
  std::function<void(ErrorCode)> waiter;
};

class Loop : public testing::Test {
 protected:
  Loop() {
    for (auto& each : followers) each = std::make_shared<FakeFollower>();
    loop->set_leader(io::Address{"leader", TestLeader::kPort}, true);
  }
  ~Loop() override {
    loop->stop();
    executor.kill();
  }

  void assign(std::initializer_list<std::int32_t> partitions) {
    std::vector<FetchLoop::Assignment> out;
    for (const auto each : partitions) {
      out.push_back({{kTopic, each}, followers[static_cast<std::size_t>(each)]});
    }
    loop->assign(std::move(out));
  }
  void run(base::Duration span = milliseconds(20)) { world.run_for(span); }

  // "epoch 0: 0@0 1@0 -2": what the oldest unanswered request says.
  std::string asked() {
    if (leader.asked.empty()) return "nothing";
    const auto& request = leader.asked.front().request;
    std::string out = "epoch " + std::to_string(request.session_epoch) + ":";
    for (const auto& topic : request.topics) {
      EXPECT_EQ(topic.topic_id, kTopic);
      for (const auto& each : topic.partitions) {
        out += " " + std::to_string(each.partition) + "@" + std::to_string(each.fetch_offset);
      }
    }
    for (const auto& topic : request.forgotten_topics_data) {
      for (const auto each : topic.partitions) out += " -" + std::to_string(each);
    }
    return out;
  }
  static wire::FetchResponse response() {
    wire::FetchResponse out;
    out.session_id = 55;
    return out;
  }
  static wire::FetchResponse::PartitionData& add(wire::FetchResponse& response,
                                                 std::int32_t partition, base::BytesView records,
                                                 ErrorCode error = ErrorCode::kNone) {
    if (response.responses.empty()) response.responses.emplace_back().topic_id = kTopic;
    auto& data = response.responses.back().partitions.emplace_back();
    data.partition_index = partition;
    data.error_code = error;
    data.high_watermark = 1;
    data.log_start_offset = error == ErrorCode::kNone ? 0 : -1;
    data.records = wire::Records::of(records);
    return data;
  }
  void answer(const wire::FetchResponse& what) {
    leader.answer(what);
    run();
  }
  void answer_nothing() { answer(response()); }

  sim::World world{11};
  sim::SimNetwork network{world};
  base::SilentDiag diag;
  sim::SimExecutor executor{world, "follower"};
  std::unique_ptr<io::Net> net = network.join("follower", executor);
  TestLeader leader{world, network, "leader"};
  std::array<std::shared_ptr<FakeFollower>, 4> followers;
  ReplicationThrottle throttle;
  RecentLosses losses;
  std::shared_ptr<FetchLoop> loop = std::make_shared<FetchLoop>(
      executor, *net, diag, base::Random(1),
      FetchLoop::Options{.self = base::BrokerId(2),
                         .leader = kLeader,
                         .self_epoch = [] { return base::BrokerEpoch(40); },
                         .throttle = &throttle,
                         .losses = &losses});
  const base::Bytes five = base::Bytes(5);
};

// Goal: all is said once, then only what changed; who we are and where we stand is told. Method: a
// full request, an answer without data, one with data.
TEST_F(Loop, AsksInFullThenForWhatChanged) {
  followers[1]->state.last_fetched_epoch = base::LeaderEpoch(2);
  followers[1]->state.end = followers[1]->state.fetch_offset = base::Offset(9);
  assign({0, 1});
  run();
  EXPECT_EQ(asked(), "epoch 0: 0@0 1@9");
  const auto& request = leader.asked.front().request;
  EXPECT_EQ(request.replica_state.replica_id, 2);
  EXPECT_EQ(request.replica_state.replica_epoch, 40);
  EXPECT_EQ(request.max_wait_ms, 500);
  EXPECT_EQ(request.topics[0].partitions[1].last_fetched_epoch, 2);
  EXPECT_EQ(request.topics[0].partitions[1].current_leader_epoch, 3);
  answer_nothing();
  EXPECT_EQ(asked(), "epoch 1:");
  followers[0]->fsync = false;
  auto data = response();
  add(data, 0, five);
  answer(data);
  EXPECT_EQ(asked(), "epoch 2: 0@5");
  EXPECT_EQ(followers[0]->answers.front().high_watermark, base::Offset(1));
  EXPECT_EQ(leader.connections, 1);
}

// Goal: the next Fetch, which acknowledges, waits for the flush of everything that the last one
// brought. Method: two partitions get data; nothing is asked until both are durable.
TEST_F(Loop, AcknowledgesOnlyWhatIsDurable) {
  assign({0, 1, 2});
  run();
  auto data = response();
  add(data, 0, five);
  add(data, 1, five);
  answer(data);
  run(seconds(5));
  EXPECT_EQ(asked(), "nothing");
  followers[0]->flush();
  run(seconds(5));
  EXPECT_EQ(asked(), "nothing");
  followers[1]->flush();
  run();
  EXPECT_EQ(asked(), "epoch 1: 0@5 1@5");
}

// Goal: what was left unflushed by an earlier life of the assignment is not asked beyond, and
// stalls nobody else. Method: one partition starts with an undurable tail.
TEST_F(Loop, WaitsForAnOldTailOnItsOwn) {
  followers[0]->state.end = base::Offset(8);
  assign({0, 1});
  run();
  EXPECT_EQ(asked(), "epoch 0: 1@0");
  followers[0]->flush();
  run();
  EXPECT_EQ(asked(), "epoch 0: 0@8 1@0");  // the long poll was given up for it
}

// Goal: when the throttle is used up a partition it holds for is left out, the others go on, and no
// long poll is given up for it when it comes back. Method: 5 bytes at 2 a second.
TEST_F(Loop, HoldsBackWhatIsThrottled) {
  throttle.set_bound(2);
  followers[0]->state.throttled = true;
  followers[0]->fsync = followers[1]->fsync = false;
  assign({0, 1});
  run();
  EXPECT_EQ(asked(), "epoch 0: 0@0 1@0");
  auto data = response();
  add(data, 0, five);
  add(data, 1, five);
  answer(data);
  EXPECT_EQ(asked(), "epoch 1: 1@5 -0");
  EXPECT_EQ(throttle.bytes(), 5U) << "the other one does not count";
  run(seconds(3));
  EXPECT_EQ(asked(), "epoch 1: 1@5 -0");
  answer_nothing();
  EXPECT_EQ(asked(), "epoch 2: 0@5");
  EXPECT_EQ(leader.connections, 1);
}

// Goal: an error of one partition makes it rest, longer each time, and leave the session meanwhile;
// the others go on. Method: the leader refuses one again and again.
TEST_F(Loop, ErrorOfOnePartitionStallsNoOther) {
  assign({0, 1});
  run();
  auto data = response();
  add(data, 0, {}, ErrorCode::kNotLeaderOrFollower);
  leader.answer(data);
  world.run_for(milliseconds(2));
  EXPECT_EQ(asked(), "epoch 1: -0");
  run(milliseconds(20));
  EXPECT_EQ(asked(), "epoch 0: 0@0 1@0");  // it is tried again without waiting for the poll
  int tries = 0;
  const auto end = world.now() + seconds(4);
  while (world.now() < end) {
    if (!leader.asked.empty()) {
      auto again = response();
      const bool has_it = asked().find(" 0@") != std::string::npos;
      if (has_it) add(again, 0, {}, ErrorCode::kUnknownLeaderEpoch);
      if (has_it) ++tries;
      leader.answer(again);
    }
    world.run_for(milliseconds(50));
  }
  EXPECT_GE(tries, 5);
  EXPECT_LE(tries, 14);
}

// Goal: a log that parted from the leader's is cut and then fetched from the cut; one that the
// leader has no more starts over at the leader's start. Method: one answer of each kind.
TEST_F(Loop, RepairsWhatParted) {
  followers[0]->state.end = followers[0]->state.fetch_offset = base::Offset(9);
  followers[0]->next = Followed::Kind::kNeedsTruncation;
  followers[0]->cut_to = base::Offset(4);
  followers[1]->next = Followed::Kind::kNeedsTruncation;
  followers[1]->cut_to = base::Offset(100);
  assign({0, 1, 2});
  run();
  auto data = response();
  auto& diverging = add(data, 0, {});
  diverging.diverging_epoch.epoch = 2;
  diverging.diverging_epoch.end_offset = 4;
  add(data, 1, {}, ErrorCode::kOffsetOutOfRange).log_start_offset = 100;
  answer(data);
  ASSERT_EQ(followers[0]->answers.size(), 2u);
  EXPECT_EQ(followers[0]->answers[1].diverging->end, base::Offset(4));
  EXPECT_TRUE(followers[1]->answers[1].out_of_range);
  EXPECT_EQ(followers[1]->answers[1].log_start, base::Offset(100));
  EXPECT_EQ(asked(), "epoch 0: 0@4 1@100 2@0");
}

// Goal: a partition that comes to this leader is asked for within milliseconds, though a long poll
// is under way; many that come together make one request. Method: assign while the leader waits.
TEST_F(Loop, NewPartitionsDoNotWaitForALongPoll) {
  assign({0});
  run();
  answer_nothing();
  EXPECT_EQ(asked(), "epoch 1:");
  assign({1});
  assign({2});
  assign({3});
  run(milliseconds(6));
  EXPECT_EQ(asked(), "epoch 0: 0@0 1@0 2@0 3@0");
  EXPECT_EQ(leader.requests, 3);
}

// Goal: partitions that leave are forgotten by the session; when none is left, nothing is asked.
TEST_F(Loop, RemovedPartitionsAreForgotten) {
  assign({0, 1});
  run();
  answer_nothing();
  loop->remove({{kTopic, 1}});
  answer_nothing();
  EXPECT_EQ(asked(), "epoch 2: -1");
  loop->remove({{kTopic, 0}});
  run();
  EXPECT_EQ(asked(), "nothing");
  EXPECT_EQ(loop->size(), 0u);
}

// Goal: what leaves while a session is being begun is forgotten by it: else each answer of the
// leader comes at once, with an error for what nobody asks for any more.
TEST_F(Loop, RemovedWhileASessionBeginsIsForgotten) {
  assign({0, 1});
  run();
  EXPECT_EQ(asked(), "epoch 0: 0@0 1@0");
  loop->remove({{kTopic, 1}});
  run();
  answer_nothing();
  EXPECT_EQ(asked(), "epoch 1: -1");
}

// Goal: a lost session, a broken connection and a leader's new process are answered by asking in
// full. Method: one of each.
TEST_F(Loop, StartsOverInFull) {
  assign({0});
  run();
  answer_nothing();
  auto lost = response();
  lost.error_code = ErrorCode::kFetchSessionIdNotFound;
  answer(lost);
  EXPECT_EQ(asked(), "epoch 0: 0@0");
  answer_nothing();
  leader.break_connection();
  run(milliseconds(50));
  EXPECT_EQ(asked(), "epoch 0: 0@0");
  answer_nothing();
  EXPECT_EQ(asked(), "epoch 1:");
  loop->set_leader(io::Address{"leader", TestLeader::kPort}, true);
  run();
  EXPECT_EQ(asked(), "epoch 0: 0@0");
}

// Goal: an answer that belongs to an earlier assignment harms nothing, and a partition whose role
// changed is not asked for. Method: the role changes while the leader waits.
TEST_F(Loop, StaleRolesAreAskedAnew) {
  assign({0});
  run();
  followers[0]->next = Followed::Kind::kStale;
  followers[0]->state.leader_epoch = base::LeaderEpoch(4);
  auto data = response();
  add(data, 0, five);
  answer(data);
  ASSERT_EQ(asked(), "epoch 1: 0@0");
  EXPECT_EQ(leader.asked.front().request.topics[0].partitions[0].current_leader_epoch, 4);
  followers[0]->state.following = false;
  answer(data);
  EXPECT_EQ(asked(), "nothing");
}

// Goal: a leader whose connection broke is in doubt until it answers again; our own breaks, for a
// partition that must not wait, say nothing of it.
TEST_F(Loop, TellsOfALostLeader) {
  assign({0});
  run();
  assign({1});
  run();
  EXPECT_EQ(leader.connections, 2) << "the poll was given up";
  EXPECT_FALSE(losses.doubted(kLeader, world.now()));
  leader.break_connection();
  run();
  EXPECT_TRUE(losses.doubted(kLeader, world.now()));
  answer_nothing();
  EXPECT_FALSE(losses.doubted(kLeader, world.now()));
}

// Goal: a flush that failed makes the partition rest and lets the others go on.
TEST_F(Loop, FailedFlushRests) {
  assign({0, 1});
  run();
  auto data = response();
  add(data, 0, five);
  answer(data);
  followers[0]->flush(ErrorCode::kKafkaStorageError);
  world.run_for(milliseconds(2));
  EXPECT_EQ(asked(), "epoch 1: -0");
}

}  // namespace
}  // namespace broker

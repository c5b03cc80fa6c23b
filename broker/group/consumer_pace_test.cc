// The pause between two target assignments of a group: group.consumer.assignment.interval.ms.
#include <gtest/gtest.h>

#include "broker/group/test_classic.h"

namespace broker::group {
namespace {

using namespace testing;
using Set = std::set<std::int32_t>;

Config paced(base::Duration interval) {
  Config config;
  config.consumer_assignment_interval = interval;
  return config;
}

// Goal: within the pause members come and go without a new target; the first heartbeat after it
// makes one for all of them, in one step. Method: three members, epochs after each word.
TEST(ConsumerPace, MembersWaitForTheNextTarget) {
  ConsumerBench bench(paced(10s));
  TestMember a{.id = "a"}, b{.id = "b"}, c{.id = "c"};
  bench.join(a);
  EXPECT_EQ(a.owned.size(), 4) << "a group's first target does not wait";
  bench.pass(3s);
  bench.join(b);
  bench.join(c);
  EXPECT_EQ(bench.consumers().epoch, 3);
  EXPECT_EQ(bench.consumers().target_epoch, 1);
  EXPECT_EQ(bench.consumers().state_name(), "Assigning");
  EXPECT_EQ(b.epoch, 1);
  EXPECT_EQ(b.owned, Set{});
  bench.pass(7s - 1ms);
  bench.settle({&a, &b, &c});
  EXPECT_EQ(bench.consumers().target_epoch, 1) << "a millisecond too early";
  EXPECT_EQ(a.owned.size(), 4);
  bench.pass(1ms);
  bench.beat(a);
  EXPECT_EQ(bench.consumers().target_epoch, 3) << "one target for both who have come";
  bench.settle({&a, &b, &c});
  EXPECT_EQ(a.owned.size() + b.owned.size() + c.owned.size(), 4);
  EXPECT_EQ(bench.consumers().state_name(), "Stable");
  Heartbeat leaving = c.beating(*bench.topics);
  leaving.member_epoch = -1;
  bench.beat(leaving);
  bench.topics->set("t", 8);
  bench.settle({&a, &b});
  EXPECT_EQ(bench.consumers().state_name(), "Assigning") << "leaving and new partitions wait too";
  bench.pass(10s);
  bench.settle({&a, &b});
  EXPECT_EQ(a.owned.size() + b.owned.size(), 8);
}

// Goal: nobody waits longer than the pause, and nobody comes for nothing before. Method: the
// interval that members are told within it; a heartbeat's interval that is shorter.
TEST(ConsumerPace, MembersComeWhenThePauseEnds) {
  ConsumerBench bench(paced(4s));
  TestMember a{.id = "a"}, b{.id = "b"};
  bench.join(a);
  bench.pass(1s);
  EXPECT_EQ(bench.beat(b.joining()).heartbeat_interval_ms, 3'000);
  EXPECT_EQ(bench.beat(a.beating(*bench.topics)).heartbeat_interval_ms, 3'000);
  bench.pass(2800ms);
  EXPECT_EQ(bench.beat(a.beating(*bench.topics)).heartbeat_interval_ms, 500) << "not at once";
  bench.pass(500ms);
  EXPECT_EQ(bench.beat(a.beating(*bench.topics)).heartbeat_interval_ms, 500);
  EXPECT_EQ(bench.consumers().target_epoch, 2);
  ConsumerBench slow(paced(60s));
  TestMember c{.id = "c"}, d{.id = "d"};
  slow.join(c);
  EXPECT_EQ(slow.beat(d.joining()).heartbeat_interval_ms, 5'000);
}

// Goal: what the group is told now holds, not what the shard began with. Method: a shorter and a
// longer pause with each heartbeat.
TEST(ConsumerPace, GoesByTheGroupsOwnInterval) {
  ConsumerBench bench(paced(1h));
  TestMember a{.id = "a"}, b{.id = "b"}, c{.id = "c"};
  const auto told = [&](TestMember& member, const Heartbeat& request, base::Duration interval) {
    ConsumerHeartbeat ask{.request = request, .topics = bench.topics};
    ask.assignment_interval = interval;
    member.take(bench.ask<Beaten>(ask, 1));
  };
  told(a, a.joining(), 1h);
  told(b, b.joining(), 1h);
  EXPECT_EQ(bench.consumers().target_epoch, 1);
  told(b, b.beating(*bench.topics), 0s);
  EXPECT_EQ(bench.consumers().target_epoch, 2);
  told(c, c.joining(), 5s);
  EXPECT_EQ(bench.consumers().target_epoch, 2);
  bench.pass(5s);
  told(c, c.beating(*bench.topics), 5s);
  EXPECT_EQ(bench.consumers().target_epoch, 3);
}

// Goal: a member is not left with what it has ceased to read. Method: it drops a topic within the
// pause, and then takes it up again.
TEST(ConsumerPace, DoesNotHoldUpWhoReadsLess) {
  ConsumerBench bench(paced(1min));
  bench.topics->set("u", 2);
  TestMember a{.id = "a", .topics = {"t", "u"}};
  bench.join(a);
  EXPECT_EQ(bench.consumers().target.at("a").size(), 6);
  Heartbeat less = a.beating(*bench.topics);
  less.subscribed_topic_names = {"t"};
  bench.beat(less);
  EXPECT_EQ(bench.consumers().target.at("a").size(), 4);
  Heartbeat more = a.beating(*bench.topics);
  more.member_epoch = bench.consumers().find("a")->epoch;
  more.subscribed_topic_names = {"t", "u"};
  bench.beat(more);
  EXPECT_EQ(bench.consumers().target.at("a").size(), 4) << "more can wait";
}

// Goal: a new coordinator knows of no pause: after a failover nobody waits for it. Method: a
// restart within it.
TEST(ConsumerPace, ANewCoordinatorDoesNotWait) {
  ConsumerBench bench(paced(1min));
  TestMember a{.id = "a"}, b{.id = "b"};
  bench.join(a);
  bench.join(b);
  EXPECT_EQ(bench.consumers().target_epoch, 1);
  bench.restart();
  bench.settle({&a, &b});
  EXPECT_EQ(a.owned.size() + b.owned.size(), 4);
  EXPECT_EQ(b.owned.size(), 2);
}

// Goal: members of the classic protocol are not sent round in circles while the target waits, and
// bring it about themselves when nobody else does. Method: in a group of both protocols a third
// member comes within the pause.
TEST(ConsumerPace, ClassicMembersStayUntilThereIsSomethingToGet) {
  MigrationBench bench(paced(8s));
  ClassicMember a{.name = "a", .cooperative = true};
  bench.settle_classic({&a});
  TestMember b{.id = "b"}, c{.id = "c"};
  bench.join(b);
  bench.settle_mixed({&a}, {&b});
  ASSERT_EQ(bench.consumers().state_name(), "Stable");
  ASSERT_EQ(a.owned.size(), 2);
  bench.join(c);
  EXPECT_EQ(bench.consumers().state_name(), "Assigning");
  EXPECT_EQ(bench.beat(a), ErrorCode::kNone);
  EXPECT_EQ(bench.join_once(a), ErrorCode::kNone) << "it may join, of its own accord";
  bench.go_on(a);
  EXPECT_FALSE(a.joining) << "and its SyncGroup is answered";
  EXPECT_EQ(a.owned.size(), 2);
  bench.pass(8s);
  EXPECT_EQ(bench.beat(a), ErrorCode::kRebalanceInProgress);
  bench.join_once(a);
  EXPECT_EQ(bench.consumers().target_epoch, bench.consumers().epoch);
  bench.settle_mixed({&a}, {&b, &c});
  EXPECT_EQ(a.owned.size() + b.owned.size() + c.owned.size(), 4);
  EXPECT_EQ(bench.consumers().state_name(), "Stable");
}

}  // namespace
}  // namespace broker::group

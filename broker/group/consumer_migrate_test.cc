#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/group/record_codec.h"
#include "broker/group/test_classic.h"

namespace broker::group {
namespace {

using namespace testing;
using Set = std::set<std::int32_t>;

// Two classic members that share "t" with four partitions, in a Stable group.
struct Pair {
  explicit Pair(MigrationBench& bench) : a{.name = "a"}, b{.name = "b"} {
    bench.settle_classic({&a, &b});
    EXPECT_EQ(a.owned.size() + b.owned.size(), 4);
  }
  ClassicMember a, b;
};

// Goal: a member of the consumer protocol makes a classic group one of its own kind; classic
// members go on in it, and everything is shared out with no partition held twice (check_invariants,
// after every step). Method: one joins two, all go on until nothing changes.
TEST(GroupMigration, UpgradesInPlace) {
  MigrationBench bench;
  bench.ask<OffsetsCommitted>(commit_one("g", 7), 8);
  Pair pair(bench);
  const std::int32_t generation = pair.a.generation;
  TestMember c{.id = "c"};
  EXPECT_EQ(bench.join(c), ErrorCode::kNone);
  EXPECT_EQ(c.owned, Set{}) << "all is still with the classic members";
  ASSERT_TRUE(bench.group("g")->consumer);
  EXPECT_EQ(bench.group("g")->offset_count, 1);
  EXPECT_EQ(bench.consumers().epoch, generation + 1);
  EXPECT_EQ(bench.consumers().members.at(pair.a.id).epoch, generation);
  EXPECT_EQ(bench.beat(pair.a), ErrorCode::kRebalanceInProgress);
  bench.settle_mixed({&pair.a, &pair.b}, {&c});
  EXPECT_EQ(pair.a.owned.size() + pair.b.owned.size() + c.owned.size(), 4);
  EXPECT_GE(c.owned.size(), 1);
  EXPECT_EQ(pair.a.generation, c.epoch);
  EXPECT_EQ(bench.beat(pair.a), ErrorCode::kNone);
  EXPECT_EQ(bench.ask<DescribedGroup>(DescribeGroup{"g"}, 6).error, ErrorCode::kGroupIdNotFound);
  const auto described =
      bench.ask<DescribedConsumerGroup>(DescribeConsumerGroup{"g", bench.topics}, 1).group;
  EXPECT_EQ(described.members.at(0).member_type + described.members.at(1).member_type +
                described.members.at(2).member_type,
            1);
}

// Goal: what a cooperative member was told to give back but may still hold is nobody else's yet.
// Method: the upgrade comes between its SyncGroup and its next JoinGroup.
TEST(GroupMigration, WaitsForWhatCooperativeMembersGiveBack) {
  MigrationBench bench;
  ClassicMember a{.name = "a", .cooperative = true}, b{.name = "b", .cooperative = true};
  bench.settle_classic({&a});
  ASSERT_EQ(a.owned.size(), 4);
  bench.share_out = {{"a", {0, 1}}, {"b", {}}};  // b is to have 2 and 3 when a has given them back
  bench.settle_classic({&a, &b});
  a.owned = {0, 1, 2, 3};  // it has not got that far
  TestMember c{.id = "c"};
  EXPECT_EQ(bench.join(c), ErrorCode::kNone);
  EXPECT_EQ(c.owned, Set{}) << "a still holds 2 and 3";
  EXPECT_EQ(bench.consumers().members.at(a.id).state, ConsumerMemberState::kUnrevoked);
  bench.settle_mixed({&a, &b}, {&c});
  EXPECT_EQ(a.owned.size() + b.owned.size() + c.owned.size(), 4);
  EXPECT_EQ(bench.consumers().state_name(), "Stable");
}

// Goal: when the last member of the consumer protocol goes the group is a classic one again, and
// its members share it out by themselves. Method: it leaves, or its session ends.
TEST(GroupMigration, DowngradesWhenOnlyClassicMembersAreLeft) {
  for (const bool leaves : {true, false}) {
    MigrationBench bench;
    Pair pair(bench);
    TestMember c{.id = "c"};
    bench.join(c);
    bench.settle_mixed({&pair.a, &pair.b}, {&c});
    const std::int32_t epoch = bench.consumers().epoch;
    if (leaves) {
      Heartbeat leaving = c.beating(*bench.topics);
      leaving.member_epoch = -1;
      EXPECT_EQ(bench.beat(leaving).error_code, ErrorCode::kNone);
    } else {
      for (int i = 0; i < 12; ++i) {
        bench.pass(4s);
        bench.beat(pair.a);
        bench.beat(pair.b);
      }
    }
    ASSERT_FALSE(bench.group("g")->consumer) << leaves;
    EXPECT_TRUE(bench.group("g")->is(GroupState::kPreparingRebalance));
    EXPECT_EQ(bench.group("g")->generation, epoch);
    EXPECT_EQ(bench.beat(pair.a), ErrorCode::kRebalanceInProgress);
    bench.settle_classic({&pair.a, &pair.b});
    EXPECT_EQ(pair.a.owned.size() + pair.b.owned.size(), 4);
    EXPECT_GT(pair.a.generation, epoch);
  }
}

// Goal: a group that changes there and back at once gives nobody what another one still has.
// Method: the member of the consumer protocol that part of a classic member's partitions was meant
// for leaves, and another one comes before the classic one has heard of anything.
TEST(GroupMigration, RemembersWhatIsHeldWhenItGoesBack) {
  MigrationBench bench;
  ClassicMember a{.name = "a"};
  bench.settle_classic({&a});
  ASSERT_EQ(a.owned.size(), 4);
  TestMember c{.id = "c"}, d{.id = "d"};
  bench.join(c);
  EXPECT_EQ(bench.consumers().target.at("c").size(), 2);
  Heartbeat leaving = c.beating(*bench.topics);
  leaving.member_epoch = -1;
  bench.beat(leaving);
  ASSERT_FALSE(bench.group("g")->consumer);
  bench.join(d);
  ASSERT_TRUE(bench.group("g")->consumer);
  EXPECT_EQ(d.owned, Set{}) << "all is still with a";
  bench.settle_mixed({&a}, {&d});
  EXPECT_EQ(a.owned.size(), 2);
  EXPECT_EQ(d.owned.size(), 2);
}

// Goal: a group that is half of both is loaded as it was. Method: a restart in every state; members
// go on with what they know.
TEST(GroupMigration, IsLoadedInTheMiddle) {
  MigrationBench bench;
  Pair pair(bench);
  TestMember c{.id = "c"};
  bench.join(c);
  const ConsumerGroup before = bench.consumers();
  bench.restart();
  ASSERT_TRUE(bench.group("g")->consumer);
  EXPECT_EQ(bench.consumers(), before);
  bench.settle_mixed({&pair.a, &pair.b}, {&c});
  EXPECT_EQ(pair.a.owned.size() + pair.b.owned.size() + c.owned.size(), 4);
  bench.restart();
  EXPECT_EQ(bench.beat(pair.a), ErrorCode::kNone);
  bench.pass(6s);
  bench.beat(pair.a);
  bench.pass(5s);  // a classic member's session is the one that it asked for
  EXPECT_EQ(bench.consumers().find(pair.b.id), nullptr);
  EXPECT_NE(bench.consumers().find(c.id), nullptr);
  Heartbeat leaving = c.beating(*bench.topics);
  leaving.member_epoch = -1;
  bench.beat(leaving);
  bench.restart();
  ASSERT_FALSE(bench.group("g")->consumer);
  bench.settle_classic({&pair.a});
  EXPECT_EQ(pair.a.owned.size(), 4);
}

// Goal: static members change sides under their instance id, one after the other, without a
// rebalance of the others where nothing else changes. Method: there and back.
TEST(GroupMigration, TakesStaticMembersAlong) {
  MigrationBench bench;
  ClassicMember a{.name = "a", .instance = "ia"}, b{.name = "b", .instance = "ib"};
  bench.settle_classic({&a, &b});
  const Set had = a.owned;
  TestMember next{.id = "next", .instance = "ia"};
  EXPECT_EQ(bench.join(next), ErrorCode::kNone);
  EXPECT_EQ(next.owned, had);
  EXPECT_EQ(bench.beat(a), ErrorCode::kFencedInstanceId);
  bench.settle_mixed({&b}, {&next});
  EXPECT_EQ(b.owned.size() + next.owned.size(), 4);
  ClassicMember back{.name = "back", .instance = "ia"};
  EXPECT_EQ(bench.join_once(back), ErrorCode::kNone);
  ASSERT_FALSE(bench.group("g")->consumer);
  EXPECT_EQ(bench.beat(next), ErrorCode::kGroupIdNotFound);
  bench.settle_classic({&b, &back});
  EXPECT_EQ(b.owned.size() + back.owned.size(), 4);
}

// Goal: what cannot be changed is refused and stays what it is. Method: policies, other kinds of
// groups, assignors with data of their own, subscriptions that cannot be read, too many members.
TEST(GroupMigration, RefusesWhatCannotBeChanged) {
  const struct {
    const char* what;
    Config config;
    std::function<void(ClassicMember&)> spoil;
  } kRows[] = {{"disabled", {.migration = Migration::kDisabled}, [](auto&) {}},
               {"downgrade", {.migration = Migration::kDowngrade}, [](auto&) {}},
               {"size", {.consumer_group_size_max = 0}, [](auto&) {}},
               {"type", {}, [](auto& member) { member.type = "connect"; }},
               {"malformed", {}, [](auto& member) { member.malformed = true; }},
               {"user data", {}, [](auto& member) { member.user_data = true; }}};
  for (const auto& row : kRows) {
    MigrationBench bench(row.config);
    ClassicMember a{.name = "a"};
    row.spoil(a);
    bench.settle_classic({&a});
    TestMember c{.id = "c"};
    const ErrorCode error = bench.join(c);
    EXPECT_EQ(error, ErrorCode::kGroupIdNotFound) << row.what;
    ASSERT_FALSE(bench.group("g")->consumer) << row.what;
    EXPECT_EQ(bench.beat(a), ErrorCode::kNone) << row.what;
  }
  MigrationBench bench(Config{.migration = Migration::kUpgrade});
  Pair pair(bench);
  TestMember c{.id = "c"};
  bench.join(c);
  bench.settle_mixed({&pair.a, &pair.b}, {&c});
  Heartbeat leaving = c.beating(*bench.topics);
  leaving.member_epoch = -1;
  bench.beat(leaving);
  EXPECT_TRUE(bench.group("g")->consumer) << "there is no way back";
  bench.settle_mixed({&pair.a, &pair.b}, {});
  EXPECT_EQ(pair.a.owned.size() + pair.b.owned.size(), 4);
}

// Goal: each request of a classic member proves who it is and when. Method: the wrong ones.
TEST(GroupMigration, ChecksClassicMembers) {
  MigrationBench bench;
  Pair pair(bench);
  TestMember c{.id = "c"};
  bench.join(c);
  bench.settle_mixed({&pair.a, &pair.b}, {&c});
  auto commit = [&](const std::string& id, std::int32_t generation) {
    return bench.ask<OffsetsCommitted>(commit_one("g", 5, generation, id), 8).partitions[0].error;
  };
  EXPECT_EQ(commit(pair.a.id, pair.a.generation), ErrorCode::kNone) << "also in an old version";
  EXPECT_EQ(commit(pair.a.id, pair.a.generation - 1), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(commit("x", pair.a.generation), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit(c.id, c.epoch), ErrorCode::kUnsupportedVersion);
  ClassicMember other = pair.a;
  --other.generation;
  EXPECT_EQ(bench.beat(other), ErrorCode::kIllegalGeneration);
  other.id = c.id;
  other.generation = c.epoch;
  EXPECT_EQ(bench.beat(other), ErrorCode::kUnknownMemberId) << "of the other protocol";
  ClassicMember alien{.name = "alien", .type = "connect"};
  EXPECT_EQ(bench.join_once(alien), ErrorCode::kInconsistentGroupProtocol);
  ClassicMember strange{.name = "strange", .assignor = "strange"};
  EXPECT_EQ(bench.join_once(strange), ErrorCode::kInconsistentGroupProtocol);
  ClassicMember gone{.name = "gone", .cooperative = true, .id = "gone", .owned = {3}};
  EXPECT_EQ(bench.join_once(gone), ErrorCode::kUnknownMemberId) << "3 is somebody's by now";
  wire::LeaveGroupRequest leaving{.group_id = "g"};
  leaving.members = {{.member_id = pair.b.id}, {.member_id = "x"}};
  const auto left = bench.ask<wire::LeaveGroupResponse>(leaving, 5);
  EXPECT_EQ(left.members.at(0).error_code, ErrorCode::kNone);
  EXPECT_EQ(left.members.at(1).error_code, ErrorCode::kUnknownMemberId);
  bench.settle_mixed({&pair.a}, {&c});
  EXPECT_EQ(pair.a.owned.size() + c.owned.size(), 4);
}

// Goal: a classic member that hears but does not join, or joins but does not sync, is out after its
// rebalance timeout, however alive it is. Method: each.
TEST(GroupMigration, GivesUpOnClassicMembersThatDoNotFollow) {
  for (const bool joins : {false, true}) {
    MigrationBench bench;
    Pair pair(bench);
    TestMember c{.id = "c"};
    bench.join(c);
    EXPECT_EQ(bench.beat(pair.a), ErrorCode::kRebalanceInProgress);
    if (joins) {
      bench.ask_join(pair.a);
      const auto joined = bench.answer<wire::JoinGroupResponse>(*pair.a.joining);
      pair.a.generation = joined.generation_id;
    }
    for (int i = 0; i < 16; ++i) {
      bench.pass(4s);
      bench.beat(pair.a);
      bench.beat(c);
      bench.settle_mixed({&pair.b}, {&c});
    }
    EXPECT_EQ(bench.consumers().find(pair.a.id), nullptr) << joins;
    EXPECT_EQ(pair.b.owned.size() + c.owned.size(), 4);
  }
}

// Goal: one of the two forms is in the log at any time, the other's keys have tombstones. Method:
// there and back; the last value of each key.
TEST(GroupMigration, LeavesTombstonesOfTheOtherForm) {
  MigrationBench bench;
  Pair pair(bench);
  auto living = [&] {
    std::map<base::Bytes, bool> last;
    for (const Record& record : bench.log) last[record.key] = record.value.has_value();
    std::map<int, int> kinds;
    for (const auto& [key, lives] : last) {
      if (lives) ++kinds[std::to_integer<int>(key[1])];
    }
    return kinds;
  };
  using Kinds = std::map<int, int>;
  EXPECT_EQ(living(), (Kinds{{2, 1}}));
  TestMember c{.id = "c"};
  bench.join(c);
  bench.settle_mixed({&pair.a, &pair.b}, {&c});
  EXPECT_EQ(living(), (Kinds{{3, 1}, {5, 3}, {6, 1}, {7, 3}, {8, 3}}));
  Heartbeat leaving = c.beating(*bench.topics);
  leaving.member_epoch = -1;
  bench.beat(leaving);
  EXPECT_EQ(living(), (Kinds{{2, 1}}));
}

// Goal: however members of both protocols come and go, the log says what the coordinator knows, and
// no partition has two holders. Method: random steps; a restart at the end.
RC_GTEST_PROP(GroupMigration, ReplaysToTheSame, ()) {
  MigrationBench bench;
  std::vector<ClassicMember> classic;
  std::vector<TestMember> members;
  for (int i = 0; i < 3; ++i) {
    classic.push_back({.name = "k" + std::to_string(i), .cooperative = i == 2});
    members.push_back({.id = "m" + std::to_string(i)});
  }
  classic[0].instance = "i";
  members[0].instance = "i";
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    ClassicMember& old = classic[*rc::gen::inRange<std::size_t>(0, 3)];
    TestMember& member = members[*rc::gen::inRange<std::size_t>(0, 3)];
    switch (*rc::gen::inRange(0, 8)) {
      case 0:
        member.epoch = 0;
        member.owned.clear();
        bench.join(member);
        break;
      case 1: {
        Heartbeat leaving = member.beating(*bench.topics);
        leaving.member_epoch = -1;
        bench.beat(leaving);
        break;
      }
      case 2:
        bench.leave(old);
        break;
      case 3:
        bench.pass(std::chrono::seconds(*rc::gen::inRange(1, 20)));
        break;
      case 4:
      case 5:
        bench.go_on(old);
        break;
      default:
        bench.beat(member);
    }
  }
  const Group* live = bench.group("g");
  const auto before = live == nullptr ? std::nullopt : live->consumer;
  const bool had_members = live != nullptr && live->consumer && !live->members.empty();
  RC_ASSERT(!had_members);
  bench.restart();
  const Group* replayed = bench.group("g");
  const bool has_consumers = replayed != nullptr && replayed->consumer.has_value();
  RC_ASSERT(has_consumers == before.has_value());
  if (before) RC_ASSERT(*replayed->consumer == *before);
}

}  // namespace
}  // namespace broker::group

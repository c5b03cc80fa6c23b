#include "broker/replica/leadership.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace broker {
namespace {

using namespace std::chrono_literals;
using base::BrokerEpoch;
using base::BrokerId;
using base::LeaderEpoch;
using base::Offset;
using Taken = Leadership::Taken;

std::vector<BrokerId> brokers(std::initializer_list<int> ids) {
  std::vector<BrokerId> out;
  for (const int id : ids) out.emplace_back(id);
  return out;
}

std::shared_ptr<const LiveBrokers> live(std::initializer_list<int> ids) {
  auto out = std::make_shared<LiveBrokers>();
  for (const int id : ids) out->emplace(BrokerId(id), BrokerEpoch(id * 10));
  return out;
}

// Broker 1 leads in epoch 5 a log that ends at 100, of which all counts; the watermark is at 100.
struct Leading {
  base::Instant now{1h};
  Leadership core;

  explicit Leading(std::initializer_list<int> isr, std::int32_t min_in_sync = 1,
                   std::int64_t high_watermark = 100)
      : core({.self = BrokerId(1), .lag_max = 30s, .min_in_sync = min_in_sync},
             {.leader_epoch = LeaderEpoch(5),
              .partition_epoch = 7,
              .replicas = brokers({1, 2, 3}),
              .isr = brokers(isr)},
             live({1, 2, 3}), Offset(100), Offset(high_watermark), now) {
    core.on_log(Offset(100), Offset(100));
  }
  Taken fetch(int id, std::int64_t offset, std::int64_t epoch = 0) {
    return core.on_fetch({.id = BrokerId(id),
                          .epoch = BrokerEpoch(epoch == 0 ? id * 10 : epoch),
                          .offset = Offset(offset)},
                         now);
  }
  void append(std::int64_t end) { core.on_log(Offset(end), Offset(end)); }
  void pass(base::Duration time) { core.on_time(now += time); }
  std::int64_t watermark() const { return core.high_watermark().value(); }
  std::vector<int> proposed() {
    std::vector<int> ids;
    if (const auto proposal = core.propose()) {
      for (const auto& member : proposal->isr) ids.push_back(member.id.value());
    }
    return ids;
  }
  void metadata(std::int32_t partition_epoch, std::initializer_list<int> isr) {
    core.on_metadata({.leader_epoch = LeaderEpoch(5),
                      .partition_epoch = partition_epoch,
                      .replicas = brokers({1, 2, 3}),
                      .isr = brokers(isr)});
  }
};

using Ids = std::vector<int>;

// Goal: the watermark is the least of what all in sync hold. Method: one after the other fetches.
TEST(Leadership, WatermarkIsTheLeastOfTheInSync) {
  Leading leading({1, 2, 3});
  leading.append(200);
  EXPECT_EQ(leading.watermark(), 100);
  leading.fetch(2, 200);
  EXPECT_EQ(leading.watermark(), 100) << "3 has not been heard of";
  leading.fetch(3, 150);
  EXPECT_EQ(leading.watermark(), 150);
  leading.fetch(3, 200);
  EXPECT_EQ(leading.watermark(), 200);
}

// Goal: what is not durable here does not count. Method: the log ends behind what is our own.
TEST(Leadership, OwnEndBoundsTheWatermark) {
  Leading leading({1, 2});
  leading.core.on_log(Offset(200), Offset(120));
  leading.fetch(2, 200);
  EXPECT_EQ(leading.watermark(), 120);
  leading.append(200);
  EXPECT_EQ(leading.watermark(), 200);
}

// Goal: too few in sync acknowledge nothing. Method: min.insync.replicas 2, ISR of 1, then of 2.
TEST(Leadership, StandsStillBelowMinInSync) {
  Leading leading({1}, 2);
  leading.append(200);
  EXPECT_FALSE(leading.core.has_enough_in_sync());
  EXPECT_EQ(leading.watermark(), 100);
  leading.fetch(2, 200);
  EXPECT_EQ(leading.watermark(), 100) << "2 holds it, but is not in the ISR";
  leading.metadata(8, {1, 2});
  EXPECT_TRUE(leading.core.has_enough_in_sync());
  EXPECT_EQ(leading.watermark(), 200);
  leading.core.on_min_in_sync(3);
  leading.append(300);
  leading.fetch(2, 300);
  EXPECT_EQ(leading.watermark(), 200);
  leading.core.on_min_in_sync(1);
  EXPECT_EQ(leading.watermark(), 300);
}

// Goal: a minimum above the number of replicas asks for all of them, not for the impossible.
TEST(Leadership, MinInSyncIsNoMoreThanTheReplicas) {
  const Leading leading({1, 2, 3}, 7);
  EXPECT_TRUE(leading.core.has_enough_in_sync());
}

// Goal: who has caught up to the watermark and this epoch's start is proposed, with its epoch; one
// change at a time. Method: 2 comes nearer; 3 comes while the change is under way.
TEST(Leadership, ProposesWhoHasCaughtUp) {
  Leading leading({1});
  leading.append(200);
  EXPECT_EQ(leading.watermark(), 200);
  leading.fetch(2, 150);
  EXPECT_EQ(leading.proposed(), Ids());
  leading.fetch(2, 200);
  ASSERT_TRUE(leading.core.wants_change());
  const auto asked = leading.core.propose();
  ASSERT_TRUE(asked);
  EXPECT_EQ(
      *asked,
      (IsrProposal{
          LeaderEpoch(5), 7, {{BrokerId(1), BrokerEpoch(10)}, {BrokerId(2), BrokerEpoch(20)}}}));
  leading.fetch(3, 200);
  EXPECT_EQ(leading.proposed(), Ids()) << "one change at a time";
  leading.core.on_answer(
      *asked, {.kind = IsrAnswer::Kind::kDone, .partition_epoch = 8, .isr = brokers({1, 2})});
  EXPECT_EQ(leading.proposed(), (Ids{1, 2, 3}));
}

// Goal: a log that agrees but ends before this leader's first record does not make a member.
TEST(Leadership, MembersHoldTheStartOfTheEpoch) {
  Leading leading({1, 3}, 1, 50);
  leading.fetch(2, 60);
  leading.fetch(3, 60);
  EXPECT_EQ(leading.watermark(), 60);
  EXPECT_EQ(leading.proposed(), Ids()) << "epoch 5 starts at 100";
  leading.fetch(2, 100);
  EXPECT_EQ(leading.proposed(), (Ids{1, 3, 2}));
}

// Goal: proposed members count for the watermark before the controller has answered, for it may
// have said yes; and after it lost the answer. Method: 2 is proposed and then lags.
TEST(Leadership, CountsTheMaximalIsr) {
  Leading leading({1});
  leading.fetch(2, 100);
  const auto asked = leading.core.propose();
  ASSERT_TRUE(asked);
  leading.append(200);
  EXPECT_EQ(leading.watermark(), 100);
  leading.core.on_answer(*asked, {.kind = IsrAnswer::Kind::kUnknown});
  leading.pass(31s);
  EXPECT_EQ(leading.watermark(), 100);
  EXPECT_EQ(leading.core.propose(), asked) << "the same is asked again";
  leading.core.on_answer(*asked, {.kind = IsrAnswer::Kind::kOutdated});
  EXPECT_EQ(leading.watermark(), 100) << "the controller may have done it";
  leading.metadata(8, {1});
  EXPECT_EQ(leading.watermark(), 200);
}

// Goal: a shrink counts only once it is committed. Method: 2 lags, is proposed to leave.
TEST(Leadership, ShrinksOnlyWhenCommitted) {
  Leading leading({1, 2});
  leading.fetch(2, 100);
  leading.append(200);
  leading.pass(29s);
  EXPECT_FALSE(leading.core.wants_change());
  leading.pass(2s);
  const auto asked = leading.core.propose();
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->isr.size(), 1U);
  EXPECT_EQ(leading.watermark(), 100) << "not yet";
  leading.core.on_answer(
      *asked, {.kind = IsrAnswer::Kind::kDone, .partition_epoch = 8, .isr = brokers({1})});
  EXPECT_EQ(leading.watermark(), 200);
}

// Goal: who takes all there was at its last fetch keeps up, however much comes meanwhile.
TEST(Leadership, KeepingUpUnderLoadIsEnough) {
  Leading leading({1, 2});
  std::int64_t end = 100;
  for (int i = 0; i < 100; ++i) {
    leading.fetch(2, end);
    leading.append(end += 10);
    leading.pass(1s);
    leading.fetch(2, end - 5);  // behind now, but beyond what there was a second ago
    EXPECT_FALSE(leading.core.wants_change());
  }
}

// Goal: a silent follower that holds everything stays; it is the controller's to find it dead.
TEST(Leadership, WhoHoldsAllIsInSync) {
  Leading leading({1, 2});
  leading.fetch(2, 100);
  leading.pass(10min);
  EXPECT_FALSE(leading.core.wants_change());
}

// Goal: after an election the in-sync get their time to show up, and the watermark waits for them.
TEST(Leadership, NewLeaderWaitsForTheInSync) {
  Leading leading({1, 2}, 1, 40);
  EXPECT_EQ(leading.watermark(), 40);
  leading.pass(29s);
  EXPECT_FALSE(leading.core.wants_change());
  leading.pass(2s);
  EXPECT_EQ(leading.proposed(), (Ids{1}));
}

// Goal: fenced and shutting-down brokers are not proposed, nor one that is registered anew.
TEST(Leadership, ProposesOnlyTheLive) {
  Leading leading({1});
  leading.core.on_live(live({1, 3}));
  leading.fetch(2, 100);
  EXPECT_EQ(leading.proposed(), Ids());
  leading.core.on_live(live({1, 2, 3}));
  EXPECT_TRUE(leading.core.wants_change());
  EXPECT_EQ(leading.fetch(2, 100, 21), Taken::kTaken) << "a registration we have yet to hear of";
  EXPECT_EQ(leading.proposed(), Ids());
}

// Goal: a late fetch of an earlier life of a broker says nothing about its disk of today.
TEST(Leadership, IgnoresStaleBrokerEpochs) {
  Leading leading({1, 2});
  leading.append(200);
  EXPECT_EQ(leading.fetch(2, 200, 19), Taken::kStale);
  EXPECT_EQ(leading.watermark(), 100);
  EXPECT_EQ(leading.fetch(2, 150, 25), Taken::kTaken);
  EXPECT_EQ(leading.fetch(2, 200, 20), Taken::kStale) << "a later one was seen";
  EXPECT_EQ(leading.watermark(), 150);
  EXPECT_EQ(leading.fetch(4, 200), Taken::kNotReplica);
}

// Goal: who is about to join holds the watermark back, or it would never get in under load; but
// not for ever. Method: 2 has caught up, then falls silent.
TEST(Leadership, WaitsForWhoIsAboutToJoin) {
  Leading leading({1, 3});
  leading.fetch(3, 100);
  leading.fetch(2, 100);
  leading.append(200);
  leading.fetch(3, 200);
  EXPECT_EQ(leading.watermark(), 100);
  leading.pass(31s);
  EXPECT_EQ(leading.watermark(), 200);
}

// Goal: a refused change is not asked for without pause.
TEST(Leadership, PausesAfterARefusal) {
  Leading leading({1});
  leading.fetch(2, 100);
  const auto asked = leading.core.propose();
  ASSERT_TRUE(asked);
  leading.core.on_answer(*asked, {.kind = IsrAnswer::Kind::kRefused});
  leading.fetch(2, 100);
  EXPECT_FALSE(leading.core.wants_change());
  leading.pass(600ms);
  EXPECT_TRUE(leading.core.wants_change());
}

// Goal: a proposal whose answer was lost and whose second copy was refused may still be taken: its
// members count until that cannot be any more.
TEST(Leadership, CountsWhoMayYetBecomeAMember) {
  Leading leading({1});
  leading.fetch(2, 100);
  const auto asked = leading.core.propose();
  ASSERT_TRUE(asked);
  leading.core.on_answer(*asked, {.kind = IsrAnswer::Kind::kUnknown});
  EXPECT_EQ(leading.core.propose(), asked);
  leading.core.on_live(live({1, 3}));
  leading.core.on_answer(*asked, {.kind = IsrAnswer::Kind::kRefused});
  leading.append(200);
  EXPECT_EQ(leading.watermark(), 100);
  leading.pass(31s);
  EXPECT_EQ(leading.watermark(), 200);
}

// Goal: metadata that is older than what is known, and answers to what is not under way, change
// nothing.
TEST(Leadership, OldNewsChangesNothing) {
  Leading leading({1, 2, 3});
  leading.metadata(6, {1});
  EXPECT_EQ(leading.core.set().isr.size(), 3U);
  leading.core.on_answer(
      {LeaderEpoch(5), 6, {}},
      {.kind = IsrAnswer::Kind::kDone, .partition_epoch = 9, .isr = brokers({1})});
  EXPECT_EQ(leading.core.set().isr.size(), 3U);
}

// A leader under random events, and a controller that remembers what it committed and answers late,
// wrongly or not at all.
class RandomLife {
 public:
  void step() {
    const std::int64_t before = leading_.watermark();
    event(*rc::gen::inRange(0, 7));
    leading_.core.check_invariants();
    RC_ASSERT(leading_.watermark() >= before);
    const auto maximal = leading_.core.maximal_isr();
    for (const BrokerId id : committed_) {
      RC_ASSERT(std::ranges::find(maximal, id) != maximal.end());
    }
    if (leading_.watermark() == before) return;
    for (const BrokerId id : maximal) {
      if (id != BrokerId(1)) RC_ASSERT(leading_.watermark() <= held_[id.value()]);
    }
  }

 private:
  void event(int what) {
    switch (what) {
      case 0: {
        end_ += *rc::gen::inRange(1, 20);
        const auto own = *rc::gen::inRange<std::int64_t>(leading_.watermark(), end_ + 1);
        return leading_.core.on_log(Offset(end_), Offset(own));
      }
      case 1:
      case 2:
        return fetch(*rc::gen::inRange(2, 4));
      case 3:
        return leading_.pass(std::chrono::seconds(*rc::gen::inRange(0, 20)));
      case 4: {
        const bool was_under_way = leading_.core.under_way().has_value() && asked_.has_value();
        const auto proposal = leading_.core.propose();
        if (was_under_way) RC_ASSERT(!proposal || proposal == asked_);
        if (proposal) asked_ = proposal;
        return;
      }
      case 5:
        return answer();
      default:
        return leading_.core.on_metadata(
            {LeaderEpoch(5), committed_epoch_, brokers({1, 2, 3}), committed_});
    }
  }

  void fetch(int id) {
    if (*rc::gen::inRange(0, 10) == 0)
      return RC_ASSERT(leading_.fetch(id, end_, 3) == Taken::kStale);
    held_[id] = *rc::gen::inRange<std::int64_t>(held_[id], end_ + 1);
    RC_ASSERT(leading_.fetch(id, held_[id]) == Taken::kTaken);
  }

  void answer() {
    if (!asked_) return;
    const bool fits = asked_->partition_epoch == committed_epoch_;
    if (fits && *rc::gen::arbitrary<bool>()) {
      ++committed_epoch_;
      committed_.clear();
      for (const auto& member : asked_->isr) committed_.push_back(member.id);
    }
    const bool done = asked_->partition_epoch < committed_epoch_;
    IsrAnswer answer{.kind = done && fits ? IsrAnswer::Kind::kDone
                             : done       ? IsrAnswer::Kind::kOutdated
                                          : IsrAnswer::Kind::kRefused,
                     .partition_epoch = committed_epoch_,
                     .isr = committed_};
    if (*rc::gen::inRange(0, 3) == 0) answer.kind = IsrAnswer::Kind::kUnknown;
    leading_.core.on_answer(*asked_, answer);
    if (answer.kind == IsrAnswer::Kind::kRefused) asked_.reset();
  }

  Leading leading_{{1, 2, 3}, *rc::gen::inRange(1, 4)};
  std::int64_t end_ = 100;
  std::map<int, std::int64_t> held_{{2, 0}, {3, 0}};
  std::int32_t committed_epoch_ = 7;
  std::vector<BrokerId> committed_ = brokers({1, 2, 3});
  std::optional<IsrProposal> asked_;
};

// Goal: whatever happens in whatever order, the watermark never falls, never passes a member of the
// maximal ISR while it rises, what the controller has is always part of that, and one change is
// under way at most. Method: random lives.
RC_GTEST_PROP(Leadership, KeepsItsInvariants, ()) {
  RandomLife life;
  for (int step = *rc::gen::inRange(1, 120); step > 0; --step) life.step();
}

}  // namespace
}  // namespace broker

#include "broker/producer/txn_guards.h"

#include <gtest/gtest.h>

namespace broker {
namespace {

constexpr base::ProducerId kProducer{7};

// Goal: after a marker nothing that was asked before it counts, and what is asked anew does.
// Method: two requests hold guards of a producer, the marker of its last transaction comes, one of
// them asks anew.
TEST(TxnGuards, AMarkerBreaksOnlyWhatWasTakenBefore) {
  TxnGuards guards;
  const TxnGuard first = guards.take(kProducer);
  const TxnGuard second = guards.take(kProducer);
  EXPECT_TRUE(guards.is_whole(kProducer, first));
  guards.break_all(kProducer);
  EXPECT_FALSE(guards.is_whole(kProducer, first));
  EXPECT_TRUE(guards.is_held(kProducer));  // they still ask

  guards.renew(kProducer, first);
  EXPECT_TRUE(guards.is_whole(kProducer, first));
  EXPECT_FALSE(guards.is_whole(kProducer, second));
  guards.give_back(kProducer, second);
  EXPECT_TRUE(guards.is_whole(kProducer, first));
  guards.give_back(kProducer, first);
  EXPECT_FALSE(guards.is_held(kProducer));
  guards.renew(kProducer, first);  // given back: no more
  EXPECT_FALSE(guards.is_held(kProducer));
}

// Goal: requests keep their order though a marker breaks the guard of the first: one that came
// later, with a whole guard, is not first. Method: as a producer does that sends on while the
// transaction before is being completed.
TEST(TxnGuards, ABrokenGuardKeepsItsPlace) {
  TxnGuards guards;
  const TxnGuard first = guards.take(kProducer);
  guards.break_all(kProducer);
  const TxnGuard second = guards.take(kProducer);
  EXPECT_TRUE(guards.is_whole(kProducer, second));
  EXPECT_EQ(guards.first(kProducer), first);
  guards.renew(kProducer, first);
  EXPECT_EQ(guards.first(kProducer), first);
  guards.give_back(kProducer, first);
  EXPECT_EQ(guards.first(kProducer), second);
}

// Goal: a marker of one producer is nothing to another; a change of leadership is to all.
TEST(TxnGuards, EachProducerHasItsOwn) {
  TxnGuards guards;
  const TxnGuard mine = guards.take(kProducer);
  const TxnGuard other = guards.take(base::ProducerId{8});
  guards.break_all(kProducer);
  EXPECT_FALSE(guards.is_whole(kProducer, mine));
  EXPECT_TRUE(guards.is_whole(base::ProducerId{8}, other));
  guards.break_everything();
  EXPECT_FALSE(guards.is_whole(base::ProducerId{8}, other));
}

}  // namespace
}  // namespace broker

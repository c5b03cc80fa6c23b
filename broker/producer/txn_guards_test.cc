#include "broker/producer/txn_guards.h"

#include <gtest/gtest.h>

namespace broker {
namespace {

constexpr base::ProducerId kProducer{7};

// Goal: after a marker nothing that was asked before it counts, and what is asked anew does.
// Method: two requests hold the guard of a producer, the marker of its last transaction comes, one
// of them gives back and takes again.
TEST(TxnGuards, AMarkerBreaksOnlyWhatWasTakenBefore) {
  TxnGuards guards;
  const TxnGuard first = guards.take(kProducer);
  const TxnGuard second = guards.take(kProducer);
  EXPECT_TRUE(guards.is_whole(kProducer, first));
  guards.break_all(kProducer);
  EXPECT_FALSE(guards.is_whole(kProducer, first));
  EXPECT_FALSE(guards.is_held(kProducer));

  guards.give_back(kProducer, first);
  const TxnGuard anew = guards.take(kProducer);
  EXPECT_TRUE(guards.is_whole(kProducer, anew));
  EXPECT_FALSE(guards.is_whole(kProducer, second));
  guards.give_back(kProducer, second);  // a broken one: takes nothing from the new one
  EXPECT_TRUE(guards.is_whole(kProducer, anew));
  guards.give_back(kProducer, anew);
  EXPECT_FALSE(guards.is_held(kProducer));
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

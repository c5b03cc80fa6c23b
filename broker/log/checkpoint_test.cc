// Checkpoints of many logs at once: what bounds how much recovery reads again.
#include <gtest/gtest.h>

#include "broker/log/recovery_debt.h"
#include "broker/log/test_log.h"
#include "broker/log/upkeep.h"

namespace broker {
namespace {

class CheckpointTest : public LogTest {
 protected:
  // Flushed, so that the recovery point may be anywhere.
  void fill(int batches) {
    for (int i = 0; i < batches; ++i) append({{.records = 1, .value_bytes = 5000}});
    flush();
  }
  io::IoResult<void> run_together(const std::shared_ptr<Upkeep>& upkeep) {
    return Upkeep::run_together(disk, "data", {&upkeep, 1});
  }
};

// Goal: after a checkpoint, recovery reads only what came later, and the log is as before; without
// one it reads everything.
TEST_F(CheckpointTest, SparesRecoveryWhatItCovers) {
  open();
  fill(20);
  EXPECT_GT(open(hints()).scanned_bytes, 19u * 5000);
  const auto upkeep = log->take_checkpoint(1);
  ASSERT_TRUE(upkeep);
  ASSERT_TRUE(run_together(upkeep));
  EXPECT_FALSE(log->take_checkpoint(1)) << "nothing came since";
  fill(1);
  const auto last = hints();
  disk.crash();
  EXPECT_LT(open(last).scanned_bytes, 3u * 5100);
  EXPECT_EQ(log->end_offset().value(), 21);
  EXPECT_EQ(offsets_of(read(0, 1 << 20)).size(), 21u);
}

// Goal: a log with little behind its indexes is left alone, and so is one that has an upkeep
// running already or takes no more writes.
TEST_F(CheckpointTest, IsMadeOnlyWhereItIsWorthIt) {
  open();
  fill(2);
  EXPECT_FALSE(log->take_checkpoint(1 << 20));
  const auto running = log->take_checkpoint(1);
  ASSERT_TRUE(running);
  fill(2);
  EXPECT_FALSE(log->take_checkpoint(1)) << "the first is under way";
  running->finish();
  ASSERT_TRUE(log->close());
  EXPECT_FALSE(log->take_checkpoint(1));
}

// Goal: a full disk skips the checkpoint and nothing else; the next one is made. A sync that fails
// is told.
TEST_F(CheckpointTest, MeetsFullAndFailingDisks) {
  open();
  fill(3);
  const auto first = log->take_checkpoint(1);
  disk.faults.capacity_bytes = 0;
  EXPECT_TRUE(run_together(first));
  EXPECT_EQ(first->state, Upkeep::State::kSkipped);
  disk.faults.capacity_bytes.reset();
  const auto second = log->take_checkpoint(1);
  ASSERT_TRUE(second);
  EXPECT_TRUE(run_together(second));
  EXPECT_EQ(second->state, Upkeep::State::kDone);
  fill(3);
  const auto third = log->take_checkpoint(1);
  ASSERT_TRUE(third);
  disk.faults.fail_sync = disk.syncs();
  EXPECT_FALSE(run_together(third));
  EXPECT_EQ(third->state, Upkeep::State::kSkipped);
}

// Goal: the limit is told once, by the append that reaches it, until the debt is paid.
TEST(RecoveryDebt, TellsOnceThatItIsDue) {
  RecoveryDebt debt(100);
  int told = 0;
  debt.on_limit([&] { ++told; });
  debt.add(60);
  EXPECT_EQ(told, 0);
  debt.add(60);
  debt.add(60);
  EXPECT_EQ(told, 1);
  debt.pay();
  EXPECT_EQ(debt.bytes(), 0u);
  debt.add(100);
  EXPECT_EQ(told, 2);
  debt.on_limit({});
  debt.pay();
  debt.add(100);
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace broker

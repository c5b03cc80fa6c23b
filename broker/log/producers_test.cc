#include "broker/log/test_log.h"

namespace broker {
namespace {

// Goal: after a restart every batch that a producer may still retry is recognised, though a
// snapshot keeps only the last one. Method: a producer writes batches over small segments, so that
// snapshots lie between them; the log ends cleanly, and by a crash; each of the last five is
// offered again.
TEST_F(LogTest, RestartsRecogniseTheLastFiveBatches) {
  config.segment_bytes = 300;
  for (const bool clean : {true, false}) {
    open();
    for (std::int32_t i = 0; i < 9; ++i) {
      append({{.records = 2, .producer_id = 7, .sequence = 2 * i},
              {.producer_id = 8 + i, .sequence = 0}});
    }
    flush();
    OpenHints next = hints();
    next.clean_shutdown = clean;
    if (clean) {
      ASSERT_TRUE(log->close());
    }
    open(next);
    const ProducerEntry* entry = log->producers().find(base::ProducerId(7));
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->batches().size(), 5u);
    for (std::int32_t i = 4; i < 9; ++i) {
      const base::Bytes again = make_batch({.records = 2, .producer_id = 7, .sequence = 2 * i});
      const auto verdict =
          log->producers().check(*record::BatchView::parse(again), AppendOrigin::kClient);
      EXPECT_EQ(verdict.kind, ProducerVerdict::Kind::kDuplicate) << "sequence " << 2 * i;
      EXPECT_EQ(verdict.duplicate.first_offset(), base::Offset(3 * i));
    }
    log.reset();
    ASSERT_TRUE(disk.remove_all(directory));
    make_directory();
  }
}

}  // namespace
}  // namespace broker

#include "broker/log/test_log.h"

namespace broker {
namespace {

using Offsets = std::vector<std::int64_t>;

class RetentionTest : public LogTest {
 protected:
  // One batch a segment, timestamps 1000, 2000, ...
  void fill(int count) {
    config.segment_bytes = make_batch({.value_bytes = 100}).size();
    open();
    for (int i = 1; i <= count; ++i)
      append({{.value_bytes = 100, .timestamp = i * 1000}}, i * 1000);
    flush();
  }
  // What the node does.
  Removal retain(base::WallMs now, std::int64_t upper_bound) {
    const base::Offset start = log->retention_start(now, base::Offset(upper_bound));
    EXPECT_TRUE(log->advance_start(start));
    log->mark_start_durable(start);
    Removal removal = log->take_removals();
    EXPECT_TRUE(removal.rename_all(disk));
    return removal;
  }
  std::size_t count_of(std::string_view suffix) {
    std::size_t count = 0;
    for (const std::string& name : names()) count += name.ends_with(suffix) ? 1 : 0;
    return count;
  }
};

// Goal: segments go by their largest timestamp, oldest first, not the active one while others
// stay, not above the bound. Method: moments around the bound of each.
TEST_F(RetentionTest, ByTime) {
  config.retention_ms = 5000;
  fill(4);
  EXPECT_EQ(log->retention_start(6000, base::Offset(4)), base::Offset(0));
  EXPECT_EQ(log->retention_start(6001, base::Offset(4)), base::Offset(1));
  EXPECT_EQ(log->retention_start(8001, base::Offset(4)), base::Offset(3));
  EXPECT_EQ(log->retention_start(8001, base::Offset(2)), base::Offset(2));
  retain(8001, 4);
  EXPECT_EQ(log->start_offset(), base::Offset(3));
  EXPECT_EQ(log->segment_count(), 1u);
  EXPECT_EQ(count_of(".log"), 1u);
  EXPECT_EQ(count_of(".log.deleted"), 3u);
}

// Goal: when all goes, a new segment is opened first and offsets go on, through a crash too.
// Method: everything too old; then append, and the same with a crash instead.
TEST_F(RetentionTest, EverythingRollsFirst) {
  config.retention_ms = 5000;
  fill(3);
  const Removal removal = retain(100'000, 3);
  EXPECT_EQ(log->start_offset(), base::Offset(3));
  EXPECT_EQ(log->end_offset(), base::Offset(3));
  EXPECT_EQ(count_of(".log"), 0u);
  ASSERT_TRUE(removal.remove_all(disk));
  EXPECT_EQ(count_of(".deleted"), 0u);
  open({.recovery_point = base::Offset(3), .log_start = base::Offset(3)});
  EXPECT_EQ(append({{.value_bytes = 100}}).first, base::Offset(3));
  EXPECT_EQ(offsets_of(read(3)), (Offsets{3}));
}

// Goal: the oldest go while what stays is not below retention.bytes. Method: sizes around one
// segment.
TEST_F(RetentionTest, BySize) {
  config.retention_ms = -1;
  fill(4);
  const auto one = static_cast<std::int64_t>(log->size_bytes() / 4);
  LogConfig next = config;
  next.retention_bytes = 3 * one + 1;
  log->set_config(next);
  EXPECT_EQ(log->retention_start(0, base::Offset(4)), base::Offset(0));
  next.retention_bytes = 3 * one;
  log->set_config(next);
  EXPECT_EQ(log->retention_start(0, base::Offset(4)), base::Offset(1));
  next.retention_bytes = 0;
  log->set_config(next);
  EXPECT_EQ(log->retention_start(0, base::Offset(3)), base::Offset(3));
  next.deletes = false;
  log->set_config(next);
  EXPECT_EQ(log->retention_start(0, base::Offset(3)), base::Offset(0));
}

// Goal: timestamps in the future hold a segment for ever; none at all count from when the process
// saw the segment. Method: as it says.
TEST_F(RetentionTest, OddTimestamps) {
  config.retention_ms = 5000;
  config.segment_bytes = make_batch({}).size();
  open({.now = 0});
  append({{.timestamp = -1}}, 100);
  append({{.timestamp = 1'000'000}}, 100);
  append({{.timestamp = 1}}, 100);
  EXPECT_EQ(log->retention_start(5000, base::Offset(3)), base::Offset(0));
  EXPECT_EQ(log->retention_start(6000, base::Offset(3)), base::Offset(1));
  EXPECT_EQ(log->retention_start(1'000'000, base::Offset(3)), base::Offset(1));
}

// Goal: the largest timestamp of a cold segment comes from its file. Method: reopen cleanly.
TEST_F(RetentionTest, ByTimeAfterARestart) {
  config.retention_ms = 5000;
  fill(4);
  ASSERT_TRUE(log->close());
  open({.recovery_point = base::Offset(4), .clean_shutdown = true, .now = 50'000});
  EXPECT_EQ(log->retention_start(7001, base::Offset(4)), base::Offset(2));
}

// Goal: DeleteRecords moves the start at once; a segment goes only when all of it is below a
// durable start; slices taken before stay good. Method: hold a slice over a removal.
TEST_F(RetentionTest, DeleteRecords) {
  fill(4);
  const LogSlice held = read(0);
  ASSERT_TRUE(log->advance_start(base::Offset(2)));
  EXPECT_EQ(log->start_offset(), base::Offset(2));
  EXPECT_EQ(log->read({.from = base::Offset(1), .upper_bound = base::Offset(4)}).error().code,
            ERANGE);
  EXPECT_TRUE(log->take_removals().empty());
  log->mark_start_durable(base::Offset(2));
  const Removal removal = log->take_removals();
  ASSERT_TRUE(removal.rename_all(disk));
  ASSERT_TRUE(removal.remove_all(disk));
  EXPECT_EQ(log->segment_count(), 2u);
  EXPECT_EQ(offsets_of(held), (Offsets{0}));
  EXPECT_EQ(log->advance_start(base::Offset(9)).error().code, ERANGE);
  ASSERT_TRUE(log->advance_start(base::Offset(1)));
  EXPECT_EQ(log->start_offset(), base::Offset(2));
  // The start offset stands in a checkpoint; without it the first file tells.
  open({.recovery_point = base::Offset(4)});
  EXPECT_EQ(log->start_offset(), base::Offset(2));
}

}  // namespace
}  // namespace broker

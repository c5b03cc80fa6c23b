#include "broker/log/log.h"
#include "broker/log/test_log.h"

namespace broker {
namespace {

// Goal: aborted transactions are found by range, before and after sealing and reopening. Method:
// two producers over several segments, one aborts.
TEST_F(LogTest, FindsAbortedTransactions) {
  config.segment_bytes = 400;
  open();
  append({{.value_bytes = 50, .producer_id = 1, .sequence = 0, .transactional = true}});  // 0
  append({{.value_bytes = 50, .producer_id = 2, .sequence = 0, .transactional = true}});  // 1
  append({{.value_bytes = 50}});                                                          // 2
  append_marker(1, false);                                                                // 3
  append({{.value_bytes = 50}, {.value_bytes = 50}});                                     // 4, 5
  append_marker(2, true);                                                                 // 6
  append({{.value_bytes = 50, .producer_id = 2, .sequence = 1, .transactional = true}});  // 7
  append_marker(2, false);                                                                // 8
  ASSERT_GT(log->segment_count(), 2u);
  const auto check = [&] {
    const auto all = log->aborted_transactions(base::Offset(0), base::Offset(9));
    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), 2u);
    EXPECT_EQ((*all)[0].producer_id, base::ProducerId(1));
    EXPECT_EQ((*all)[0].first_offset, base::Offset(0));
    EXPECT_EQ((*all)[0].last_offset, base::Offset(3));
    EXPECT_EQ((*all)[1].first_offset, base::Offset(7));
    EXPECT_EQ(log->aborted_transactions(base::Offset(4), base::Offset(7))->size(), 0u);
    EXPECT_EQ(log->aborted_transactions(base::Offset(2), base::Offset(3))->size(), 1u);
  };
  check();
  flush();
  flush();
  check();
  open(hints());
  check();
  OpenHints from_scratch;
  open(from_scratch);
  check();
  flush();
  ASSERT_TRUE(log->close());
  OpenHints clean = hints();
  clean.clean_shutdown = true;
  open(clean);
  check();
}

}  // namespace
}  // namespace broker

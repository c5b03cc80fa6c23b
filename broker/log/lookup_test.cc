#include "broker/log/test_log.h"

namespace broker {
namespace {

class LookupTest : public LogTest {
 protected:
  std::optional<TimestampedOffset> find(base::WallMs timestamp) {
    auto found = log->prepare_lookup(timestamp, log->end_offset()).run();
    EXPECT_TRUE(found) << found.error().what;
    return found.value_or(std::nullopt);
  }
};

// Goal: the first record at or above a time is found with its own time and epoch, in every codec,
// in active and cold segments. Method: many batches with times that go up and down, against a
// linear search, before and after a restart.
TEST_F(LookupTest, AgreesWithALinearSearch) {
  config.segment_bytes = 3000;
  config.index_interval_bytes = 200;
  leader_epoch = base::LeaderEpoch(4);
  open();
  std::vector<std::pair<base::WallMs, std::int64_t>> all;
  base::Random random(5);
  for (int i = 0; i < 120; ++i) {
    const BatchSpec spec{.records = static_cast<int>(random.between(1, 5)),
                         .value_bytes = 60,
                         .timestamp = i * 10 + random.between(-50, 50),
                         .codec = static_cast<record::Codec>(random.below(5))};
    const auto result = append({spec});
    for (int k = 0; k < spec.records; ++k)
      all.emplace_back(spec.timestamp + k, result.first.value() + k);
  }
  const auto check = [&] {
    for (base::WallMs wanted = -60; wanted < 1300; wanted += 3) {
      const auto due =
          std::ranges::find_if(all, [&](const auto& one) { return one.first >= wanted; });
      const auto found = find(wanted);
      ASSERT_EQ(found.has_value(), due != all.end()) << wanted;
      if (!found) continue;
      EXPECT_EQ(found->offset, base::Offset(due->second)) << wanted;
      EXPECT_EQ(found->timestamp, due->first);
      EXPECT_EQ(found->leader_epoch, base::LeaderEpoch(4));
    }
    const auto largest =
        std::ranges::max_element(all, {}, [](const auto& one) { return one.first; });
    const auto found = log->prepare_max_timestamp(log->end_offset()).run();
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->timestamp, largest->first);
    EXPECT_EQ((*found)->offset, base::Offset(largest->second));
  };
  check();
  flush();
  flush();
  check();
  ASSERT_TRUE(log->close());
  OpenHints clean = hints();
  clean.clean_shutdown = true;
  open(clean);
  check();
}

// Goal: a search keeps to [start, bound), and one made before an append does not see it. Method:
// bounds around one record.
TEST_F(LookupTest, KeepsToItsBounds) {
  open();
  append({{.timestamp = 100}, {.timestamp = 200}, {.timestamp = 300}});
  EXPECT_FALSE(*log->prepare_lookup(250, base::Offset(2)).run());
  EXPECT_EQ((*log->prepare_max_timestamp(base::Offset(2)).run())->timestamp, 200);
  ASSERT_TRUE(log->advance_start(base::Offset(1)));
  EXPECT_EQ(find(0)->offset, base::Offset(1));
  const OffsetLookup before = log->prepare_lookup(350, base::Offset(99));
  append({{.timestamp = 400}});
  EXPECT_FALSE(*before.run());
  EXPECT_EQ(find(350)->offset, base::Offset(3));
}

// Goal: with LogAppendTime every record has the batch's time. Method: one stamped batch.
TEST_F(LookupTest, LogAppendTime) {
  open();
  base::Bytes batch = make_batch({.records = 3, .timestamp = 10});
  record::set_max_timestamp(batch, record::TimestampType::kLogAppendTime, 5000);
  const base::MutableBytes view(batch);
  ASSERT_TRUE(log->append({&view, 1}, leader_epoch, 5000));
  EXPECT_EQ(find(4000), (TimestampedOffset{base::Offset(0), 5000, base::LeaderEpoch(0)}));
}

// Goal: reads of cold data say what to bring in instead of waiting, and then work. Method: a disk
// that remembers nothing over a restart.
TEST_F(LookupTest, ColdReadsDoNotWait) {
  config.segment_bytes = 2000;
  config.index_interval_bytes = 100;
  open();
  for (int i = 0; i < 100; ++i) append({{.value_bytes = 50}});
  flush();
  ASSERT_TRUE(log->close());
  disk.crash();
  disk.faults.cold_reads = true;
  OpenHints clean = hints();
  clean.clean_shutdown = true;
  open(clean);
  ReadSpec spec{.from = base::Offset(5), .upper_bound = base::Offset(8), .bytes_max = 1 << 20};
  int fetched = 0;
  while (true) {
    const auto slice = log->read(spec);
    ASSERT_TRUE(slice) << slice.error().what;
    if (!slice->cold) {
      EXPECT_EQ(offsets_of(*slice), (std::vector<std::int64_t>{5, 6, 7}));
      break;
    }
    ASSERT_LT(++fetched, 4);
    slice->bytes.file->prefetch(slice->bytes.position, slice->bytes.length);
  }
  EXPECT_GT(fetched, 0);
  spec.may_block = true;
  EXPECT_FALSE(log->read(spec)->cold);
}

}  // namespace
}  // namespace broker

#include "broker/replica/divergence.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/record/batch_view.h"
#include "common/record/builder.h"

namespace broker {
namespace {

using base::LeaderEpoch;
using base::Offset;

base::Bytes batch(std::int64_t base_offset, int records, int leader_epoch) {
  record::BatchBuilder builder({});
  for (int i = 0; i < records; ++i) builder.add(1000, std::nullopt, base::as_bytes("value"));
  base::Bytes bytes = builder.build();
  record::set_base_offset(bytes, Offset(base_offset));
  record::set_leader_epoch(bytes, LeaderEpoch(leader_epoch));
  return bytes;
}

base::Bytes joined(const std::vector<base::Bytes>& batches) {
  base::Bytes all;
  for (const auto& each : batches) all.insert(all.end(), each.begin(), each.end());
  return all;
}

// A log that ends at 10, last written in epoch 3, whose leader leads in epoch 5.
std::expected<Accepted, std::string> accept(base::BytesView records) {
  return accept_batches(
      records, {.end = Offset(10), .leader_epoch = LeaderEpoch(5), .epoch_at = [](Offset at) {
                  return at < Offset(6) ? LeaderEpoch(1) : LeaderEpoch(3);
                }});
}
std::size_t accepted(base::BytesView records) {
  const auto batches = accept(records);
  EXPECT_TRUE(batches) << batches.error();
  return batches ? batches->batches.size() : 0;
}

// Goal: the cut is where both logs certainly agree, whatever the watermark says.
TEST(Divergence, CutsWhereBothAgree) {
  struct Case {
    const char* what;
    EpochEnd leader;
    std::optional<EpochEnd> ours;
    std::int64_t cut;
  };
  const Case cases[] = {
      {"the same epoch, longer here",
       {LeaderEpoch(4), Offset(60)},
       {{LeaderEpoch(4), Offset(80)}},
       60},
      {"the same epoch, shorter here",
       {LeaderEpoch(4), Offset(60)},
       {{LeaderEpoch(4), Offset(50)}},
       50},
      {"we know only a smaller epoch",
       {LeaderEpoch(4), Offset(60)},
       {{LeaderEpoch(2), Offset(30)}},
       30},
      {"all our epochs are smaller", {LeaderEpoch(4), Offset(60)}, std::nullopt, 60},
      {"beyond our end", {LeaderEpoch(4), Offset(600)}, std::nullopt, 100},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(cut_of(each.leader, each.ours, Offset(100), Offset(40)), Offset(each.cut))
        << each.what;
  }
}

// Goal: what continues the log is accepted, with gaps, up to a torn last batch.
TEST(Divergence, AcceptsWhatContinuesTheLog) {
  const auto first = batch(10, 2, 3), second = batch(15, 1, 5);
  const auto both = joined({first, second});
  EXPECT_EQ(accepted(both), 2U);
  EXPECT_EQ(accepted(base::BytesView(both).first(both.size() - 1)), 1U);
  EXPECT_EQ(accepted({}), 0U);
}

// Goal: what is held already comes again after a fetch from the durable end, and is passed over.
TEST(Divergence, PassesOverWhatIsHeld) {
  EXPECT_EQ(accepted(joined({batch(6, 2, 3), batch(8, 2, 3), batch(10, 1, 5)})), 1U);
}

// Goal: what is held from another leader than these records is found out, even if it is not durable
// and so lies behind what was asked for. Method: the epochs at 8 differ; one batch reaches over.
TEST(Divergence, FindsWhereHeldRecordsPart) {
  for (const int records : {2, 4}) {
    const auto parted = accept(joined({batch(6, 2, 3), batch(8, records, 4)}));
    ASSERT_TRUE(parted);
    EXPECT_EQ(parted->parted_at, Offset(8));
    EXPECT_EQ(parted->agreed, Offset(8));
    EXPECT_TRUE(parted->batches.empty());
  }
}

// Goal: records of a later epoch than the leader was asked in wait for the metadata (KAFKA-18723).
TEST(Divergence, StopsAtLaterEpochs) {
  EXPECT_EQ(accepted(joined({batch(10, 1, 5), batch(11, 1, 6), batch(12, 1, 5)})), 1U);
}

// Goal: what does not continue the log is refused, each for its reason.
TEST(Divergence, RefusesWhatDoesNotFit) {
  auto damaged = batch(10, 2, 5);
  damaged.back() ^= std::byte{1};
  auto old_magic = batch(10, 1, 5);
  old_magic[record::Layout::kMagic] = std::byte{1};
  auto backwards = batch(10, 1, 5);
  backwards[record::Layout::kLastOffsetDelta] = std::byte{0xff};
  const struct {
    const char* why;
    base::Bytes records;
  } cases[] = {
      {"below the end", batch(9, 2, 3)},
      {"below the end", joined({batch(10, 2, 5), batch(11, 1, 5)})},
      {"earlier leader epoch", batch(10, 1, 2)},
      {"earlier leader epoch", batch(10, 1, -1)},
      {"earlier leader epoch", joined({batch(10, 1, 5), batch(11, 1, 4)})},
      {"damaged", damaged},
      {"cannot be parsed", old_magic},
      {"ends before it begins", backwards},
  };
  for (const auto& each : cases) {
    const auto batches = accept(each.records);
    ASSERT_FALSE(batches) << each.why;
    EXPECT_NE(batches.error().find(each.why), std::string::npos) << batches.error();
  }
}

}  // namespace
}  // namespace broker

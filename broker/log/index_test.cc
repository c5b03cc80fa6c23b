// Golden bytes of the files beside the data, as Apache Kafka writes them.
#include "broker/log/epoch_cache.h"
#include "broker/log/offset_checkpoint.h"
#include "broker/log/partition_metadata.h"
#include "broker/log/partition_name.h"
#include "broker/log/recent_batches.h"
#include "broker/log/test_log.h"

namespace broker {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (char c : bytes) {
    constexpr std::string_view kHex = "0123456789abcdef";
    text += kHex[static_cast<unsigned char>(c) >> 4];
    text += kHex[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

// Goal: index files hold what Kafka would have written. Method: batches of 100 bytes with an
// interval of 150: an entry before each batch that comes more than that after the last one.
TEST_F(LogTest, IndexFilesAreKafkas) {
  config.index_interval_bytes = 150;
  open();
  const std::size_t empty = make_batch({.value_bytes = 0}).size();
  const std::size_t value = 100 - empty;
  for (int i = 0; i < 6; ++i) {
    append({{.value_bytes = value, .timestamp = i == 3 ? 0x500 : 0x400 + i}});
  }
  ASSERT_EQ(log->size_bytes(), 600u);
  flush();
  ASSERT_TRUE(log->close());
  // Batches stand at 0, 100, 200 (entry: last offset 2), 300, 400 (entry: 4), 500.
  EXPECT_EQ(hex(text("00000000000000000000.index")),
            "00000002000000c8"
            "0000000400000190");
  // The largest timestamp so far at each entry; the one at the end adds none.
  EXPECT_EQ(hex(text("00000000000000000000.timeindex")),
            "0000000000000402"
            "00000002"
            "0000000000000500"
            "00000003");
  EXPECT_EQ(text("leader-epoch-checkpoint"), "0\n1\n0 0\n");
  // Version 1, checksum, no producers.
  EXPECT_EQ(text("00000000000000000006.snapshot").size(), 10u);
  EXPECT_EQ(names(),
            (std::vector<std::string>{"00000000000000000000.index", "00000000000000000000.log",
                                      "00000000000000000000.timeindex",
                                      "00000000000000000006.snapshot", "leader-epoch-checkpoint"}));
}

// Goal: closing adds the largest timestamp to the time index. Method: one batch, no offset entry.
TEST_F(LogTest, ClosingWritesTheLargestTimestamp) {
  open();
  append({{.records = 2, .timestamp = 7}});
  ASSERT_TRUE(log->close());
  EXPECT_EQ(text("00000000000000000000.index"), "");
  EXPECT_EQ(hex(text("00000000000000000000.timeindex")),
            "0000000000000008"
            "00000001");
}

// Goal: the abort of a transaction stands in .txnindex as 34 bytes. Method: as it says.
TEST_F(LogTest, AbortedTransactionsAreKafkas) {
  open();
  append({{.producer_id = 5, .sequence = 0, .transactional = true}});
  append_marker(5, false);
  ASSERT_TRUE(log->close());
  EXPECT_EQ(hex(text("00000000000000000000.txnindex")),
            "0000"
            "0000000000000005"
            "0000000000000000"
            "0000000000000001"
            "0000000000000002");
}

TEST(EpochCache, RoundTripsAndRefusesNonsense) {
  // Goal: the text is Kafka's; what breaks the order is no cache. Method: good and bad texts.
  EpochCache cache;
  EXPECT_TRUE(cache.assign(base::LeaderEpoch(1), base::Offset(0)));
  EXPECT_FALSE(cache.assign(base::LeaderEpoch(1), base::Offset(5)));
  EXPECT_TRUE(cache.assign(base::LeaderEpoch(3), base::Offset(10)));
  EXPECT_EQ(cache.encode(), "0\n2\n1 0\n3 10\n");
  EXPECT_EQ(EpochCache::parse(cache.encode())->entries(), cache.entries());
  for (const char* bad : {"", "1\n0\n", "0\n", "0\n2\n1 0\n", "0\n1\n1 0\n2 5\n", "0\n1\nx 0\n",
                          "0\n2\n3 0\n1 10\n", "0\n2\n1 5\n2 5\n", "0\n1\n-1 0\n", "0\n1\n1\n"}) {
    EXPECT_FALSE(EpochCache::parse(bad)) << bad;
  }
}

TEST(EpochCache, AnswersWhereEpochsEnd) {
  // Goal: end offsets as OffsetForLeaderEpoch needs them. Method: every kind of question.
  EpochCache cache;
  const base::Offset end(100);
  EXPECT_FALSE(cache.end_offset_for(base::LeaderEpoch(0), end));
  cache.assign(base::LeaderEpoch(2), base::Offset(10));
  cache.assign(base::LeaderEpoch(5), base::Offset(20));
  using E = EpochStart;
  EXPECT_EQ(cache.end_offset_for(base::LeaderEpoch(1), end),
            (E{base::LeaderEpoch(1), base::Offset(10)}));
  EXPECT_EQ(cache.end_offset_for(base::LeaderEpoch(2), end),
            (E{base::LeaderEpoch(2), base::Offset(20)}));
  EXPECT_EQ(cache.end_offset_for(base::LeaderEpoch(4), end),
            (E{base::LeaderEpoch(2), base::Offset(20)}));
  EXPECT_EQ(cache.end_offset_for(base::LeaderEpoch(5), end), (E{base::LeaderEpoch(5), end}));
  EXPECT_FALSE(cache.end_offset_for(base::LeaderEpoch(6), end));
  EXPECT_FALSE(cache.epoch_at(base::Offset(9)));
  EXPECT_EQ(cache.epoch_at(base::Offset(19)), base::LeaderEpoch(2));
  EXPECT_EQ(cache.epoch_at(base::Offset(20)), base::LeaderEpoch(5));
}

TEST(EpochCache, Truncates) {
  // Goal: both ends go as Kafka cuts them. Method: cut in the middle of an epoch.
  EpochCache cache;
  for (int i = 0; i < 4; ++i) cache.assign(base::LeaderEpoch(i), base::Offset(i * 10));
  EXPECT_TRUE(cache.truncate_end(base::Offset(30)));
  EXPECT_TRUE(cache.truncate_start(base::Offset(15)));
  EXPECT_EQ(cache.encode(), "0\n2\n1 15\n2 20\n");
  EXPECT_FALSE(cache.truncate_start(base::Offset(15)));
  EXPECT_TRUE(cache.assign(base::LeaderEpoch(7), base::Offset(20)));
  EXPECT_EQ(cache.encode(), "0\n2\n1 15\n7 20\n");
}

TEST(PartitionName, ParsesDirectoryNames) {
  // Goal: only names of partitions are taken for such. Method: names found in Kafka's directories.
  EXPECT_EQ(PartitionName::parse("a-b.c_d-12")->topic, "a-b.c_d");
  EXPECT_EQ(PartitionName::parse("a-b.c_d-12")->partition, 12);
  for (const char* bad :
       {"topic", "-1", "topic-", "topic-x", "topic-01", "topic--1x", "to pic-1", "t-0.4f5c-delete",
        "t-1.abc-future", "t-99999999999", "meta.properties"}) {
    EXPECT_FALSE(PartitionName::parse(bad)) << bad;
  }
}

TEST(OffsetCheckpoint, IsKafkasText) {
  // Goal: the file reads and writes as Kafka's. Method: round trip, and texts that are not it.
  OffsetCheckpoint::Offsets offsets{{{"a", 1}, base::Offset(5)}, {{"a", 0}, base::Offset(7)}};
  EXPECT_EQ(OffsetCheckpoint::encode(offsets), "0\n2\na 0 7\na 1 5\n");
  EXPECT_EQ(OffsetCheckpoint::parse("0\n2\na 0 7\na 1 5\n"), offsets);
  for (const char* bad : {"", "0", "1\n0\n", "0\n1\n", "0\n1\na 0\n", "0\n1\na 0 x\n",
                          "0\n1\na 0 1\nb 0 1\n", "0\n18446744073709551615\n"}) {
    EXPECT_FALSE(OffsetCheckpoint::parse(bad)) << bad;
  }
}

TEST(PartitionMetadata, IsKafkasText) {
  // Goal: the file's text, both ways. Method: as it says.
  const base::Uuid id{1, 2};
  EXPECT_EQ(encode_partition_metadata(id), "version: 0\ntopic_id: " + id.to_string());
  EXPECT_EQ(parse_partition_metadata(encode_partition_metadata(id) + "\n"), id);
  EXPECT_FALSE(parse_partition_metadata("version: 1\ntopic_id: " + id.to_string()));
  EXPECT_FALSE(parse_partition_metadata("version: 0\n"));
}

TEST(RecentBatches, AnswersOnlyWhatItKnows) {
  // Goal: the ring never answers for what it has forgotten. Method: more batches than it holds,
  // with gaps, against a list of all.
  RecentBatches recent;
  std::vector<RecentBatches::Place> all;
  std::int64_t offset = 0;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const RecentBatches::Place place{base::Offset(offset), base::Offset(offset + 3), i * 10, 10};
    recent.add(place);
    all.push_back(place);
    offset += i % 5 == 0 ? 7 : 3;
  }
  const base::Offset first = all[200 - RecentBatches::kCount].base_offset;
  for (std::int64_t i = 0; i < offset + 5; ++i) {
    const auto found = recent.find(base::Offset(i));
    const auto due = std::ranges::find_if(
        all, [&](const auto& place) { return place.next_offset > base::Offset(i); });
    if (base::Offset(i) < first || due == all.end()) {
      EXPECT_FALSE(found) << i;
    } else {
      ASSERT_TRUE(found) << i;
      EXPECT_EQ(found->position, due->position) << i;
    }
  }
}

}  // namespace
}  // namespace broker

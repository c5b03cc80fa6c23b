#include "broker/log/compact_filter.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "common/record/builder.h"
#include "common/record/control.h"

namespace broker {
namespace {

using base::Offset;
constexpr base::WallMs kNow = 1'000'000;
constexpr std::int64_t kRetention = 5000;

// key, value ("" is a tombstone).
using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Made {
  std::int64_t base = 0;
  std::int64_t producer = -1;
  bool transactional = false;
  record::Codec codec = record::Codec::kNone;
};

base::Bytes batch_of(const Made& made, const Pairs& pairs) {
  const std::int16_t epoch = made.producer < 0 ? -1 : 0;
  record::BatchBuilder builder({.base_offset = Offset(made.base),
                                .codec = made.codec,
                                .transactional = made.transactional,
                                .producer_id = base::ProducerId(made.producer),
                                .producer_epoch = base::ProducerEpoch(epoch),
                                .base_sequence = made.producer < 0 ? -1 : 0});
  base::WallMs at = 100;
  for (const auto& [key, value] : pairs) {
    builder.add(at++, key == "-" ? std::nullopt : std::optional(base::as_bytes(key)),
                value.empty() ? std::nullopt : std::optional(base::as_bytes(value)));
  }
  return builder.build();
}

base::Bytes marker_of(std::int64_t base, std::int64_t producer, bool commit) {
  return record::build_end_txn_marker({commit, 1}, base::ProducerId(producer),
                                      base::ProducerEpoch(0), 100, Offset(base));
}

record::BatchView view(base::BytesView bytes) { return *record::BatchView::parse(bytes); }

// A whole round over batches in memory.
struct Round {
  std::vector<base::Bytes> batches;
  std::vector<AbortedTxn> aborted;
  LastOfProducers last;
  base::WallMs now = kNow;
  std::int64_t from = 0;
  std::uint64_t map_bytes = 1 << 16;
  CompactStats stats;
  std::vector<AbortedTxn> kept_aborted;
  Offset cleaned_end;

  std::vector<base::Bytes> run() {
    KeyMap keys({.bytes_max = map_bytes});
    KeyIndexer indexer(keys, Offset(from), 1 << 20);
    indexer.txns().add_aborted(aborted);
    for (const base::Bytes& batch : batches) {
      const auto added = indexer.add(view(batch));
      EXPECT_TRUE(added) << added.error();
      if (!added || !*added) break;
    }
    cleaned_end = indexer.end();
    // Whether the newest offsets of keys are noted, in part or all, makes no difference.
    const auto result = filtered(keys, 0);
    const auto [read, dropped] = std::pair(stats.records_read, stats.keyless_dropped);
    const auto markers = kept_aborted;
    for (const int bytes : {8, 1 << 16}) {
      EXPECT_EQ(filtered(keys, static_cast<std::uint64_t>(bytes)), result) << bytes;
      EXPECT_EQ(stats.records_read, read);
      EXPECT_EQ(stats.keyless_dropped, dropped);
      EXPECT_EQ(kept_aborted, markers);
    }
    return result;
  }

  std::vector<base::Bytes> filtered(const KeyMap& keys, std::uint64_t newest_bytes) {
    CompactFilter filter(keys, {cleaned_end, now, kRetention, 1 << 20, Offset(from), newest_bytes},
                         last);
    filter.txns().add_aborted(aborted);
    kept_aborted.clear();
    std::vector<base::Bytes> result;
    for (const base::Bytes& batch : batches) {
      const auto kept = filter.filter(view(batch), Offset(1 << 30), 1 << 20);
      EXPECT_TRUE(kept) << kept.error();
      for (const auto& txn : filter.txns().take_kept()) kept_aborted.push_back(txn);
      if (kept && !kept->empty()) result.emplace_back(kept->begin(), kept->end());
    }
    stats = filter.stats();
    return result;
  }
};

// "offset:key=value" of every record, " []" for an empty batch.
std::string text_of(const std::vector<base::Bytes>& batches) {
  std::string text;
  for (const base::Bytes& bytes : batches) {
    const auto batch = view(bytes);
    EXPECT_TRUE(batch.crc_ok());
    if (batch.is_control() && batch.count() > 0) {
      text += " marker@" + std::to_string(batch.base_offset().value());
      continue;
    }
    if (batch.count() == 0) text += " []@" + std::to_string(batch.base_offset().value());
    OpenBatch open;
    EXPECT_TRUE(open_batch(batch, 1 << 20, open));
    record::RecordReader reader(open.section, batch.count());
    record::RecordView record;
    const auto string = [](base::BytesView of) {
      return std::string(reinterpret_cast<const char*>(of.data()), of.size());
    };
    while (reader.next(record)) {
      text += " " + std::to_string(batch.base_offset().value() + record.offset_delta) + ":" +
              string(*record.key) + "=" + (record.value ? string(*record.value) : "null");
    }
    EXPECT_EQ(reader.error(), "");
  }
  return text;
}

// Goal: of each key the newest record stays, at its offset and in its codec; records without a key
// go. Method: batches in every codec, the result as text.
TEST(CompactFilter, NewestOfEachKey) {
  for (const record::Codec codec :
       {record::Codec::kNone, record::Codec::kGzip, record::Codec::kSnappy, record::Codec::kLz4,
        record::Codec::kZstd}) {
    Round round;
    round.batches = {batch_of({.base = 0, .codec = codec}, {{"a", "1"}, {"b", "2"}, {"-", "x"}}),
                     batch_of({.base = 3, .codec = codec}, {{"a", "3"}}),
                     batch_of({.base = 4, .codec = codec}, {{"c", "4"}, {"b", "5"}})};
    const auto kept = round.run();
    EXPECT_EQ(text_of(kept), " 3:a=3 4:c=4 5:b=5");
    for (const auto& bytes : kept) EXPECT_EQ(view(bytes).codec(), codec);
    EXPECT_EQ(round.stats.keyless_dropped, 1u);
    EXPECT_EQ(round.cleaned_end, Offset(6));
  }
}

// Goal: a batch that loses records keeps its offsets, sequence and times. Method: one of three
// goes; compare headers.
TEST(CompactFilter, HeadersStay) {
  Round round;
  round.batches = {batch_of({.base = 10, .producer = 4}, {{"a", "1"}, {"b", "2"}, {"a", "3"}})};
  const auto kept = round.run();
  ASSERT_EQ(text_of(kept), " 11:b=2 12:a=3");
  const auto batch = view(kept[0]);
  EXPECT_EQ(batch.base_offset(), Offset(10));
  EXPECT_EQ(batch.last_offset(), Offset(12));
  EXPECT_EQ(batch.base_sequence(), 0);
  EXPECT_EQ(batch.last_sequence(), 2);
  EXPECT_EQ(batch.max_timestamp(), 102);
  EXPECT_FALSE(batch.has_delete_horizon());
}

// Goal: a tombstone gets a delete horizon in the first round and goes in the first one after it
// (KIP-534); timestamps survive the new base. Method: three rounds.
TEST(CompactFilter, TombstonesHaveAHorizon) {
  Round first;
  first.batches = {batch_of({.base = 0}, {{"a", "1"}}),
                   batch_of({.base = 1, .codec = record::Codec::kLz4}, {{"a", ""}, {"b", "2"}})};
  const auto once = first.run();
  ASSERT_EQ(text_of(once), " 1:a=null 2:b=2");
  EXPECT_EQ(view(once[0]).delete_horizon(), kNow + kRetention);
  EXPECT_EQ(view(once[0]).max_timestamp(), 101);
  Round early{.batches = once, .now = kNow + kRetention - 1, .from = 3};
  const auto twice = early.run();
  EXPECT_EQ(twice, once);
  Round late{.batches = twice, .now = kNow + kRetention, .from = 3};
  const auto thrice = late.run();
  ASSERT_EQ(text_of(thrice), " 2:b=2");
  OpenBatch open;
  ASSERT_TRUE(open_batch(view(thrice[0]), 1 << 20, open));
  record::RecordReader reader(open.section, 1);
  record::RecordView record;
  ASSERT_TRUE(reader.next(record));
  EXPECT_EQ(view(thrice[0]).base_timestamp() + record.timestamp_delta, 101);
}

// Goal: aborted records go at once and count for nothing; the marker stays as long as a batch of
// its transaction was met, then for delete.retention.ms. Method: rounds over one aborted and one
// committed transaction.
TEST(CompactFilter, Transactions) {
  const AbortedTxn txn{base::ProducerId(1), Offset(1), Offset(3), Offset(4)};
  Round first;
  first.aborted = {txn};
  first.batches = {batch_of({.base = 0}, {{"a", "1"}}),
                   batch_of({.base = 1, .producer = 1, .transactional = true}, {{"a", "bad"}}),
                   batch_of({.base = 2, .producer = 2, .transactional = true}, {{"b", "2"}}),
                   marker_of(3, 1, false), marker_of(4, 2, true)};
  const auto once = first.run();
  EXPECT_EQ(text_of(once), " 0:a=1 2:b=2 marker@3 marker@4");
  EXPECT_EQ(first.kept_aborted, std::vector{txn});
  EXPECT_FALSE(view(once[2]).has_delete_horizon());
  Round second{.batches = once, .aborted = {txn}, .from = 5};
  const auto twice = second.run();
  EXPECT_EQ(text_of(twice), " 0:a=1 2:b=2 marker@3 marker@4");
  EXPECT_TRUE(second.kept_aborted.empty());
  EXPECT_EQ(view(twice[2]).delete_horizon(), kNow + kRetention);
  EXPECT_FALSE(view(twice[3]).has_delete_horizon());  // it still has records
  Round third{.batches = twice, .now = kNow + kRetention, .from = 5};
  EXPECT_EQ(text_of(third.run()), " 0:a=1 2:b=2 marker@4");
}

// Goal: of each producer the last batch stays, if only its header, so that its sequence is known.
// Method: the same key written by two batches of one producer and one of another.
TEST(CompactFilter, ProducersStayKnown) {
  Round round;
  round.last[base::ProducerId(7)] = {Offset(1), base::ProducerEpoch(0)};
  round.batches = {batch_of({.base = 0, .producer = 7}, {{"a", "1"}}),
                   batch_of({.base = 1, .producer = 7}, {{"a", "2"}}),
                   batch_of({.base = 2, .producer = 8}, {{"a", "3"}})};
  const auto kept = round.run();
  EXPECT_EQ(text_of(kept), " []@1 2:a=3");
  EXPECT_EQ(view(kept[0]).producer_id(), base::ProducerId(7));
  EXPECT_EQ(view(kept[0]).last_sequence(), 0);
}

// Goal: what did not fit the memory for keys, or begins before the dirty part, is handled as Kafka
// does: later records stay, earlier ones are judged by what is known. Method: a map of one key.
TEST(CompactFilter, AFullMapStopsTheRound) {
  Round round;
  round.map_bytes = 1;
  round.batches = {batch_of({.base = 0}, {{"a", "1"}}), batch_of({.base = 1}, {{"a", "2"}}),
                   batch_of({.base = 2}, {{"b", "3"}}), batch_of({.base = 3}, {{"b", "4"}})};
  EXPECT_EQ(text_of(round.run()), " 1:a=2 2:b=3 3:b=4");
  EXPECT_EQ(round.cleaned_end, Offset(2));
}

// Goal: a batch that does not parse is told, not guessed at. Method: cut a compressed section.
TEST(CompactFilter, DamageIsTold) {
  auto bytes = batch_of({.codec = record::Codec::kGzip}, {{"a", "1"}});
  bytes[record::kHeaderSize] = std::byte{0};
  KeyMap keys({});
  KeyIndexer indexer(keys, Offset(0), 1 << 20);
  const auto added = indexer.add(view(bytes));
  ASSERT_FALSE(added);
  EXPECT_NE(added.error().find("offset 0"), std::string::npos) << added.error();
}

// Goal: for any history and any number of rounds a reader comes to the same values. Method: random
// writes and deletes with random batch borders, rounds in between with growing time and memory of
// random size; replay compared with a map.
TEST(CompactFilter, ReplayEqualsAModel) {
  EXPECT_TRUE(rc::check("replay of a compacted log", [] {
    std::map<std::string, std::string> model;
    Round round;
    std::int64_t end = 0;
    const int batches = *rc::gen::inRange(1, 25);
    for (int i = 0; i < batches; ++i) {
      Pairs pairs;
      const int count = *rc::gen::inRange(1, 5);
      for (int j = 0; j < count; ++j) {
        const std::string key = "k" + std::to_string(*rc::gen::inRange(0, 6));
        const std::string value = *rc::gen::inRange(0, 3) == 0 ? "" : "v" + std::to_string(end + j);
        if (value.empty()) model.erase(key);
        if (!value.empty()) model[key] = value;
        pairs.emplace_back(key, value);
      }
      const auto codec = *rc::gen::inRange(0, 2) == 0 ? record::Codec::kNone : record::Codec::kLz4;
      round.batches.push_back(batch_of({.base = end, .codec = codec}, pairs));
      end += count;
      if (*rc::gen::inRange(0, 3) != 0) continue;
      round.now += *rc::gen::inRange(0, 6000);
      round.map_bytes = static_cast<std::uint64_t>(*rc::gen::inRange(1, 300));
      round.batches = round.run();
      round.from = round.cleaned_end.value();
    }
    std::map<std::string, std::string> replayed;
    std::int64_t last = -1;
    for (const base::Bytes& bytes : round.batches) {
      const auto batch = view(bytes);
      OpenBatch open;
      RC_ASSERT(open_batch(batch, 1 << 20, open).has_value());
      record::RecordReader reader(open.section, batch.count());
      record::RecordView record;
      while (reader.next(record)) {
        RC_ASSERT(batch.base_offset().value() + record.offset_delta > last);
        last = batch.base_offset().value() + record.offset_delta;
        const auto string = [](base::BytesView of) {
          return std::string(reinterpret_cast<const char*>(of.data()), of.size());
        };
        if (record.value) replayed[string(*record.key)] = string(*record.value);
        if (!record.value) replayed.erase(string(*record.key));
      }
    }
    RC_ASSERT(replayed == model);
  }));
}

}  // namespace
}  // namespace broker

#include "cli/dump/log_dump.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/record/builder.h"
#include "common/record/control.h"

namespace cli {
namespace {

base::Bytes batch(std::int64_t base_offset, int count) {
  record::BatchOptions options;
  options.base_offset = base::Offset(base_offset);
  options.leader_epoch = base::LeaderEpoch(3);
  options.codec = record::Codec::kLz4;
  record::BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    builder.add(1000 + i, base::as_bytes("key"), base::as_bytes("value\n"));
  }
  return builder.build();
}

base::Bytes joined(std::initializer_list<base::Bytes> parts) {
  base::Bytes bytes;
  for (const base::Bytes& part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

struct Dumped {
  std::string text;
  std::int64_t problems = 0;
};

template <class Dump>
Dumped run(Dump dump) {
  Dumped dumped;
  dumped.problems = dump([&](std::string_view line) { dumped.text += line; });
  return dumped;
}

Dumped dump_log(const base::Bytes& bytes, DumpOptions options = {}) {
  return run([&](const DumpOut& out) { return dump_segment("s.log", bytes, options, out); });
}

// Goal: a sound segment shows its batches and records in the words of Kafka's tool. Method: two
// batches, looked at for the facts that matter.
TEST(LogDump, ShowsBatchesAndRecords) {
  Dumped dumped = dump_log(joined({batch(0, 2), batch(2, 1)}), {.records = true});
  EXPECT_EQ(dumped.problems, 0);
  EXPECT_TRUE(dumped.text.contains("baseOffset: 0 lastOffset: 1 count: 2")) << dumped.text;
  EXPECT_TRUE(dumped.text.contains("partitionLeaderEpoch: 3")) << dumped.text;
  EXPECT_TRUE(dumped.text.contains("compresscodec: lz4")) << dumped.text;
  EXPECT_TRUE(dumped.text.contains("| offset: 2 CreateTime: 1000 keySize: 3 valueSize: 6"));
  EXPECT_TRUE(dumped.text.contains("payload: value\\n\n")) << dumped.text;
  EXPECT_TRUE(dumped.text.contains("summary: batches: 2 records: 3 firstOffset: 0 lastOffset: 2"));
}

// Goal: in JSON every line is an object that names the file. Method: parse them all.
TEST(LogDump, JsonIsOneObjectALine) {
  Dumped dumped = dump_log(joined({batch(0, 2)}), {.json = true, .records = true});
  std::istringstream lines(dumped.text);
  std::vector<std::string> types;
  for (std::string line; std::getline(lines, line);) {
    auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["file"], "s.log");
    types.push_back(json["type"]);
  }
  EXPECT_EQ(types, (std::vector<std::string>{"batch", "record", "record", "summary"}));
}

// Goal: damage, torn ends and wrong offsets are problems; a preallocated end is none. Method: one
// segment for each.
TEST(LogDump, TellsDamage) {
  base::Bytes good = joined({batch(0, 2), batch(2, 1)});
  base::Bytes damaged = good;
  damaged[70] ^= std::byte{1};
  EXPECT_EQ(dump_log(damaged).problems, 1);
  EXPECT_EQ(dump_log(joined({good, base::Bytes(7, std::byte{1})})).problems, 1);
  EXPECT_EQ(dump_log(joined({good, batch(1, 1)})).problems, 1);
  EXPECT_EQ(dump_log(joined({good, base::Bytes(100, std::byte{0})})).problems, 0);
  EXPECT_EQ(dump_log({}).problems, 0);
}

// Goal: whatever the bytes, the dump ends and stays inside them. Method: every cut and many flips
// of a segment with records shown (the sanitizers watch).
TEST(LogDump, AnyBytesAreSafe) {
  base::Bytes good = joined(
      {batch(0, 3), record::build_end_txn_marker({}, base::ProducerId(1), base::ProducerEpoch(0), 1,
                                                 base::Offset(3))});
  for (std::size_t size = 0; size <= good.size(); ++size) {
    dump_log(base::Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)),
             {.records = true});
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (std::byte flip : {std::byte{0x01}, std::byte{0x80}, std::byte{0xFF}}) {
      base::Bytes flipped = good;
      flipped[at] ^= flip;
      dump_log(flipped, {.records = true});
    }
  }
}

base::Bytes offset_index(std::initializer_list<std::pair<int, int>> entries, std::size_t zeros) {
  base::Bytes bytes;
  for (auto [relative, position] : entries) {
    std::byte entry[8];
    base::store_be<std::int32_t>(entry, relative);
    base::store_be<std::int32_t>(entry + 4, position);
    bytes.insert(bytes.end(), entry, entry + 8);
  }
  bytes.resize(bytes.size() + zeros);
  return bytes;
}

// Goal: an index is checked against its segment. Method: entries that fit, that lead past the end,
// into the middle of a batch, and out of order.
TEST(LogDump, OffsetIndexIsCheckedAgainstTheSegment) {
  base::Bytes first = batch(100, 2);
  auto second = static_cast<int>(first.size());
  base::Bytes segment = joined({first, batch(102, 2)});
  auto problems = [&](const base::Bytes& index) {
    return run([&](const DumpOut& out) {
             return dump_offset_index("i", index, 100, segment, {}, out);
           })
        .problems;
  };
  EXPECT_EQ(problems(offset_index({{1, 0}, {3, second}}, 800)), 0);
  EXPECT_EQ(problems(offset_index({{1, 100'000}}, 0)), 1);
  EXPECT_EQ(problems(offset_index({{1, 5}}, 0)), 1);
  EXPECT_EQ(problems(offset_index({{3, second}, {1, 0}}, 0)), 1);
  EXPECT_EQ(problems(offset_index({{1, second}}, 0)), 1);
  EXPECT_EQ(problems(offset_index({{1, 0}}, 3)), 1);
}

}  // namespace
}  // namespace cli

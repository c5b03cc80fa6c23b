#include "cli/client/batch_walk.h"

#include <gtest/gtest.h>

#include "common/record/builder.h"
#include "common/record/control.h"

namespace cli {
namespace {

struct BatchSpec {
  std::int64_t base_offset = 0;
  std::vector<std::string> values;
  std::int64_t producer_id = -1;
  bool transactional = false;
  record::Codec codec = record::Codec::kNone;
};

void append(base::Bytes& to, const BatchSpec& spec) {
  record::BatchOptions options;
  options.base_offset = base::Offset(spec.base_offset);
  options.codec = spec.codec;
  options.transactional = spec.transactional;
  options.producer_id = base::ProducerId(spec.producer_id);
  if (spec.producer_id >= 0) {
    options.producer_epoch = base::ProducerEpoch(0);
    options.base_sequence = 0;
  }
  record::BatchBuilder builder(options);
  for (const std::string& value : spec.values) {
    builder.add(1000 + builder.count(), std::nullopt, base::as_bytes(value));
  }
  base::Bytes batch = builder.build();
  to.insert(to.end(), batch.begin(), batch.end());
}

void append_marker(base::Bytes& to, std::int64_t offset, std::int64_t producer_id, bool commit) {
  base::Bytes batch = record::build_end_txn_marker({.commit = commit, .coordinator_epoch = 0},
                                                   base::ProducerId(producer_id),
                                                   base::ProducerEpoch(0), 5, base::Offset(offset));
  to.insert(to.end(), batch.begin(), batch.end());
}

struct Walked {
  std::vector<std::string> lines;  // offset:value
  std::int64_t next = -1;
  std::string error;
};

Walked walk(const base::Bytes& bytes, std::int64_t from, std::vector<AbortedRange> aborted = {},
            std::size_t limit = 1000) {
  Walked walked;
  auto result =
      walk_batches(bytes, from, std::move(aborted), {.topic = "t"}, [&](const Message& message) {
        walked.lines.push_back(std::to_string(message.offset) + ":" +
                               std::string(message.value.value_or("null")));
        return walked.lines.size() < limit;
      });
  if (result) {
    walked.next = result->next;
  } else {
    walked.error = result.error();
  }
  return walked;
}

using Lines = std::vector<std::string>;

// Goal: records before the asked offset are passed over, in batch and codec. Method: ask for the
// middle of a compressed batch.
TEST(BatchWalk, StartsInsideABatch) {
  base::Bytes bytes;
  append(bytes, {.base_offset = 0, .values = {"a"}});
  append(bytes, {.base_offset = 10, .values = {"b", "c", "d"}, .codec = record::Codec::kZstd});
  Walked walked = walk(bytes, 11);
  EXPECT_EQ(walked.lines, (Lines{"11:c", "12:d"}));
  EXPECT_EQ(walked.next, 13);
}

// Goal: a stop keeps the place right behind the last record shown. Method: a sink that takes two.
TEST(BatchWalk, StopsBehindTheLastShown) {
  base::Bytes bytes;
  append(bytes, {.base_offset = 5, .values = {"a", "b", "c"}});
  Walked walked = walk(bytes, 5, {}, 2);
  EXPECT_EQ(walked.lines, (Lines{"5:a", "6:b"}));
  EXPECT_EQ(walked.next, 7);
}

// Goal: aborted transactions are not shown, those of others and later ones of the same producer
// are. Method: two producers interleaved, one aborts and then commits.
TEST(BatchWalk, AbortedTransactionsAreNotShown) {
  base::Bytes bytes;
  append(bytes, {.base_offset = 0, .values = {"bad"}, .producer_id = 1, .transactional = true});
  append(bytes, {.base_offset = 1, .values = {"good"}, .producer_id = 2, .transactional = true});
  append(bytes, {.base_offset = 2, .values = {"bad"}, .producer_id = 1, .transactional = true});
  append_marker(bytes, 3, 1, false);
  append(bytes, {.base_offset = 4, .values = {"later"}, .producer_id = 1, .transactional = true});
  append_marker(bytes, 5, 2, true);
  append_marker(bytes, 6, 1, true);
  Walked walked = walk(bytes, 0, {{.producer_id = 1, .first_offset = 0}});
  EXPECT_EQ(walked.lines, (Lines{"1:good", "4:later"}));
  EXPECT_EQ(walked.next, 7);
  EXPECT_EQ(walk(bytes, 0).lines.size(), 4U);
}

// Goal: an answer cut off in a batch shows what is whole. Method: every length of two batches.
TEST(BatchWalk, CutOffTailIsNoError) {
  base::Bytes bytes;
  append(bytes, {.base_offset = 0, .values = {"a"}});
  std::size_t first = bytes.size();
  append(bytes, {.base_offset = 1, .values = {"b"}});
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    base::Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    Walked walked = walk(cut, 0);
    EXPECT_EQ(walked.error, "");
    std::size_t whole = size < first ? 0 : size < bytes.size() ? 1 : 2;
    EXPECT_EQ(walked.lines.size(), whole) << size;
    EXPECT_EQ(walked.next, static_cast<std::int64_t>(whole));
  }
}

// Goal: damage is told, never shown as data. Method: flip each byte that the checksum covers.
TEST(BatchWalk, DamageIsTold) {
  base::Bytes bytes;
  append(bytes, {.base_offset = 0, .values = {"abc"}});
  for (std::size_t at = record::Layout::kAttributes; at < bytes.size(); ++at) {
    base::Bytes damaged = bytes;
    damaged[at] ^= std::byte{1};
    // A changed last offset may put the batch before the asked one: then it is passed over.
    Walked walked = walk(damaged, 0);
    EXPECT_TRUE(walked.lines.empty()) << at;
    if (at >= record::Layout::kBaseTimestamp) {
      EXPECT_EQ(walked.error, "batch at offset 0: its checksum is wrong") << at;
    }
  }
}

}  // namespace
}  // namespace cli

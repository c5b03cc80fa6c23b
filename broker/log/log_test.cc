#include "broker/log/log.h"

#include "broker/log/test_log.h"

namespace broker {
namespace {

using ::testing::Test;
using Offsets = std::vector<std::int64_t>;

// Goal: offsets are given one after the other and stand in the stored bytes, with the epoch; the
// checksum stays right. Method: append three batches at once and read the file.
TEST_F(LogTest, AssignsOffsetsInPlace) {
  leader_epoch = base::LeaderEpoch(7);
  open();
  const auto result = append({{.records = 3}, {.records = 1}, {.records = 2}});
  EXPECT_EQ(result.first, base::Offset(0));
  EXPECT_EQ(result.end, base::Offset(6));
  EXPECT_FALSE(result.rolled);
  const base::Bytes bytes = bytes_of(read(0));
  record::BatchReader reader(bytes);
  Offsets offsets;
  while (auto batch = reader.next()) {
    offsets.push_back(batch->base_offset().value());
    EXPECT_EQ(batch->leader_epoch(), base::LeaderEpoch(7));
    EXPECT_TRUE(batch->crc_ok());
  }
  EXPECT_EQ(offsets, (Offsets{0, 3, 4}));
  EXPECT_EQ(log->epochs().entries(),
            (std::vector<EpochStart>{{base::LeaderEpoch(7), base::Offset(0)}}));
}

// Goal: a read returns the whole batch that contains the offset and what follows. Method: read from
// each offset of a log with batches of three records.
TEST_F(LogTest, ReadBeginsWithTheBatchThatContainsTheOffset) {
  open();
  append({{.records = 3}, {.records = 3}, {.records = 3}});
  EXPECT_EQ(offsets_of(read(0)), (Offsets{0, 3, 6}));
  EXPECT_EQ(offsets_of(read(2)), (Offsets{0, 3, 6}));
  EXPECT_EQ(offsets_of(read(4)), (Offsets{3, 6}));
  EXPECT_EQ(offsets_of(read(8)), (Offsets{6}));
  EXPECT_EQ(read(9).bytes.length, 0u);
  EXPECT_EQ(log->read({.from = base::Offset(10), .upper_bound = base::Offset(9)}).error().code,
            ERANGE);
}

// Goal: size limits cut the slice but never the first batch when one is wanted. Method: limits
// below, at and above one batch.
TEST_F(LogTest, ReadHonoursSizeLimits) {
  open();
  append({{.value_bytes = 100}, {.value_bytes = 100}, {.value_bytes = 100}});
  const std::uint64_t one = log->size_bytes() / 3;
  EXPECT_EQ(read(0, 1).bytes.length, one);
  EXPECT_EQ(read(0, 1, {}, false).bytes.length, 0u);
  EXPECT_EQ(read(1, one + 5).bytes.length, one + 5);
  EXPECT_FALSE(read(0, one + 5).ends_at_bound);
  EXPECT_TRUE(read(0, 3 * one).ends_at_bound);
}

// Goal: nothing at or above the upper bound is returned, wherever it stands. Method: every bound of
// a log of 300 batches in several segments, against a walk of all batches.
TEST_F(LogTest, ReadStopsAtTheUpperBound) {
  config.segment_bytes = 8000;
  config.index_interval_bytes = 500;
  open();
  for (int i = 0; i < 300; ++i) append({{.records = 2, .value_bytes = 20}});
  ASSERT_GT(log->segment_count(), 3u);
  for (std::int64_t from = 0; from < 600; from += 7) {
    for (std::int64_t bound = 0; bound <= 600; bound += 11) {
      const LogSlice slice = read(from, 1 << 20, base::Offset(bound));
      Offsets expected;
      const std::int64_t segment_end = slice.bytes.length > 0 ? slice.end_bound.value() : 0;
      for (std::int64_t base = from / 2 * 2; base + 2 <= bound && base < segment_end; base += 2) {
        expected.push_back(base);
      }
      if (bound <= from) expected.clear();
      ASSERT_EQ(offsets_of(slice), expected) << from << " to " << bound;
    }
  }
}

// Goal: after the memory of recent batches has moved on, the index finds the same places. Method:
// compare reads of a log that stayed open with those of one opened again.
TEST_F(LogTest, IndexesOfAReopenedLogFindTheSamePlaces) {
  config.segment_bytes = 20000;
  config.index_interval_bytes = 300;
  open();
  for (int i = 0; i < 400; ++i) append({{.records = 1 + i % 3, .value_bytes = 30}});
  flush();
  const std::int64_t end = log->end_offset().value();
  std::vector<std::uint64_t> positions;
  for (std::int64_t i = 0; i < end; ++i) positions.push_back(read(i).bytes.position);
  ASSERT_TRUE(log->close());
  for (const bool clean : {true, false}) {
    OpenHints how = hints();
    how.clean_shutdown = clean;
    open(how);
    ASSERT_EQ(log->end_offset().value(), end);
    for (std::int64_t i = 0; i < end; ++i) {
      ASSERT_EQ(read(i).bytes.position, positions[static_cast<std::size_t>(i)]) << i;
    }
  }
}

// Goal: a segment is closed when the next batch would not fit. Method: fill to the byte.
TEST_F(LogTest, RollsBySize) {
  const std::size_t one = make_batch({.value_bytes = 100}).size();
  config.segment_bytes = 2 * one;
  open();
  EXPECT_FALSE(append({{.value_bytes = 100}}).rolled);
  EXPECT_FALSE(append({{.value_bytes = 100}}).rolled);
  EXPECT_TRUE(append({{.value_bytes = 100}}).rolled);
  // Several rolls within one append.
  EXPECT_TRUE(append(std::vector<BatchSpec>(6, {.value_bytes = 100})).rolled);
  EXPECT_EQ(log->segment_count(), 5u);
  EXPECT_EQ(offsets_of(read(3)), (Offsets{3}));
  EXPECT_EQ(offsets_of(read(4)), (Offsets{4, 5}));
  EXPECT_EQ(try_append({.value_bytes = 1000}).error().code, EMSGSIZE);
}

// Goal: time rolls a segment by the timestamps of records, the wall clock only without any. Method:
// batches a little below and above segment.ms after the first.
TEST_F(LogTest, RollsByTheTimestampsOfRecords) {
  config.segment_ms = 100;
  open();
  append({{.timestamp = 1000}}, 0);
  EXPECT_FALSE(append({{.timestamp = 1100}}, 999999).rolled);
  EXPECT_TRUE(append({{.timestamp = 1101}}, 0).rolled);
  // A segment of records without timestamps goes by when it was made.
  EXPECT_TRUE(append({{.timestamp = 2000}}, 5000).rolled);
  EXPECT_TRUE(append({{.timestamp = -1}}, 5000).rolled == false);
}

TEST_F(LogTest, RollsByTheWallClockWithoutTimestamps) {
  // Goal: as it says. Method: batches with timestamp -1 at two moments.
  config.segment_ms = 100;
  open({.now = 10});
  append({{.timestamp = -1}}, 10);
  EXPECT_FALSE(append({{.timestamp = -1}}, 110).rolled);
  EXPECT_TRUE(append({{.timestamp = -1}}, 111).rolled);
}

// Goal: a full index rolls. Method: room for six offset entries or four of time, an
// entry for each batch, first with equal and then with rising timestamps.
TEST_F(LogTest, RollsWhenAnIndexIsFull) {
  config.segment_index_bytes = 48;
  config.index_interval_bytes = 1;
  open();
  int rolls = 0;
  // The first batch of a segment has no entry.
  for (int i = 0; i < 20; ++i) rolls += append({{.timestamp = 1000}}).rolled ? 1 : 0;
  EXPECT_EQ(rolls, 2);
  rolls = 0;
  // Kafka keeps one place of the time index for the entry of the roll.
  for (int i = 0; i < 20; ++i) rolls += append({{.timestamp = 1001 + i}}).rolled ? 1 : 0;
  EXPECT_EQ(rolls, 5);
}

// Goal: an offset that is too far from the base of a segment opens a new one. Method: a follower's
// append with a gap beyond 31 bits, and one after it.
TEST_F(LogTest, RollsWhenARelativeOffsetDoesNotFit) {
  open();
  append({{}});
  base::Bytes batch = make_batch({});
  record::set_base_offset(batch, base::Offset(std::int64_t{1} << 40));
  const base::BytesView view(batch);
  auto result = log->append_as_follower({&view, 1}, 0);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->rolled);
  EXPECT_EQ(log->end_offset(), base::Offset((std::int64_t{1} << 40) + 1));
  EXPECT_EQ(offsets_of(read(1)), (Offsets{std::int64_t{1} << 40}));
  flush();
  open(hints());
  EXPECT_EQ(log->end_offset(), base::Offset((std::int64_t{1} << 40) + 1));
}

// Goal: a follower keeps offsets and gaps, and refuses what goes back. Method: as it says.
TEST_F(LogTest, FollowerKeepsOffsetsAndGaps) {
  open();
  const auto at = [&](std::int64_t offset) {
    base::Bytes batch = make_batch({.records = 2});
    record::set_base_offset(batch, base::Offset(offset));
    record::set_leader_epoch(batch, base::LeaderEpoch(3));
    const base::BytesView view(batch);
    return log->append_as_follower({&view, 1}, 0);
  };
  ASSERT_TRUE(at(0));
  ASSERT_TRUE(at(10));
  EXPECT_EQ(at(11).error().code, EINVAL);
  EXPECT_EQ(log->end_offset(), base::Offset(12));
  EXPECT_EQ(offsets_of(read(5)), (Offsets{10}));
  EXPECT_EQ(log->epochs().latest(), base::LeaderEpoch(3));
}

// Goal: a full disk changes nothing, and service goes on when there is room. Method: capacities
// from "nothing fits" to "all fits" for an append that rolls twice; the log must look untouched
// after each refusal, also after a restart.
TEST_F(LogTest, FullDiskLeavesTheLogAsItWas) {
  const std::size_t one = make_batch({.value_bytes = 100}).size();
  config.segment_bytes = 2 * one;
  open();
  append({{.value_bytes = 100}});
  flush();
  std::uint64_t used = 0;
  for (const std::string& path : disk.files()) used += disk.read_file(path)->size();
  for (std::uint64_t room = 0; room < 5 * one; room += one / 3) {
    disk.faults.capacity_bytes = used + room;
    std::vector<base::Bytes> batches(5, make_batch({.value_bytes = 100}));
    std::vector<base::MutableBytes> views(batches.begin(), batches.end());
    const auto result = log->append(views, leader_epoch, 1000);
    ASSERT_FALSE(result) << room;
    EXPECT_EQ(result.error().code, ENOSPC);
    EXPECT_EQ(log->end_offset(), base::Offset(1));
    EXPECT_EQ(log->segment_count(), 1u);
    EXPECT_EQ(log->size_bytes(), one);
    EXPECT_EQ(disk.read_file(directory + "/00000000000000000000.log")->size(), one);
    EXPECT_FALSE(log->failed());
  }
  disk.faults.capacity_bytes.reset();
  EXPECT_EQ(append(std::vector<BatchSpec>(5, {.value_bytes = 100})).end, base::Offset(6));
  EXPECT_EQ(offsets_of(read(0)), (Offsets{0, 1}));
}

// Goal: a batch that a full disk refused does not come back in front of acknowledged ones. Method:
// refuse an append that had reached the file, roll, acknowledge, lose power, on many machines.
TEST_F(LogTest, WhatAFullDiskRefusedDoesNotComeBack) {
  const std::size_t one = make_batch({.value_bytes = 100}).size();
  config.segment_bytes = 2 * one;
  open();
  append({{.value_bytes = 100}});
  flush();
  std::uint64_t used = 0;
  for (const std::string& path : disk.files()) used += disk.read_file(path)->size();
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto machine = disk.clone(seed);
    FileCache machine_files(*machine, 8);
    const LogServices machine_services{*machine, machine_files, health, diag};
    auto opened = Log::open(machine_services, directory, config, {});
    ASSERT_TRUE(opened);
    Log& life = *opened->log;
    machine->faults.capacity_bytes = used + one + 1;
    std::vector<base::Bytes> refused(2, make_batch({.value_bytes = 100, .fill = 'r'}));
    std::vector<base::MutableBytes> views(refused.begin(), refused.end());
    ASSERT_EQ(life.append(views, leader_epoch, 1000).error().code, ENOSPC);
    machine->faults.capacity_bytes.reset();
    LogConfig smaller = config;
    smaller.segment_bytes = one;
    life.set_config(smaller);
    base::Bytes good = make_batch({.value_bytes = 100});
    const base::MutableBytes view(good);
    ASSERT_TRUE(life.append({&view, 1}, leader_epoch, 1000)->rolled);
    const FlushBatch batch = life.take_unflushed();
    ASSERT_TRUE(batch.sync(*machine));
    life.mark_flushed(batch);
    ASSERT_EQ(life.durable_end(), base::Offset(2));
    machine->crash();
    auto after = Log::open(machine_services, directory, config, {});
    ASSERT_TRUE(after);
    ASSERT_EQ(after->log->end_offset(), base::Offset(2)) << seed;
    const auto slice = after->log->read({.from = base::Offset(1),
                                         .upper_bound = base::Offset(2),
                                         .bytes_max = 1 << 20,
                                         .may_block = true});
    ASSERT_TRUE(slice);
    EXPECT_EQ(bytes_of(*slice), good) << seed;
  }
}

// Goal: any other failed write ends the log and the directory; reads go on. Method: fail the next
// write with EIO.
TEST_F(LogTest, FailedWriteTakesTheDirectoryOutOfService) {
  open();
  append({{}});
  disk.faults.fail_operation = disk.operations();
  EXPECT_EQ(try_append({}).error().code, EIO);
  EXPECT_TRUE(log->failed());
  EXPECT_TRUE(health.failed());
  disk.faults.fail_operation.reset();
  EXPECT_EQ(try_append({}).error().code, EIO);
  EXPECT_EQ(log->end_offset(), base::Offset(1));
  EXPECT_EQ(offsets_of(read(0)), (Offsets{0}));
}

// Goal: what is durable is what a finished flush covered. Method: append while a flush is under
// way.
TEST_F(LogTest, DurableEndFollowsFlushes) {
  open();
  append({{}});
  const FlushBatch first = log->take_unflushed();
  append({{}});
  EXPECT_EQ(log->durable_end(), base::Offset(0));
  log->mark_flushed(first);
  EXPECT_EQ(log->durable_end(), base::Offset(1));
  EXPECT_TRUE(log->wants_flush());
  flush();
  EXPECT_EQ(log->durable_end(), base::Offset(2));
  flush();
  EXPECT_FALSE(log->wants_flush());
  EXPECT_TRUE(log->take_unflushed().nothing_to_sync());
}

// Goal: a rolled segment's indexes reach their files as upkeep, and only then the recovery point
// passes it. Method: take the flush and its upkeep apart.
TEST_F(LogTest, RecoveryPointWaitsForTheIndexes) {
  config.segment_bytes = 500;
  open();
  for (int i = 0; i < 10; ++i) append({{.value_bytes = 100}});
  const FlushBatch batch = log->take_unflushed();
  ASSERT_TRUE(batch.sync(disk));
  log->mark_flushed(batch);
  EXPECT_EQ(log->durable_end(), base::Offset(10));
  EXPECT_EQ(log->recovery_point(), base::Offset(0));
  ASSERT_TRUE(batch.upkeep);
  ASSERT_TRUE(batch.upkeep->run(disk));
  EXPECT_EQ(log->recovery_point(), base::Offset(10));
}

// Goal: truncation leaves exactly the batches below the cut, in memory and on disk, with their
// producers and epochs. Method: cut at every offset of a log of several segments, reopen, compare.
TEST_F(LogTest, TruncatesToEveryOffset) {
  config.segment_bytes = 600;
  config.index_interval_bytes = 100;
  for (std::int64_t cut = 0; cut <= 20; ++cut) {
    ASSERT_TRUE(disk.remove_all(directory));
    make_directory();
    open();
    for (int i = 0; i < 20; ++i) {
      leader_epoch = base::LeaderEpoch(i / 5);
      append({{.value_bytes = 50, .producer_id = 1, .sequence = i}});
    }
    flush();
    ASSERT_TRUE(log->truncate_to(base::Offset(cut), 0));
    EXPECT_EQ(log->end_offset(), base::Offset(cut));
    EXPECT_EQ(log->durable_end(), base::Offset(cut));
    const auto* producer = log->producers().find(base::ProducerId(1));
    EXPECT_EQ(producer ? producer->last_sequence() : -1, cut - 1);
    const auto epochs = log->epochs().entries();
    EXPECT_EQ(epochs.size(), static_cast<std::size_t>((cut + 4) / 5));
    disk.crash();
    files.close_idle();
    open(hints());
    EXPECT_EQ(log->end_offset(), base::Offset(cut));
    EXPECT_EQ(log->epochs().entries(), epochs);
    leader_epoch = base::LeaderEpoch(9);
    append({{.value_bytes = 50}});
    EXPECT_EQ(offsets_of(read(cut)), (Offsets{cut}));
  }
}

TEST_F(LogTest, StartsOverAtAnOffset) {
  // Goal: truncate_fully_and_start_at forgets all and survives a crash. Method: as it says.
  open();
  append({{}, {}});
  flush();
  ASSERT_TRUE(log->truncate_fully_and_start_at(base::Offset(500), 0));
  EXPECT_EQ(log->start_offset(), base::Offset(500));
  EXPECT_EQ(append({{}}).first, base::Offset(500));
  flush();
  disk.crash();
  open({.recovery_point = base::Offset(501), .log_start = base::Offset(500)});
  EXPECT_EQ(log->start_offset(), base::Offset(500));
  EXPECT_EQ(log->end_offset(), base::Offset(501));
}

}  // namespace
}  // namespace broker

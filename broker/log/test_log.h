// What tests of the log share: a log on a simulated disk, and batches to put into it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/log/batch_scanner.h"
#include "broker/log/log.h"
#include "common/record/builder.h"
#include "common/record/control.h"
#include "tests/sim/disk/sim_disk.h"

namespace broker {

struct BatchSpec {
  int records = 1;
  std::size_t value_bytes = 10;
  base::WallMs timestamp = 1000;
  record::Codec codec = record::Codec::kNone;
  std::int64_t producer_id = -1;
  std::int32_t sequence = -1;
  bool transactional = false;
  char fill = 'v';
};

inline base::Bytes make_batch(const BatchSpec& spec) {
  record::BatchBuilder builder({.codec = spec.codec,
                                .transactional = spec.transactional,
                                .producer_id = base::ProducerId(spec.producer_id),
                                .producer_epoch = base::ProducerEpoch(
                                    spec.producer_id < 0 ? std::int16_t{-1} : std::int16_t{0}),
                                .base_sequence = spec.sequence});
  const std::string value(spec.value_bytes, spec.fill);
  for (int i = 0; i < spec.records; ++i) {
    builder.add(spec.timestamp + i, std::nullopt, base::as_bytes(value));
  }
  return builder.build();
}

class LogTest : public ::testing::Test {
 protected:
  LogTest() { make_directory(); }
  void make_directory() {
    EXPECT_TRUE(disk.make_directories(directory));
    EXPECT_TRUE(disk.sync_filesystem(directory));
  }

  // Opens anew whatever the directory holds.
  RecoveryReport open(OpenHints hints = {}) {
    log.reset();
    auto opened = Log::open(services, directory, config, hints);
    if (!opened) throw std::runtime_error(opened.error().what);
    log = std::move(opened->log);
    return opened->report;
  }
  OpenHints hints() const {
    return {.recovery_point = log->durable_end(), .log_start = log->start_offset()};
  }

  AppendResult append(std::vector<BatchSpec> specs, base::WallMs now = 1000) {
    std::vector<base::Bytes> batches;
    std::vector<base::MutableBytes> views;
    for (const BatchSpec& spec : specs) batches.push_back(make_batch(spec));
    for (base::Bytes& batch : batches) views.emplace_back(batch);
    auto result = log->append(views, leader_epoch, now);
    EXPECT_TRUE(result) << result.error().what;
    return result.value_or(AppendResult{});
  }
  io::IoResult<AppendResult> try_append(const BatchSpec& spec) {
    base::Bytes batch = make_batch(spec);
    const base::MutableBytes view(batch);
    return log->append({&view, 1}, leader_epoch, 1000);
  }
  void append_marker(std::int64_t producer_id, bool commit) {
    base::Bytes batch = record::build_end_txn_marker({commit, 1}, base::ProducerId(producer_id),
                                                     base::ProducerEpoch(0), 1000);
    const base::MutableBytes view(batch);
    EXPECT_TRUE(log->append({&view, 1}, leader_epoch, 1000));
  }

  void flush() {
    const FlushBatch batch = log->take_unflushed();
    ASSERT_TRUE(batch.sync(disk));
    log->mark_flushed(batch);
    if (batch.upkeep) ASSERT_TRUE(batch.upkeep->run(disk));
  }

  LogSlice read(std::int64_t from, std::uint64_t bytes_max = 1 << 20,
                std::optional<base::Offset> bound = {}, bool one = true) {
    auto slice = log->read({.from = base::Offset(from),
                            .upper_bound = bound.value_or(log->end_offset()),
                            .bytes_max = bytes_max,
                            .at_least_one_batch = one});
    EXPECT_TRUE(slice) << slice.error().what;
    return slice.value_or(LogSlice{});
  }
  static base::Bytes bytes_of(const LogSlice& slice) {
    base::Bytes bytes(slice.bytes.length);
    if (bytes.empty()) return bytes;
    EXPECT_EQ(slice.bytes.file->read_at(bytes, slice.bytes.position), bytes.size());
    return bytes;
  }
  // Base offsets of the whole batches in a slice.
  static std::vector<std::int64_t> offsets_of(const LogSlice& slice) {
    const base::Bytes bytes = bytes_of(slice);
    std::vector<std::int64_t> offsets;
    record::BatchReader reader(bytes);
    while (auto batch = reader.next()) offsets.push_back(batch->base_offset().value());
    return offsets;
  }
  std::string text(const std::string& name) {
    return disk.read_file(directory + "/" + name).value_or("missing");
  }
  std::vector<std::string> names() {
    std::vector<std::string> result;
    for (const auto& entry : disk.list(directory).value()) result.push_back(entry.name);
    return result;
  }

  const std::string directory = "data/topic-0";
  sim::SimDisk disk{1};
  FileCache files{disk, 64};
  LogHealth health;
  base::SilentDiag diag;
  LogServices services{disk, files, health, diag};
  LogConfig config;
  base::LeaderEpoch leader_epoch{0};
  std::unique_ptr<Log> log;
};

}  // namespace broker

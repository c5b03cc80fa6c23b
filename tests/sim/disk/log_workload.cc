#include "tests/sim/disk/log_workload.h"

#include <algorithm>
#include <cerrno>

#include "common/record/builder.h"
#include "common/record/control.h"
#include "tests/sim/disk/log_check.h"
#include "tests/sim/disk/log_session.h"
#include "tests/sim/disk/mutant_disk.h"

namespace sim {

using broker::Log;
using broker::LogDirectory;

namespace {

constexpr base::Uuid kTopicId{1, 2};

std::unique_ptr<io::Disk> wrap(io::Disk& disk, Mutant mutant) {
  MutantDiskOptions options;
  if (mutant == Mutant::kCleanMarkerStays) options.keeps = ".kafka_cleanshutdown";
  options.truncate_does_nothing = mutant == Mutant::kTruncateDoesNothing;
  return std::make_unique<MutantDisk>(disk, options);
}

}  // namespace

const char* name_of(Mutant mutant) {
  switch (mutant) {
    case Mutant::kNone:
      return "none";
    case Mutant::kLyingSync:
      return "lying sync";
    case Mutant::kLyingDirectorySync:
      return "lying directory sync";
    case Mutant::kAckBeforeSync:
      return "ack before sync";
    case Mutant::kSyncOnlyActiveSegment:
      return "sync only the active segment";
    case Mutant::kRecoveryPointAhead:
      return "recovery point ahead";
    case Mutant::kStartNotWritten:
      return "start not written";
    case Mutant::kTruncateUnderCheckpoint:
      return "truncate under the checkpoint";
    case Mutant::kCleanMarkerStays:
      return "clean marker stays";
    case Mutant::kSnapshotBeforeIndexes:
      return "snapshot before indexes";
    case Mutant::kTruncateDoesNothing:
      return "truncate does nothing";
  }
  return "";
}

broker::LogConfig LogWorkload::config() {
  broker::LogConfig config;
  config.segment_bytes = 1200;
  config.index_interval_bytes = 150;
  config.checkpoint_bytes = 500;
  config.retention_bytes = 5000;
  config.retention_ms = 50'000;
  return config;
}

LogWorkload::LogWorkload(SimDisk& disk, std::uint64_t seed, Mutant mutant)
    : disk_(disk), wrapped_(wrap(disk, mutant)), random_(seed), mutant_(mutant) {
  disk_.faults.lying_sync = mutant == Mutant::kLyingSync;
  disk_.faults.lying_directory_sync = mutant == Mutant::kLyingDirectorySync;
}

LogWorkload::~LogWorkload() = default;

std::optional<std::string> LogWorkload::run(int steps) {
  for (int i = 0; i < steps && !disk_.stopped(); ++i) {
    now_ += random_.between(0, 300);
    const Step done = session_ ? step() : start();
    if (done || done.error().code == ECANCELED || disk_.stopped()) continue;
    return "step " + std::to_string(i) + " failed: " + done.error().what;
  }
  return std::nullopt;
}

std::optional<std::string> LogWorkload::run_to_failure(int steps) {
  for (int i = 0; i < steps; ++i) {
    now_ += random_.between(0, 300);
    const Step done = session_ ? step() : start();
    if (!done) return done.error().what;
  }
  return std::nullopt;
}

void LogWorkload::lose_process() { session_.reset(); }

std::optional<std::string> LogWorkload::resume() {
  if (!model_.created) return std::nullopt;
  {
    const auto copy = disk_.clone(random_.next());
    if (auto violation = check(*copy, model_, random_.next(), mutant_)) return violation;
  }
  session_ = std::make_unique<Session>();
  base::Random random = random_.split("directory");
  auto directory = LogDirectory::open(*wrapped_, kWorkloadPath, "cluster", base::BrokerId(1),
                                      random, session_->diag, {});
  if (!directory) return directory.error().what;
  session_->directory = std::move(*directory);
  auto opened = session_->directory->open_partition(kWorkloadName, config(), now_);
  if (!opened) return opened.error().what;
  session_->log = std::move(opened->log);
  const bool starting_over = model_.reset_to.has_value();
  adopt(*session_->log);
  if (!starting_over) return std::nullopt;
  // How far it had got cannot be told: the owner does it again.
  const Step done = truncate_fully();
  return done ? std::nullopt : std::optional(done.error().what);
}

// What recovery kept is from now on what was given and acknowledged.
void LogWorkload::adopt(Log& log) {
  const Contents contents = read_all(log);
  model_.batches.erase(model_.batches.lower_bound(log.end_offset().value()), model_.batches.end());
  for (const auto& [offset, bytes] : contents.batches) model_.batches[offset] = {bytes};
  if (model_.reset_to)
    model_.base = contents.batches.empty() ? log.end_offset().value() : model_.base;
  model_.reset_to.reset();
  model_.start = model_.acknowledged_start = log.start_offset().value();
  model_.end = model_.acknowledged_end = log.end_offset().value();
  leader_epoch_ =
      std::max(leader_epoch_, log.epochs().latest().value_or(base::LeaderEpoch(0)).value());
  adopt_producers(log);
}

void LogWorkload::adopt_producers(const Log& log) {
  producers_.clear();
  log.producers().for_each([&](const broker::ProducerEntry& entry) {
    producers_[entry.producer_id.value()] = {entry.last_sequence() + 1,
                                             entry.current_txn_first_offset.has_value()};
  });
}

LogWorkload::Step LogWorkload::start() {
  session_ = std::make_unique<Session>();
  base::Random random = random_.split("directory");
  auto directory = LogDirectory::open(*wrapped_, kWorkloadPath, "cluster", base::BrokerId(1),
                                      random, session_->diag, {});
  if (!directory) return std::unexpected(directory.error());
  session_->directory = std::move(*directory);
  if (!model_.created) {
    auto log = session_->directory->create_partition(kWorkloadName, kTopicId, config(), now_);
    if (!log) return std::unexpected(log.error());
    session_->log = std::move(*log);
    model_.created = true;
    return {};
  }
  auto opened = session_->directory->open_partition(kWorkloadName, config(), now_);
  if (!opened) return std::unexpected(opened.error());
  session_->log = std::move(opened->log);
  if (session_->log->end_offset().value() != model_.end) {
    return io::io_failure(EIO, "a log that was closed at " + std::to_string(model_.end) +
                                   " ends at " +
                                   std::to_string(session_->log->end_offset().value()));
  }
  return {};
}

LogWorkload::Step LogWorkload::step() {
  const auto dice = random_.below(100);
  if (dice < 45) return append();
  if (dice < 65) return flush();
  if (dice < 72) return run_upkeep();
  if (dice < 80) return checkpoint();
  if (dice < 83) return delete_records();
  if (dice < 88) return retain();
  if (dice < 91) return remove_files();
  if (dice < 94) return truncate();
  if (dice < 95) return truncate_fully();
  if (dice < 97) return fill_disk();
  return restart_cleanly();
}

// Of one of three producers, or of none: data, in a transaction or not, or the end of one.
base::Bytes LogWorkload::next_batch() {
  const auto id = static_cast<std::int64_t>(random_.below(4));
  const int records = static_cast<int>(random_.between(1, 4));
  const std::string value(random_.below(120), static_cast<char>('a' + random_.below(26)));
  record::BatchOptions options;
  if (id > 0) {
    Producer& producer = producers_[id];
    if (producer.in_transaction && random_.chance(1, 3)) {
      producer.in_transaction = false;
      return record::build_end_txn_marker({random_.chance(1, 2), 1}, base::ProducerId(id),
                                          base::ProducerEpoch(0), now_);
    }
    producer.in_transaction = producer.in_transaction || random_.chance(1, 3);
    options.transactional = producer.in_transaction;
    options.producer_id = base::ProducerId(id);
    options.producer_epoch = base::ProducerEpoch(0);
    options.base_sequence = producer.sequence;
    producer.sequence += records;
  }
  record::BatchBuilder builder(options);
  for (int i = 0; i < records; ++i) {
    builder.add(now_ + random_.between(-2000, 2000), std::nullopt, base::as_bytes(value));
  }
  return builder.build();
}

LogWorkload::Step LogWorkload::append() {
  Log& log = *session_->log;
  if (random_.chance(1, 12)) {
    log.assign_epoch(base::LeaderEpoch(++leader_epoch_), log.end_offset());
  }
  std::vector<base::Bytes> batches(static_cast<std::size_t>(random_.between(1, 4)));
  std::vector<base::MutableBytes> views;
  const auto producers_before = producers_;
  std::int64_t next = model_.end;
  for (base::Bytes& batch : batches) {
    batch = next_batch();
    views.emplace_back(batch);
    // From now on it may be there, whatever the answer.
    record::set_base_offset(batch, base::Offset(next));
    record::set_leader_epoch(batch, base::LeaderEpoch(leader_epoch_));
    model_.batches[next].push_back(batch);
    next = record::BatchView::parse(batch)->next_offset().value();
  }
  auto result = log.append(views, base::LeaderEpoch(leader_epoch_), now_);
  if (!result) {
    producers_ = producers_before;
    if (result.error().code == ENOSPC && disk_.faults.capacity_bytes) return {};
    return std::unexpected(result.error());
  }
  model_.end = next;
  if (log.end_offset().value() != next) return io::io_failure(EIO, "the log ends elsewhere");
  if (mutant_ == Mutant::kAckBeforeSync) model_.acknowledged_end = next;
  return {};
}

LogWorkload::Step LogWorkload::flush() {
  Log& log = *session_->log;
  broker::FlushBatch batch = log.take_unflushed();
  if (random_.chance(1, 3)) {
    // An append comes while the sync is under way.
    if (auto done = append(); !done) return done;
  }
  if (mutant_ == Mutant::kSyncOnlyActiveSegment && batch.data.size() > 1) batch.data.resize(1);
  auto synced = random_.chance(1, 5) && mutant_ != Mutant::kSyncOnlyActiveSegment
                    ? wrapped_->sync_filesystem(kWorkloadPath)
                    : batch.sync(*wrapped_);
  if (!synced) return synced;
  log.mark_flushed(batch);
  model_.acknowledged_end = std::max(model_.acknowledged_end, log.durable_end().value());
  if (batch.upkeep && mutant_ == Mutant::kSnapshotBeforeIndexes) {
    auto wrote =
        broker::write_side_files(*wrapped_, batch.upkeep->directory, batch.upkeep->snapshots);
    if (!wrote && wrote.error().code != ENOSPC) return wrote;
  }
  if (batch.upkeep) session_->upkeeps.push_back(std::move(batch.upkeep));
  return {};
}

LogWorkload::Step LogWorkload::run_upkeep() {
  for (const auto& upkeep : session_->upkeeps) {
    if (auto ran = upkeep->run(*wrapped_); !ran) return ran;
  }
  session_->upkeeps.clear();
  return {};
}

std::optional<std::string> LogWorkload::check(SimDisk& disk, const LogModel& model,
                                              std::uint64_t seed, Mutant mutant) {
  if (!model.created) return std::nullopt;
  const auto wrapped = wrap(disk, mutant);
  base::SilentDiag diag;
  base::Random random(seed);
  auto directory =
      LogDirectory::open(*wrapped, kWorkloadPath, "cluster", base::BrokerId(1), random, diag, {});
  if (!directory) return "the directory does not open: " + directory.error().what;
  auto opened = (*directory)->open_partition(kWorkloadName, config(), 0);
  if (!opened) return "the log does not open: " + opened.error().what;
  return check_log(*opened->log, model, random);
}

io::IoResult<std::string> LogWorkload::recover(SimDisk& disk, Mutant mutant) {
  const auto wrapped = wrap(disk, mutant);
  base::SilentDiag diag;
  base::Random random(1);
  auto directory =
      LogDirectory::open(*wrapped, kWorkloadPath, "cluster", base::BrokerId(1), random, diag, {});
  if (!directory) return std::unexpected(directory.error());
  auto opened = (*directory)->open_partition(kWorkloadName, config(), 0);
  if (!opened) return std::unexpected(opened.error());
  return describe_log(*opened->log);
}

}  // namespace sim

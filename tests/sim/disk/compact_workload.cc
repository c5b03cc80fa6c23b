#include "tests/sim/disk/compact_workload.h"

#include <algorithm>
#include <cerrno>

#include "common/record/builder.h"
#include "common/record/control.h"
#include "tests/sim/disk/compact_check.h"
#include "tests/sim/disk/log_check.h"
#include "tests/sim/disk/mutant_disk.h"

namespace sim {

using broker::Cleaning;
using broker::Log;
using broker::LogDirectory;

namespace {

const broker::PartitionName kName{"compacted", 0};
constexpr const char* kPath = "data";
constexpr base::Uuid kTopicId{3, 4};
constexpr int kKeys = 24;

std::unique_ptr<io::Disk> wrap(io::Disk& disk, CompactMutant mutant) {
  MutantDiskOptions options;
  if (mutant == CompactMutant::kNoSyncBeforeSwap) options.never_syncs = ".log.cleaned";
  if (mutant == CompactMutant::kMissesAborted) options.hides = ".txnindex";
  return std::make_unique<MutantDisk>(disk, options);
}

broker::LogConfig log_config() {
  broker::LogConfig config;
  config.segment_bytes = 900;
  config.index_interval_bytes = 150;
  config.checkpoint_bytes = 500;
  config.deletes = false;
  config.compacted = true;
  return config;
}

}  // namespace

const char* name_of(CompactMutant mutant) {
  switch (mutant) {
    case CompactMutant::kNone:
      return "none";
    case CompactMutant::kTombstonesEarly:
      return "tombstones early";
    case CompactMutant::kAboveStable:
      return "compacts above the last stable offset";
    case CompactMutant::kNoSyncBeforeSwap:
      return "no sync before the swap";
    case CompactMutant::kLyingDirectory:
      return "lying directory sync";
    case CompactMutant::kMissesAborted:
      return "takes aborted transactions for committed ones";
  }
  return "";
}

// The log as compaction sees it, which in this process is alone.
class CompactWorkload::Access final : public broker::CleanableLog {
 public:
  Access(Log& log, LogDirectory& directory) : log_(log), directory_(directory) {}
  broker::PartitionName name() const override { return kName; }
  Policy policy() override { return {.compacts = true}; }
  base::Offset stable_end() override {
    return log_.producers().last_stable_offset(log_.durable_end());
  }
  void with_log(const std::function<void(Log&)>& use) override { use(log_); }
  io::IoResult<void> secure(base::Offset end) {
    if (log_.recovery_point() < end) return io::io_failure(EAGAIN, "not yet");
    directory_.note_recovery_point(kName, log_.recovery_point());
    return directory_.write_recovery_points();
  }

 private:
  Log& log_;
  LogDirectory& directory_;
};

struct CompactWorkload::Session {
  base::SilentDiag diag;
  std::unique_ptr<LogDirectory> directory;
  std::unique_ptr<Log> log;
  std::shared_ptr<Access> access;
  std::vector<std::shared_ptr<broker::Upkeep>> upkeeps;
  std::unique_ptr<Cleaning> cleaning;
  base::Offset cleaned{0};
};

CompactWorkload::CompactWorkload(SimDisk& disk, std::uint64_t seed, CompactMutant mutant)
    : disk_(disk), wrapped_(wrap(disk, mutant)), random_(seed), mutant_(mutant) {
  disk_.faults.lying_directory_sync = mutant == CompactMutant::kLyingDirectory;
}

CompactWorkload::~CompactWorkload() = default;

std::optional<std::string> CompactWorkload::run(int steps) {
  for (int i = 0; i < steps && !disk_.stopped(); ++i) {
    now_ += random_.between(0, 300);
    const Step done = session_ ? step() : start();
    if (done || done.error().code == ECANCELED || disk_.stopped()) continue;
    return "step " + std::to_string(i) + " failed: " + done.error().what;
  }
  return std::nullopt;
}

CompactWorkload::Step CompactWorkload::start() {
  session_ = std::make_unique<Session>();
  base::Random random = random_.split("directory");
  auto directory = LogDirectory::open(*wrapped_, kPath, "cluster", base::BrokerId(1), random,
                                      session_->diag, {});
  if (!directory) return std::unexpected(directory.error());
  session_->directory = std::move(*directory);
  if (model_.created) {
    auto opened = session_->directory->open_partition(kName, log_config(), now_);
    if (!opened) return std::unexpected(opened.error());
    session_->log = std::move(opened->log);
  } else {
    auto made = session_->directory->create_partition(kName, kTopicId, log_config(), now_);
    if (!made) return std::unexpected(made.error());
    session_->log = std::move(*made);
    session_->log->assign_epoch(base::LeaderEpoch(0), base::Offset(0));
    model_.created = true;
  }
  session_->access = std::make_shared<Access>(*session_->log, *session_->directory);
  session_->log->producers().on_high_watermark(session_->log->durable_end());
  return {};
}

CompactWorkload::Step CompactWorkload::step() {
  const auto dice = random_.below(100);
  if (dice < 40) return append_data();
  if (dice < 50) return end_transaction();
  if (dice < 66) return flush();
  if (dice < 73) return run_upkeep();
  if (dice < 76) return checkpoint();
  if (dice < 77) return delete_records();
  if (dice < 78) return restart_cleanly();
  return compact();
}

// ---- appends

CompactWorkload::Step CompactWorkload::append(base::Bytes batch,
                                              std::optional<std::int64_t> producer) {
  Log& log = *session_->log;
  // Before it is written: what is stopped half-way may be whole.
  const base::MutableBytes view(batch);
  record::set_base_offset(view, log.end_offset());
  record::set_leader_epoch(view, base::LeaderEpoch(0));
  const auto given = *record::BatchView::parse(batch);
  const std::int64_t at = given.base_offset().value();
  using Fate = CompactModel::Fate;
  model_.fates[at] = producer ? Fate::kOpen : Fate::kPlain;
  if (producer) model_.open[*producer].push_back(at);
  model_.end = given.next_offset().value();
  if (!given.is_control()) {
    broker::OpenBatch open;
    (void)broker::open_batch(given, 1 << 20, open);
    record::RecordReader reader(open.section, given.count());
    record::RecordView record;
    while (reader.next(record)) {
      const auto text = [](base::BytesView bytes) {
        return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      };
      model_.records[at + record.offset_delta] = {
          .key = text(*record.key),
          .value = record.value ? std::optional(text(*record.value)) : std::nullopt,
          .timestamp = given.base_timestamp() + record.timestamp_delta,
          .batch = at};
    }
  }
  model_.batches[at] = batch;
  auto appended = log.append({&view, 1}, base::LeaderEpoch(0), now_);
  return appended ? Step() : std::unexpected(appended.error());
}

CompactWorkload::Step CompactWorkload::append_data() {
  record::BatchOptions options;
  if (random_.chance(1, 4)) options.codec = record::Codec::kLz4;
  std::optional<std::int64_t> open;
  const std::int64_t producer = random_.between(0, 6);
  const int count = static_cast<int>(random_.between(1, 5));
  if (producer < 4) {
    options.producer_id = base::ProducerId(producer);
    options.producer_epoch = base::ProducerEpoch(0);
    options.base_sequence = sequences_[producer];
    sequences_[producer] += count;
    options.transactional = producer < 2;
    if (options.transactional) open = producer;
  }
  record::BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    const std::string key = "key-" + std::to_string(random_.below(kKeys));
    const std::string value = "v" + std::to_string(model_.end + i) +
                              std::string(random_.below(40), static_cast<char>('a' + i));
    const bool tombstone = random_.chance(1, 4);
    builder.add(now_ + i, base::as_bytes(key),
                tombstone ? std::nullopt : std::optional(base::as_bytes(value)));
  }
  return append(builder.build(), open);
}

CompactWorkload::Step CompactWorkload::end_transaction() {
  if (model_.open.empty()) return {};
  auto it = model_.open.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(random_.below(model_.open.size())));
  const std::int64_t producer = it->first;
  const bool commit = random_.chance(1, 2);
  auto marker = record::build_end_txn_marker({commit, 1}, base::ProducerId(producer),
                                             base::ProducerEpoch(0), now_);
  for (const std::int64_t at : it->second) {
    model_.fates[at] = commit ? CompactModel::Fate::kCommitted : CompactModel::Fate::kAborted;
  }
  model_.open.erase(it);
  return append(std::move(marker), std::nullopt);
}

// ---- durability

CompactWorkload::Step CompactWorkload::flush() {
  Log& log = *session_->log;
  const broker::FlushBatch batch = log.take_unflushed();
  if (auto synced = batch.sync(*wrapped_); !synced) return synced;
  log.mark_flushed(batch);
  log.producers().on_high_watermark(log.durable_end());
  model_.acknowledged_end = std::max(model_.acknowledged_end, log.durable_end().value());
  if (batch.upkeep) session_->upkeeps.push_back(batch.upkeep);
  return {};
}

CompactWorkload::Step CompactWorkload::run_upkeep() {
  for (const auto& upkeep : session_->upkeeps) {
    if (auto ran = upkeep->run(*wrapped_); !ran) return ran;
  }
  session_->upkeeps.clear();
  return {};
}

CompactWorkload::Step CompactWorkload::checkpoint() {
  session_->directory->note_recovery_point(kName, session_->log->recovery_point());
  return session_->directory->write_recovery_points();
}

CompactWorkload::Step CompactWorkload::delete_records() {
  Log& log = *session_->log;
  const base::Offset to = log.start_offset() + random_.between(0, 6);
  if (to > log.producers().last_stable_offset(log.durable_end())) return {};
  session_->directory->note_start(kName, to);
  model_.start = to.value();
  if (auto wrote = session_->directory->write_starts(); !wrote) return wrote;
  model_.acknowledged_start = to.value();
  if (auto moved = log.advance_start(to); !moved) return moved;
  log.mark_start_durable(to);
  const broker::Removal removal = log.take_removals();
  if (auto renamed = removal.rename_all(*wrapped_); !renamed) return renamed;
  return removal.remove_all(*wrapped_);
}

CompactWorkload::Step CompactWorkload::restart_cleanly() {
  if (auto ran = run_upkeep(); !ran) return ran;
  Log& log = *session_->log;
  if (auto closed = log.close(); !closed) return closed;
  model_.acknowledged_end = model_.end;
  session_->cleaning.reset();
  session_->directory->note_recovery_point(kName, log.recovery_point());
  session_->directory->note_start(kName, log.start_offset());
  if (auto closed = session_->directory->close_clean(base::BrokerEpoch(-1)); !closed) {
    return closed;
  }
  session_.reset();
  return {};
}

// ---- compaction

CompactWorkload::Step CompactWorkload::begin_round() {
  auto view = session_->log->compaction_view(false);
  if (!view) return std::unexpected(view.error());
  base::Offset stable = session_->access->stable_end();
  model_.stable_end = std::max(model_.stable_end, stable.value());
  if (mutant_ == CompactMutant::kAboveStable) stable = session_->log->end_offset();
  // Now and then all over again, as after a loss of the checkpoint.
  const auto checkpoint = random_.chance(1, 4) ? base::Offset(0) : session_->cleaned;
  const auto dirty = broker::find_dirty(view->facts, view->start, checkpoint, stable, now_,
                                        {.dirty_ratio_min = -1});
  if (!dirty.wanted && !random_.chance(1, 4)) return {};
  if (view->facts.empty()) return {};
  model_.rounds.push_back(now_);
  model_.compacted_end = std::max(model_.compacted_end, view->facts.back().end.value());
  for (auto& [at, batch] : model_.batches) {
    if (at < view->facts.back().end.value()) model_.first_round.try_emplace(at, now_);
  }
  const bool early = mutant_ == CompactMutant::kTombstonesEarly;
  session_->cleaning = std::make_unique<Cleaning>(
      session_->access, *wrapped_, session_->directory->files(), std::move(*view), dirty,
      Cleaning::Options{
          .now = now_,
          .delete_retention_ms = early ? 0 : kDeleteRetentionMs,
          .segment_bytes = log_config().segment_bytes,
          .index_interval_bytes = log_config().index_interval_bytes,
          // Sometimes too small for all keys.
          .keys = {.bytes_max = random_.chance(1, 3) ? 240u : 4096u, .secret_low = random_.next()},
          .group_segments_max = 4,
          .secure = [access = session_->access](base::Offset end) { return access->secure(end); }});
  return {};
}

CompactWorkload::Step CompactWorkload::compact() {
  if (!session_->cleaning) return begin_round();
  auto went = session_->cleaning->step(random_.below(900));
  if (!went) {
    session_->cleaning->abandon();
    session_->cleaning.reset();
    const int code = went.error().code;
    // The log went another way: tried again later.
    if (code == ENOENT || code == EAGAIN || (code == ECANCELED && !disk_.stopped())) return {};
    return std::unexpected(went.error());
  }
  if (*went == Cleaning::Progress::kMore) return {};
  session_->cleaned = session_->cleaning->cleaned_end();
  session_->cleaning.reset();
  ++rounds_done_;
  return {};
}

// ---- checks

std::optional<std::string> CompactWorkload::check_live() {
  if (!session_) return std::nullopt;
  return check_compacted(*session_->log, model_);
}

namespace {

io::IoResult<std::unique_ptr<Log>> open_log(SimDisk& disk, base::Diag& diag,
                                            std::unique_ptr<LogDirectory>& directory) {
  base::Random random(1);
  auto opened = LogDirectory::open(disk, kPath, "cluster", base::BrokerId(1), random, diag, {});
  if (!opened) return std::unexpected(opened.error());
  directory = std::move(*opened);
  auto log = directory->open_partition(kName, log_config(), 0);
  if (!log) return std::unexpected(log.error());
  return std::move(log->log);
}

}  // namespace

std::optional<std::string> CompactWorkload::check(SimDisk& disk, const CompactModel& model) {
  if (!model.created) return std::nullopt;
  base::SilentDiag diag;
  std::unique_ptr<LogDirectory> directory;
  auto log = open_log(disk, diag, directory);
  if (!log) return "the log does not open: " + log.error().what;
  for (const std::string& name : disk.files()) {
    if (name.ends_with(".swap") || name.ends_with(".cleaned")) return "left behind: " + name;
  }
  return check_compacted(**log, model);
}

io::IoResult<std::string> CompactWorkload::recover(SimDisk& disk) {
  base::SilentDiag diag;
  std::unique_ptr<LogDirectory> directory;
  auto log = open_log(disk, diag, directory);
  if (!log) return std::unexpected(log.error());
  return describe_compacted(**log);
}

}  // namespace sim

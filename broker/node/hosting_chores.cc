// The chores of Hosting: checkpoints, retention, DeleteRecords, and removing what is deleted.
#include <algorithm>

#include "broker/node/compaction.h"
#include "broker/node/hosting.h"
#include "common/base/mutant.h"

namespace broker {

using wire::ErrorCode;

void Hosting::start_chores() {
  checkpoint_timer_.on_fire([this] { write_checkpoints(); });
  debt_paid_ = home_.now();
  for (const auto& store : directories_.all()) {
    store->directory->debt().on_limit([this] {
      home_.post([this] {
        debt_due_ = true;
        write_checkpoints();
      });
    });
  }
  retention_timer_.on_fire(
      [this] { run_retention([this] { arm(retention_timer_, chores_.retention_every); }); });
  arm(checkpoint_timer_, chores_.checkpoint_every);
  arm(retention_timer_, chores_.retention_every);
  for (const auto& store : directories_.all()) {
    LogDirectory* directory = store->directory.get();
    const auto in_it = [this, directory] {
      auto partitions = all_partitions();
      std::erase_if(partitions, [&](const auto& each) { return each->directory() != directory; });
      return cleanable_logs(partitions);
    };
    cleaners_.push_back(std::make_unique<Cleaner>(*directory, disk_, node_.clock, node_.diag, home_,
                                                  random_.split("cleaner"), in_it,
                                                  cleaner_options()));
    cleaners_.back()->start();
  }
  moves_.resume();
}

void Hosting::alter_directories(std::vector<Alteration> wanted, io::Executor& back, Altered done) {
  home_.post([this, wanted = std::move(wanted), &back, done = std::move(done)]() mutable {
    for (Alteration& each : wanted) each.error = moves_.alter(each.name, each.path);
    back.post([wanted = std::move(wanted), done = std::move(done)]() mutable {
      done(std::move(wanted));
    });
  });
}

void Hosting::arm(base::Timer& timer, base::Duration after) {
  if (!stopping_) home_.timers().set(timer, home_.now() + after);
}

std::vector<std::shared_ptr<Partition>> Hosting::all_partitions() const {
  std::vector<std::shared_ptr<Partition>> all;
  const auto table = node_.partitions->snapshot();
  for (const auto& [id, topic] : table->by_id) {
    for (const auto& partition : topic->partitions) {
      if (partition != nullptr) all.push_back(partition);
    }
  }
  // Not in the order of a hash table: everything that can be seen must be the same in each run.
  std::ranges::sort(all, {}, [](const auto& partition) {
    return std::pair<const std::string&, std::int32_t>(partition->topic(), partition->index());
  });
  return all;
}

// Once more as if their topics had just been made.
void Hosting::reopen() {
  if (working_ || !queue_.empty()) return arm(reopen_timer_, chores_.reopen_every);
  Change change{.image = image_, .delta = {}};
  for (const base::Uuid& id : unopened_) {
    if (auto topic = image_->topic_ptr(id)) change.delta.topics[id].after = std::move(topic);
  }
  unopened_.clear();
  queue_.push_back(std::move(change));
  begin_next();
}

// With so little behind their indexes, logs are left alone: writing those would cost more than
// reading that again.
constexpr std::uint64_t kWorthPaying = 64 << 10;

// Writes the indexes of all logs that are far ahead of theirs, so that their recovery points may
// follow.
void Hosting::pay_recovery_debt(LogDirectory& directory) {
  if (directory.failed()) return;
  directory.debt().pay();
  std::vector<std::shared_ptr<Upkeep>> upkeeps;
  for (const auto& partition : all_partitions()) {
    if (partition->directory() != &directory) continue;
    partition->with_log([&](Log& log) {
      if (auto upkeep = log.take_checkpoint(kWorthPaying)) upkeeps.push_back(std::move(upkeep));
    });
  }
  if (upkeeps.empty()) return;
  const auto ran = Upkeep::run_together(disk_, directory.path(), upkeeps);
  if (!ran) directory.health().fail(ran.error());
}

void Hosting::write_checkpoints() {
  if (checkpointing_ || stopping_) return;
  checkpointing_ = true;
  const bool owes = std::ranges::any_of(
      directories_.all(), [](const auto& store) { return store->directory->debt().bytes() > 0; });
  const bool waited = home_.now() - debt_paid_ >= chores_.debt_paid_every;
  const bool pays = std::exchange(debt_due_, false) || (waited && owes);
  if (pays) debt_paid_ = home_.now();
  home_.blocking(
      [this, pays] {
        std::lock_guard lock(placement_);
        for (const auto& store : directories_.all()) {
          if (pays) pay_recovery_debt(*store->directory);
        }
        const base::WallMs now = node_.clock.wall_ms();
        for (const auto& partition : all_partitions()) {
          const base::Offset visible = partition->bounds().visible;
          // Noted under the lock: a cut that comes after it notes less.
          partition->with_log([&](Log& log) {
            log.producers().expire(now);
            LogDirectory& directory = *partition->directory();
            directory.note_recovery_point(partition->name(), log.recovery_point());
            directory.note_high_watermark(partition->name(), std::min(visible, log.end_offset()));
          });
        }
        for (const auto& store : directories_.all()) {
          LogDirectory& directory = *store->directory;
          directory.files().close_idle();
          if (directory.failed()) continue;
          auto written = directory.write_recovery_points();
          if (written) written = directory.write_high_watermarks();
          if (!written) {
            node_.diag.error("log", "a checkpoint could not be written",
                             {{"error", written.error().what}});
          }
        }
      },
      [this] {
        checkpointing_ = false;
        arm(checkpoint_timer_, debt_due_ ? base::Duration{} : chores_.checkpoint_every);
      });
}

void Hosting::advance_all(std::vector<Advance>& advances) {
  std::lock_guard lock(placement_);
  for (const auto& store : directories_.all()) advance_in(*store, advances);
}

// What of it is in one directory.
void Hosting::advance_in(LogStore& store, std::vector<Advance>& advances) {
  LogDirectory& directory = *store.directory;
  const base::WallMs now = node_.clock.wall_ms();
  // Durable before anybody sees it: a start that was seen never falls back in a crash.
  bool moves = false;
  for (Advance& advance : advances) {
    if (advance.partition->directory() != &directory) continue;
    const base::Offset visible = advance.partition->bounds().visible;
    advance.partition->with_log([&](Log& log) {
      // A follower's start may have moved with its leader's already.
      const base::Offset to = std::max(advance.to ? *advance.to : log.retention_start(now, visible),
                                       log.start_offset());
      advance.start = log.start_offset();
      if (advance.to && to > visible) {
        advance.error = ErrorCode::kOffsetOutOfRange;
        return;
      }
      if (to <= log.durable_start()) return;
      advance.start = to;
      moves = true;
      // Another one may be on its way to a later start.
      const auto noted = directory.start_of(advance.partition->name()).value_or(to);
      directory.note_start(advance.partition->name(), std::max(noted, to));
    });
  }
  if (!moves) return;
  const auto written =
      MUTANT("node-forgets-starts") ? io::IoResult<void>() : directory.write_starts();
  if (!written) {
    node_.diag.error("log", "the new start of logs could not be made durable",
                     {{"error", written.error().what}});
    for (Advance& advance : advances) {
      if (advance.partition->directory() == &directory) {
        advance.error = ErrorCode::kKafkaStorageError;
      }
    }
    return;
  }
  for (Advance& advance : advances) {
    if (advance.partition->directory() != &directory) continue;
    if (advance.error != ErrorCode::kNone) continue;
    advance.partition->with_log([&](Log& log) {
      if (!log.advance_start(advance.start)) {
        advance.error = ErrorCode::kOffsetOutOfRange;
        return;
      }
      advance.start = log.start_offset();
      log.mark_start_durable(advance.start);
      advance.removal = log.take_removals();
    });
    if (advance.removal.empty()) continue;
    if (auto renamed = advance.removal.rename_all(disk_); !renamed) {
      node_.diag.error(
          "log", "old segments could not be renamed",
          {{"partition", advance.partition->name().to_string()}, {"error", renamed.error().what}});
    }
  }
}

void Hosting::settle_removals(std::vector<Advance>& advances) {
  for (Advance& advance : advances) {
    if (advance.removal.empty()) continue;
    remove_later(std::move(advance.removal), advance.partition->config()->file_delete_delay_ms);
  }
}

void Hosting::run_retention(std::move_only_function<void()> done) {
  auto advances = std::make_shared<std::vector<Advance>>();
  for (auto& partition : all_partitions()) {
    advances->push_back({.partition = std::move(partition), .to = std::nullopt, .removal = {}});
  }
  home_.blocking([this, advances] { advance_all(*advances); },
                 [this, advances, done = std::move(done)]() mutable {
                   settle_removals(*advances);
                   done();
                 });
}

void Hosting::delete_records(std::shared_ptr<Partition> partition,
                             std::optional<base::Offset> offset, io::Executor& back, Deleted done) {
  home_.post(
      [this, partition = std::move(partition), offset, &back, done = std::move(done)]() mutable {
        auto advances = std::make_shared<std::vector<Advance>>();
        const base::Offset to = offset.value_or(partition->bounds().visible);
        advances->push_back({.partition = std::move(partition), .to = to, .removal = {}});
        home_.blocking(
            [this, advances] { advance_all(*advances); },
            [this, advances, &back, done = std::move(done)]() mutable {
              const auto error = advances->front().error;
              const auto start = advances->front().start;
              settle_removals(*advances);
              back.post([done = std::move(done), error, start]() mutable { done(error, start); });
            });
      });
}

void Hosting::remove_later(Removal removal, std::int64_t delay_ms) {
  if (stopping_) return;  // the next start removes leftovers
  const std::uint64_t id = next_removal_++;
  auto& timer = removals_[id];
  timer = std::make_unique<base::Timer>();
  auto shared = std::make_shared<Removal>(std::move(removal));
  timer->on_fire([this, id, shared] {
    home_.blocking(
        [this, shared] {
          const auto removed = shared->files.empty() ? disk_.remove_all(shared->directory)
                                                     : shared->remove_all(disk_);
          if (!removed) {
            node_.diag.warn("log", "deleted files could not be removed",
                            {{"directory", shared->directory}, {"error", removed.error().what}});
          }
        },
        [] {});
    removals_.erase(id);
  });
  home_.timers().set(*timer, home_.now() + std::chrono::milliseconds(delay_ms));
}

}  // namespace broker

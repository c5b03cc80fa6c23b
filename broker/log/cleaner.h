// Compacts the logs of one directory: looks which is dirtiest, compacts it, looks again; when none
// is dirty enough it rests. Lives on one executor (the home); what blocks runs elsewhere, a few MiB
// at a time, so that no thread is held for long and the throttle is a timer.
//
//   rest ──▶ survey ──▶ up to `threads` rounds side by side ──▶ checkpoint ──▶ survey ...
//
// A log that cannot be compacted is named, tried again later, and holds up no other. How far each
// log was compacted is in cleaner-offset-checkpoint (Kafka's format). docs/compaction.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/log/cleaning.h"
#include "broker/log/log_directory.h"
#include "broker/log/offset_checkpoint.h"
#include "common/base/diag.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/clock.h"
#include "common/io/executor.h"

namespace broker {

class Cleaner {
 public:
  // All log.cleaner.* of the broker.
  struct Options {
    std::size_t threads = 1;
    std::uint64_t dedupe_bytes = 128 << 20;  // of all threads together
    double load_max = 0.9;
    double io_bytes_per_second = 0;  // read and written together; 0: without bound
    base::Duration backoff = std::chrono::seconds(15);
    // A failed log is tried again after the backoff, then twice that, ... up to this.
    base::Duration retry_max = std::chrono::minutes(10);
    std::uint64_t step_bytes = 4 << 20;
  };
  // What there is to compact now. Worker thread.
  using List = std::function<std::vector<std::shared_ptr<CleanableLog>>()>;

  Cleaner(LogDirectory& directory, io::Disk& disk, io::Clock& clock, base::Diag& diag,
          io::Executor& home, base::Random random, List list, const Options& options);
  ~Cleaner();
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  // Home.
  void start();
  // Home. Ends rounds where they stand; `done` on the home once nothing of it runs.
  void stop(std::move_only_function<void()> done);
  // Home. From the next round on.
  void set_options(const Options& options) { options_ = options; }

  // Any thread.
  struct Failure {
    PartitionName name;
    std::string why;
    std::uint64_t times = 0;
  };
  struct Stats {
    std::uint64_t rounds = 0;
    std::uint64_t failures = 0;
    std::uint64_t running = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t records_read = 0;
    std::uint64_t records_kept = 0;
    double dirty_ratio_max = 0;       // of the last survey
    double key_map_load = 0;          // of the last round
    std::int64_t overdue_ms_max = 0;  // beyond max.compaction.lag.ms, of the last survey
    std::vector<Failure> uncleanable;
  };
  Stats stats() const;

 private:
  struct Candidate {
    std::shared_ptr<CleanableLog> log;
    CleanableLog::Policy policy;
    CompactionView view;
    DirtyRange dirty;
  };
  struct Survey;
  struct Round;
  // What is remembered of a log between rounds.
  struct Known {
    std::optional<base::Uuid> topic_id;
    std::uint64_t truncations = 0;
  };
  struct Trouble {
    std::string why;
    std::uint64_t times = 0;
    base::Instant retry_at;
  };

  void look();
  void rest();
  void survey(Survey& survey);  // worker thread
  void survey_one(Survey& survey, const std::shared_ptr<CleanableLog>& log);
  void begin_rounds(std::shared_ptr<Survey> survey);
  std::shared_ptr<Round> make_round(Candidate candidate);
  void step(std::shared_ptr<Round> round);
  void on_step(std::shared_ptr<Round> round);
  void end_round(std::shared_ptr<Round> round);
  void note_work(Round& round);  // worker thread
  void note_success(const Round& round);
  void note_failure(const Round& round);
  io::IoResult<void> secure(CleanableLog& log, base::Offset end);  // worker thread
  io::IoResult<void> checkpoint(const PartitionName& name, base::Offset offset);
  void end_if_stopped();

  LogDirectory& directory_;
  io::Disk& disk_;
  io::Clock& clock_;
  base::Diag& diag_;
  io::Executor& home_;
  base::Random random_;
  const List list_;
  Options options_;
  OffsetCheckpoint offsets_;
  bool loaded_ = false;                   // survey only
  std::map<PartitionName, Known> known_;  // survey only
  bool looking_ = false;
  bool stopping_ = false;
  std::move_only_function<void()> on_stopped_;
  std::map<PartitionName, std::shared_ptr<Round>> rounds_;  // under way
  std::map<PartitionName, Trouble> troubles_;
  base::Timer rest_timer_;
  mutable std::mutex stats_mutex_;
  Stats stats_;
};

}  // namespace broker

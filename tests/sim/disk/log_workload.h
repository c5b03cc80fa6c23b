// A random life of one log directory with one partition, up to the moment when the machine stops,
// and a model of what may and what must be there afterwards. The driver does what the broker's node
// does, in its order; a Mutant makes it (or the disk) do one thing wrong, to see that the checks
// notice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/log/log_directory.h"
#include "common/base/random.h"
#include "tests/sim/disk/sim_disk.h"

namespace sim {

enum class Mutant {
  kNone,
  kLyingSync,                // fdatasync does nothing
  kLyingDirectorySync,       // fsync of directories does nothing
  kAckBeforeSync,            // what is written counts as acknowledged
  kSyncOnlyActiveSegment,    // a flush forgets the segment that was rolled
  kRecoveryPointAhead,       // the checkpoint says more than is durable
  kStartNotWritten,          // segments are removed before the new start is durable
  kTruncateUnderCheckpoint,  // truncation below a recovery point that stays
  kCleanMarkerStays,         // the marker of a clean end is never removed
  kSnapshotBeforeIndexes,    // a snapshot overtakes what it vouches for
  kTruncateDoesNothing,      // cutting a file is forgotten by the disk
};
inline constexpr Mutant kMutants[] = {Mutant::kLyingSync,
                                      Mutant::kLyingDirectorySync,
                                      Mutant::kAckBeforeSync,
                                      Mutant::kSyncOnlyActiveSegment,
                                      Mutant::kRecoveryPointAhead,
                                      Mutant::kStartNotWritten,
                                      Mutant::kTruncateUnderCheckpoint,
                                      Mutant::kCleanMarkerStays,
                                      Mutant::kSnapshotBeforeIndexes,
                                      Mutant::kTruncateDoesNothing};
const char* name_of(Mutant mutant);

// What the log was told and what it answered.
struct LogModel {
  // Every batch that may be at its base offset: more than one when an append failed and another
  // followed. The last is what the log should hold.
  std::map<std::int64_t, std::vector<base::Bytes>> batches;
  std::int64_t end = 0;
  std::int64_t acknowledged_end = 0;  // durable, and said so
  std::int64_t start = 0;
  std::int64_t acknowledged_start = 0;  // durable, and said so
  bool created = false;
  // Where the history begins: moves when the log starts over.
  std::int64_t base = 0;
  // The log is being started over there: it may be the old one, cut anywhere, or empty.
  std::optional<std::int64_t> reset_to;
};

class LogWorkload {
 public:
  LogWorkload(SimDisk& disk, std::uint64_t seed, Mutant mutant = Mutant::kNone);
  ~LogWorkload();

  // Takes up to `steps` random steps; ends early when the disk has stopped. Says what went wrong
  // that was not the stop.
  std::optional<std::string> run(int steps);
  // The same, but ends at the first failure that is not a full disk, as a node would.
  std::optional<std::string> run_to_failure(int steps);
  const LogModel& model() const { return model_; }
  // The process is gone; nothing of it may be used any more.
  void lose_process();
  // Recovers what a crash left, checks it, and goes on with that.
  std::optional<std::string> resume();

  // Opens what a crash left and compares it with the model. Nothing: all is well.
  static std::optional<std::string> check(SimDisk& disk, const LogModel& model, std::uint64_t seed,
                                          Mutant mutant = Mutant::kNone);
  // The same, but only opens: returns a digest of what the log holds, or an error.
  static io::IoResult<std::string> recover(SimDisk& disk, Mutant mutant = Mutant::kNone);

  static broker::LogConfig config();

 private:
  using Step = io::IoResult<void>;
  struct Session;

  Step start();
  Step step();
  Step append();
  Step flush();
  Step run_upkeep();
  Step checkpoint();
  Step delete_records();
  Step retain();
  Step advance(base::Offset to);
  Step remove_files();
  Step truncate();
  Step truncate_fully();
  Step restart_cleanly();
  Step fill_disk();
  base::Bytes next_batch();
  void adopt(broker::Log& log);
  void adopt_producers(const broker::Log& log);

  SimDisk& disk_;
  std::unique_ptr<io::Disk> wrapped_;
  base::Random random_;
  const Mutant mutant_;
  LogModel model_;
  std::unique_ptr<Session> session_;
  std::int32_t leader_epoch_ = 0;
  struct Producer {
    std::int32_t sequence = 0;
    bool in_transaction = false;
  };
  std::map<std::int64_t, Producer> producers_;
  base::WallMs now_ = 1'000'000;
};

}  // namespace sim

// A random life of one compacted log on a disk that crashes: keyed records with and without
// transactions, compaction in small steps between appends and flushes, clean restarts. The model
// knows every record that was ever given; after a crash the log must lead a reader to the same
// values. A Mutant compacts wrongly, to see that the check notices.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/cleaning.h"
#include "broker/log/log_directory.h"
#include "common/base/random.h"
#include "tests/sim/disk/sim_disk.h"

namespace sim {

enum class CompactMutant {
  kNone,
  kTombstonesEarly,   // tombstones go before delete.retention.ms
  kAboveStable,       // open transactions are compacted like committed ones
  kNoSyncBeforeSwap,  // the compacted data is not synced before it takes its place
  kLyingDirectory,    // renames are never made durable
  kMissesAborted,     // the index of aborted transactions is not read
};
inline constexpr CompactMutant kCompactMutants[] = {
    CompactMutant::kTombstonesEarly, CompactMutant::kAboveStable, CompactMutant::kNoSyncBeforeSwap,
    CompactMutant::kLyingDirectory, CompactMutant::kMissesAborted};
const char* name_of(CompactMutant mutant);

struct CompactModel {
  enum class Fate { kPlain, kOpen, kCommitted, kAborted };
  struct Record {
    std::string key;
    std::optional<std::string> value;
    std::int64_t timestamp = 0;
    std::int64_t batch = 0;  // base offset
  };
  std::map<std::int64_t, Record> records;                  // every one that was given
  std::map<std::int64_t, base::Bytes> batches;             // as given, also markers
  std::map<std::int64_t, Fate> fates;                      // of batches, by base offset
  std::map<std::int64_t, std::vector<std::int64_t>> open;  // batches of open transactions
  std::int64_t end = 0;
  std::int64_t acknowledged_end = 0;
  std::int64_t start = 0;
  std::int64_t acknowledged_start = 0;
  std::int64_t compacted_end = 0;    // no segment above was ever compacted
  std::int64_t stable_end = 0;       // nor any record, for its transaction may be open
  std::vector<std::int64_t> rounds;  // when each began
  std::map<std::int64_t, std::int64_t> first_round;  // of a batch: when it was first compacted
  bool created = false;
};

class CompactWorkload {
 public:
  static constexpr std::int64_t kDeleteRetentionMs = 4000;

  CompactWorkload(SimDisk& disk, std::uint64_t seed, CompactMutant mutant = CompactMutant::kNone);
  ~CompactWorkload();

  // Random steps until `steps` are done or the disk has stopped. Says what went wrong otherwise.
  std::optional<std::string> run(int steps);
  const CompactModel& model() const { return model_; }
  std::uint64_t rounds_done() const { return rounds_done_; }
  // The log as it stands, without a crash.
  std::optional<std::string> check_live();

  // Opens what a crash left and compares it with the model.
  static std::optional<std::string> check(SimDisk& disk, const CompactModel& model);
  // Opens only; a digest of what the log holds.
  static io::IoResult<std::string> recover(SimDisk& disk);

 private:
  using Step = io::IoResult<void>;
  struct Session;
  class Access;

  Step start();
  Step step();
  Step append_data();
  Step end_transaction();
  Step append(base::Bytes batch, std::optional<std::int64_t> open_producer);
  Step flush();
  Step run_upkeep();
  Step checkpoint();
  Step compact();
  Step begin_round();
  Step delete_records();
  Step restart_cleanly();

  SimDisk& disk_;
  std::unique_ptr<io::Disk> wrapped_;
  base::Random random_;
  const CompactMutant mutant_;
  CompactModel model_;
  std::unique_ptr<Session> session_;
  std::map<std::int64_t, std::int32_t> sequences_;  // of producers
  base::WallMs now_ = 1'000'000;
  std::uint64_t rounds_done_ = 0;
};

}  // namespace sim

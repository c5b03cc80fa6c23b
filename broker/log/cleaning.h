// One round of compaction of one partition, in steps that each read a bounded number of bytes: the
// owner runs them away from the reactors and sleeps in between as it likes. Nothing here holds the
// partition's lock for longer than a look at memory; appends and reads go on.
//
//   index the dirty part ──▶ for each group of segments: filter, write, swap ──▶ done
//
// Owned by Cleaner (one per round), one thread at a time. docs/compaction.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "broker/log/batch_scanner.h"
#include "broker/log/compact_filter.h"
#include "broker/log/compact_plan.h"
#include "broker/log/compact_swap.h"
#include "broker/log/key_map.h"
#include "broker/log/log.h"
#include "broker/log/partition_name.h"
#include "common/base/time.h"
#include "common/io/disk.h"

namespace broker {

// A log that may be compacted, as the one who compacts sees it. Any thread; what is said to block
// blocks. It stays usable, if only to answer that there is nothing to do, when its partition ends.
class CleanableLog {
 public:
  struct Policy {
    bool compacts = false;
    CompactLimits limits;
    std::int64_t delete_retention_ms = 86'400'000;
    std::uint64_t segment_bytes = std::uint64_t{1} << 30;
    std::uint32_t index_interval_bytes = 4096;
  };
  virtual ~CleanableLog() = default;
  virtual PartitionName name() const = 0;
  virtual Policy policy() = 0;
  // The last stable offset: nothing from there on may be compacted.
  virtual base::Offset stable_end() = 0;
  // Runs `use` under the partition's lock.
  virtual void with_log(const std::function<void(Log&)>& use) = 0;
};

class Cleaning {
 public:
  struct Options {
    base::WallMs now = 0;
    std::int64_t delete_retention_ms = 86'400'000;
    std::uint64_t segment_bytes = std::uint64_t{1} << 30;
    std::uint32_t index_interval_bytes = 4096;
    KeyMap::Options keys;
    std::size_t batch_bytes_max = 256 << 20;  // uncompressed
    std::size_t group_segments_max = 128;     // become one
    // Makes a recovery point at or above the offset durable. Blocks. EAGAIN: not yet.
    std::function<io::IoResult<void>(base::Offset)> secure;
  };
  enum class Progress : std::uint8_t { kMore, kDone };

  Cleaning(std::shared_ptr<CleanableLog> log, io::Disk& disk, FileCache& files, CompactionView view,
           const DirtyRange& dirty, const Options& options);
  ~Cleaning();

  // Reads and writes about `bytes` more. Blocks. Errors: ENOENT, ECANCELED the log went another
  // way, try later; a full disk likewise; EBADMSG, EMSGSIZE, EFBIG a batch cannot be compacted; any
  // other is the disk's. After an error or kDone it is of no more use.
  io::IoResult<Progress> step(std::uint64_t bytes);
  // Removes what was written and is not in place, of a round that does not come to its end. Blocks.
  void abandon();
  // Bytes read and written by the last step: for a throttle.
  std::uint64_t step_bytes() const { return step_bytes_; }
  // All below was compacted; after kDone.
  base::Offset cleaned_end() const { return indexer_.end(); }
  CompactStats stats() const;
  double key_map_load() const {
    return static_cast<double>(keys_.size()) / static_cast<double>(keys_.capacity());
  }

 private:
  struct Output;
  io::IoResult<void> index_some(std::uint64_t bytes);
  io::IoResult<void> copy_some(std::uint64_t bytes);
  io::IoResult<bool> open_segment(std::size_t index);
  io::IoResult<std::optional<record::BatchView>> next_batch();
  io::IoResult<void> begin_group();
  io::IoResult<void> end_group();
  io::IoResult<void> write(base::BytesView batch);
  io::IoResult<void> write_out();
  io::IoResult<std::vector<AbortedTxn>> aborted_in(std::size_t index);
  void begin_copying();

  const std::shared_ptr<CleanableLog> log_;
  io::Disk& disk_;
  FileCache& files_;
  const CompactionView view_;
  const DirtyRange dirty_;
  const Options options_;
  KeyMap keys_;
  KeyIndexer indexer_;
  std::optional<CompactFilter> filter_;  // once all keys are known
  std::vector<SegmentGroup> groups_;
  std::size_t group_ = 0;

  // The segment being read.
  std::size_t segment_ = 0;
  std::shared_ptr<io::File> file_;
  std::optional<BatchScanner> scanner_;
  base::Bytes large_;
  std::unique_ptr<Output> output_;
  std::uint64_t step_bytes_ = 0;
  bool done_ = false;
};

}  // namespace broker

// The log of one partition: a directory of segments in Apache Kafka's layout, byte for byte
// (docs/log_format.md). Owned by node::Partition, used under the partition's lock, by one thread at
// a time. No clock: time is an argument. No call but open, recover and close blocks for longer than
// a write into the page cache or a read of what is cached, except where it says so.
//
// Invariants: start <= durable end <= end after a flush, start <= end always; batches are stored as
// given, except for base offset and leader epoch; an offset once given is never given again unless
// the log was truncated; once a write failed, nothing more is appended.
//
// How bytes become durable: append writes into the page cache and take_unflushed() says what has to
// be synced, elsewhere (Flusher). How files go: retention_start() proposes, advance_start() moves
// the start, the owner makes it durable (LogDirectory), mark_start_durable() and take_removals()
// give back what may now be removed, elsewhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/log/compact_filter.h"
#include "broker/log/compact_plan.h"
#include "broker/log/compact_swap.h"
#include "broker/log/epoch_cache.h"
#include "broker/log/file_cache.h"
#include "broker/log/flush_batch.h"
#include "broker/log/index_search.h"
#include "broker/log/log_config.h"
#include "broker/log/log_health.h"
#include "broker/log/offset_lookup.h"
#include "broker/log/recent_batches.h"
#include "broker/log/recovery_debt.h"
#include "broker/log/segment.h"
#include "broker/producer/aborted.h"
#include "broker/producer/producer_states.h"
#include "common/base/bytes.h"
#include "common/base/diag.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/io/disk.h"
#include "common/io/net.h"
#include "common/record/batch_view.h"

namespace broker {

// What logs of one directory share. All of it outlives them.
struct LogServices {
  io::Disk& disk;
  FileCache& files;
  LogHealth& health;
  base::Diag& diag;
  RecoveryDebt* debt = nullptr;  // none: nobody counts
};

// What is known of a log before its files are looked at.
struct OpenHints {
  // Everything below is durable: it need not be scanned.
  base::Offset recovery_point{0};
  // The process before ended cleanly: nothing need be scanned.
  bool clean_shutdown = false;
  base::Offset log_start{0};
  base::WallMs now = 0;
  // The file system was synced after the process before ended: what is read is on the medium.
  bool synced = false;
  // Open even if bytes below the recovery point turn out damaged (they are cut off, with all
  // behind them). Otherwise such a log is not opened: EBADMSG.
  bool tolerate_loss = false;
};

struct RecoveryReport {
  bool scanned = false;  // checksums were verified from the recovery point on
  std::uint64_t scanned_bytes = 0;
  std::uint64_t truncated_bytes = 0;  // cut off the end: never acknowledged as durable
  std::size_t removed_segments = 0;   // stood behind the cut
  bool lost_below_recovery_point = false;
  std::string why;  // of the first cut, for operators
};

struct AppendResult {
  base::Offset first{-1};  // base offset of the first batch
  base::Offset end{-1};    // one beyond the last record
  std::uint64_t bytes = 0;
  bool rolled = false;  // a segment was closed: a flush will seal it (Flusher::request_sync)
};

struct ReadSpec {
  base::Offset from;
  base::Offset upper_bound;  // exclusive: nothing of a batch at or above it is returned
  std::uint64_t bytes_max = 0;
  bool at_least_one_batch = true;  // even if it is larger than bytes_max
  bool may_block = false;          // read index and headers from the medium if they are not cached
};

// A run of bytes of one segment, from the start of a batch. Its last batch may be cut short when
// bytes_max says so (clients drop it); the first never is.
struct LogSlice {
  io::FileSlice bytes;           // length 0: nothing to read
  base::Offset base_offset{-1};  // of the first batch; at or below `from`
  base::Offset end_bound{-1};    // no offset of the slice is at or above it
  bool ends_at_bound = false;    // the slice was not cut: it reaches upper_bound or segment end
  // Not answered: what is needed to find the place is not in memory. `bytes` names what to prefetch
  // (File::prefetch, off the reactor) before asking again.
  bool cold = false;
};

// Files to remove once nobody can need them any more; see take_removals().
struct Removal {
  std::string directory;
  std::vector<Upkeep::SideFile> snapshots;  // of producers: what goes with the files must be kept
  std::vector<std::pair<std::string, std::string>> renames;  // from, to (*.deleted)
  std::vector<std::string> files;                            // their names after that

  bool empty() const { return files.empty(); }
  // Blocking, elsewhere: at once ...
  io::IoResult<void> rename_all(io::Disk& disk) const;
  // ... and after file.delete.delay.ms. What is missing is fine.
  io::IoResult<void> remove_all(io::Disk& disk) const;
};

// What a round of compaction looks at. The segments stay readable for as long as they are held.
struct CompactionView {
  std::vector<std::shared_ptr<Segment>> segments;
  std::vector<SegmentFacts> facts;  // of the same; first_timestamp only where it is known
  base::Offset start{0};
  std::uint64_t truncations = 0;
};

class Log {
 public:
  struct Opened;

  // Opens what is in `directory` (which exists), scanning what is not known to be durable. Blocks.
  // Errors: EBADMSG damaged below the recovery point; else those of the disk.
  static io::IoResult<Opened> open(const LogServices& services, std::string directory,
                                   const LogConfig& config, const OpenHints& hints);
  // A new one in a directory that was just made for it and has no segments. Touches no file.
  static std::unique_ptr<Log> create(const LogServices& services, std::string directory,
                                     const LogConfig& config, const base::Uuid& topic_id,
                                     base::WallMs now);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Ends a log whose process ends cleanly: writes indexes and producer snapshot, syncs all. Blocks.
  // Nothing may be called afterwards but accessors. No flush of it is under way.
  io::IoResult<void> close();

  // Appends batches that were validated (record/validate.h; sequences with producers().check()),
  // one after the other: writes base offset and leader epoch into each. One write for all of them
  // and one more for each roll between them. On success each batch's base offset is in its bytes.
  // ENOSPC: the log is as before, and appending may succeed later. EMSGSIZE: a batch is larger than
  // segment.bytes; nothing was appended. Any other failure takes the log out of service: failed().
  io::IoResult<AppendResult> append(std::span<const base::MutableBytes> batches,
                                    base::LeaderEpoch leader_epoch, base::WallMs now);
  // Appends what a leader (or Kafka) has already given offsets and epochs; offsets must not fall
  // below end_offset() (EINVAL), gaps are kept.
  io::IoResult<AppendResult> append_as_follower(std::span<const base::BytesView> batches,
                                                base::WallMs now);

  // Whole batches from the one that contains `spec.from` on (the next one, if that offset was
  // compacted away). Never reaches beyond one segment. ERANGE: from is not in [start, end].
  io::IoResult<LogSlice> read(const ReadSpec& spec);

  // Prepares a search for the first record with a timestamp at or above `timestamp`, with
  // offset in [start, upper_bound). Cheap; run() the result without the lock, elsewhere: it may
  // read cold data and decompresses at most one batch.
  OffsetLookup prepare_lookup(base::WallMs timestamp, base::Offset upper_bound) const;
  // The record with the largest timestamp (ListOffsets -3), likewise.
  OffsetLookup prepare_max_timestamp(base::Offset upper_bound) const;

  base::Offset start_offset() const { return start_; }
  base::Offset end_offset() const { return end_; }
  // Everything below is on the medium, exclusive.
  base::Offset durable_end() const { return durable_end_; }
  // For the checkpoint: recovery needs to look at nothing below.
  base::Offset recovery_point();
  std::uint64_t size_bytes() const;
  std::size_t segment_count() const { return segments_.size(); }
  const std::string& directory() const { return directory_; }
  const LogConfig& config() const { return config_; }
  void set_config(const LogConfig& config);
  std::optional<base::Uuid> topic_id() const { return topic_id_; }
  // Set once a write failed: every later append is refused with it.
  const std::optional<io::IoError>& failed() const { return failed_; }

  // Where the log should start for retention by time and size, never above `upper_bound` (the high
  // watermark); start_offset() when nothing is due. Rolls when everything is due. May read the last
  // entry of one time index for each segment that is due.
  base::Offset retention_start(base::WallMs now, base::Offset upper_bound);
  // The log starts at `offset` from now on (DeleteRecords, retention, a follower's leader); never
  // moves back. ERANGE: above end_offset().
  io::IoResult<void> advance_start(base::Offset offset);
  base::Offset durable_start() const { return durable_start_; }
  // The start up to `offset` has been made durable (log-start-offset-checkpoint).
  void mark_start_durable(base::Offset offset);
  // Takes segments wholly below the durable start out of the log and says which files to remove.
  Removal take_removals();

  // Follower truncation: nothing at or above `offset` remains, nor a batch that reaches there; if
  // that batch also holds the start, the log starts over at its start. Before this, the owner has
  // made a recovery point at or below `offset` durable. Blocks (it waits for the medium).
  io::IoResult<void> truncate_to(base::Offset offset, base::WallMs now);
  // Drops everything; the next record gets `offset`. The owner has made recovery point 0 durable.
  io::IoResult<void> truncate_fully_and_start_at(base::Offset offset, base::WallMs now);

  const EpochCache& epochs() const { return epochs_; }
  // The owner became leader in `leader_epoch`, or learnt of an epoch: it starts at the log's end.
  void assign_epoch(base::LeaderEpoch leader_epoch, base::Offset start);
  // The owner follows from now on: epochs without a record here are not the leader's.
  void drop_empty_epochs();
  std::optional<EpochStart> end_offset_for_epoch(base::LeaderEpoch asked) const {
    return epochs_.end_offset_for(asked, end_);
  }

  // This is a copy of `from`, up to the same end: takes over what its batches do not tell any more,
  // of producers and of epochs. `from` is used no more. What was taken from it to be flushed, or to
  // be compacted, does not fit this one.
  void take_over(Log& from);

  ProducerStates& producers() { return producers_; }
  const ProducerStates& producers() const { return producers_; }
  // Aborted transactions that overlap [from, to), by the offset of their markers. May read the
  // (small) .txnindex of the segments concerned.
  io::IoResult<std::vector<AbortedTxn>> aborted_transactions(base::Offset from, base::Offset to);

  // ---- compaction (cleaning.h); log_compact.cc
  // What may be compacted: the rolled segments whose indexes are in their files, from the first on.
  // May read the end of each one's time index when `with_times`.
  io::IoResult<CompactionView> compaction_view(bool with_times);
  LastOfProducers last_of_producers() const;
  // `swap` was prepared and is going to run. False: its segments are not the log's any more, or
  // another one is under way; it must not run.
  bool begin_swap(const std::shared_ptr<SegmentSwap>& swap);
  // Takes note of a swap that has ended.
  void collect_swap();
  // No compaction from now on: the partition is deleted. Waits for one that is under way.
  void stop_compaction();
  // Grows when offsets are given anew.
  std::uint64_t truncations() const { return truncations_; }

  // Everything that must reach the medium for the log to be durable up to its end now. Empty when
  // nothing is to do. Any number may be under way; each is marked when its work has succeeded.
  FlushBatch take_unflushed();
  void mark_flushed(const FlushBatch& batch);
  // True when a flush would do something: also when only a rolled segment is to be sealed.
  bool wants_flush() const;
  // What makes recovery begin at the end as it is now, if that spares it `least` bytes or more;
  // else, or while an earlier one runs, null. The caller runs it: run_together().
  std::shared_ptr<Upkeep> take_checkpoint(std::uint64_t least);

 private:
  friend class Recovery;
  Log(const LogServices& services, std::string directory, const LogConfig& config);

  // One segment's share of an append: batches [first, end) of it, written in one piece.
  struct Share;
  struct Append;
  io::IoResult<void> may_append() const;
  io::IoResult<AppendResult> append_stamped(std::span<const base::BytesView> batches,
                                            base::WallMs now);
  io::IoResult<void> write_shares(Append& append, base::WallMs now);
  io::IoResult<void> write_share(Append& append, Share& share, std::size_t end);
  void take_back(Append& append);
  void settle(Append& append, base::WallMs now);
  bool must_roll(const Segment& segment, const record::BatchView& batch, base::WallMs now) const;
  std::int64_t jitter_ms(const Segment& segment) const;
  io::IoResult<void> ensure_file(Segment& segment);
  std::shared_ptr<Segment> make_segment(base::Offset base_offset, base::WallMs now) const;
  io::IoError fail(io::IoError error);

  std::size_t index_of(base::Offset offset) const;
  base::Offset end_of(std::size_t index) const;
  Segment& active() { return *segments_.back(); }
  const Segment& active() const { return *segments_.back(); }
  io::IoResult<Found<BatchPlace>> find_batch(std::size_t index, base::Offset offset,
                                             Wait wait) const;
  io::IoResult<std::optional<std::uint64_t>> position_of(std::size_t index, base::Offset bound,
                                                         Wait wait, LogSlice& slice) const;

  io::IoResult<base::WallMs> largest_timestamp(Segment& segment) const;
  io::IoResult<base::Offset> start_by_time(base::WallMs now, base::Offset upper_bound) const;
  base::Offset start_by_size(base::Offset from, base::Offset upper_bound) const;
  void roll_in_memory(base::WallMs now);

  io::IoResult<bool> cut_straddles_start(base::Offset offset) const;
  io::IoResult<void> remove_newest_segment();
  io::IoResult<void> cut_active(base::Offset offset);
  io::IoResult<void> cut_indexes(Segment& segment, base::Offset end);
  io::IoResult<void> remove_snapshots_above(base::Offset offset);
  io::IoResult<void> load_active_state(Segment& segment);
  io::IoResult<void> write_epochs();
  io::IoResult<void> truncated(io::IoResult<void> result);
  // Producers as of `end_`: the newest snapshot at or below `missing_from` that reads, then the
  // batches behind it. Aborted transactions that end at or above `missing_from` are added to their
  // segments' indexes.
  io::IoResult<void> rebuild_producers(base::Offset missing_from, base::WallMs now);
  io::IoResult<base::Offset> load_newest_snapshot(base::Offset limit, base::WallMs now);
  // Batches of known producers that end below `before`: what a snapshot of that offset leaves out.
  io::IoResult<void> recall_batches(base::Offset before);
  io::IoResult<void> recall_segment(const Segment& segment, base::Offset before,
                                    std::uint64_t bytes);
  io::IoResult<void> replay(std::size_t index, base::Offset from, base::Offset missing_from,
                            base::WallMs now);

  void settle_swap();
  bool upkeep_due() const;
  // How much of the active segment goes along: its indexes only when they are far behind, always,
  // or with the entries that end a segment.
  enum class ActiveIndexes : std::uint8_t { kWhenDue, kAlways, kClosing };
  std::shared_ptr<Upkeep> make_upkeep(ActiveIndexes active_indexes);
  void add_indexes(Upkeep& upkeep, const std::shared_ptr<Segment>& segment, bool sealing) const;
  void collect_upkeep();

  const LogServices services_;
  const std::string directory_;
  LogConfig config_;
  std::optional<base::Uuid> topic_id_;
  std::vector<std::shared_ptr<Segment>> segments_;  // by base offset, never empty; last is active
  std::vector<base::Offset> snapshots_;             // producer snapshots on disk, rising
  base::Offset start_{0};
  base::Offset durable_start_{0};
  base::Offset end_{0};
  base::Offset durable_end_{0};
  EpochCache epochs_;
  std::uint64_t epochs_version_ = 0;  // grows with each change
  std::uint64_t epochs_written_ = 0;  // the version that is in the file
  std::optional<base::Offset> epochs_unsaved_from_;
  ProducerStates producers_;
  RecentBatches recent_;
  std::vector<base::BytesView> parts_;  // of the write under way: kept for its memory
  std::shared_ptr<Upkeep> upkeep_;      // handed out, its end not seen yet
  std::shared_ptr<SegmentSwap> swap_;   // likewise
  std::optional<io::IoError> failed_;
  bool names_dirty_ = false;  // a segment's file was created since the last flush
  std::uint64_t names_version_ = 0;
  std::uint64_t truncations_ = 0;
  bool closed_ = false;
  bool compaction_stopped_ = false;
};

struct Log::Opened {
  std::unique_ptr<Log> log;
  RecoveryReport report;
};

}  // namespace broker

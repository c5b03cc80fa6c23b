// One compacted segment on its way into a log, in place of those that it was made of. The steps on
// disk are Kafka's, each durable before the next begins:
//
//   N.log.cleaned     written and synced with its indexes         a crash: dropped
//   N.*index.swap     renamed, then
//   N.log.swap        renamed: from here on it happens            a crash: recovery finishes it
//   old files         removed
//   N.*index, N.log   renamed
//
// Made by a round of compaction (cleaning.h); run() works without the partition's lock, while the
// log goes on reading the old segments, whose files stay open. The log takes note of the end, under
// the lock, the next time it looks (Log::collect_swap).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/log/segment.h"
#include "common/base/bytes.h"
#include "common/io/disk.h"

namespace broker {

class SegmentSwap {
 public:
  enum class State : std::uint8_t {
    kPending,
    kDone,       // the new segment's files have their names
    kAbandoned,  // nothing happened to the log
    kFailed,     // half done: only recovery can tell
  };
  // `olds` are consecutive, rolled and sealed; the new segment takes the base of the first.
  SegmentSwap(FileCache& files, const std::string& directory,
              std::vector<std::shared_ptr<Segment>> olds);

  const std::vector<std::shared_ptr<Segment>>& olds() const { return olds_; }
  const std::shared_ptr<Segment>& fresh() const { return fresh_; }
  State state() const { return state_.load(std::memory_order_acquire); }

  // The steps of the one who compacts; each blocks. ECANCELED: ended by finish().
  // Creates N.log.cleaned: its bytes are written by the caller. What was left of an earlier try
  // goes.
  io::IoResult<std::shared_ptr<io::File>> create(io::Disk& disk);
  // Syncs it and writes the indexes that fresh() holds in memory beside it. Keeps open what the old
  // segments need to be read by once they have no names, and reads their aborted transactions.
  io::IoResult<void> prepare(io::Disk& disk);
  // After Log::begin_swap(). The renames.
  io::IoResult<void> run(io::Disk& disk);
  // Removes what create() and prepare() made, unless run() or finish() came before.
  void drop(io::Disk& disk);

  // Waits for a run() that is under way, and makes a later one do nothing. Blocks. Any thread.
  void finish();
  // Of each old segment, as read by prepare().
  const std::vector<std::vector<AbortedTxn>>& aborted_of_olds() const { return aborted_; }

 private:
  void remove_outputs(io::Disk& disk);
  io::IoResult<void> write_index(io::Disk& disk, std::string_view suffix, base::BytesView content);
  io::IoResult<void> commit(io::Disk& disk);
  io::IoResult<void> complete(io::Disk& disk);

  const std::string directory_;
  const std::vector<std::shared_ptr<Segment>> olds_;
  const std::shared_ptr<Segment> fresh_;
  std::shared_ptr<io::File> output_;
  std::vector<std::vector<AbortedTxn>> aborted_;
  std::mutex running_;
  std::atomic<State> state_{State::kPending};
};

}  // namespace broker

// A replica on its way from one log directory of this broker to another: its log is copied, and
// when the copy has caught up it takes the log's place. Every step is short enough to be one piece
// of blocking work, and leaves the disks so that a crash loses nothing:
// docs/decisions/0015-moving-between-log-directories.md.
//
//   made ──copy──▶ near the end ──place──▶ placed ──catch up, exchange──▶ exchanged ──settle──▶
//   done
//     └───────────────── discard() ─────────────────┘        from here on it only goes forward
//
// Driven by ReplicaMoves: one step at a time, on worker threads. What is atomic may be read by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "broker/log/log_directories.h"
#include "broker/node/partition.h"
#include "common/base/diag.h"
#include "common/base/random.h"
#include "common/io/clock.h"
#include "common/io/disk.h"

namespace broker {

class ReplicaCopy {
 public:
  struct Services {
    io::Disk& disk;
    io::Clock& clock;
    base::Diag& diag;
    // While it is held, partitions stay in the directories where they are.
    std::mutex& placement;
  };
  ReplicaCopy(std::shared_ptr<Partition> partition, LogStore& from, LogStore& to,
              const Services& services, base::Random random);
  ~ReplicaCopy();

  enum class Step : std::uint8_t {
    kMore,    // there is more to do
    kWait,    // nothing can be done just now: nothing comes that could be copied; once exchanged()
              // there is no space
    kDone,    // the partition is in the new directory, and nothing of it in the old one
    kFailed,  // it stays where it is, for want of space, too; discard()
    kBroken,  // it is in the new directory, which has failed: the next start finds it in the old
              // one
  };
  // At least one batch, and about so many bytes at most.
  Step step(std::int64_t bytes_max);
  // Takes the copy away again. Not once exchanged().
  void discard();
  bool exchanged() const { return exchanged_; }
  bool settled() const { return settled_; }
  // Gives up when exchanged() but not settled for want of space: the next start finds the partition
  // where it was.
  void give_up();
  // What is left of it in the old directory, to be removed; empty when nothing is.
  const std::string& trash() const { return trash_; }

  const std::shared_ptr<Partition>& partition() const { return partition_; }
  LogStore& from() const { return from_; }
  LogStore& to() const { return to_; }
  // Of the copy.
  std::uint64_t size_bytes() const { return size_bytes_; }
  base::Offset end() const { return base::Offset(end_.load()); }
  std::uint64_t copied_bytes() const { return copied_bytes_; }

 private:
  enum class Phase : std::uint8_t { kNew, kCopying, kPlaced, kExchanged, kAdopted };
  // What of the log comes next, seen under the partition's lock.
  struct Piece {
    LogSlice slice;
    base::Offset start{0};
    base::Offset end{0};
    std::uint64_t truncations = 0;
  };

  io::IoResult<void> check_space();
  io::IoResult<void> make();
  io::IoResult<void> copy(std::int64_t bytes_max);
  io::IoResult<Piece> look();
  io::IoResult<Piece> next_piece(Log& from, bool may_block) const;
  bool goes_on(const Log& to, const Piece& piece) const;
  Step start_over();
  io::IoResult<void> take(Log& to, const Piece& piece);
  io::IoResult<void> append(Log& to, base::BytesView bytes);
  io::IoResult<void> flush();
  io::IoResult<void> place();
  bool complete(Log& from, Log& to);
  Step exchange(Step otherwise);
  Step go_forward();
  io::IoResult<bool> settle();
  io::IoResult<bool> flush_exchanged();
  Step leave_origin();
  Step failed(const io::IoError& error);
  void note_copy();

  const std::shared_ptr<Partition> partition_;
  LogStore& from_;
  LogStore& to_;
  const Services services_;
  base::Random random_;
  Phase phase_ = Phase::kNew;
  LogDirectory::Future future_;    // its log is the old one once exchanged
  std::uint64_t truncations_ = 0;  // of the log, when the copy was begun
  bool obsolete_ = false;
  base::Offset behind_{-1};  // the log's end when it was last looked at
  std::uint64_t flushed_bytes_ = 0;
  std::uint32_t piece_bytes_ = 0;
  std::string trash_;
  std::atomic<bool> exchanged_{false};
  std::atomic<bool> settled_{false};  // or given up
  std::atomic<std::uint64_t> size_bytes_{0};
  std::atomic<std::uint64_t> copied_bytes_{0};
  std::atomic<std::int64_t> end_{0};
};

}  // namespace broker

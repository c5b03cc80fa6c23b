// One segment of a log: a .log file of batches with its indexes. Knows how Kafka fills the indexes;
// decides nothing. Owned by Log and used under the partition's lock, except for file(), base(),
// paths and reads of rolled segments' files, which searches without the lock (OffsetLookup) use.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "broker/log/file_cache.h"
#include "broker/log/index_tail.h"
#include "broker/log/log_config.h"
#include "broker/producer/aborted.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/io/disk.h"
#include "common/record/batch_view.h"

namespace broker {

// .txnindex: 34 bytes.
struct AbortedEntry {
  static constexpr std::size_t kSize = kAbortedTxnSize;
  AbortedTxn txn;
  void encode(base::Bytes& to) const { append_aborted_txn(to, txn); }
};

// directory/00000000000000000042.suffix
std::string segment_path(const std::string& directory, base::Offset base, std::string_view suffix);

class Segment {
 public:
  Segment(FileCache& files, const std::string& directory, base::Offset base, base::WallMs now);

  base::Offset base() const { return base_; }
  const std::string& directory() const { return directory_; }
  io::IoResult<std::shared_ptr<io::File>> file() const { return log_file_.get(); }
  CachedFile& log_file() const { return log_file_; }
  CachedFile& offset_file() const { return offset_file_; }
  CachedFile& time_file() const { return time_file_; }
  std::string path(std::string_view suffix) const {
    return segment_path(directory_, base_, suffix);
  }

  std::uint64_t size = 0;
  std::uint64_t durable_size = 0;
  // How often the file was cut without a sync, and how many of those cuts a sync has covered: until
  // then a crash may bring back what was cut off.
  std::uint32_t cuts = 0;
  std::uint32_t durable_cuts = 0;
  bool exists = false;  // the .log file was created
  bool sealed = false;  // rolled, and its indexes are complete in their files

  IndexTail<OffsetEntry> offsets;
  IndexTail<TimeEntry> times;
  IndexTail<AbortedEntry> aborted;
  std::uint64_t last_index_position = 0;  // of the batch that has the newest offset entry
  std::uint64_t checkpoint_size = 0;      // the indexes in files cover this much
  // Largest timestamp so far and the first batch that has it; nothing until someone looked.
  std::optional<TimeEntry> largest;
  std::int64_t last_time_entry = -1;  // timestamp of the newest time entry
  std::optional<base::WallMs> first_batch_timestamp;
  base::WallMs created = 0;
  std::optional<base::Bytes> snapshot;  // producers as of base(), to be written

  bool is_durable() const { return durable_size >= size && durable_cuts == cuts; }
  // Begins an empty segment, with nothing in any file.
  void start_empty();
  // A batch was added at `size`: moves it on and fills the indexes as Kafka does.
  void add_batch(const record::BatchView& header, std::uint64_t batch_size,
                 std::uint32_t index_interval_bytes);
  void add_aborted(const AbortedTxn& txn) { aborted.add({txn}); }
  // Adds the entry that Kafka writes when a segment is rolled or closed.
  void add_final_time_entry();
  std::int32_t relative(base::Offset offset) const {
    return static_cast<std::int32_t>(offset - base_);
  }

  // What an append that fails takes back.
  struct Mark {
    std::uint64_t size, offsets, times, aborted, last_index_position;
    std::optional<TimeEntry> largest;
    std::int64_t last_time_entry;
    std::optional<base::WallMs> first_batch_timestamp;
  };
  Mark mark() const;
  void rewind(const Mark& mark);

 private:
  const base::Offset base_;
  const std::string directory_;
  mutable CachedFile log_file_;
  mutable CachedFile offset_file_;
  mutable CachedFile time_file_;
};

}  // namespace broker

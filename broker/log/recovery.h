// Makes a Log out of what a directory holds after an end of the process, clean or not. Looks first,
// decides, then changes files; what it changes is durable when it returns, so that a crash while
// recovering comes to the same end. Blocks. docs/log_format.md says what is believed of which file.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/log/batch_scanner.h"
#include "broker/log/log.h"

namespace broker {

class Recovery {
 public:
  Recovery(Log& log, const OpenHints& hints) : log_(log), hints_(hints) {}
  io::IoResult<RecoveryReport> run();

 private:
  // Names of the directory, sorted out.
  struct Names {
    std::set<base::Offset> logs;
    std::map<std::string, std::set<base::Offset>> indexes;  // by suffix
    std::set<base::Offset> swaps;
    std::vector<std::string> other_swaps;  // indexes beside those, or of a swap that never was
    std::vector<std::string> leftovers;
  };
  io::IoResult<Names> list() const;
  io::IoResult<void> finish_swaps(Names& names);
  io::IoResult<void> sweep(const Names& names);
  io::IoResult<void> sift_snapshots();
  io::IoResult<void> load_segments(const Names& names);
  io::IoResult<void> drop_below_start();
  void load_topic_id();
  io::IoResult<void> load_epochs();
  io::IoResult<void> mend_indexes(const Names& names);
  io::IoResult<void> rebuild_index(const std::shared_ptr<Segment>& segment);

  // The end of a log that was closed, from its last index entry on; false when that does not add
  // up.
  io::IoResult<bool> read_clean_end();

  io::IoResult<void> scan();
  io::IoResult<std::uint64_t> kept_aborted(const Segment& segment, base::Offset trusted) const;
  io::IoResult<void> prepare_floor(Segment& segment, base::Offset trusted);
  io::IoResult<void> scan_segment(Segment& segment, std::uint64_t file_size);
  bool front_is_missing(base::Offset point) const;
  bool gap_is_meant(base::Offset end, base::Offset next) const;
  io::IoResult<void> apply_cut();
  io::IoResult<void> restart_at(base::Offset start);
  io::IoResult<void> make_durable();

  io::IoResult<void> remove(const std::string& path);
  io::IoError damaged() const;

  Log& log_;
  const OpenHints hints_;
  RecoveryReport report_;
  bool changed_ = false;              // names or contents: to be synced
  base::Offset trusted_{0};           // indexes and producers below it were believed
  std::size_t floor_ = 0;             // the first segment that was scanned
  std::vector<std::uint64_t> sizes_;  // of the files, by segment
  std::optional<std::size_t> cut_;    // the segment that is cut; those behind it go
};

}  // namespace broker

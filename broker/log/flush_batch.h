// What has to reach the medium for one log to be durable up to an offset: values and open files,
// taken under the partition's lock and worked off without it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/io/disk.h"

namespace broker {

struct FlushBatch {
  // A whole file to write beside the log: an index, a producer snapshot, the epoch checkpoint.
  struct SideFile {
    std::string path;
    base::Bytes content;
    bool replace = false;  // through a temporary file and a rename; else rewritten in place
  };

  std::string directory;
  bool sync_directory = false;  // names were added since the last flush
  std::vector<std::shared_ptr<io::File>> data;
  std::vector<SideFile> side_files;
  // Once everything above is done the log is durable up to here (exclusive) ...
  base::Offset end{0};
  // ... unless the log was truncated meanwhile: tells the log so.
  std::uint64_t truncations = 0;
  // Segments sealed by the side files, by base offset; the newest index checkpoint.
  std::vector<base::Offset> sealed;
  bool epochs_written = false;
  std::uint64_t epochs_version = 0;
  base::Offset checkpoint{-1};

  bool nothing_to_sync() const { return data.empty() && side_files.empty() && !sync_directory; }
  // Blocks. First write(), then sync() or a sync_filesystem() that covers many batches. A full
  // disk while writing a side file is not a failure: sealed and checkpoint are cleared instead, and
  // the data is still synced.
  io::IoResult<void> write(io::Disk& disk);
  io::IoResult<void> sync(io::Disk& disk);

 private:
  std::vector<std::shared_ptr<io::File>> written_;
};

}  // namespace broker

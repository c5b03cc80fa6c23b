// What has to reach the medium for one log to be durable up to an offset: values and open files,
// taken under the partition's lock and worked off without it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/log/upkeep.h"
#include "common/base/ids.h"
#include "common/io/disk.h"

namespace broker {

struct FlushBatch {
  struct Data {
    base::Offset segment;
    std::uint64_t size = 0;  // that is durable once the file is synced
    std::uint32_t cuts = 0;
    std::shared_ptr<io::File> file;
  };
  std::string directory;
  bool sync_directory = false;  // a segment was created since the last flush
  std::uint64_t names_version = 0;
  std::vector<Data> data;
  // Once everything above is done the log is durable up to here (exclusive), unless it was
  // truncated meanwhile.
  base::Offset end{0};
  std::uint64_t truncations = 0;
  // To run afterwards, when nobody waits for it; may be null.
  std::shared_ptr<Upkeep> upkeep;

  bool nothing_to_sync() const { return data.empty() && !sync_directory; }
  // Blocks; or one sync_filesystem() does the same for many batches.
  io::IoResult<void> sync(io::Disk& disk) const;
};

}  // namespace broker

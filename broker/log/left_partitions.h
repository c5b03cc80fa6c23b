// The partitions that a log directory held when it was opened and still holds, as far as is known:
// one that is not found any more has not gone, the medium has. Owned by the LogDirectory; any
// thread.
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "broker/log/partition_name.h"
#include "common/io/disk.h"

namespace broker {

class LeftPartitions {
 public:
  // Both outlive it.
  LeftPartitions(io::Disk& disk, const std::string& directory)
      : disk_(disk), directory_(directory) {}

  void found(std::set<PartitionName> names);
  // It was taken away, or another name was given to it.
  void forget(const PartitionName& name);
  bool contains(const PartitionName& name) const;
  // Whether a partition, of these or not, is in the directory. An error when this one was and the
  // directory cannot be read any more. Blocks.
  io::IoResult<bool> look_for(const PartitionName& name) const;

 private:
  io::Disk& disk_;
  const std::string& directory_;
  mutable std::mutex mutex_;
  std::set<PartitionName> names_;
};

}  // namespace broker

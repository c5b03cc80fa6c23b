// After a failed sync the kernel may keep pages in memory as if they had been written: whoever
// reads them sees bytes that the medium does not have, and no later sync brings them there. A loss
// of power ends that, a restart of the process alone does not. So a process whose sync failed
// leaves a mark in the log directory, which is there for as long as those pages may be (it need not
// be durable), and the next one reads and writes again whatever is not known to be durable, before
// it believes anything. docs/log_format.md.
#pragma once

#include <functional>
#include <string>

#include "broker/log/partition_name.h"
#include "common/base/ids.h"
#include "common/io/disk.h"

namespace broker {

// Leaves the mark. Blocks. A failure is ignored: the disk is failing already.
void mark_failed_sync(io::Disk& disk, const std::string& log_directory);
bool has_failed_sync_mark(const io::Disk& disk, const std::string& log_directory);

// Makes everything durable that can be read at or above the recovery points, and removes the mark,
// which stays when this fails. Work: all segments from the recovery point on, read and written.
io::IoResult<void> mend_failed_sync(
    io::Disk& disk, const std::string& log_directory,
    const std::function<base::Offset(const PartitionName&)>& recovery_point);

}  // namespace broker

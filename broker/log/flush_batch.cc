#include "broker/log/flush_batch.h"

namespace broker {

io::IoResult<void> FlushBatch::sync(io::Disk& disk) const {
  for (const Data& part : data) {
    if (auto synced = part.file->sync_data(); !synced) return synced;
  }
  if (sync_directory) return disk.sync_directory(directory);
  return {};
}

}  // namespace broker

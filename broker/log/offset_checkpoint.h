// A file with one offset for each partition of a log directory: Kafka's offset checkpoint, version
// 0. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "broker/log/partition_name.h"
#include "common/base/ids.h"
#include "common/io/disk.h"

namespace broker {

class OffsetCheckpoint {
 public:
  using Offsets = std::map<PartitionName, base::Offset>;
  OffsetCheckpoint(io::Disk& disk, std::string path);
  // Missing is empty. EBADMSG: malformed.
  io::IoResult<void> load();
  std::optional<base::Offset> get(const PartitionName& name) const;
  // Do not block.
  void set(const PartitionName& name, base::Offset offset);
  void erase(const PartitionName& name);
  // Durably replaces the file when anything changed since the last write. A call that waits for
  // another's write has nothing left to do if that write took its changes along. Blocks.
  io::IoResult<void> write();
  // The file, as last written or read, names the partition.
  bool on_disk(const PartitionName& name) const;
  Offsets all() const;

  static std::string encode(const Offsets& offsets);
  static std::optional<Offsets> parse(std::string_view text);

 private:
  io::Disk& disk_;
  const std::string path_;
  std::mutex write_mutex_;  // one writer; the only lock that is held over a blocking call
  mutable std::mutex mutex_;
  Offsets offsets_;
  std::set<PartitionName> on_disk_;
  std::uint64_t version_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace broker

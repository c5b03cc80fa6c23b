// The mark in a partition's directory whose log moves between log directories, and the names of
// copies that are being filled (<topic>-<partition>.<hex>-future, as Apache Kafka calls them).
// Values. docs/decisions/0015-moving-between-log-directories.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/log/partition_name.h"
#include "common/base/uuid.h"

namespace broker {

// Without one a directory simply is the partition.
struct MoveMark {
  bool counts = false;  // this is the partition, whatever is in `origin`; else a copy to throw away
  base::Uuid origin;    // id of the log directory that it was copied from
};
std::string encode_move_mark(const MoveMark& mark);
// Nothing when malformed.
std::optional<MoveMark> parse_move_mark(std::string_view text);

// Nothing when it is not such a name.
std::optional<PartitionName> parse_future_name(std::string_view directory_name);

}  // namespace broker

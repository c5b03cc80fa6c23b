// The file partition.metadata, which says which topic a partition directory belongs to. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/uuid.h"

namespace broker {

std::string encode_partition_metadata(const base::Uuid& topic_id);
// Nothing when it names no topic id.
std::optional<base::Uuid> parse_partition_metadata(std::string_view text);

}  // namespace broker

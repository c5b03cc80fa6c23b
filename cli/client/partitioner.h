// Which partition a key goes to: as Kafka's own clients choose, so that every program agrees.
#pragma once

#include <cstdint>
#include <string_view>

namespace cli {

// MurmurHash2 (Austin Appleby) with Kafka's seed.
std::uint32_t murmur2(std::string_view bytes);

// partition_count > 0.
std::int32_t partition_of_key(std::string_view key, std::int32_t partition_count);

}  // namespace cli

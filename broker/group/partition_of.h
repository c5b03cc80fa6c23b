// Which partition of __consumer_offsets coordinates a group. Clients never compute it, but tools
// that read the topic do, so it is Kafka's rule: Java's String.hashCode over UTF-16 code units.
#pragma once

#include <cstdint>
#include <string_view>

namespace broker::group {

// s[0]*31^(n-1) + ... + s[n-1] over UTF-16 code units, in wrapping 32-bit arithmetic.
std::int32_t java_hash(std::string_view utf8);
// `partition_count` > 0. The sign bit is dropped, not negated: there is no largest negative trap.
std::int32_t partition_of(std::string_view group_id, std::int32_t partition_count);
// How long Java says the string is. Limits on strings are counted so.
std::size_t utf16_length(std::string_view utf8);
// The longest prefix of at most `bytes_max` bytes that does not cut a character.
std::string_view utf8_prefix(std::string_view utf8, std::size_t bytes_max);

}  // namespace broker::group

// What the schema says of each API, by number. The versions are those that we can encode and
// decode; what a broker advertises is a part of them (broker/api decides).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace wire {

// `flexible_since` of a message that never became flexible.
inline constexpr std::int16_t kNeverFlexible = 32767;

struct MessageInfo {
  std::int16_t api_key;
  std::string_view name;  // "Produce"
  std::int16_t version_min;
  std::int16_t version_max;
  std::int16_t request_flexible_since;
  std::int16_t response_flexible_since;

  constexpr bool supports(std::int16_t version) const {
    return version >= version_min && version <= version_max;
  }
};

// Nothing for a number that is no API.
const MessageInfo* find_message_info(std::int16_t api_key);
// In order of key.
std::span<const MessageInfo> all_message_infos();

}  // namespace wire

#include "common/wire/api_key.h"

#include "common/wire/message_info.h"

namespace wire {

std::string_view name(ApiKey key) {
  const MessageInfo* info = find_message_info(number(key));
  return info ? info->name : "Unknown";
}

}  // namespace wire

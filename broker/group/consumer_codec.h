// Kafka's record format of __consumer_offsets for groups of the consumer protocol: kinds 3, 5, 6,
// 7, 8 and 16. Kind 4 (the topics as an older coordinator saw them) is read over: a hash in kind 3
// took its place.
#pragma once

#include <optional>

#include "broker/group/consumer_group.h"
#include "broker/group/requests.h"
#include "common/base/bytes.h"

namespace broker::group {

Record encode_consumer(const ConsumerRecord& record);

// Nothing: the key is of no such kind, or of a newer version. `malformed` is set when key or value
// contradict their form.
std::optional<ConsumerRecord> decode_consumer(std::int16_t kind, base::BytesView key,
                                              std::optional<base::BytesView> value,
                                              bool& malformed);

}  // namespace broker::group

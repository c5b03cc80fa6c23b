// Kafka's record format of __consumer_offsets, for the kinds that classic groups have: keys start
// with the kind's number, values with the version of their form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "broker/group/group_coordinator.h"
#include "common/base/bytes.h"

namespace broker::group {

// What a record says, decoded.
struct OffsetRecord {
  std::string group_id;
  TopicPartition at;
  std::optional<CommittedOffset> value;  // nothing: a tombstone
};
struct GroupRecord {
  std::string group_id;
  // Nothing: a tombstone. Members offer one protocol, the one that was chosen; nobody waits.
  std::optional<Group> value;
};
struct UnknownRecord {};  // of a kind or version that a newer program wrote
struct MalformedRecord {};
using LogRecord =
    std::variant<OffsetRecord, GroupRecord, ConsumerRecord, UnknownRecord, MalformedRecord>;

Record encode_offset(std::string_view group_id, const TopicPartition& at,
                     const CommittedOffset& value);
Record encode_offset_tombstone(std::string_view group_id, const TopicPartition& at);
// The group as it is: generation, chosen protocol, members with their assignments.
Record encode_group(const Group& group);
Record encode_group_tombstone(std::string_view group_id);

LogRecord decode_record(base::BytesView key, std::optional<base::BytesView> value);

// What the record takes in a batch, at most.
std::size_t batch_bytes(const Record& record);

}  // namespace broker::group

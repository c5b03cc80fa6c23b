#include "broker/group/consumer_codec.h"

#include <utility>

#include "common/base/check.h"
#include "common/wire/coordinator_record.h"
#include "common/wire/msg/consumer_group_current_member_assignment_key.h"
#include "common/wire/msg/consumer_group_member_metadata_key.h"
#include "common/wire/msg/consumer_group_metadata_key.h"
#include "common/wire/msg/consumer_group_regular_expression_key.h"
#include "common/wire/msg/consumer_group_target_assignment_member_key.h"
#include "common/wire/msg/consumer_group_target_assignment_metadata_key.h"

namespace broker::group {
namespace {

constexpr std::int16_t kVersion = 0;

// The key of each kind of value, and where in it the record's name goes.
template <class Key>
void put_name(Key&, const std::string&) {}
template <class Key>
  requires requires(Key key) { key.member_id; }
void put_name(Key& key, const std::string& name) {
  key.member_id = name;
}
template <class Key>
  requires requires(Key key) { key.regular_expression; }
void put_name(Key& key, const std::string& name) {
  key.regular_expression = name;
}
template <class Key>
std::string take_name(Key& key) {
  if constexpr (requires { key.member_id; }) return std::move(key.member_id);
  if constexpr (requires { key.regular_expression; }) return std::move(key.regular_expression);
  return {};
}

template <class Key, class Value>
Record encode(const ConsumerRecord& record, const std::optional<Value>& value) {
  Key key;
  key.group_id = record.group_id;
  put_name(key, record.name);
  Record out;
  // Every string came through the wire or is bounded by us.
  auto key_bytes = wire::encode_coordinator_key(key);
  CHECK(key_bytes.has_value());
  out.key = std::move(*key_bytes);
  if (!value) return out;
  auto value_bytes = wire::encode_coordinator_value(*value, kVersion);
  CHECK(value_bytes.has_value());
  out.value = std::move(*value_bytes);
  return out;
}

struct Encode {
  const ConsumerRecord& record;
  Record operator()(const ConsumerRecord::Metadata& value) const {
    return encode<wire::ConsumerGroupMetadataKey>(record, value);
  }
  Record operator()(const ConsumerRecord::MemberMetadata& value) const {
    return encode<wire::ConsumerGroupMemberMetadataKey>(record, value);
  }
  Record operator()(const ConsumerRecord::TargetMetadata& value) const {
    return encode<wire::ConsumerGroupTargetAssignmentMetadataKey>(record, value);
  }
  Record operator()(const ConsumerRecord::TargetMember& value) const {
    return encode<wire::ConsumerGroupTargetAssignmentMemberKey>(record, value);
  }
  Record operator()(const ConsumerRecord::Current& value) const {
    return encode<wire::ConsumerGroupCurrentMemberAssignmentKey>(record, value);
  }
  Record operator()(const ConsumerRecord::Expression& value) const {
    return encode<wire::ConsumerGroupRegularExpressionKey>(record, value);
  }
};

template <class Key, class Maybe>
std::optional<ConsumerRecord> decode(base::BytesView key, std::optional<base::BytesView> value,
                                     bool& malformed) {
  Key named;
  if (!wire::decode_coordinator_key(key, named)) return malformed = true, std::nullopt;
  ConsumerRecord record;
  record.name = take_name(named);
  record.group_id = std::move(named.group_id);
  Maybe decoded;
  if (value) {
    const auto version = wire::coordinator_prefix(*value);
    if (version && *version > kVersion) return std::nullopt;  // a newer program's
    if (!wire::decode_coordinator_value(*value, decoded.emplace())) {
      return malformed = true, std::nullopt;
    }
  }
  record.value = std::move(decoded);
  return record;
}

}  // namespace

Record encode_consumer(const ConsumerRecord& record) {
  return std::visit(Encode{record}, record.value);
}

std::optional<ConsumerRecord> decode_consumer(std::int16_t kind, base::BytesView key,
                                              std::optional<base::BytesView> value,
                                              bool& malformed) {
  using R = ConsumerRecord;
  switch (kind) {
    case wire::ConsumerGroupMetadataKey::kRecordType:
      return decode<wire::ConsumerGroupMetadataKey, R::Metadata>(key, value, malformed);
    case wire::ConsumerGroupMemberMetadataKey::kRecordType:
      return decode<wire::ConsumerGroupMemberMetadataKey, R::MemberMetadata>(key, value, malformed);
    case wire::ConsumerGroupTargetAssignmentMetadataKey::kRecordType:
      return decode<wire::ConsumerGroupTargetAssignmentMetadataKey, R::TargetMetadata>(key, value,
                                                                                       malformed);
    case wire::ConsumerGroupTargetAssignmentMemberKey::kRecordType:
      return decode<wire::ConsumerGroupTargetAssignmentMemberKey, R::TargetMember>(key, value,
                                                                                   malformed);
    case wire::ConsumerGroupCurrentMemberAssignmentKey::kRecordType:
      return decode<wire::ConsumerGroupCurrentMemberAssignmentKey, R::Current>(key, value,
                                                                               malformed);
    case wire::ConsumerGroupRegularExpressionKey::kRecordType:
      return decode<wire::ConsumerGroupRegularExpressionKey, R::Expression>(key, value, malformed);
    default:  // an open set: kinds of newer programs
      return std::nullopt;
  }
}

}  // namespace broker::group

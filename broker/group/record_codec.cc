#include "broker/group/record_codec.h"

#include <algorithm>
#include <utility>

#include "broker/group/consumer_codec.h"
#include "broker/group/limits.h"
#include "common/base/check.h"
#include "common/wire/msg/group_metadata_key.h"
#include "common/wire/msg/group_metadata_value.h"
#include "common/wire/msg/offset_commit_key.h"
#include "common/wire/msg/offset_commit_value.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace broker::group {
namespace {

// The oldest kind number of an offset's key; its form is that of OffsetCommitKey.
constexpr std::int16_t kLegacyOffsetKind = 0;
// Versions of the values we write: the newest that everyday tools can read.
constexpr std::int16_t kOffsetWithExpiry = 1;
constexpr std::int16_t kOffsetPlain = 3;
constexpr std::int16_t kOffsetWithTopicId = 4;
constexpr std::int16_t kGroupVersion = 3;

template <class Message>
base::Bytes encode(std::int16_t prefix, const Message& message, std::int16_t version) {
  wire::Writer out;
  out.write_number(prefix);
  message.encode(out, version);
  CHECK(out.ok());  // every string came through the wire or is bounded by us
  return out.take();
}

base::Bytes offset_key(std::string_view group_id, const TopicPartition& at) {
  const wire::OffsetCommitKey key{
      .group = std::string(group_id), .topic = at.topic, .partition = at.partition};
  return encode(wire::OffsetCommitKey::kRecordType, key, 0);
}

base::Bytes group_key(std::string_view group_id) {
  return encode(wire::GroupMetadataKey::kRecordType,
                wire::GroupMetadataKey{.group = std::string(group_id)}, 0);
}

std::int32_t to_ms(base::Duration duration) {
  using std::chrono::milliseconds;
  return static_cast<std::int32_t>(std::chrono::duration_cast<milliseconds>(duration).count());
}

wire::GroupMetadataValue::MemberMetadata saved_member(const Group& group, const Member& member) {
  const Protocol* chosen = group.protocol ? member.find_protocol(*group.protocol) : nullptr;
  return {.member_id = member.id,
          .group_instance_id = member.instance_id,
          .client_id = member.client_id,
          .client_host = member.client_host,
          .rebalance_timeout = to_ms(member.rebalance_timeout),
          .session_timeout = to_ms(member.session_timeout),
          .subscription = chosen ? chosen->metadata : base::Bytes(),
          .assignment = member.assignment};
}

Member loaded_member(const wire::GroupMetadataValue& group,
                     wire::GroupMetadataValue::MemberMetadata saved) {
  using std::chrono::milliseconds;
  Member member;
  member.id = std::move(saved.member_id);
  member.instance_id = std::move(saved.group_instance_id);
  member.client_id = std::move(saved.client_id);
  member.client_host = std::move(saved.client_host);
  member.session_timeout = milliseconds(std::max(saved.session_timeout, 0));
  // Before version 1 there was but one timeout.
  member.rebalance_timeout =
      saved.rebalance_timeout < 0 ? member.session_timeout : milliseconds(saved.rebalance_timeout);
  member.protocols.push_back(
      {.name = group.protocol.value_or(""), .metadata = std::move(saved.subscription)});
  member.assignment = std::move(saved.assignment);
  return member;
}

// False when the record contradicts itself.
bool load_members(wire::GroupMetadataValue& saved, Group& group) {
  for (auto& from : saved.members) {
    Member member = loaded_member(saved, std::move(from));
    const bool is_twice =
        group.members.contains(member.id) ||
        (member.instance_id && group.static_members.contains(*member.instance_id));
    if (is_twice) return false;
    group.add_member(std::move(member), saved.protocol_type);
  }
  return true;
}

std::optional<Group> load_group(const std::string& group_id, wire::GroupMetadataValue saved) {
  Group group;
  group.id = group_id;
  group.generation = saved.generation;
  if (!saved.protocol_type.empty()) group.protocol_type = saved.protocol_type;
  group.protocol = saved.protocol;
  if (!saved.members.empty() && !group.protocol) group.protocol = "";
  if (saved.current_state_timestamp >= 0) group.state_since_ms = saved.current_state_timestamp;
  if (!load_members(saved, group)) return std::nullopt;
  if (saved.leader && group.members.contains(*saved.leader)) group.leader = saved.leader;
  if (!group.members.empty()) group.state = GroupState::kStable;
  group.refresh_subscribed_topics();
  return group;
}

LogRecord decode_offset(wire::Reader& key, std::optional<base::BytesView> value) {
  wire::OffsetCommitKey named;
  if (!named.decode(key, 0)) return MalformedRecord{};
  OffsetRecord record{.group_id = std::move(named.group),
                      .at = {.topic = std::move(named.topic), .partition = named.partition},
                      .value = std::nullopt};
  if (!value) return record;
  wire::Reader in(*value);
  const auto version = in.read_number<std::int16_t>("version");
  if (version > wire::OffsetCommitValue::kVersionMax) return UnknownRecord{};
  wire::OffsetCommitValue saved;
  if (version < 0 || !saved.decode(in, version)) return MalformedRecord{};
  record.value = CommittedOffset{.offset = saved.offset,
                                 .leader_epoch = saved.leader_epoch,
                                 .metadata = std::move(saved.metadata),
                                 .commit_ms = saved.commit_timestamp,
                                 .expire_ms = std::nullopt,
                                 .topic_id = saved.topic_id};
  if (saved.expire_timestamp >= 0) record.value->expire_ms = saved.expire_timestamp;
  return record;
}

LogRecord decode_group(wire::Reader& key, std::optional<base::BytesView> value) {
  wire::GroupMetadataKey named;
  if (!named.decode(key, 0)) return MalformedRecord{};
  if (!value) return GroupRecord{.group_id = std::move(named.group), .value = std::nullopt};
  wire::Reader in(*value);
  const auto version = in.read_number<std::int16_t>("version");
  if (version > wire::GroupMetadataValue::kVersionMax) return UnknownRecord{};
  wire::GroupMetadataValue saved;
  if (version < 0 || !saved.decode(in, version)) return MalformedRecord{};
  auto group = load_group(named.group, std::move(saved));
  if (!group) return MalformedRecord{};
  return GroupRecord{.group_id = std::move(named.group), .value = std::move(group)};
}

LogRecord decode_other(std::int16_t kind, base::BytesView key,
                       std::optional<base::BytesView> value) {
  bool malformed = false;
  if (auto record = decode_consumer(kind, key, value, malformed)) return std::move(*record);
  if (malformed) return MalformedRecord{};
  return UnknownRecord{};
}

}  // namespace

Record encode_offset(std::string_view group_id, const TopicPartition& at,
                     const CommittedOffset& value) {
  const wire::OffsetCommitValue saved{.offset = value.offset,
                                      .leader_epoch = value.leader_epoch,
                                      .metadata = value.metadata,
                                      .commit_timestamp = value.commit_ms,
                                      .expire_timestamp = value.expire_ms.value_or(-1),
                                      .topic_id = value.topic_id};
  // Only version 1 has room for an expiry, and it has none for the rest.
  const std::int16_t version = value.expire_ms            ? kOffsetWithExpiry
                               : value.topic_id.is_zero() ? kOffsetPlain
                                                          : kOffsetWithTopicId;
  return {.key = offset_key(group_id, at), .value = encode(version, saved, version)};
}

Record encode_offset_tombstone(std::string_view group_id, const TopicPartition& at) {
  return {.key = offset_key(group_id, at), .value = std::nullopt};
}

Record encode_group(const Group& group) {
  wire::GroupMetadataValue saved{.protocol_type = group.protocol_type.value_or(""),
                                 .generation = group.generation,
                                 .protocol = group.protocol,
                                 .leader = group.leader,
                                 .current_state_timestamp = group.state_since_ms.value_or(-1),
                                 .members = {}};
  saved.members.reserve(group.members.size());
  for (const auto& [id_, member] : group.members) {
    saved.members.push_back(saved_member(group, member));
  }
  return {.key = group_key(group.id), .value = encode(kGroupVersion, saved, kGroupVersion)};
}

Record encode_group_tombstone(std::string_view group_id) {
  return {.key = group_key(group_id), .value = std::nullopt};
}

LogRecord decode_record(base::BytesView key, std::optional<base::BytesView> value) {
  wire::Reader in(key);
  const auto kind = in.read_number<std::int16_t>("kind");
  if (!in.ok() || kind < 0) return MalformedRecord{};
  switch (kind) {
    case kLegacyOffsetKind:
    case wire::OffsetCommitKey::kRecordType:
      return decode_offset(in, value);
    case wire::GroupMetadataKey::kRecordType:
      return decode_group(in, value);
    default:
      return decode_other(kind, key, value);
  }
}

std::size_t batch_bytes(const Record& record) {
  return kRecordOverheadBytes + record.key.size() + (record.value ? record.value->size() : 0);
}

}  // namespace broker::group

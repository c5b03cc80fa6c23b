// How a shard changes what is in the log: records leave, and the state follows at once.
#include <iterator>
#include <utility>

#include "broker/group/group_coordinator.h"
#include "broker/group/limits.h"
#include "broker/group/record_codec.h"
#include "common/base/check.h"

namespace broker::group {

AppendNumber GroupCoordinator::append(std::vector<Record> records, Turn& turn) {
  CHECK(!records.empty());
  last_append_ = last_append_ + 1;
  turn.out.append.push_back(
      {.number = last_append_, .timestamp_ms = turn.wall_ms, .records = std::move(records)});
  return last_append_;
}

// Cut into several appends: a part of them is as good a state as all.
void GroupCoordinator::append_in_parts(Group& group, std::vector<Record> records, Turn& turn) {
  std::vector<Record> part;
  std::size_t bytes = kBatchHeaderBytes;
  for (Record& record : records) {
    const std::size_t more = batch_bytes(record);
    const bool full = part.size() == kTombstonesPerAppend || bytes + more > config_.batch_bytes_max;
    if (full && !part.empty()) {
      group.last_append = append(std::exchange(part, {}), turn);
      bytes = kBatchHeaderBytes;
    }
    bytes += more;
    part.push_back(std::move(record));
  }
  if (!part.empty()) group.last_append = append(std::move(part), turn);
}

bool GroupCoordinator::fits(const std::vector<Record>& records) const {
  std::size_t bytes = kBatchHeaderBytes;
  for (const Record& record : records) bytes += batch_bytes(record);
  return bytes <= config_.batch_bytes_max;
}

void GroupCoordinator::save(Group& group, Turn& turn) {
  std::vector<Record> records;
  records.push_back(encode_group(group));
  group.last_append = append(std::move(records), turn);
  group.logged = true;
}

void GroupCoordinator::store_offset(Group& group, const TopicPartition& at, CommittedOffset value) {
  value.order.number = ++last_order_;
  auto [it, fresh] = group.offsets[at.topic].insert_or_assign(at.partition, std::move(value));
  if (fresh) ++group.offset_count;
  group.logged = true;
}

bool GroupCoordinator::drop_offset(Group& group, const TopicPartition& at) {
  auto topic = group.offsets.find(at.topic);
  if (topic == group.offsets.end() || topic->second.erase(at.partition) == 0) return false;
  if (topic->second.empty()) group.offsets.erase(topic);
  --group.offset_count;
  return true;
}

void GroupCoordinator::replay(base::BytesView key, std::optional<base::BytesView> value) {
  LogRecord record = decode_record(key, value);
  if (std::holds_alternative<MalformedRecord>(record)) {
    ++malformed_records_;
  } else if (auto* offset = std::get_if<OffsetRecord>(&record)) {
    if (offset->value) {
      store_offset(make_group(offset->group_id), offset->at, std::move(*offset->value));
    } else if (Group* group = find_group(offset->group_id)) {
      drop_offset(*group, offset->at);
    }
  } else if (auto* saved = std::get_if<GroupRecord>(&record)) {
    replay_group(saved->group_id, std::move(saved->value));
  } else if (auto* consumer = std::get_if<ConsumerRecord>(&record)) {
    replay_consumer(*consumer);
  }
}

void GroupCoordinator::replay_group(const std::string& group_id, std::optional<Group> saved) {
  Group* group = find_group(group_id);
  if (!saved && (group == nullptr || group->consumer)) return;
  // Offsets have records of their own: they stay, whatever becomes of the members.
  if (!saved && group->offset_count == 0 && group->unstable.empty()) {
    groups_.erase(group_id);
    return;
  }
  Group next = saved ? std::move(*saved) : Group{.id = group_id};
  next.logged = true;
  if (group != nullptr) {
    next.offsets = std::move(group->offsets);
    next.offset_count = group->offset_count;
    next.unstable = std::move(group->unstable);
  }
  groups_.insert_or_assign(group_id, std::move(next));
}

}  // namespace broker::group

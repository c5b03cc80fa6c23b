// Offsets that nobody needs any more (KIP-211, KIP-496), and groups that have nothing left.
#include <utility>

#include "broker/group/group_coordinator.h"
#include "broker/group/record_codec.h"

namespace broker::group {
namespace {

// From when an offset's retention counts; nothing when it is not to expire now.
std::optional<base::WallMs> retention_start(const Group& group, const CommittedOffset& value) {
  // Simple consumers say nothing but by committing.
  if (!group.protocol_type) return value.commit_ms;
  // A consumer group says at any time what it reads, and not since when it is empty.
  if (group.consumer) return value.commit_ms;
  // The group was reading until its last member left.
  if (group.is(GroupState::kEmpty)) return group.state_since_ms.value_or(value.commit_ms);
  // A group that reads on, but not this topic.
  const bool knows_topics = group.uses_consumer_protocol() && group.subscribed_topics.has_value();
  if (knows_topics && group.is(GroupState::kStable)) return value.commit_ms;
  return std::nullopt;
}

bool is_expired(const Group& group, std::string_view topic, const CommittedOffset& value,
                base::Duration retention, base::WallMs now_ms) {
  using std::chrono::milliseconds;
  if (group.is_subscribed_to(topic)) return false;
  const auto start = retention_start(group, value);
  if (!start) return false;
  if (value.expire_ms) return now_ms >= *value.expire_ms;
  return now_ms - *start >= std::chrono::duration_cast<milliseconds>(retention).count();
}

}  // namespace

void GroupCoordinator::on_offsets_check(Turn& turn) {
  deadlines_.set({.kind = DeadlineKind::kOffsetsCheck}, turn.now + config_.offsets_retention_check);
  for (auto it = groups_.begin(); it != groups_.end();) {
    Group& group = it->second;
    ++it;  // the group may go
    expire_offsets(group, turn);
    const bool is_over = group.is(GroupState::kEmpty) && group.offset_count == 0 &&
                         group.unstable.empty() && group.pending_join.empty();
    if (!is_over) continue;
    std::vector<Record> records = group_tombstones(group);
    append_in_parts(group, std::move(records), turn);
    remove_group(group);
  }
}

void GroupCoordinator::expire_offsets(Group& group, Turn& turn) {
  std::vector<TopicPartition> expired;
  for (const auto& [topic, partitions] : group.offsets) {
    for (const auto& [partition, value] : partitions) {
      if (group.unstable.contains({topic, partition})) continue;
      if (is_expired(group, topic, value, config_.offsets_retention, turn.wall_ms)) {
        expired.push_back({.topic = topic, .partition = partition});
      }
    }
  }
  stats_.offsets_expired += expired.size();
  drop_offsets(group, expired, turn);
}

void GroupCoordinator::drop_offsets(Group& group, const std::vector<TopicPartition>& gone,
                                    Turn& turn) {
  std::vector<Record> records;
  records.reserve(gone.size());
  for (const TopicPartition& at : gone) {
    if (drop_offset(group, at)) records.push_back(encode_offset_tombstone(group.id, at));
  }
  append_in_parts(group, std::move(records), turn);
}

void GroupCoordinator::on_topic_deleted(std::string_view topic, const base::Uuid& topic_id,
                                        base::WallMs wall_ms, Output& out) {
  Turn turn{.now = {}, .wall_ms = wall_ms, .out = out};
  for (auto& [group_id, group] : groups_) {
    const auto offsets = group.offsets.find(topic);
    if (offsets == group.offsets.end()) continue;
    std::vector<TopicPartition> gone;
    for (const auto& [partition, value] : offsets->second) {
      // A topic of the same name may have been made, and committed to, since.
      const bool is_of_topic =
          value.topic_id.is_zero() || topic_id.is_zero() || value.topic_id == topic_id;
      if (is_of_topic) gone.push_back({.topic = std::string(topic), .partition = partition});
    }
    drop_offsets(group, gone, turn);
  }
}

}  // namespace broker::group

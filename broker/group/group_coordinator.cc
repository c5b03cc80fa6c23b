#include "broker/group/group_coordinator.h"

#include <utility>

#include "broker/group/limits.h"
#include "broker/group/record_codec.h"
#include "common/base/check.h"

namespace broker::group {

GroupCoordinator::GroupCoordinator(const Config& config, base::Random random)
    : config_(config), random_(random) {
  CHECK(config_.offsets_retention_check > base::Duration{});
}

GroupCoordinator::~GroupCoordinator() = default;

// Members of a loaded group were alive when their generation was logged: they get one session to
// be heard of.
void GroupCoordinator::finish_replay(base::Instant now, base::WallMs wall_ms, Output& out) {
  Turn turn{now, wall_ms, out};
  const auto size_max = static_cast<std::size_t>(config_.group_size_max);
  for (auto& [group_id, group] : groups_) {
    if (group.consumer) resume_consumers(group, turn);
    for (const auto& [id_, member] : group.members) touch_session(group, member, now);
    // group.max.size was lowered meanwhile: the rebalance sheds members.
    if (group.members.size() > size_max) prepare_rebalance(group, turn);
  }
  deadlines_.set({.kind = DeadlineKind::kOffsetsCheck}, now + config_.offsets_retention_check);
}

std::optional<base::Instant> GroupCoordinator::wake_at() const { return deadlines_.next(); }

void GroupCoordinator::step(base::Instant now, base::WallMs wall_ms, Output& out) {
  Turn turn{now, wall_ms, out};
  while (auto due = deadlines_.pop_due(now)) {
    Group* group = find_group(due->group_id);
    switch (due->kind) {
      case DeadlineKind::kSession:
        CHECK(group != nullptr);
        on_session_deadline(*group, due->member_id, turn);
        break;
      case DeadlineKind::kJoin:
        CHECK(group != nullptr);
        on_join_deadline(*group, turn);
        break;
      case DeadlineKind::kSync:
        CHECK(group != nullptr);
        on_sync_deadline(*group, turn);
        break;
      case DeadlineKind::kConsumerSession:
      case DeadlineKind::kConsumerRevoke:
      case DeadlineKind::kConsumerJoin:
      case DeadlineKind::kConsumerSync:
        CHECK(group != nullptr);
        on_consumer_deadline(*group, due->member_id, turn);
        break;
      case DeadlineKind::kOffsetsCheck:
        on_offsets_check(turn);
        break;
    }
  }
}

Group* GroupCoordinator::find_group(std::string_view group_id) {
  auto it = groups_.find(group_id);
  return it == groups_.end() ? nullptr : &it->second;
}

Group* GroupCoordinator::find_consumers(std::string_view group_id) {
  Group* group = find_group(group_id);
  const bool is_it = group != nullptr && group->consumer && !group->consumer->members.empty();
  return is_it ? group : nullptr;
}

Group& GroupCoordinator::make_group(const std::string& group_id) {
  auto [it, fresh] = groups_.try_emplace(group_id);
  if (fresh) it->second.id = group_id;
  return it->second;
}

bool GroupCoordinator::fits_saved(const Group& group) const {
  std::vector<Record> records;
  records.push_back(encode_group(group));
  return fits(records);
}

void GroupCoordinator::forget_if_unused(const std::string& group_id) {
  const Group* group = find_group(group_id);
  const bool is_unused = group != nullptr && group->is(GroupState::kEmpty) && !group->logged &&
                         group->pending_join.empty();
  if (is_unused) groups_.erase(group_id);
}

void GroupCoordinator::remove_group(Group& group) {
  CHECK(group.is(GroupState::kEmpty) && group.members.empty());
  for (const std::string& member_id : group.pending_join) {
    deadlines_.cancel({DeadlineKind::kSession, group.id, member_id});
  }
  groups_.erase(groups_.find(group.id));
}

void GroupCoordinator::check_invariants() const {
  CHECK(committed_ <= last_append_);
  for (const auto& [group_id, group] : groups_) {
    CHECK(group.id == group_id);
    if (group.consumer) {
      group.consumer->check();
      CHECK(group.members.empty() && group.pending_join.empty());
      CHECK(group.is(GroupState::kEmpty) == group.consumer->members.empty());
    }
    std::size_t awaiting_join = 0;
    std::size_t static_count = 0;
    for (const auto& [member_id, member] : group.members) {
      CHECK(member.id == member_id && !member.protocols.empty());
      CHECK(!member.awaiting_join || group.is(GroupState::kPreparingRebalance));
      CHECK(!member.awaiting_sync || group.is(GroupState::kCompletingRebalance));
      CHECK(!group.pending_join.contains(member_id));
      if (member.awaiting_join) ++awaiting_join;
      if (!member.instance_id) continue;
      ++static_count;
      CHECK(group.static_members.at(*member.instance_id) == member_id);
    }
    CHECK(group.static_members.size() == static_count);
    CHECK(group.awaiting_join_count == awaiting_join);
    CHECK(!group.is(GroupState::kEmpty) || group.members.empty());
    CHECK(group.members.empty() || group.members.contains(group.leader.value_or("")));
    const bool has_generation = !group.consumer && (group.is(GroupState::kStable) ||
                                                    group.is(GroupState::kCompletingRebalance));
    CHECK(!has_generation || (!group.members.empty() && group.protocol));
    for (const std::string& member_id : group.pending_sync) {
      CHECK(group.members.contains(member_id));
    }
    std::size_t offsets = 0;
    for (const auto& [topic_, partitions] : group.offsets) offsets += partitions.size();
    CHECK(group.offset_count == offsets);
  }
  std::size_t pending = 0;
  for (const auto& [producer_, groups] : pending_) {
    for (const auto& [group_id, offsets] : groups) {
      CHECK(groups_.contains(group_id));
      pending += offsets.size();
    }
  }
  std::size_t unstable = 0;
  for (const auto& [group_id_, group] : groups_) {
    for (const auto& [at_, count] : group.unstable) unstable += count;
  }
  CHECK(pending == unstable);
}

}  // namespace broker::group

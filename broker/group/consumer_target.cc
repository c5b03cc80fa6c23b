// What a heartbeat may bring about for its whole group: expressions looked at anew, a new epoch, a
// new target assignment.
#include <algorithm>
#include <utility>

#include "broker/group/consumer_assignor.h"
#include "broker/group/consumer_beat.h"
#include "broker/group/consumer_expression.h"
#include "broker/group/group_coordinator.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {
namespace {

// FNV-1a.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) mix(static_cast<unsigned char>(c));
    mix(0xff);  // no UTF-8 text has it: an end
  }
  void add(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) mix(static_cast<unsigned char>(number >> shift));
  }
  std::int64_t value() const { return static_cast<std::int64_t>(state_); }

 private:
  void mix(unsigned char byte) { state_ = (state_ ^ byte) * 0x100000001b3; }
  std::uint64_t state_ = 0xcbf29ce484222325;
};

// Of the topics the group reads: which there are, with how many partitions, and where those are as
// far as that matters to anybody.
std::int64_t hash_of(const ConsumerGroup& group, const Topics& topics) {
  std::set<std::string, std::less<>> names;
  bool has_racks = false;
  for (const auto& [id_, member] : group.members) {
    names.merge(group.topics_of(member));
    has_racks = has_racks || member.rack.has_value();
  }
  Hash hash;
  for (const std::string& name : names) {
    const auto topic = topics.find(name);
    if (!topic) continue;
    hash.add(name);
    hash.add(topic->id.high);
    hash.add(topic->id.low);
    hash.add(static_cast<std::uint64_t>(topic->partitions));
    for (std::int32_t p = 0; has_racks && p < topic->partitions; ++p) {
      for (const std::string& rack : topics.racks(topic->id, p)) hash.add(rack);
      hash.add(static_cast<std::uint64_t>(p));
    }
  }
  return hash.value();
}

std::vector<AssignmentMember> members_to_serve(const ConsumerGroup& group, const Topics& topics) {
  std::vector<AssignmentMember> out;
  std::map<std::string, std::optional<TopicShape>, std::less<>> shapes;
  for (const auto& [member_id, member] : group.members) {
    AssignmentMember& to = out.emplace_back();
    to.id = member_id;
    to.instance_id = member.instance_id;
    to.rack = member.rack;
    for (const std::string& name : group.topics_of(member)) {
      auto [it, fresh] = shapes.try_emplace(name);
      if (fresh) it->second = topics.find(name);
      if (it->second) to.topics.push_back({it->second->id, it->second->partitions});
    }
    std::ranges::sort(to.topics, {}, &AssignmentTopic::id);
    const auto target = group.target.find(member_id);
    if (target != group.target.end()) to.current = target->second;
  }
  return out;
}

}  // namespace

void GroupCoordinator::resolve_expressions(Group& group, Beat& beat) {
  ConsumerGroup& consumers = *group.consumer;
  const ConsumerMember& member = *consumers.find(beat.member_id);
  const auto& old = beat.before.expression;
  if (old && old != member.expression && !consumers.uses_expression(*old)) {
    change(group, *old, ConsumerRecord::Expression{}, beat.records);
  }
  if (!member.expression) return;
  const Topics& topics = *beat.ask.topics;
  ConsumerGroup::Looked& looked = consumers.looked[*member.expression];
  const auto known = consumers.expressions.find(*member.expression);
  const bool is_known = known != consumers.expressions.end();
  const bool may_look =
      looked.version == 0 || beat.turn.now - looked.at >= config_.expression_refresh_min;
  if (is_known && (looked.version == topics.version() || !may_look)) return;
  auto found =
      matching(*member.expression, [&](const auto& visit) { topics.for_each_name(visit); });
  if (is_known && known->second.topics == found) {
    looked = {.version = topics.version(), .at = beat.turn.now};
    return;
  }
  wire::ConsumerGroupRegularExpressionValue value{
      .topics = {},
      .version = static_cast<std::int64_t>(topics.version()),
      .timestamp = beat.turn.wall_ms};
  // All of them fit one record, or those that do.
  std::size_t bytes = 0;
  for (const std::string& name : found) {
    bytes += name.size() + sizeof(std::int32_t);
    if (bytes > config_.batch_bytes_max / 2) break;
    value.topics.push_back(name);
  }
  beat.raises_epoch = true;
  const std::string expression = *member.expression;
  change(group, expression, std::move(value), beat.records);
  consumers.looked[expression] = {.version = topics.version(), .at = beat.turn.now};
}

void GroupCoordinator::raise_epoch(Group& group, Beat& beat) {
  ConsumerGroup& consumers = *group.consumer;
  const Topics& topics = *beat.ask.topics;
  ConsumerGroup::Looked& looked = consumers.looked[""];
  if (!beat.raises_epoch && looked.version == topics.version()) return;
  looked.version = topics.version();
  const std::int64_t hash = hash_of(consumers, topics);
  if (!beat.raises_epoch && hash == consumers.metadata_hash) return;
  consumers.risen.at = beat.turn.now;
  change(group, "",
         wire::ConsumerGroupMetadataValue{.epoch = consumers.epoch + 1, .metadata_hash = hash},
         beat.records);
}

std::optional<base::Instant> GroupCoordinator::next_target_at(const ConsumerGroup& group) const {
  if (!group.pace.made_at) return std::nullopt;
  return *group.pace.made_at + group.pace.interval.value_or(config_.consumer_assignment_interval);
}

std::int32_t GroupCoordinator::reachable_epoch(const ConsumerGroup& group,
                                               base::Instant now) const {
  const auto due = next_target_at(group);
  const bool waits = due && (now < *due || MUTANT("consumer-target-never-due"));
  return waits ? group.target_epoch : group.epoch;
}

void GroupCoordinator::make_target(Group& group, Beat& beat) {
  ConsumerGroup& consumers = *group.consumer;
  if (consumers.epoch == consumers.target_epoch) return;
  // Nobody is to be given, or to keep, what it does not read.
  const bool is_urgent = beat.reads_less;
  if (!is_urgent && reachable_epoch(consumers, beat.turn.now) != consumers.epoch) return;
  const Topics& topics = *beat.ask.topics;
  const auto preferred = consumers.preferred_assignor();
  const auto named = preferred ? find_assignor(*preferred) : std::nullopt;
  const Assignor assignor = named.value_or(config_.consumer_assignors.front());
  const auto assigned = assign_partitions(
      assignor, members_to_serve(consumers, topics),
      [&](const PartitionId& at) { return topics.racks(at.topic_id, at.partition); });
  for (const auto& [member_id, partitions] : assigned) {
    const auto known = consumers.target.find(member_id);
    const bool is_same = known != consumers.target.end() && known->second == partitions;
    if (!is_same) change(group, member_id, target_of(partitions), beat.records);
  }
  change(group, "",
         wire::ConsumerGroupTargetAssignmentMetadataValue{
             .assignment_epoch = consumers.epoch, .assignment_timestamp = beat.turn.wall_ms},
         beat.records);
  consumers.pace.made_at = beat.turn.now;
  consumers.risen.at = beat.turn.now;  // it begins to move
  ++stats_.rebalances;
}

}  // namespace broker::group

// Groups with members that change their protocol (KIP-848, group.consumer.migration.policy): a
// classic group becomes a consumer group when a member of the consumer protocol joins it, and goes
// back when only classic members are left. Each way in one append: a group is never half of both.
#include <algorithm>
#include <utility>

#include "broker/group/consumer_beat.h"
#include "broker/group/consumer_codec.h"
#include "broker/group/group_coordinator.h"
#include "broker/group/limits.h"
#include "broker/group/record_codec.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

std::int32_t to_ms(base::Duration duration) {
  return static_cast<std::int32_t>(duration / std::chrono::milliseconds(1));
}

std::unexpected<std::string> no_upgrade(const Group& group, std::string_view why) {
  return std::unexpected("Cannot upgrade classic group " + group.id +
                         " to consumer group because " + std::string(why));
}

constexpr std::string_view kMalformed = "the embedded consumer protocol is malformed.";
constexpr std::string_view kCustomAssignor =
    "an unsupported custom assignor is in use. Please refer to the documentation or switch to a "
    "default assignor before re-attempting the upgrade.";

OwnedPartitions since(const Partitions& partitions, std::int32_t epoch) {
  OwnedPartitions out;
  for (const PartitionId& at : partitions) out.emplace(at, epoch);
  return out;
}

// What the member has of the group's last assignment, and what it says it still owned when it
// joined: a cooperative member gives that back only when it has heard its assignment.
struct Holding {
  ConsumerMember member;
  Partitions assigned;
  Partitions claimed;
};

std::expected<Holding, std::string> holding_of(const Group& group, const Member& member,
                                               const Topics& topics) {
  const auto subscription = read_subscription(member.protocols.front().metadata);
  const auto assignment = read_assignment(member.assignment);
  if (!subscription || !assignment) return no_upgrade(group, kMalformed);
  if (assignment->has_user_data) return no_upgrade(group, kCustomAssignor);
  if (subscription->topics.size() > kSubscribedTopicsMax) {
    return no_upgrade(group, "a member subscribes to too many topics.");
  }
  Holding out{.member = {.id = member.id,
                         .instance_id = member.instance_id,
                         .rack = subscription->rack,
                         .client_id = member.client_id,
                         .client_host = member.client_host,
                         .topics = {subscription->topics.begin(), subscription->topics.end()},
                         .rebalance_timeout_ms = to_ms(member.rebalance_timeout),
                         .classic = ConsumerMember::Classic{}},
              .assigned = with_ids(assignment->partitions, topics),
              .claimed = with_ids(subscription->owned, topics)};
  out.member.epoch = group.generation;
  out.member.previous_epoch = group.generation;
  out.member.classic->session_timeout_ms = to_ms(member.session_timeout);
  for (const Protocol& each : member.protocols) {
    out.member.classic->supported_protocols.push_back({each.name, each.metadata});
  }
  return out;
}

// False when two have been given the same partition: whose it is only their assignor can tell.
bool share_out(std::vector<Holding>& holdings, std::int32_t generation) {
  Partitions held;
  for (Holding& each : holdings) {
    for (const PartitionId& at : each.assigned) {
      if (!held.insert(at).second) return false;
    }
    each.member.owned = since(each.assigned, generation);
  }
  if (MUTANT("upgrade-forgets-what-is-given-back")) return true;
  for (Holding& each : holdings) {
    Partitions to_give_back;
    for (const PartitionId& at : each.claimed) {
      if (held.insert(at).second) to_give_back.insert(at);
    }
    if (to_give_back.empty()) continue;
    each.member.revoking = since(to_give_back, generation);
    each.member.state = ConsumerMemberState::kUnrevoked;
  }
  return true;
}

// Whether the classic members of a log have a protocol in common: ours always do.
bool has_common_protocol(const ConsumerGroup& group) {
  std::vector<std::string> offered;
  for (const auto& each : group.members.begin()->second.classic->supported_protocols) {
    offered.push_back(each.name);
  }
  return group.supports_classic(offered);
}

// What is nobody else's: it may still be on its way to its target.
Partitions held_by(const ConsumerMember& member) {
  Partitions out;
  for (const auto& [at, epoch_] : member.owned) out.insert(at);
  for (const auto& [at, epoch_] : member.revoking) out.insert(at);
  return out;
}

Member classic_member(const ConsumerMember& member) {
  using std::chrono::milliseconds;
  Member out;
  out.id = member.id;
  out.instance_id = member.instance_id;
  out.client_id = member.client_id;
  out.client_host = member.client_host;
  out.session_timeout = milliseconds(std::max(member.classic->session_timeout_ms, 0));
  out.rebalance_timeout = milliseconds(std::max(member.rebalance_timeout_ms, 0));
  for (const auto& each : member.classic->supported_protocols) {
    if (out.find_protocol(each.name) == nullptr)
      out.protocols.push_back({each.name, each.metadata});
  }
  return out;
}

}  // namespace

Partitions with_ids(const NamedPartitions& partitions, const Topics& topics) {
  Partitions out;
  for (const auto& [name, numbers] : partitions) {
    const auto topic = topics.find(name);
    if (!topic) continue;
    for (const std::int32_t number : numbers) out.insert({topic->id, number});
  }
  return out;
}

NamedPartitions with_names(const Partitions& partitions, const Topics& topics) {
  NamedPartitions out;
  std::optional<std::string> name;
  const base::Uuid* named = nullptr;
  for (const PartitionId& at : partitions) {
    if (named == nullptr || *named != at.topic_id) {
      named = &at.topic_id;
      name = topics.name_of(at.topic_id);
    }
    if (name) out[*name].insert(at.partition);
  }
  return out;
}

std::expected<Upgrade, std::string> upgrade_of(const Group& group, const Topics& topics,
                                               base::WallMs wall_ms) {
  std::vector<Holding> holdings;
  for (const auto& [id_, member] : group.members) {
    auto holding = holding_of(group, member, topics);
    if (!holding) return std::unexpected(std::move(holding.error()));
    holdings.push_back(*std::move(holding));
  }
  if (!share_out(holdings, group.generation)) return no_upgrade(group, kCustomAssignor);
  Upgrade out;
  out.records.push_back(encode_group_tombstone(group.id));
  auto put = [&](std::string name, ConsumerRecord::Value value) {
    const ConsumerRecord record{group.id, std::move(name), std::move(value)};
    out.consumers.apply(record);
    out.records.push_back(encode_consumer(record));
  };
  for (const Holding& each : holdings) put(each.member.id, member_metadata_of(each.member));
  put("", wire::ConsumerGroupMetadataValue{.epoch = group.generation, .metadata_hash = 0});
  for (const Holding& each : holdings) put(each.member.id, target_of(each.assigned));
  put("", wire::ConsumerGroupTargetAssignmentMetadataValue{.assignment_epoch = group.generation,
                                                           .assignment_timestamp = wall_ms});
  for (const Holding& each : holdings) put(each.member.id, current_of(each.member));
  return out;
}

std::optional<BeatRefusal> GroupCoordinator::plan_upgrade(const Group& group, Beat& beat) const {
  auto refuse = [&](std::string why) {
    return BeatRefusal{ErrorCode::kGroupIdNotFound, std::move(why)};
  };
  if (!config_.may_upgrade())
    return refuse(no_upgrade(group, "online upgrade is disabled.").error());
  if (!group.uses_consumer_protocol()) {
    return refuse(
        no_upgrade(group, "the group does not use the consumer embedded protocol.").error());
  }
  const auto size_max =
      std::min(static_cast<std::size_t>(config_.consumer_group_size_max), kMembersMax);
  if (group.members.size() > size_max) {
    return refuse(
        no_upgrade(group, "the group size exceeds the consumer group maximum size.").error());
  }
  auto upgrade = upgrade_of(group, *beat.ask.topics, beat.turn.wall_ms);
  if (!upgrade) return refuse(std::move(upgrade.error()));
  // It is to be all in one append.
  if (!fits(upgrade->records)) return refuse(no_upgrade(group, "it is too large.").error());
  beat.upgrade = *std::move(upgrade);
  return std::nullopt;
}

void GroupCoordinator::upgrade(Group& group, Beat& beat) {
  Turn& turn = beat.turn;
  deadlines_.cancel({.kind = DeadlineKind::kJoin, .group_id = group.id});
  deadlines_.cancel({.kind = DeadlineKind::kSync, .group_id = group.id});
  for (const std::string& member_id : group.pending_join) {
    deadlines_.cancel({DeadlineKind::kSession, group.id, member_id});
  }
  for (auto& [member_id, member] : group.members) {
    deadlines_.cancel({DeadlineKind::kSession, group.id, member_id});
    deadlines_.set({DeadlineKind::kConsumerSession, group.id, member_id},
                   turn.now + member.session_timeout);
    // Whoever waits joins again, and then hears what it is to own.
    answer_join(group, member,
                {.error_code = ErrorCode::kRebalanceInProgress, .member_id = member_id}, turn);
    answer_sync(member, {.error_code = ErrorCode::kRebalanceInProgress}, turn);
  }
  make_consumers(group);
  *group.consumer = std::move(beat.upgrade->consumers);
  settle_consumers(group);
  group.last_append = append(std::move(beat.upgrade->records), turn);
}

// The classic group that the consumer group is, when all of its members are classic. Each is said
// to have what it holds: should the group change back before its members have joined, nobody is
// given what another one still has.
std::optional<Group> GroupCoordinator::as_classic(const Group& group, base::WallMs wall_ms) const {
  const ConsumerGroup& consumers = *group.consumer;
  if (!has_common_protocol(consumers)) return std::nullopt;
  Group next{.id = group.id};
  next.generation = consumers.epoch;
  for (const auto& [id_, member] : consumers.members) {
    const bool is_its =
        !member.instance_id || consumers.find_static(*member.instance_id) == &member;
    if (!is_its) return std::nullopt;
    next.add_member(classic_member(member), "consumer");
  }
  next.protocol = next.select_protocol();
  for (auto& [member_id, member] : next.members) {
    const auto said = read_subscription(member.find_protocol(*next.protocol)->metadata);
    auto held = held_by(*consumers.find(member_id));
    if (MUTANT("downgrade-forgets-what-is-held")) held = consumers.target.at(member_id);
    member.assignment =
        write_assignment(said ? said->version : std::int16_t{0}, with_names(held, *topics_));
  }
  next.move_to(GroupState::kStable, wall_ms);
  next.refresh_subscribed_topics();
  next.logged = true;
  return next;
}

// If only classic members are left: makes the group theirs, with `records` in the same append, and
// lets them rebalance unless they all have what they are to have. False: nothing was done.
bool GroupCoordinator::downgrade(Group& group, std::vector<Record>& records, bool is_settled,
                                 Turn& turn) {
  const ConsumerGroup& consumers = *group.consumer;
  const bool may = config_.may_downgrade() && consumers.is_all_classic() &&
                   consumers.members.size() <= static_cast<std::size_t>(config_.group_size_max) &&
                   !MUTANT("consumer-group-never-goes-back");
  if (!may) return false;
  CHECK(topics_ != nullptr);
  auto next = as_classic(group, turn.wall_ms);
  if (!next) return false;
  std::vector<Record> all = records;
  for (Record& record : group_tombstones(group)) all.push_back(std::move(record));
  all.push_back(encode_group(*next));
  if (!fits(all)) return false;
  for (const auto& [member_id, member_] : consumers.members) {
    for (const auto kind : {DeadlineKind::kConsumerSession, DeadlineKind::kConsumerRevoke,
                            DeadlineKind::kConsumerJoin, DeadlineKind::kConsumerSync}) {
      deadlines_.cancel({kind, group.id, member_id});
    }
  }
  next->offsets = std::move(group.offsets);
  next->offset_count = group.offset_count;
  next->unstable = std::move(group.unstable);
  group = *std::move(next);
  group.last_append = append(std::move(all), turn);
  for (const auto& [id_, member] : group.members) touch_session(group, member, turn.now);
  if (!is_settled) prepare_rebalance(group, turn);
  return true;
}

}  // namespace broker::group

#include "broker/group/consumer_reconcile.h"

#include <algorithm>

#include "common/base/mutant.h"

namespace broker::group {
namespace {

// A member that does not say is taken to own all it ever had.
bool still_owns(const std::optional<Partitions>& reported, const OwnedPartitions& partitions) {
  if (partitions.empty()) return false;
  if (!reported) return true;
  return std::ranges::any_of(partitions,
                             [&](const auto& each) { return reported->contains(each.first); });
}

void move_to_epoch(ConsumerMember& member, std::int32_t epoch) {
  if (member.epoch == epoch) return;
  member.previous_epoch = member.epoch;
  member.epoch = epoch;
}

ConsumerMember next_step(const ConsumerGroup& group, const ConsumerMember& member,
                         std::int32_t epoch, const std::optional<Partitions>& reported) {
  static const Partitions kNothing;
  const auto found = group.target.find(member.id);
  const Partitions& target = found == group.target.end() ? kNothing : found->second;

  ConsumerMember next = member;
  next.owned.clear();
  next.revoking.clear();
  OwnedPartitions to_revoke;
  for (const auto& each : member.owned) {
    (target.contains(each.first) ? next.owned : to_revoke).insert(each);
  }
  const bool is_revoked =
      !still_owns(reported, to_revoke) || MUTANT("consumer-assigns-before-revoking");
  if (!is_revoked) {
    next.revoking = std::move(to_revoke);
    next.state = ConsumerMemberState::kUnrevoked;
    move_to_epoch(next, epoch);
    return next;
  }
  bool waits = false;
  for (const PartitionId& at : target) {
    if (next.owned.contains(at)) continue;
    // What it held itself a moment ago is free again as well.
    const bool is_own = member.revoking.contains(at);
    if (group.is_held(at) && !is_own && !MUTANT("consumer-assigns-what-others-hold")) {
      waits = true;
      continue;
    }
    next.owned.emplace(at, group.target_epoch);
  }
  next.state = waits ? ConsumerMemberState::kUnreleased : ConsumerMemberState::kStable;
  move_to_epoch(next, group.target_epoch);
  return next;
}

}  // namespace

ConsumerMember reconciled(const ConsumerGroup& group, const ConsumerMember& member,
                          const std::optional<Partitions>& reported) {
  switch (member.state) {
    case ConsumerMemberState::kStable:
      if (member.epoch == group.target_epoch) return member;
      return next_step(group, member, member.epoch, reported);
    case ConsumerMemberState::kUnrevoked:
      if (still_owns(reported, member.revoking)) return member;
      // It gave them back in the epoch that it had: with the next one, older messages of it end.
      return next_step(group, member, std::min(member.epoch + 1, group.target_epoch), reported);
    case ConsumerMemberState::kUnreleased:
      return next_step(group, member, member.epoch, reported);
  }
  return member;
}

}  // namespace broker::group

// Reassignments of replicas (KIP-455, KIP-860): begin, change, cancel, list. They are completed by
// the leader's change of its ISR.
#include <algorithm>
#include <set>

#include "controller/cluster/movement.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;
using Asked = proto::AlterPartitionReassignmentsRequest::Partition;

std::unexpected<Refusal> bad_target(std::string why) {
  return refuse(ErrorCode::kInvalidReplicaAssignment,
                "The manual partition assignment includes " + std::move(why));
}

Verdict<void> check_target(const Replicas& target, const meta::Partition& partition,
                           bool same_factor, const meta::Image& image) {
  if (target.empty()) return bad_target("an empty replica list.");
  std::set<base::BrokerId> seen;
  for (base::BrokerId id : target) {
    if (!image.broker(id)) {
      return bad_target("broker " + std::to_string(id.value()) +
                        ", but no such broker is registered.");
    }
    if (!seen.insert(id).second) {
      return bad_target("the broker " + std::to_string(id.value()) + " more than once.");
    }
  }
  const std::size_t factor = without(partition.replicas, partition.adding).size();
  if (same_factor && target.size() != factor) {
    return refuse(ErrorCode::kInvalidReplicationFactor, "The replication factor is changed from " +
                                                            std::to_string(factor) + " to " +
                                                            std::to_string(target.size()));
  }
  return {};
}

Verdict<void> cancel(PartitionChange& change, const TopicRules& rules, const Roster& roster) {
  const meta::Partition& before = change.before();
  if (!is_moving(before)) {
    return refuse(ErrorCode::kNoReassignmentInProgress, "The partition is not being reassigned.");
  }
  change.replicas = without(before.replicas, before.adding);
  change.elr = without(before.elr, before.adding);
  const Replicas isr = without(before.isr, before.adding);
  if (isr.empty() && !rules.unclean) {
    return refuse(
        ErrorCode::kInvalidReplicaAssignment,
        "The reassignment cannot be taken back: none of the replicas from before is in sync.");
  }
  change.isr = isr;
  if (isr.empty()) {
    const Replicas& pool = change.elr.empty() ? change.replicas : change.elr;
    auto live = std::ranges::find_if(pool, [&](auto id) { return roster.live(id); });
    change.isr = {live == pool.end() ? pool.front() : *live};
  }
  change.adding.clear();
  change.removing.clear();
  return {};
}

Verdict<void> alter(const std::string& name, const Asked& asked, bool same_factor,
                    const meta::Image& image, const Settings& settings,
                    std::vector<proto::Record>& out) {
  const meta::Partition* partition = image.partition(name, asked.partition());
  if (!partition) {
    return refuse(ErrorCode::kUnknownTopicOrPartition, "Unable to find partition " + name + ":" +
                                                           std::to_string(asked.partition()) + ".");
  }
  const meta::Topic& topic = *image.topic(name);
  const TopicRules rules = TopicRules::of(topic.configs, image, settings);
  const Roster roster(image);
  PartitionChange change(topic, asked.partition());
  if (asked.has_replicas()) {
    const Replicas target = to_replicas(asked.replicas());
    if (auto good = check_target(target, *partition, same_factor, image); !good) return good;
    reassign(change, target);
  } else if (auto good = cancel(change, rules, roster); !good) {
    return good;
  }
  if (auto record = change.decide(roster, rules)) out.push_back(std::move(*record));
  return {};
}

}  // namespace

Decision<proto::AlterPartitionReassignmentsReply> alter_partition_reassignments(
    const proto::AlterPartitionReassignmentsRequest& request, const meta::Image& image,
    const Settings& settings) {
  Decision<proto::AlterPartitionReassignmentsReply> out;
  std::set<std::pair<std::string, std::int32_t>> seen;
  for (const auto& topic : request.topics()) {
    auto* answered = out.reply.add_topics();
    answered->set_name(topic.name());
    for (const auto& asked : topic.partitions()) {
      auto* partition = answered->add_partitions();
      partition->set_partition(asked.partition());
      Verdict<void> verdict;
      if (!seen.insert({topic.name(), asked.partition()}).second) {
        verdict = refuse(ErrorCode::kInvalidRequest, "The partition is named twice.");
      } else {
        verdict = alter(topic.name(), asked, request.refuse_replication_factor_change(), image,
                        settings, out.records);
      }
      if (!verdict) set_error(partition->mutable_error(), verdict.error());
    }
  }
  return out;
}

Decision<proto::ListPartitionReassignmentsReply> list_partition_reassignments(
    const proto::ListPartitionReassignmentsRequest& request, const meta::Image& image) {
  Decision<proto::ListPartitionReassignmentsReply> out;
  const auto list = [&](const meta::Topic& topic, const std::set<std::int32_t>* only) {
    proto::ListPartitionReassignmentsReply::Topic found;
    found.set_name(topic.name);
    std::int32_t index = -1;
    for (const meta::Partition& partition : topic.partitions) {
      ++index;
      if ((only && !only->contains(index)) || !is_moving(partition)) continue;
      auto* each = found.add_partitions();
      each->set_partition(index);
      for (base::BrokerId id : partition.replicas) each->add_replicas(id.value());
      for (base::BrokerId id : partition.adding) each->add_adding(id.value());
      for (base::BrokerId id : partition.removing) each->add_removing(id.value());
    }
    if (found.partitions_size() > 0) *out.reply.add_topics() = std::move(found);
  };
  if (request.all()) {
    for (const auto& [name, topic] : image.topics()) list(*topic, nullptr);
  }
  for (const auto& asked : request.topics()) {
    const meta::Topic* topic = image.topic(asked.name());
    const std::set<std::int32_t> only(asked.partitions().begin(), asked.partitions().end());
    if (topic && !request.all()) list(*topic, &only);
  }
  return out;
}

}  // namespace controller::cluster

// A leader changes its ISR: the checks are Kafka's (KIP-497, KIP-841, KIP-903), in its order.
#include <set>

#include "common/base/mutant.h"
#include "common/meta/apply.h"
#include "controller/cluster/partition_change.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;
using Asked = proto::AlterPartitionRequest::Partition;

std::string name_of(const meta::Topic& topic, std::int32_t index) {
  return topic.name + "-" + std::to_string(index);
}

// May the member be in the ISR? The leader itself may be in its shutdown: others join so that one
// of them can follow it.
Verdict<void> check_member(const proto::AlterPartitionRequest::Member& member,
                           const meta::Partition& partition, const meta::Image& image) {
  const base::BrokerId id(member.broker_id());
  const auto ineligible = [&](const std::string& why) {
    return refuse(ErrorCode::kIneligibleReplica,
                  "Replica " + std::to_string(id.value()) + " cannot be in sync: " + why);
  };
  const meta::Broker* broker = image.broker(id);
  if (!broker) return ineligible("it is not registered.");
  if (broker->fenced) return ineligible("it is fenced.");
  if (broker->shutting_down && id != partition.leader) return ineligible("it is shutting down.");
  if (id != partition.leader &&
      meta::storage_of(*broker, partition.directories) != meta::Storage::kGood &&
      !MUTANT("failed-directory-counts")) {
    return ineligible("its log directory cannot be written.");
  }
  // The leader may not have heard yet from a member that it took over.
  const bool unheard = member.broker_epoch() == -1 && contains(partition.isr, id);
  if (!unheard && member.broker_epoch() != broker->epoch.value() &&
      !MUTANT("accept-stale-member-epoch")) {
    return ineligible("it has broker epoch " + std::to_string(broker->epoch.value()) + ", not " +
                      std::to_string(member.broker_epoch()) + ".");
  }
  return {};
}

Verdict<void> check_epochs(const Asked& asked, base::BrokerId from, const meta::Topic& topic,
                           const meta::Partition& partition) {
  const std::string name = name_of(topic, asked.partition());
  if (asked.leader_epoch() > partition.leader_epoch.value() ||
      asked.partition_epoch() > partition.partition_epoch) {
    // Who knows more than this controller has spoken with another one.
    return refuse(ErrorCode::kNotController, name + " has not come that far here.");
  }
  if (asked.leader_epoch() < partition.leader_epoch.value()) {
    return refuse(ErrorCode::kFencedLeaderEpoch,
                  name + " has leader epoch " + std::to_string(partition.leader_epoch.value()) +
                      ", not " + std::to_string(asked.leader_epoch()) + ".");
  }
  if (partition.leader != from) {
    return refuse(ErrorCode::kInvalidRequest, name + " is led by broker " +
                                                  std::to_string(partition.leader.value()) +
                                                  ", not by " + std::to_string(from.value()) + ".");
  }
  if (asked.partition_epoch() < partition.partition_epoch && !MUTANT("skip-partition-epoch")) {
    return refuse(ErrorCode::kInvalidUpdateVersion,
                  name + " has partition epoch " + std::to_string(partition.partition_epoch) +
                      ", not " + std::to_string(asked.partition_epoch()) + ".");
  }
  return {};
}

// The wanted ISR, in the order in which it was asked for.
Verdict<Replicas> check_isr(const Asked& asked, const meta::Topic& topic,
                            const meta::Partition& partition, const meta::Image& image) {
  const std::string name = name_of(topic, asked.partition());
  Replicas isr;
  for (const auto& member : asked.isr()) {
    const base::BrokerId id(member.broker_id());
    if (!contains(partition.replicas, id) || contains(isr, id)) {
      return refuse(ErrorCode::kInvalidRequest, "Broker " + std::to_string(id.value()) +
                                                    " is no replica of " + name +
                                                    ", or is named twice.");
    }
    isr.push_back(id);
  }
  if (!contains(isr, partition.leader)) {
    return refuse(ErrorCode::kInvalidRequest, "The ISR of " + name + " lacks its leader.");
  }
  for (const auto& member : asked.isr()) {
    if (auto good = check_member(member, partition, image); !good) {
      return std::unexpected(good.error());
    }
  }
  return isr;
}

class Alteration {
 public:
  Alteration(const proto::AlterPartitionRequest& request, const meta::Image& image,
             const Settings& settings)
      : from_(request.broker_id()), image_(image), settings_(settings), roster_(image) {}

  Verdict<void> alter(const Asked& asked, proto::AlterPartitionReply::Partition& reply,
                      std::vector<proto::Record>& records) {
    const base::Uuid id = meta::from_proto(asked.topic_id());
    const meta::Topic* topic = image_.topic(id);
    if (!topic) {
      return refuse(ErrorCode::kUnknownTopicId, "There is no topic " + id.to_string() + ".");
    }
    if (asked.partition() < 0 ||
        static_cast<std::size_t>(asked.partition()) >= topic->partitions.size()) {
      return refuse(ErrorCode::kUnknownTopicOrPartition,
                    "There is no partition " + name_of(*topic, asked.partition()) + ".");
    }
    if (!seen_.insert({id, asked.partition()}).second) {
      return refuse(ErrorCode::kInvalidRequest,
                    name_of(*topic, asked.partition()) + " appears twice.");
    }
    const auto& partition = topic->partitions[static_cast<std::size_t>(asked.partition())];
    if (auto good = check_epochs(asked, from_, *topic, partition); !good) return good;
    auto isr = check_isr(asked, *topic, partition, image_);
    if (!isr) return std::unexpected(isr.error());
    PartitionChange change(*topic, asked.partition());
    change.isr = std::move(*isr);
    auto record = change.decide(roster_, TopicRules::of(topic->configs, image_, settings_));
    if (record) records.push_back(std::move(*record));
    reply.set_leader(change.leader().value());
    reply.set_leader_epoch(change.leader_epoch().value());
    reply.set_partition_epoch(partition.partition_epoch + (record ? 1 : 0));
    for (base::BrokerId each : change.isr) reply.add_isr(each.value());
    if (change.leader_epoch() != partition.leader_epoch) {
      return refuse(ErrorCode::kNewLeaderElected,
                    name_of(*topic, asked.partition()) + " has another leader epoch by this.");
    }
    return {};
  }

 private:
  base::BrokerId from_;
  const meta::Image& image_;
  const Settings& settings_;
  Roster roster_;
  std::set<std::pair<base::Uuid, std::int32_t>> seen_;
};

}  // namespace

Decision<proto::AlterPartitionReply> alter_partition(const proto::AlterPartitionRequest& request,
                                                     const meta::Image& image,
                                                     const Settings& settings) {
  Decision<proto::AlterPartitionReply> out;
  const meta::Broker* broker = image.broker(base::BrokerId(request.broker_id()));
  if (!broker || broker->epoch.value() != request.broker_epoch()) {
    set_error(out.reply.mutable_error(),
              {ErrorCode::kStaleBrokerEpoch, "Broker " + std::to_string(request.broker_id()) +
                                                 " is not registered with epoch " +
                                                 std::to_string(request.broker_epoch()) + "."});
    return out;
  }
  Alteration alteration(request, image, settings);
  for (const auto& asked : request.partitions()) {
    auto* reply = out.reply.add_partitions();
    if (auto good = alteration.alter(asked, *reply, out.records); !good) {
      set_error(reply->mutable_error(), good.error());
    }
  }
  return out;
}

}  // namespace controller::cluster

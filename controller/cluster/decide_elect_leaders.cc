// Elections that somebody asks for (KIP-183, KIP-460), and those that the controller holds of its
// own accord so that preferred replicas lead again.
#include <map>
#include <set>

#include "controller/cluster/movement.h"
#include "controller/cluster/partition_change.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

enum class Kind { kPreferred = 0, kUnclean = 1 };

Verdict<void> elect(Kind kind, const meta::Topic* topic, std::int32_t index,
                    const meta::Image& image, const Settings& settings,
                    std::vector<proto::Record>& out) {
  if (!topic || index < 0 || static_cast<std::size_t>(index) >= topic->partitions.size()) {
    return refuse(ErrorCode::kUnknownTopicOrPartition, "There is no such topic or partition.");
  }
  const meta::Partition& partition = topic->partitions[static_cast<std::size_t>(index)];
  const std::string name = topic->name + "-" + std::to_string(index);
  const bool done = kind == Kind::kPreferred ? partition.leader == partition.replicas.front()
                                             : partition.leader != meta::kNoBroker;
  if (done) {
    return refuse(ErrorCode::kElectionNotNeeded, "The leader of " + name + " is as it should be.");
  }
  PartitionChange change(*topic, index);
  TopicRules rules = TopicRules::of(topic->configs, image, settings);
  if (kind == Kind::kPreferred) {
    change.wish = place::Wish::kPreferred;
  } else {
    rules.unclean = true;
  }
  auto record = change.decide(Roster(image), rules);
  const bool elected = kind == Kind::kPreferred ? change.leader() == change.replicas.front()
                                                : change.leader() != meta::kNoBroker;
  if (elected && record) {
    out.push_back(std::move(*record));
    return {};
  }
  if (kind == Kind::kPreferred) {
    return refuse(ErrorCode::kPreferredLeaderNotAvailable,
                  "Broker " + std::to_string(change.replicas.front().value()) + " cannot lead " +
                      name + ": it is not in sync.");
  }
  return refuse(ErrorCode::kEligibleLeadersNotAvailable, "No replica of " + name + " is live.");
}

// Brokers that are not in sync in every partition that they hold.
std::set<base::BrokerId> unsettled(const meta::Image& image) {
  std::set<base::BrokerId> out;
  for (const auto& [name, topic] : image.topics()) {
    for (const meta::Partition& partition : topic->partitions) {
      for (base::BrokerId id : partition.replicas) {
        if (!contains(partition.isr, id) && !contains(partition.adding, id)) out.insert(id);
      }
    }
  }
  return out;
}

bool may_take_back(const meta::Partition& partition, const std::set<base::BrokerId>& unsettled,
                   const Roster& roster, const meta::Image& image) {
  const base::BrokerId preferred = partition.replicas.front();
  return partition.leader != meta::kNoBroker && partition.leader != preferred &&
         !is_moving(partition) && contains(partition.isr, preferred) &&
         roster.can_write(preferred, partition.directories) && !unsettled.contains(preferred) &&
         !image.broker(preferred)->draining;
}

}  // namespace

Decision<proto::ElectLeadersReply> elect_leaders(const proto::ElectLeadersRequest& request,
                                                 const meta::Image& image,
                                                 const Settings& settings) {
  Decision<proto::ElectLeadersReply> out;
  if (request.election_type() != 0 && request.election_type() != 1) {
    set_error(out.reply.mutable_error(),
              {ErrorCode::kInvalidRequest,
               "Unknown election type " + std::to_string(request.election_type()) + "."});
    return out;
  }
  const Kind kind = request.election_type() == 0 ? Kind::kPreferred : Kind::kUnclean;
  const auto answer = [&](auto* topic, std::int32_t index, const Verdict<void>& verdict) {
    auto* partition = topic->add_partitions();
    partition->set_partition(index);
    if (!verdict) set_error(partition->mutable_error(), verdict.error());
  };
  if (request.all()) {
    for (const auto& [name, topic] : image.topics()) {
      proto::ElectLeadersReply::Topic answered;
      answered.set_name(name);
      const auto count = static_cast<std::int32_t>(topic->partitions.size());
      for (std::int32_t index = 0; index < count; ++index) {
        const auto verdict = elect(kind, topic.get(), index, image, settings, out.records);
        if (verdict || verdict.error().code != ErrorCode::kElectionNotNeeded) {
          answer(&answered, index, verdict);
        }
      }
      if (answered.partitions_size() > 0) *out.reply.add_topics() = std::move(answered);
    }
    return out;
  }
  std::set<std::pair<std::string, std::int32_t>> seen;
  for (const auto& each : request.topics()) {
    auto* topic = out.reply.add_topics();
    topic->set_name(each.name());
    for (std::int32_t index : each.partitions()) {
      if (!seen.insert({each.name(), index}).second) continue;
      answer(topic, index,
             elect(kind, image.topic(each.name()), index, image, settings, out.records));
    }
  }
  return out;
}

std::vector<proto::Record> balance_step(const meta::Image& image, const Settings& settings) {
  std::vector<proto::Record> out;
  if (!settings.balance_leaders) return out;
  for (const auto& [id, broker] : image.brokers()) {
    // Its leaderships are on the move already.
    if (broker->shutting_down && !broker->fenced) return out;
  }
  const auto behind = unsettled(image);
  const Roster roster(image);
  for (const auto& [name, topic] : image.topics()) {
    std::int32_t index = -1;
    for (const meta::Partition& partition : topic->partitions) {
      ++index;
      if (!may_take_back(partition, behind, roster, image)) continue;
      PartitionChange change(*topic, index);
      change.wish = place::Wish::kPreferred;
      auto record = change.decide(roster, TopicRules::of(topic->configs, image, settings));
      if (record) out.push_back(std::move(*record));
      if (out.size() >= static_cast<std::size_t>(settings.leaders_at_once)) return out;
    }
  }
  return out;
}

}  // namespace controller::cluster

// How the cluster is, in sentences that say what to do; and whether a broker may be away for a
// while.
#include <algorithm>
#include <set>

#include "controller/cluster/movement.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

constexpr int kNamedMax = 100;

std::string count_of(int count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string ids_of(const std::set<base::BrokerId>& ids) {
  std::string text;
  for (base::BrokerId id : ids) {
    if (!text.empty()) text += ", ";
    text += std::to_string(id.value());
  }
  return text;
}

// Partitions with one thing wrong, and the brokers that it depends on.
struct Group {
  proto::ClusterHealthReply::Finding finding;
  std::set<base::BrokerId> brokers;

  void add(const std::string& topic, std::int32_t index) {
    finding.set_count(finding.count() + 1);
    if (finding.partitions_size() >= kNamedMax) return;
    auto* partition = finding.add_partitions();
    partition->set_topic(topic);
    partition->set_partition(index);
  }
};

class Examination {
 public:
  Examination(const meta::Image& image, const Settings& settings)
      : image_(image), settings_(settings) {}

  proto::ClusterHealthReply examine() {
    for (const auto& [name, topic] : image_.topics()) {
      const TopicRules rules = TopicRules::of(topic->configs, image_, settings_);
      std::int32_t index = -1;
      for (const meta::Partition& partition : topic->partitions) {
        look_at(name, ++index, partition, rules);
      }
    }
    tell_partitions();
    tell_brokers();
    tell_rest();
    reply_.set_partitions(image_.partition_count());
    reply_.set_healthy(!sick_);
    return std::move(reply_);
  }

 private:
  void look_at(const std::string& topic, std::int32_t index, const meta::Partition& partition,
               const TopicRules& rules) {
    const Replicas wanted = without(partition.replicas, partition.adding);
    const Replicas missing = without(wanted, partition.isr);
    if (partition.leader == meta::kNoBroker && partition.isr_lost) {
      lost_.add(topic, index);
      lost_.brokers.insert(partition.isr.begin(), partition.isr.end());
    } else if (partition.leader == meta::kNoBroker) {
      offline_.add(topic, index);
      offline_.brokers.insert(partition.isr.begin(), partition.isr.end());
    } else if (partition.isr.size() < rules.min_isr_of(partition.replicas.size())) {
      const bool only_moves =
          missing.empty() && partition.isr.size() >= rules.min_isr_of(wanted.size());
      Group& group = only_moves ? under_min_moving_ : under_min_;
      group.add(topic, index);
      group.brokers.insert(missing.begin(), missing.end());
    } else if (!missing.empty()) {
      under_.add(topic, index);
      under_.brokers.insert(missing.begin(), missing.end());
    }
    if (is_moving(partition)) moving_.add(topic, index);
    const bool led = partition.leader != meta::kNoBroker;
    if (led && partition.leader != partition.replicas.front()) strange_.add(topic, index);
  }

  void tell(Group& group, proto::FindingKind kind, std::string message) {
    if (group.finding.count() == 0) return;
    group.finding.set_kind(kind);
    group.finding.set_broker_id(-1);
    group.finding.set_message(std::move(message));
    *reply_.add_findings() = std::move(group.finding);
  }

  void tell_partitions() {
    sick_ = lost_.finding.count() + offline_.finding.count() + under_min_.finding.count() +
                under_min_moving_.finding.count() + under_.finding.count() >
            0;
    tell(lost_, proto::FINDING_KIND_OFFLINE,
         count_of(lost_.finding.count(), "partition") +
             " can neither be written nor read: the last replica in sync came back with another "
             "disk, on broker " +
             ids_of(lost_.brokers) +
             ". What only that disk held is lost. An unclean election lets another replica lead "
             "with what it has; without another, the partition begins anew, empty.");
    tell(offline_, proto::FINDING_KIND_OFFLINE,
         count_of(offline_.finding.count(), "partition") +
             " can neither be written nor read: no replica that holds what was acknowledged is "
             "there. Start these brokers again: " +
             ids_of(offline_.brokers) +
             ". Only if their disks are lost, an unclean election gives up what only they had.");
    tell(under_min_, proto::FINDING_KIND_UNDER_MIN_ISR,
         count_of(under_min_.finding.count(), "partition") +
             " cannot be written with acks=all: fewer replicas are in sync than "
             "min.insync.replicas. Look at these brokers: " +
             ids_of(under_min_.brokers) + ".");
    tell(under_min_moving_, proto::FINDING_KIND_UNDER_MIN_ISR,
         count_of(under_min_moving_.finding.count(), "partition") +
             " cannot be written with acks=all while being moved: no replica is missing, but those "
             "that are added count towards min.insync.replicas, which the topic has too few "
             "replicas for. Wait for the move, or cancel it.");
    tell(under_, proto::FINDING_KIND_UNDER_REPLICATED,
         count_of(under_.finding.count(), "partition") +
             " have replicas that are not in sync. They catch up by themselves once these brokers "
             "run: " +
             ids_of(under_.brokers) + ".");
  }

  void tell_broker(base::BrokerId id, proto::FindingKind kind, std::string message) {
    auto* finding = reply_.add_findings();
    finding->set_kind(kind);
    finding->set_count(1);
    finding->set_broker_id(id.value());
    finding->set_message(std::move(message));
  }

  void tell_brokers() {
    for (const auto& [id, broker] : image_.brokers()) {
      reply_.set_brokers(reply_.brokers() + 1);
      const std::string name = "Broker " + std::to_string(id.value());
      int held = 0;
      each_partition_of(id, image_, [&](const auto&, std::int32_t, const auto&) { ++held; });
      if (broker->fenced) {
        sick_ = true;
        tell_broker(id, proto::FINDING_KIND_BROKER_FENCED,
                    name +
                        " is not there: no heartbeat comes. Start it, or look at its disk and "
                        "its network. If it is gone for good, drain it and unregister it.");
      } else {
        reply_.set_brokers_live(reply_.brokers_live() + 1);
      }
      tell_directories(*broker, name);
      if (!broker->draining) continue;
      tell_broker(id, proto::FINDING_KIND_BROKER_DRAINING,
                  held == 0 ? name + " is drained: it may be stopped and unregistered."
                            : name + " is being drained: " + count_of(held, "replica") +
                                  " left. Wait, or resume it.");
    }
  }

  void tell_directories(const meta::Broker& broker, const std::string& name) {
    const auto count = [](const std::vector<base::Uuid>& ids) {
      return std::to_string(ids.size()) + (ids.size() == 1 ? " log directory" : " log directories");
    };
    if (!broker.failed_directories.empty()) {
      sick_ = true;
      tell_broker(broker.id, proto::FINDING_KIND_DIRECTORY_FAILED,
                  name + " has " + count(broker.failed_directories) +
                      " out of service: a write failed, or it cannot be read. What it held is "
                      "served by others where they have it. Look at its disk, then restart it.");
    }
    if (!broker.full_directories.empty()) {
      sick_ = true;
      tell_broker(broker.id, proto::FINDING_KIND_DIRECTORY_FULL,
                  name + " has " + count(broker.full_directories) +
                      " without space: others lead in its place where they can. Make space, or let "
                      "less be retained; it goes on by itself then.");
    }
  }

  void tell_rest() {
    tell(moving_, proto::FINDING_KIND_REASSIGNING,
         count_of(moving_.finding.count(), "partition") +
             " are on the move to other brokers. Wait, or cancel the reassignment.");
    tell(strange_, proto::FINDING_KIND_LEADER_NOT_PREFERRED,
         count_of(strange_.finding.count(), "partition") +
             " are not led by their preferred replica. That mends itself once it is in sync.");
  }

  const meta::Image& image_;
  const Settings& settings_;
  proto::ClusterHealthReply reply_;
  Group lost_;  // with the disk of the only one in sync
  Group offline_;
  Group under_min_;
  Group under_min_moving_;  // for no other reason than the replicas that are being added
  Group under_;
  Group moving_;
  Group strange_;
  bool sick_ = false;
};

// Why the partition would suffer; empty when it would not. One that has no more replicas than
// min.insync.replicas suffers from every restart: nothing is gained by waiting for a better time.
std::string suffering(base::BrokerId away, const meta::Partition& partition,
                      const TopicRules& rules) {
  const bool in_sync = contains(partition.isr, away);
  const std::size_t least = rules.min_isr_of(partition.replicas.size());
  if (in_sync && partition.isr.size() == 1 && partition.replicas.size() > 1) {
    return "it is the only replica in sync: the partition would be offline";
  }
  if (partition.leader == meta::kNoBroker && partition.replicas.size() > 1) {
    return "the partition is offline and may need this broker";
  }
  if (partition.replicas.size() <= least) {
    const bool whole = partition.isr.size() == partition.replicas.size();
    return whole || partition.replicas.size() == 1 ? "" : "another replica is not in sync yet";
  }
  if (partition.isr.size() < least) return "fewer than min.insync.replicas are in sync already";
  if (in_sync && partition.isr.size() == least) {
    return "exactly min.insync.replicas are in sync: writes with acks=all would fail";
  }
  return "";
}

}  // namespace

Decision<proto::MayRestartReply> may_restart(const proto::MayRestartRequest& request,
                                             const meta::Image& image, const Settings& settings) {
  Decision<proto::MayRestartReply> out;
  const base::BrokerId id(request.broker_id());
  if (!image.broker(id)) {
    set_error(out.reply.mutable_error(),
              {wire::ErrorCode::kBrokerIdNotRegistered,
               "Broker " + std::to_string(request.broker_id()) + " is not registered."});
    return out;
  }
  out.reply.set_yes(true);
  each_partition_of(id, image, [&](const meta::Topic& topic, std::int32_t index, const auto& now) {
    const std::string why = suffering(id, now, TopicRules::of(topic.configs, image, settings));
    if (why.empty()) return;
    out.reply.set_yes(false);
    if (out.reply.reasons_size() >= kNamedMax) return;
    auto* reason = out.reply.add_reasons();
    reason->set_topic(topic.name);
    reason->set_partition(index);
    reason->set_message(why);
  });
  return out;
}

Decision<proto::ClusterHealthReply> cluster_health(const proto::ClusterHealthRequest&,
                                                   const meta::Image& image,
                                                   const Settings& settings) {
  return {{}, Examination(image, settings).examine()};
}

}  // namespace controller::cluster

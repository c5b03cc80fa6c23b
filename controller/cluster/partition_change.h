// One change of one partition: what its replicas, its ISR and a reassignment are to be, from which
// follow leader, leader epoch and ELR. Every decision that touches an existing partition goes
// through here, so the rules stand once:
//
//   - the ISR holds live brokers only; when none of it is live, it stays as it is (never empty)
//   - whose log directory is full or has failed counts as one that is not live; but who leads on a
//     full disk goes on while nobody in sync can write (what is there can be read)
//   - the leader is in the ISR; from the ELR, or an unclean one, it is the whole ISR
//   - below min.insync.replicas who leaves the ISR is kept in the ELR, unless it lost its tail
//   - when the only one in the ISR lost its disk, and the ELR is empty, nobody leads but by an
//   unclean
//     election, and then the one with the empty disk last
//   - a reassignment is complete once all that it adds is in sync (KIP-455)
//   - another leader, the same one anew, or a removed replica: another leader epoch
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "common/meta/image.h"
#include "controller/cluster/decide.h"
#include "controller/cluster/topic_rules.h"
#include "controller/place/choose_leader.h"

namespace controller::cluster {

// Who may lead and be in sync once the batch that is being decided has been applied.
class Roster {
 public:
  explicit Roster(const meta::Image& image) : image_(image) {}
  void lose(base::BrokerId id) { lost_.insert(id); }      // becomes fenced
  void leave(base::BrokerId id) { leaving_.insert(id); }  // begins its shutdown
  void find(base::BrokerId id) { found_.insert(id); }     // becomes unfenced
  void replace(const meta::Broker& broker) { replaced_[broker.id] = broker; }

  // Registered and not fenced.
  bool present(base::BrokerId id) const;
  // Also not shutting down.
  bool live(base::BrokerId id) const;
  // Of its replica, which is in one of `directories`. A broker that is not registered is kFailed.
  meta::Storage storage(base::BrokerId id, const meta::ReplicaDirectories& directories) const;
  // Live, and its replica can be written.
  bool can_write(base::BrokerId id, const meta::ReplicaDirectories& directories) const {
    return live(id) && storage(id, directories) == meta::Storage::kGood;
  }

 private:
  const meta::Broker* broker(base::BrokerId id) const;

  const meta::Image& image_;
  std::map<base::BrokerId, meta::Broker> replaced_;
  std::set<base::BrokerId> lost_;
  std::set<base::BrokerId> leaving_;
  std::set<base::BrokerId> found_;
};

// What a topic's config says of its elections.
struct TopicRules {
  std::int32_t min_isr = 1;
  bool unclean = false;

  static TopicRules of(const meta::Configs& topic, const meta::Image& image,
                       const Settings& settings);
  static TopicRules of(const meta::Configs& topic, const meta::Configs& cluster,
                       const Settings& settings);
  // No more than there are replicas.
  std::size_t min_isr_of(std::size_t replicas) const;
};

bool contains(const Replicas& ids, base::BrokerId id);
Replicas without(const Replicas& ids, const Replicas& removed);
Replicas without(const Replicas& ids, base::BrokerId removed);
Replicas to_replicas(const proto::BrokerIds& ids);

class PartitionChange {
 public:
  PartitionChange(const meta::Topic& topic, std::int32_t index);

  // What is wanted; begins as it is.
  Replicas replicas;
  Replicas isr;  // not empty
  Replicas elr;
  Replicas adding;
  Replicas removing;
  meta::ReplicaDirectories directories;  // where replicas are; not part of the change
  place::Wish wish = place::Wish::kKeep;
  bool renew_leader = false;  // another leader epoch even under the same leader
  // Its process ended uncleanly: what was acknowledged may be missing there.
  std::optional<base::BrokerId> lost_tail;
  bool lost_disk = false;  // `lost_tail` holds nothing at all

  // Completes the rest; nothing when nothing changes. Once.
  std::optional<proto::Record> decide(const Roster& roster, const TopicRules& rules);

  const meta::Partition& before() const { return before_; }
  // After decide().
  base::BrokerId leader() const { return leader_; }
  base::LeaderEpoch leader_epoch() const { return leader_epoch_; }
  bool unclean() const { return unclean_; }

 private:
  void forget_tail(const Roster& roster);
  void complete_reassignment();
  void elect(const Roster& roster, const TopicRules& rules);
  void keep_elr(const TopicRules& rules);
  std::optional<proto::Record> record();

  const base::Uuid topic_;
  const std::int32_t index_;
  const meta::Partition& before_;
  base::BrokerId leader_;
  base::LeaderEpoch leader_epoch_;
  bool isr_lost_;
  bool unclean_ = false;
};

// Calls `visit(topic, index, partition)` for every partition that has the broker as a replica.
template <class Visit>
void each_partition_of(base::BrokerId broker, const meta::Image& image, Visit visit) {
  for (const auto& [name, topic] : image.topics()) {
    std::int32_t index = -1;
    for (const meta::Partition& partition : topic->partitions) {
      ++index;
      if (contains(partition.replicas, broker)) visit(*topic, index, partition);
    }
  }
}

}  // namespace controller::cluster

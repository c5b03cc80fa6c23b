// The cluster's metadata at one offset of the metadata log: an immutable value, shared as
// std::shared_ptr<const Image> between all reactors. Only apply.h makes new ones; an image of the
// next offset shares all that did not change. Pointers into an image live as long as it does.
// Iteration is sorted, so that what is derived from it is the same everywhere.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "common/meta/persistent_map.h"
#include "common/meta/persistent_vector.h"

namespace meta {

inline constexpr base::BrokerId kNoBroker{-1};

struct Listener {
  std::string name;  // "PLAINTEXT", "INTERNAL", ...
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const Listener&, const Listener&) = default;
};

struct Broker {
  base::BrokerId id;
  base::BrokerEpoch epoch;  // offset of its registration's entry
  base::Uuid incarnation;   // new with each start of the process
  std::vector<Listener> listeners;
  std::string rack;                     // empty: none
  bool fenced = false;                  // a fenced broker leads nothing and is not named to clients
  bool silent = false;                  // fenced as it was not heard; its process may yet live
  bool shutting_down = false;           // in controlled shutdown: leads nothing new, joins no ISR
  bool draining = false;                // its replicas move away; outlives a registration
  bool heartbeats = false;              // it sends them; without, it is never fenced
  std::vector<base::Uuid> directories;  // ids of its log directories; empty: not told
  // Of those, sorted: out of service until another process registers; without space.
  std::vector<base::Uuid> failed_directories;
  std::vector<base::Uuid> full_directories;
  friend bool operator==(const Broker&, const Broker&) = default;

  // May lead and be in sync.
  bool live() const { return !fenced && !shutting_down; }
  // Null when it has no listener of that name.
  const Listener* listener(std::string_view wanted) const {
    for (const auto& each : listeners) {
      if (each.name == wanted) return &each;
    }
    return nullptr;
  }
};

// Which log directory of a broker holds a replica.
struct ReplicaDirectory {
  base::BrokerId broker;
  base::Uuid directory;
  friend bool operator==(const ReplicaDirectory&, const ReplicaDirectory&) = default;
};
using ReplicaDirectories = std::vector<ReplicaDirectory>;

// Whether a replica can be written.
enum class Storage : std::uint8_t {
  kGood,
  kFull,    // not now
  kFailed,  // not by this process of the broker
};

struct Partition {
  base::BrokerId leader = kNoBroker;
  base::LeaderEpoch leader_epoch;
  std::int32_t partition_epoch = 0;      // grows with every change of this struct
  std::vector<base::BrokerId> replicas;  // first is preferred
  std::vector<base::BrokerId> isr;
  std::vector<base::BrokerId> elr;  // eligible leader replicas (KIP-966)
  // The ISR's only member lost its disk, and nobody is in the ELR: no replica is known to hold what
  // was acknowledged, and only an unclean election gives the partition a leader.
  bool isr_lost = false;
  // A reassignment under way (KIP-455): both are among `replicas`.
  std::vector<base::BrokerId> adding;
  std::vector<base::BrokerId> removing;
  // As far as brokers have told, by broker: those with one log directory need not.
  ReplicaDirectories directories;
  friend bool operator==(const Partition&, const Partition&) = default;
};

// Overrides by name; defaults are common/config's business.
using Configs = std::map<std::string, std::string, std::less<>>;

struct Topic {
  std::string name;
  base::Uuid id;
  bool is_internal = false;
  PersistentVector<Partition> partitions;  // by partition number, none missing
  Configs configs;
  friend bool operator==(const Topic&, const Topic&) = default;
};
using TopicPtr = std::shared_ptr<const Topic>;
using BrokerPtr = std::shared_ptr<const Broker>;

// Finalized feature levels, e.g. "metadata.version". Level 0 is not stored.
using Features = std::map<std::string, std::int16_t, std::less<>>;

class Image {
 public:
  using Topics = PersistentMap<std::string, TopicPtr>;
  using TopicsById = PersistentMap<base::Uuid, TopicPtr>;
  using Brokers = PersistentMap<base::BrokerId, BrokerPtr>;
  using ConfigMap = PersistentMap<std::string, std::shared_ptr<const Configs>>;

  // Of the last entry applied; -1 when none.
  base::Offset offset() const { return offset_; }
  // Raft term of that entry.
  std::int64_t epoch() const { return epoch_; }
  base::Uuid cluster_id() const { return cluster_id_; }

  // Null when unknown.
  const Topic* topic(std::string_view name) const { return get(topics_.find(name)); }
  const Topic* topic(base::Uuid id) const { return get(topics_by_id_.find(id)); }
  TopicPtr topic_ptr(std::string_view name) const { return share(topics_.find(name)); }
  TopicPtr topic_ptr(base::Uuid id) const { return share(topics_by_id_.find(id)); }
  // The topic whose name is the same once '.' and '_' are not told apart (Kafka keeps metrics under
  // such names, so the two must not both exist); null when there is none.
  const std::string* colliding_topic(std::string_view name) const;
  // Null when the topic or the partition is unknown.
  const Partition* partition(std::string_view name, std::int32_t index) const;
  // for (const auto& [name, topic] : image.topics()): sorted by name.
  const Topics& topics() const { return topics_; }
  const TopicsById& topics_by_id() const { return topics_by_id_; }
  std::int64_t partition_count() const { return partition_count_; }

  // Null when unknown.
  const Broker* broker(base::BrokerId id) const;
  const Brokers& brokers() const { return brokers_; }  // sorted by id
  // The broker's replica serves nobody: it is not there, or its log directory has failed.
  bool is_offline(base::BrokerId id, const Partition& partition) const;

  // Overrides; empty when there are none. Topic overrides are in Topic::configs.
  const Configs& cluster_configs() const;  // dynamic defaults of all brokers
  const Configs& broker_configs(base::BrokerId id) const;
  const Configs& group_configs(std::string_view group) const;
  const ConfigMap& groups_with_configs() const { return group_configs_; }
  const ConfigMap& brokers_with_configs() const { return broker_configs_; }  // key: id, "" = all

  const Features& features() const { return *features_; }
  std::int16_t feature(std::string_view name) const;  // 0 when not finalized

  // First id of the next block to hand out.
  std::int64_t next_producer_id() const { return next_producer_id_; }
  // The controller evens out replicas and leaders over the brokers.
  bool balancing() const { return balancing_; }

 private:
  friend class Builder;
  static const Topic* get(const TopicPtr* found) { return found ? found->get() : nullptr; }
  static TopicPtr share(const TopicPtr* found) { return found ? *found : nullptr; }

  base::Offset offset_{-1};
  std::int64_t epoch_ = 0;
  base::Uuid cluster_id_;
  Topics topics_;
  TopicsById topics_by_id_;
  PersistentMap<std::string, std::string> collisions_;  // see colliding_topic
  Brokers brokers_;
  ConfigMap broker_configs_;
  ConfigMap group_configs_;
  std::shared_ptr<const Features> features_ = std::make_shared<Features>();
  std::int64_t next_producer_id_ = 0;
  bool balancing_ = false;
  std::int64_t partition_count_ = 0;
};
using ImagePtr = std::shared_ptr<const Image>;

// Null when not told.
const base::Uuid* directory_of(base::BrokerId broker, const ReplicaDirectories& directories);
// Of the broker's replica, of which `directories` are told. Where nothing is told it may be in any.
Storage storage_of(const Broker& broker, const ReplicaDirectories& directories);

// The name with every '.' as '_', or empty when it has neither.
std::string collision_key(std::string_view name);
// Topics that only the broker itself writes: __consumer_offsets and its like.
bool is_internal_topic(std::string_view name);

}  // namespace meta

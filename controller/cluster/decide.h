// The controller's decisions: a request and the image in force give records and a reply. Pure;
// nothing changes here. The caller appends the records as one batch of the metadata log, applies
// them, and sends the reply (with the entry's offset) once they are committed.
//
// Errors and their order follow Apache Kafka's controller, as clients and their tests look at them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/base/uuid.h"
#include "common/meta/image.h"
#include "common/wire/error_code.h"
#include "controller/cluster/config_rules.h"
#include "controller/cluster/replica_sizes.h"
#include "proto/controller.pb.h"
#include "proto/records.pb.h"

namespace controller::cluster {

// Kafka's bound on one request; more is POLICY_VIOLATION.
inline constexpr std::int64_t kPartitionsPerRequestMax = 10'000;
inline constexpr int kDescribedTopicsMax = 10'000;
inline constexpr std::int32_t kProducerIdBlock = 1000;
inline constexpr int kListenersMax = 64;
inline constexpr int kDirectoriesMax = 256;

struct Settings {
  std::int32_t default_partitions = 1;
  std::int16_t default_replication_factor = 0;  // 0: min(3, live brokers)
  int moves_at_once = 8;            // partitions that a drain or rebalance moves at once
  int leaders_at_once = 32;         // preferred leaders given back in one step
  bool balance_leaders = true;      // auto.leader.rebalance.enable
  bool balance_new_brokers = true;  // moldau.balance.new.brokers
  ConfigRules config_rules;
};

template <class Reply>
struct Decision {
  std::vector<proto::Record> records;  // none: nothing changes
  Reply reply;
};

// What a new cluster's log begins with.
std::vector<proto::Record> bootstrap(base::Uuid cluster_id);

Decision<proto::CreateTopicsReply> create_topics(const proto::CreateTopicsRequest& request,
                                                 const meta::Image& image, const Settings& settings,
                                                 base::Random& random);
Decision<proto::DeleteTopicsReply> delete_topics(const proto::DeleteTopicsRequest& request,
                                                 const meta::Image& image);
Decision<proto::CreatePartitionsReply> create_partitions(
    const proto::CreatePartitionsRequest& request, const meta::Image& image, base::Random& random);
Decision<proto::AlterConfigsReply> incremental_alter_configs(
    const proto::IncrementalAlterConfigsRequest& request, const meta::Image& image,
    const Settings& settings);
Decision<proto::AlterConfigsReply> alter_configs(const proto::AlterConfigsRequest& request,
                                                 const meta::Image& image,
                                                 const Settings& settings);
Decision<proto::UpdateFeaturesReply> update_features(const proto::UpdateFeaturesRequest& request,
                                                     const meta::Image& image);
Decision<proto::AllocateProducerIdsReply> allocate_producer_ids(
    const proto::AllocateProducerIdsRequest& request, const meta::Image& image);

// What the controller knows of brokers beyond the image (controller/node/liveness.h).
struct Sessions {
  // The broker's present process is there for sure: it sent a heartbeat lately and follows the
  // metadata. Unset: nobody is.
  std::function<bool(base::BrokerId)> alive;
  // The offset that the broker has applied, as its heartbeats told; -1: unknown.
  std::function<std::int64_t(base::BrokerId)> applied;
  // Of the entry that began the broker's shutdown; -1: unknown.
  std::function<std::int64_t(base::BrokerId)> shutdown_offset;
};

// A new process of a broker. Whatever its last one led gets another leader or a new epoch; after an
// unclean end it leaves every ISR that can spare it and every ELR (KIP-966).
Decision<proto::RegisterBrokerReply> register_broker(const proto::RegisterBrokerRequest& request,
                                                     const meta::Image& image,
                                                     const Settings& settings,
                                                     const Sessions& sessions = {});
// Unfences the broker once it has applied its registration; begins and follows its shutdown.
Decision<proto::HeartbeatReply> heartbeat(const proto::HeartbeatRequest& request,
                                          const meta::Image& image, const Settings& settings,
                                          const Sessions& sessions = {});
// The broker's session ended: others lead what it led, and it leaves every ISR unless it is the
// last member. Nothing when it is fenced already, or unknown. `silent`: it was not heard, but its
// process may live.
std::vector<proto::Record> fence_broker(base::BrokerId broker, bool silent,
                                        const meta::Image& image, const Settings& settings);
// A leader changes its ISR. May complete a reassignment.
Decision<proto::AlterPartitionReply> alter_partition(const proto::AlterPartitionRequest& request,
                                                     const meta::Image& image,
                                                     const Settings& settings);

Decision<proto::ElectLeadersReply> elect_leaders(const proto::ElectLeadersRequest& request,
                                                 const meta::Image& image,
                                                 const Settings& settings);
Decision<proto::AlterPartitionReassignmentsReply> alter_partition_reassignments(
    const proto::AlterPartitionReassignmentsRequest& request, const meta::Image& image,
    const Settings& settings);
Decision<proto::ListPartitionReassignmentsReply> list_partition_reassignments(
    const proto::ListPartitionReassignmentsRequest& request, const meta::Image& image);
Decision<proto::UnregisterBrokerReply> unregister_broker(
    const proto::UnregisterBrokerRequest& request, const meta::Image& image);
Decision<proto::DrainBrokerReply> drain_broker(const proto::DrainBrokerRequest& request,
                                               const meta::Image& image, const Settings& settings,
                                               const ReplicaSizes& sizes = {});
Decision<proto::ResumeBrokerReply> resume_broker(const proto::ResumeBrokerRequest& request,
                                                 const meta::Image& image);
Decision<proto::MayRestartReply> may_restart(const proto::MayRestartRequest& request,
                                             const meta::Image& image, const Settings& settings);
Decision<proto::ClusterHealthReply> cluster_health(const proto::ClusterHealthRequest& request,
                                                   const meta::Image& image,
                                                   const Settings& settings);
Decision<proto::DescribeTopicsReply> describe_topics(const proto::DescribeTopicsRequest& request,
                                                     const meta::Image& image);
Decision<proto::DescribeClusterReply> describe_cluster(const proto::DescribeClusterRequest& request,
                                                       const meta::Image& image);
Decision<proto::RebalanceReply> rebalance(const proto::RebalanceRequest& request,
                                          const meta::Image& image, const Settings& settings,
                                          const ReplicaSizes& sizes = {});

// What the controller does of its own accord, a little at a time, asked every now and then.
// Moves replicas off draining brokers.
std::vector<proto::Record> drain_step(const meta::Image& image, const Settings& settings);
// Goes on with balancing, if that is asked for; ends it when all is even.
std::vector<proto::Record> rebalance_step(const meta::Image& image, const Settings& settings,
                                          const ReplicaSizes& sizes = {});
// Gives leaderships back to preferred replicas; nothing while anything is out of order.
std::vector<proto::Record> balance_step(const meta::Image& image, const Settings& settings);

}  // namespace controller::cluster

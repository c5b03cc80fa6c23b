// The handlers of the APIs that table.cc serves, one .cc each (named after it).
#pragma once

#include "broker/api/handler.h"

// name of the function, stem of the wire messages
#define MOLDAU_API_HANDLERS(X)                                  \
  X(fetch, Fetch)                                               \
  X(list_offsets, ListOffsets)                                  \
  X(metadata, Metadata)                                         \
  X(offset_commit, OffsetCommit)                                \
  X(offset_fetch, OffsetFetch)                                  \
  X(find_coordinator, FindCoordinator)                          \
  X(consumer_group_heartbeat, ConsumerGroupHeartbeat)           \
  X(consumer_group_describe, ConsumerGroupDescribe)             \
  X(join_group, JoinGroup)                                      \
  X(heartbeat, Heartbeat)                                       \
  X(leave_group, LeaveGroup)                                    \
  X(sync_group, SyncGroup)                                      \
  X(describe_groups, DescribeGroups)                            \
  X(list_groups, ListGroups)                                    \
  X(api_versions, ApiVersions)                                  \
  X(create_topics, CreateTopics)                                \
  X(delete_topics, DeleteTopics)                                \
  X(delete_records, DeleteRecords)                              \
  X(init_producer_id, InitProducerId)                           \
  X(offset_for_leader_epoch, OffsetForLeaderEpoch)              \
  X(describe_configs, DescribeConfigs)                          \
  X(alter_configs, AlterConfigs)                                \
  X(alter_replica_log_dirs, AlterReplicaLogDirs)                \
  X(describe_log_dirs, DescribeLogDirs)                         \
  X(create_partitions, CreatePartitions)                        \
  X(delete_groups, DeleteGroups)                                \
  X(incremental_alter_configs, IncrementalAlterConfigs)         \
  X(offset_delete, OffsetDelete)                                \
  X(update_features, UpdateFeatures)                            \
  X(describe_cluster, DescribeCluster)                          \
  X(describe_producers, DescribeProducers)                      \
  X(list_config_resources, ListConfigResources)                 \
  X(describe_topic_partitions, DescribeTopicPartitions)         \
  X(elect_leaders, ElectLeaders)                                \
  X(alter_partition_reassignments, AlterPartitionReassignments) \
  X(list_partition_reassignments, ListPartitionReassignments)   \
  X(describe_quorum, DescribeQuorum)                            \
  X(unregister_broker, UnregisterBroker)                        \
  X(add_raft_voter, AddRaftVoter)                               \
  X(remove_raft_voter, RemoveRaftVoter)                         \
  X(moldau_admin, MoldauAdmin)

#define MOLDAU_DECLARE(function, Message)                                \
  namespace wire {                                                       \
  struct Message##Request;                                               \
  struct Message##Response;                                              \
  }                                                                      \
  namespace broker::api {                                                \
  void function(Context& context, const wire::Message##Request& request, \
                Reply<wire::Message##Response> reply);                   \
  }
MOLDAU_API_HANDLERS(MOLDAU_DECLARE)
#undef MOLDAU_DECLARE

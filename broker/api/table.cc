#include "broker/api/table.h"

#include <algorithm>
#include <array>

#include "broker/api/handlers.h"
#include "broker/api/txn_handlers.h"
#include "common/wire/msg/add_raft_voter_request.h"
#include "common/wire/msg/add_raft_voter_response.h"
#include "common/wire/msg/alter_configs_request.h"
#include "common/wire/msg/alter_configs_response.h"
#include "common/wire/msg/alter_partition_reassignments_request.h"
#include "common/wire/msg/alter_partition_reassignments_response.h"
#include "common/wire/msg/alter_replica_log_dirs_request.h"
#include "common/wire/msg/alter_replica_log_dirs_response.h"
#include "common/wire/msg/api_versions_request.h"
#include "common/wire/msg/api_versions_response.h"
#include "common/wire/msg/consumer_group_describe_request.h"
#include "common/wire/msg/consumer_group_describe_response.h"
#include "common/wire/msg/consumer_group_heartbeat_request.h"
#include "common/wire/msg/consumer_group_heartbeat_response.h"
#include "common/wire/msg/create_partitions_request.h"
#include "common/wire/msg/create_partitions_response.h"
#include "common/wire/msg/create_topics_request.h"
#include "common/wire/msg/create_topics_response.h"
#include "common/wire/msg/delete_groups_request.h"
#include "common/wire/msg/delete_groups_response.h"
#include "common/wire/msg/delete_records_request.h"
#include "common/wire/msg/delete_records_response.h"
#include "common/wire/msg/delete_topics_request.h"
#include "common/wire/msg/delete_topics_response.h"
#include "common/wire/msg/describe_cluster_request.h"
#include "common/wire/msg/describe_cluster_response.h"
#include "common/wire/msg/describe_configs_request.h"
#include "common/wire/msg/describe_configs_response.h"
#include "common/wire/msg/describe_groups_request.h"
#include "common/wire/msg/describe_groups_response.h"
#include "common/wire/msg/describe_log_dirs_request.h"
#include "common/wire/msg/describe_log_dirs_response.h"
#include "common/wire/msg/describe_producers_request.h"
#include "common/wire/msg/describe_producers_response.h"
#include "common/wire/msg/describe_quorum_request.h"
#include "common/wire/msg/describe_quorum_response.h"
#include "common/wire/msg/describe_topic_partitions_request.h"
#include "common/wire/msg/describe_topic_partitions_response.h"
#include "common/wire/msg/elect_leaders_request.h"
#include "common/wire/msg/elect_leaders_response.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"
#include "common/wire/msg/find_coordinator_request.h"
#include "common/wire/msg/find_coordinator_response.h"
#include "common/wire/msg/heartbeat_request.h"
#include "common/wire/msg/heartbeat_response.h"
#include "common/wire/msg/incremental_alter_configs_request.h"
#include "common/wire/msg/incremental_alter_configs_response.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"
#include "common/wire/msg/join_group_request.h"
#include "common/wire/msg/join_group_response.h"
#include "common/wire/msg/leave_group_request.h"
#include "common/wire/msg/leave_group_response.h"
#include "common/wire/msg/list_config_resources_request.h"
#include "common/wire/msg/list_config_resources_response.h"
#include "common/wire/msg/list_groups_request.h"
#include "common/wire/msg/list_groups_response.h"
#include "common/wire/msg/list_offsets_request.h"
#include "common/wire/msg/list_offsets_response.h"
#include "common/wire/msg/list_partition_reassignments_request.h"
#include "common/wire/msg/list_partition_reassignments_response.h"
#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/metadata_response.h"
#include "common/wire/msg/moldau_admin_request.h"
#include "common/wire/msg/moldau_admin_response.h"
#include "common/wire/msg/offset_commit_request.h"
#include "common/wire/msg/offset_commit_response.h"
#include "common/wire/msg/offset_delete_request.h"
#include "common/wire/msg/offset_delete_response.h"
#include "common/wire/msg/offset_fetch_request.h"
#include "common/wire/msg/offset_fetch_response.h"
#include "common/wire/msg/offset_for_leader_epoch_request.h"
#include "common/wire/msg/offset_for_leader_epoch_response.h"
#include "common/wire/msg/produce_request.h"
#include "common/wire/msg/produce_response.h"
#include "common/wire/msg/remove_raft_voter_request.h"
#include "common/wire/msg/remove_raft_voter_response.h"
#include "common/wire/msg/sync_group_request.h"
#include "common/wire/msg/sync_group_response.h"
#include "common/wire/msg/unregister_broker_request.h"
#include "common/wire/msg/unregister_broker_response.h"
#include "common/wire/msg/update_features_request.h"
#include "common/wire/msg/update_features_response.h"

namespace broker::api {
namespace {

template <class Request, class Response, void (*handler)(Context&, const Request&, Reply<Response>)>
bool decode_and_run(Context& context, wire::Reader& body, PendingReply pending) {
  Reply<Response> reply(std::move(pending.target), pending.slot, pending.correlation_id,
                        pending.version);
  Request request;
  if (!request.decode(body, context.version)) {
    reply.forget();
    return false;
  }
  handler(context, request, std::move(reply));
  return true;
}

template <class Request, class Response, void (*handler)(Context&, const Request&, Reply<Response>)>
constexpr ApiEntry entry(std::string_view name, std::int16_t version_min,
                         std::int16_t version_max) {
  static_assert(Request::kApiKey == Response::kApiKey);
  return {Request::kApiKey, name,  version_min,
          version_max,      false, &decode_and_run<Request, Response, handler>};
}

// The client-facing profile of Apache Kafka 4.4 as far as this release goes. In order of keys.
// Produce has no handler here: the session runs all that one wake brought together.
constexpr auto kServed = std::to_array<ApiEntry>({
    {wire::ProduceRequest::kApiKey, "Produce", 0, 13, true, nullptr},
    entry<wire::FetchRequest, wire::FetchResponse, &fetch>("Fetch", 4, 18),
    entry<wire::ListOffsetsRequest, wire::ListOffsetsResponse, &list_offsets>("ListOffsets", 1, 11),
    entry<wire::MetadataRequest, wire::MetadataResponse, &metadata>("Metadata", 0, 13),
    entry<wire::OffsetCommitRequest, wire::OffsetCommitResponse, &offset_commit>("OffsetCommit", 2,
                                                                                 10),
    entry<wire::OffsetFetchRequest, wire::OffsetFetchResponse, &offset_fetch>("OffsetFetch", 1, 10),
    entry<wire::FindCoordinatorRequest, wire::FindCoordinatorResponse, &find_coordinator>(
        "FindCoordinator", 0, 6),
    entry<wire::JoinGroupRequest, wire::JoinGroupResponse, &join_group>("JoinGroup", 0, 9),
    entry<wire::HeartbeatRequest, wire::HeartbeatResponse, &heartbeat>("Heartbeat", 0, 4),
    entry<wire::LeaveGroupRequest, wire::LeaveGroupResponse, &leave_group>("LeaveGroup", 0, 5),
    entry<wire::SyncGroupRequest, wire::SyncGroupResponse, &sync_group>("SyncGroup", 0, 5),
    entry<wire::DescribeGroupsRequest, wire::DescribeGroupsResponse, &describe_groups>(
        "DescribeGroups", 0, 6),
    entry<wire::ListGroupsRequest, wire::ListGroupsResponse, &list_groups>("ListGroups", 0, 5),
    entry<wire::ApiVersionsRequest, wire::ApiVersionsResponse, &api_versions>("ApiVersions", 0, 5),
    entry<wire::CreateTopicsRequest, wire::CreateTopicsResponse, &create_topics>("CreateTopics", 2,
                                                                                 7),
    entry<wire::DeleteTopicsRequest, wire::DeleteTopicsResponse, &delete_topics>("DeleteTopics", 1,
                                                                                 6),
    entry<wire::DeleteRecordsRequest, wire::DeleteRecordsResponse, &delete_records>("DeleteRecords",
                                                                                    0, 2),
    entry<wire::InitProducerIdRequest, wire::InitProducerIdResponse, &init_producer_id>(
        "InitProducerId", 0, 5),
    entry<wire::OffsetForLeaderEpochRequest, wire::OffsetForLeaderEpochResponse,
          &offset_for_leader_epoch>("OffsetForLeaderEpoch", 2, 4),
    entry<wire::AddPartitionsToTxnRequest, wire::AddPartitionsToTxnResponse,
          &add_partitions_to_txn>("AddPartitionsToTxn", 0, 5),
    entry<wire::AddOffsetsToTxnRequest, wire::AddOffsetsToTxnResponse, &add_offsets_to_txn>(
        "AddOffsetsToTxn", 0, 4),
    entry<wire::EndTxnRequest, wire::EndTxnResponse, &end_txn>("EndTxn", 0, 5),
    entry<wire::WriteTxnMarkersRequest, wire::WriteTxnMarkersResponse, &write_txn_markers>(
        "WriteTxnMarkers", 1, 2),
    entry<wire::TxnOffsetCommitRequest, wire::TxnOffsetCommitResponse, &txn_offset_commit>(
        "TxnOffsetCommit", 0, 5),
    entry<wire::DescribeConfigsRequest, wire::DescribeConfigsResponse, &describe_configs>(
        "DescribeConfigs", 1, 4),
    entry<wire::AlterConfigsRequest, wire::AlterConfigsResponse, &alter_configs>("AlterConfigs", 0,
                                                                                 2),
    entry<wire::AlterReplicaLogDirsRequest, wire::AlterReplicaLogDirsResponse,
          &alter_replica_log_dirs>("AlterReplicaLogDirs", 1, 2),
    entry<wire::DescribeLogDirsRequest, wire::DescribeLogDirsResponse, &describe_log_dirs>(
        "DescribeLogDirs", 1, 5),
    entry<wire::CreatePartitionsRequest, wire::CreatePartitionsResponse, &create_partitions>(
        "CreatePartitions", 0, 3),
    entry<wire::DeleteGroupsRequest, wire::DeleteGroupsResponse, &delete_groups>("DeleteGroups", 0,
                                                                                 3),
    entry<wire::ElectLeadersRequest, wire::ElectLeadersResponse, &elect_leaders>("ElectLeaders", 0,
                                                                                 2),
    entry<wire::IncrementalAlterConfigsRequest, wire::IncrementalAlterConfigsResponse,
          &incremental_alter_configs>("IncrementalAlterConfigs", 0, 1),
    entry<wire::AlterPartitionReassignmentsRequest, wire::AlterPartitionReassignmentsResponse,
          &alter_partition_reassignments>("AlterPartitionReassignments", 0, 1),
    entry<wire::ListPartitionReassignmentsRequest, wire::ListPartitionReassignmentsResponse,
          &list_partition_reassignments>("ListPartitionReassignments", 0, 0),
    entry<wire::OffsetDeleteRequest, wire::OffsetDeleteResponse, &offset_delete>("OffsetDelete", 0,
                                                                                 0),
    entry<wire::DescribeQuorumRequest, wire::DescribeQuorumResponse, &describe_quorum>(
        "DescribeQuorum", 0, 2),
    entry<wire::UpdateFeaturesRequest, wire::UpdateFeaturesResponse, &update_features>(
        "UpdateFeatures", 0, 2),
    entry<wire::DescribeClusterRequest, wire::DescribeClusterResponse, &describe_cluster>(
        "DescribeCluster", 0, 2),
    entry<wire::DescribeProducersRequest, wire::DescribeProducersResponse, &describe_producers>(
        "DescribeProducers", 0, 0),
    entry<wire::UnregisterBrokerRequest, wire::UnregisterBrokerResponse, &unregister_broker>(
        "UnregisterBroker", 0, 0),
    entry<wire::DescribeTransactionsRequest, wire::DescribeTransactionsResponse,
          &describe_transactions>("DescribeTransactions", 0, 0),
    entry<wire::ListTransactionsRequest, wire::ListTransactionsResponse, &list_transactions>(
        "ListTransactions", 0, 2),
    entry<wire::ConsumerGroupHeartbeatRequest, wire::ConsumerGroupHeartbeatResponse,
          &consumer_group_heartbeat>("ConsumerGroupHeartbeat", 0, 1),
    entry<wire::ConsumerGroupDescribeRequest, wire::ConsumerGroupDescribeResponse,
          &consumer_group_describe>("ConsumerGroupDescribe", 0, 1),
    entry<wire::ListConfigResourcesRequest, wire::ListConfigResourcesResponse,
          &list_config_resources>("ListConfigResources", 0, 1),
    entry<wire::DescribeTopicPartitionsRequest, wire::DescribeTopicPartitionsResponse,
          &describe_topic_partitions>("DescribeTopicPartitions", 0, 0),
    entry<wire::AddRaftVoterRequest, wire::AddRaftVoterResponse, &add_raft_voter>("AddRaftVoter", 0,
                                                                                  1),
    entry<wire::RemoveRaftVoterRequest, wire::RemoveRaftVoterResponse, &remove_raft_voter>(
        "RemoveRaftVoter", 0, 0),
});
static_assert(std::ranges::is_sorted(kServed, {}, &ApiEntry::key));

// Served to those who know of it: not Kafka's, so not advertised.
constexpr ApiEntry kMoldauAdmin =
    entry<wire::MoldauAdminRequest, wire::MoldauAdminResponse, &moldau_admin>("MoldauAdmin", 0, 0);

constexpr std::size_t kKeys = static_cast<std::size_t>(kServed.back().key) + 1;
constexpr auto kByKey = [] {
  std::array<const ApiEntry*, kKeys> index{};
  for (const auto& each : kServed) index[static_cast<std::size_t>(each.key)] = &each;
  return index;
}();

}  // namespace

const ApiEntry* find_api(std::int16_t key) {
  if (key == kMoldauAdmin.key) return &kMoldauAdmin;
  if (key < 0 || static_cast<std::size_t>(key) >= kKeys) return nullptr;
  return kByKey[static_cast<std::size_t>(key)];
}

std::span<const ApiEntry> served_apis() { return kServed; }

}  // namespace broker::api

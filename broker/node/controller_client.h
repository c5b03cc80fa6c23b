// Typed calls to the controller. Any thread may call; `done` comes exactly once, on the executor
// that the caller names in `back` (usually its own reactor's). Calls that reached no leading
// controller answer with an error code that Kafka's clients retry; per-item errors stand in the
// reply. To see one's own change in the image, wait for the reply's offset:
// MetadataFollower::when_reached.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "common/base/time.h"
#include "common/io/executor.h"
#include "common/io/rpc.h"
#include "common/wire/error_code.h"
#include "proto/controller.pb.h"

namespace broker {

struct CallError {
  wire::ErrorCode code;
  std::string message;  // for people
};

class ControllerClient {
 public:
  template <class Reply>
  using Done = std::move_only_function<void(std::expected<Reply, CallError>)>;

  // `home` is the executor that `rpc` was made with. Both must outlive the client and every call.
  ControllerClient(io::Executor& home, io::RpcClient& rpc) : home_(home), rpc_(rpc) {}

  void create_topics(const proto::CreateTopicsRequest& request, base::Duration timeout,
                     io::Executor& back, Done<proto::CreateTopicsReply> done);
  void delete_topics(const proto::DeleteTopicsRequest& request, base::Duration timeout,
                     io::Executor& back, Done<proto::DeleteTopicsReply> done);
  void create_partitions(const proto::CreatePartitionsRequest& request, base::Duration timeout,
                         io::Executor& back, Done<proto::CreatePartitionsReply> done);
  void incremental_alter_configs(const proto::IncrementalAlterConfigsRequest& request,
                                 base::Duration timeout, io::Executor& back,
                                 Done<proto::AlterConfigsReply> done);
  void alter_configs(const proto::AlterConfigsRequest& request, base::Duration timeout,
                     io::Executor& back, Done<proto::AlterConfigsReply> done);
  void update_features(const proto::UpdateFeaturesRequest& request, base::Duration timeout,
                       io::Executor& back, Done<proto::UpdateFeaturesReply> done);
  void allocate_producer_ids(const proto::AllocateProducerIdsRequest& request,
                             base::Duration timeout, io::Executor& back,
                             Done<proto::AllocateProducerIdsReply> done);
  void register_broker(const proto::RegisterBrokerRequest& request, base::Duration timeout,
                       io::Executor& back, Done<proto::RegisterBrokerReply> done);
  void heartbeat(const proto::HeartbeatRequest& request, base::Duration timeout, io::Executor& back,
                 Done<proto::HeartbeatReply> done);
  void alter_partition(const proto::AlterPartitionRequest& request, base::Duration timeout,
                       io::Executor& back, Done<proto::AlterPartitionReply> done);
  void elect_leaders(const proto::ElectLeadersRequest& request, base::Duration timeout,
                     io::Executor& back, Done<proto::ElectLeadersReply> done);
  void alter_partition_reassignments(const proto::AlterPartitionReassignmentsRequest& request,
                                     base::Duration timeout, io::Executor& back,
                                     Done<proto::AlterPartitionReassignmentsReply> done);
  void list_partition_reassignments(const proto::ListPartitionReassignmentsRequest& request,
                                    base::Duration timeout, io::Executor& back,
                                    Done<proto::ListPartitionReassignmentsReply> done);
  void unregister_broker(const proto::UnregisterBrokerRequest& request, base::Duration timeout,
                         io::Executor& back, Done<proto::UnregisterBrokerReply> done);
  void describe_quorum(const proto::DescribeQuorumRequest& request, base::Duration timeout,
                       io::Executor& back, Done<proto::DescribeQuorumReply> done);
  void add_voter(const proto::AddVoterRequest& request, base::Duration timeout, io::Executor& back,
                 Done<proto::AddVoterReply> done);
  void remove_voter(const proto::RemoveVoterRequest& request, base::Duration timeout,
                    io::Executor& back, Done<proto::RemoveVoterReply> done);
  // A call as it is; the reply's own error is the caller's to read.
  void forward(const std::string& method, std::string request, base::Duration timeout,
               io::Executor& back, Done<std::string> done);

 private:
  template <class Reply, class Request>
  void call(const char* method, const Request& request, base::Duration timeout, io::Executor& back,
            Done<Reply> done);

  io::Executor& home_;
  io::RpcClient& rpc_;
};

}  // namespace broker

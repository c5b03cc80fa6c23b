#include "broker/node/controller_client.h"

#include <memory>
#include <utility>

namespace broker {
namespace {

// No answer from a controller is an answer that Kafka's clients retry.
CallError transport_error(const io::IoError& error) {
  const bool late = error.code == ETIMEDOUT;
  return {late ? wire::ErrorCode::kRequestTimedOut : wire::ErrorCode::kNotController,
          "no answer from the controller: " + error.what};
}

template <class Reply>
std::expected<Reply, CallError> read_reply(const io::IoResult<std::string>& bytes) {
  if (!bytes) return std::unexpected(transport_error(bytes.error()));
  Reply reply;
  if (!reply.ParseFromString(*bytes)) {
    return std::unexpected(
        CallError{wire::ErrorCode::kUnknownServerError, "the controller's reply cannot be read"});
  }
  if (reply.error().code() != 0) {
    return std::unexpected(
        CallError{static_cast<wire::ErrorCode>(reply.error().code()), reply.error().message()});
  }
  return reply;
}

}  // namespace

template <class Reply, class Request>
void ControllerClient::call(const char* method, const Request& request, base::Duration timeout,
                            io::Executor& back, Done<Reply> done) {
  auto start = [&rpc = rpc_, method, bytes = request.SerializeAsString(), timeout, &back,
                done = std::move(done)]() mutable {
    rpc.call(method, std::move(bytes), timeout,
             [&back, done = std::move(done)](io::IoResult<std::string> bytes_in) mutable {
               auto reply = read_reply<Reply>(bytes_in);
               if (back.here()) return done(std::move(reply));
               back.post([done = std::move(done), reply = std::move(reply)]() mutable {
                 done(std::move(reply));
               });
             });
  };
  // Never from within the call itself, even on one executor.
  home_.post(std::move(start));
}

void ControllerClient::create_topics(const proto::CreateTopicsRequest& request,
                                     base::Duration timeout, io::Executor& back,
                                     Done<proto::CreateTopicsReply> done) {
  call("Admin/CreateTopics", request, timeout, back, std::move(done));
}

void ControllerClient::delete_topics(const proto::DeleteTopicsRequest& request,
                                     base::Duration timeout, io::Executor& back,
                                     Done<proto::DeleteTopicsReply> done) {
  call("Admin/DeleteTopics", request, timeout, back, std::move(done));
}

void ControllerClient::create_partitions(const proto::CreatePartitionsRequest& request,
                                         base::Duration timeout, io::Executor& back,
                                         Done<proto::CreatePartitionsReply> done) {
  call("Admin/CreatePartitions", request, timeout, back, std::move(done));
}

void ControllerClient::incremental_alter_configs(
    const proto::IncrementalAlterConfigsRequest& request, base::Duration timeout,
    io::Executor& back, Done<proto::AlterConfigsReply> done) {
  call("Admin/IncrementalAlterConfigs", request, timeout, back, std::move(done));
}

void ControllerClient::alter_configs(const proto::AlterConfigsRequest& request,
                                     base::Duration timeout, io::Executor& back,
                                     Done<proto::AlterConfigsReply> done) {
  call("Admin/AlterConfigs", request, timeout, back, std::move(done));
}

void ControllerClient::update_features(const proto::UpdateFeaturesRequest& request,
                                       base::Duration timeout, io::Executor& back,
                                       Done<proto::UpdateFeaturesReply> done) {
  call("Admin/UpdateFeatures", request, timeout, back, std::move(done));
}

void ControllerClient::allocate_producer_ids(const proto::AllocateProducerIdsRequest& request,
                                             base::Duration timeout, io::Executor& back,
                                             Done<proto::AllocateProducerIdsReply> done) {
  call("Broker/AllocateProducerIds", request, timeout, back, std::move(done));
}

void ControllerClient::register_broker(const proto::RegisterBrokerRequest& request,
                                       base::Duration timeout, io::Executor& back,
                                       Done<proto::RegisterBrokerReply> done) {
  call("Broker/Register", request, timeout, back, std::move(done));
}

void ControllerClient::heartbeat(const proto::HeartbeatRequest& request, base::Duration timeout,
                                 io::Executor& back, Done<proto::HeartbeatReply> done) {
  call("Broker/Heartbeat", request, timeout, back, std::move(done));
}

void ControllerClient::alter_partition(const proto::AlterPartitionRequest& request,
                                       base::Duration timeout, io::Executor& back,
                                       Done<proto::AlterPartitionReply> done) {
  call("Broker/AlterPartition", request, timeout, back, std::move(done));
}

void ControllerClient::elect_leaders(const proto::ElectLeadersRequest& request,
                                     base::Duration timeout, io::Executor& back,
                                     Done<proto::ElectLeadersReply> done) {
  call("Admin/ElectLeaders", request, timeout, back, std::move(done));
}

void ControllerClient::alter_partition_reassignments(
    const proto::AlterPartitionReassignmentsRequest& request, base::Duration timeout,
    io::Executor& back, Done<proto::AlterPartitionReassignmentsReply> done) {
  call("Admin/AlterPartitionReassignments", request, timeout, back, std::move(done));
}

void ControllerClient::list_partition_reassignments(
    const proto::ListPartitionReassignmentsRequest& request, base::Duration timeout,
    io::Executor& back, Done<proto::ListPartitionReassignmentsReply> done) {
  call("Admin/ListPartitionReassignments", request, timeout, back, std::move(done));
}

void ControllerClient::unregister_broker(const proto::UnregisterBrokerRequest& request,
                                         base::Duration timeout, io::Executor& back,
                                         Done<proto::UnregisterBrokerReply> done) {
  call("Admin/UnregisterBroker", request, timeout, back, std::move(done));
}

void ControllerClient::describe_quorum(const proto::DescribeQuorumRequest& request,
                                       base::Duration timeout, io::Executor& back,
                                       Done<proto::DescribeQuorumReply> done) {
  call("Admin/DescribeQuorum", request, timeout, back, std::move(done));
}

void ControllerClient::add_voter(const proto::AddVoterRequest& request, base::Duration timeout,
                                 io::Executor& back, Done<proto::AddVoterReply> done) {
  call("Admin/AddVoter", request, timeout, back, std::move(done));
}

void ControllerClient::remove_voter(const proto::RemoveVoterRequest& request,
                                    base::Duration timeout, io::Executor& back,
                                    Done<proto::RemoveVoterReply> done) {
  call("Admin/RemoveVoter", request, timeout, back, std::move(done));
}

void ControllerClient::forward(const std::string& method, std::string request,
                               base::Duration timeout, io::Executor& back, Done<std::string> done) {
  home_.post([&rpc = rpc_, method, bytes = std::move(request), timeout, &back,
              done = std::move(done)]() mutable {
    rpc.call(method, std::move(bytes), timeout,
             [&back, done = std::move(done)](io::IoResult<std::string> answer) mutable {
               auto told = answer ? std::expected<std::string, CallError>(std::move(*answer))
                                  : std::unexpected(transport_error(answer.error()));
               if (back.here()) return done(std::move(told));
               back.post([done = std::move(done), told = std::move(told)]() mutable {
                 done(std::move(told));
               });
             });
  });
}

}  // namespace broker

#include "tests/sim/cluster/operator_client.h"

#include <utility>

#include "controller/node/methods.h"
#include "proto/controller.pb.h"

namespace sim {

OperatorClient::OperatorClient(Cluster& cluster)
    : world_(cluster.world), executor_(world_, "operator") {
  control::QuorumClient::Members members;
  for (const auto& each : cluster.controllers) {
    members[each->id()] = cluster.rpc.connect("operator", each->host(), executor_);
  }
  quorum_ = std::make_unique<control::QuorumClient>(executor_, world_.random("operator's quorum"),
                                                    std::move(members));
}

OperatorClient::~OperatorClient() { executor_.kill(); }

template <class Reply, class Request>
OperatorClient::Confirmed OperatorClient::ask(const char* method, const Request& request) {
  auto confirmed = std::make_shared<bool>(false);
  quorum_->call(method, request.SerializeAsString(), kPatience,
                [confirmed](const io::IoResult<std::string>& reply) {
                  Reply got;
                  *confirmed = reply && got.ParseFromString(*reply) && got.error().code() == 0;
                });
  return confirmed;
}

OperatorClient::Confirmed OperatorClient::balance(bool on) {
  world_.trace(on ? "balance" : "pause");
  proto::RebalanceRequest request;
  on ? request.set_execute(true) : request.set_pause(true);
  return ask<proto::RebalanceReply>(controller::methods::kRebalance, request);
}

OperatorClient::Confirmed OperatorClient::drain(std::int32_t broker) {
  world_.trace("drain", static_cast<std::uint64_t>(broker));
  proto::DrainBrokerRequest request;
  request.set_broker_id(broker);
  return ask<proto::DrainBrokerReply>(controller::methods::kDrainBroker, request);
}

OperatorClient::Confirmed OperatorClient::resume(std::int32_t broker) {
  world_.trace("resume", static_cast<std::uint64_t>(broker));
  proto::ResumeBrokerRequest request;
  request.set_broker_id(broker);
  return ask<proto::ResumeBrokerReply>(controller::methods::kResumeBroker, request);
}

}  // namespace sim

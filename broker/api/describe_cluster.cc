// DescribeCluster, versions 0-2.
#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "common/wire/msg/describe_cluster_request.h"
#include "common/wire/msg/describe_cluster_response.h"

namespace broker::api {

void describe_cluster(Context& context, const wire::DescribeClusterRequest& request,
                      Reply<wire::DescribeClusterResponse> reply) {
  constexpr std::int8_t kBrokers = 1;
  wire::DescribeClusterResponse response;
  response.endpoint_type = request.endpoint_type;
  if (request.endpoint_type != kBrokers) {
    // Controllers speak gRPC: a Kafka client cannot be sent to them (KIP-919).
    response.error_code = request.endpoint_type == 2 ? wire::ErrorCode::kMismatchedEndpointType
                                                     : wire::ErrorCode::kUnsupportedEndpointType;
    response.error_message = "this listener belongs to a broker: ask for endpoint type 1";
    return reply(response);
  }
  const auto image = context.node.image();
  response.cluster_id = context.node.cluster_id;
  response.controller_id = context.node.broker_id.value();
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kClusterOperations;
  }
  for (const auto& [id, broker] : image->brokers()) {
    if (broker->fenced && !request.include_fenced_brokers) continue;
    const meta::Listener* address = broker->listener(context.listener);
    if (address == nullptr) continue;
    auto& out = response.brokers.emplace_back();
    out.broker_id = id.value();
    out.host = address->host;
    out.port = address->port;
    if (!broker->rack.empty()) out.rack = broker->rack;
    out.is_fenced = broker->fenced;
  }
  reply(response);
}

}  // namespace broker::api

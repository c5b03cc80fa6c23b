// ConsumerGroupHeartbeat 0-1 and ConsumerGroupDescribe 0-1 (KIP-848): handed to the group's
// coordinator with the topics and what the group goes by, as they are now.
#include <chrono>
#include <utility>

#include "broker/api/config_entries.h"
#include "broker/api/group_ask.h"
#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "broker/node/group_topics.h"
#include "common/config/consumer_group_config.h"
#include "common/wire/msg/consumer_group_describe_request.h"
#include "common/wire/msg/consumer_group_describe_response.h"
#include "common/wire/msg/consumer_group_heartbeat_request.h"
#include "common/wire/msg/consumer_group_heartbeat_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

// The feature that a cluster has to have for the protocol.
bool is_off(const meta::Image& image) { return image.feature("group.version") < 1; }

}  // namespace

void consumer_group_heartbeat(Context& context, const wire::ConsumerGroupHeartbeatRequest& request,
                              Reply<wire::ConsumerGroupHeartbeatResponse> reply) {
  const auto image = context.node.image();
  if (is_off(*image)) {
    return reply(
        wire::ConsumerGroupHeartbeatResponse{.error_code = ErrorCode::kUnsupportedVersion});
  }
  const auto config = config::ConsumerGroupConfig::resolve(image->group_configs(request.group_id),
                                                           broker_layers(context.node, *image));
  using std::chrono::milliseconds;
  group::ConsumerHeartbeat ask{.request = request,
                               .topics = group_topics(image),
                               .session_timeout = milliseconds(config.session_timeout_ms),
                               .heartbeat_interval = milliseconds(config.heartbeat_interval_ms),
                               .assignment_interval = milliseconds(config.assignment_interval_ms)};
  context.node.groups->ask(
      request.group_id, group_caller(context), std::move(ask),
      [reply = std::move(reply)](GroupAnswer answer) mutable {
        if (answer) return reply(std::get<wire::ConsumerGroupHeartbeatResponse>(*answer));
        reply(wire::ConsumerGroupHeartbeatResponse{.error_code = answer.error()});
      });
}

void consumer_group_describe(Context& context, const wire::ConsumerGroupDescribeRequest& request,
                             Reply<wire::ConsumerGroupDescribeResponse> reply) {
  auto all = std::make_shared<GroupGather<wire::ConsumerGroupDescribeResponse>>(std::move(reply));
  all->response.groups.resize(request.group_ids.size());
  const bool with_operations = request.include_authorized_operations;
  const auto topics = group_topics(context.node.image());
  for (std::size_t i = 0; i < request.group_ids.size(); ++i) {
    const std::string& group_id = request.group_ids[i];
    all->response.groups[i].group_id = group_id;
    all->wait_for_one();
    context.node.groups->ask(
        group_id, group_caller(context),
        group::DescribeConsumerGroup{.group_id = group_id, .topics = topics},
        [all, i, with_operations](GroupAnswer answer) {
          auto& described = all->response.groups[i];
          if (answer) {
            described = std::get<group::DescribedConsumerGroup>(*std::move(answer)).group;
          } else {
            described.error_code = answer.error();
          }
          if (with_operations && described.error_code == ErrorCode::kNone) {
            described.authorized_operations = kGroupOperations;
          }
          all->one_done();
        });
  }
  all->one_done();
}

}  // namespace broker::api

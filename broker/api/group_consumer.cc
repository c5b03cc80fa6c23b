// ConsumerGroupHeartbeat 0-1 and ConsumerGroupDescribe 0-1 (KIP-848): handed to the group's
// coordinator with the topics as they are now and the group's own configs.
#include <charconv>
#include <utility>

#include "broker/api/group_ask.h"
#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "broker/node/group_topics.h"
#include "common/wire/msg/consumer_group_describe_request.h"
#include "common/wire/msg/consumer_group_describe_response.h"
#include "common/wire/msg/consumer_group_heartbeat_request.h"
#include "common/wire/msg/consumer_group_heartbeat_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

// The feature that a cluster has to have for the protocol.
bool is_off(const meta::Image& image) { return image.feature("group.version") < 1; }

std::optional<base::Duration> duration_of(const meta::Configs& configs, std::string_view name) {
  const auto at = configs.find(name);
  if (at == configs.end()) return std::nullopt;
  std::int32_t ms = 0;
  const auto& text = at->second;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (read.ec != std::errc() || ms < 1) return std::nullopt;
  return std::chrono::milliseconds(ms);
}

}  // namespace

void consumer_group_heartbeat(Context& context, const wire::ConsumerGroupHeartbeatRequest& request,
                              Reply<wire::ConsumerGroupHeartbeatResponse> reply) {
  const auto image = context.node.image();
  if (is_off(*image)) {
    return reply(
        wire::ConsumerGroupHeartbeatResponse{.error_code = ErrorCode::kUnsupportedVersion});
  }
  const meta::Configs& configs = image->group_configs(request.group_id);
  group::ConsumerHeartbeat ask{
      .request = request,
      .topics = group_topics(image),
      .session_timeout = duration_of(configs, "consumer.session.timeout.ms"),
      .heartbeat_interval = duration_of(configs, "consumer.heartbeat.interval.ms")};
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

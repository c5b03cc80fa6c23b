// Metadata, versions 0-13. A topic that is missing is created when both the broker
// (auto.create.topics.enable) and the client allow it; the answer then waits for it, so that the
// client need not ask again. Who asks on a connection in use has often just lost a leader: see
// broker/node/recent_losses.h for what it is told.
#include <algorithm>
#include <chrono>
#include <set>

#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "broker/node/controller_client.h"
#include "broker/node/hosting.h"
#include "broker/node/leader_check.h"
#include "common/base/mutant.h"
#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/metadata_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;
using Topic = wire::MetadataResponse::MetadataResponseTopic;

constexpr std::chrono::seconds kAutoCreateTimeout{10};
// A question on a connection in use waits until so many leaders were found to be there, or lost:
// its client may have heard a little sooner of the end of one.
constexpr std::size_t kCheckedLeadersMax = 8;

struct Wanted {
  bool all = false;
  std::vector<wire::MetadataRequest::MetadataRequestTopic> topics;
  bool topic_operations = false;
  bool cluster_operations = false;
  std::int16_t version = 0;
  std::string listener;
};

bool by_id(const wire::MetadataRequest::MetadataRequestTopic& topic) {
  return !topic.topic_id.is_zero();
}

// Errors of topics that could not be created, by name.
using Refusals = std::map<std::string, ErrorCode, std::less<>>;

Topic describe(const meta::Topic& topic, const meta::Image& image, const Wanted& wanted) {
  Topic out;
  out.name = topic.name;
  out.topic_id = topic.id;
  out.is_internal = topic.is_internal;
  if (wanted.topic_operations) out.topic_authorized_operations = kTopicOperations;
  out.partitions.reserve(topic.partitions.size());
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    const meta::Partition& partition = topic.partitions[i];
    auto& each = out.partitions.emplace_back();
    each.partition_index = static_cast<std::int32_t>(i);
    each.leader_id = partition.leader.value();
    each.leader_epoch = partition.leader_epoch.value();
    if (partition.leader == meta::kNoBroker) each.error_code = ErrorCode::kLeaderNotAvailable;
    for (const auto id : partition.replicas) {
      each.replica_nodes.push_back(id.value());
      if (image.is_offline(id, partition)) each.offline_replicas.push_back(id.value());
    }
    if (!partition.isr_lost) {
      for (const auto id : partition.isr) each.isr_nodes.push_back(id.value());
    }
  }
  return out;
}

Topic missing(const wire::MetadataRequest::MetadataRequestTopic& topic, const Refusals& refusals,
              const Wanted& wanted) {
  Topic out;
  if (by_id(topic)) {
    out.topic_id = topic.topic_id;
    out.error_code = ErrorCode::kUnknownTopicId;
    if (wanted.version < 12) out.name = "";
    return out;
  }
  out.name = topic.name.value_or("");
  const auto refused = refusals.find(*out.name);
  out.error_code =
      refused == refusals.end() ? ErrorCode::kUnknownTopicOrPartition : refused->second;
  return out;
}

wire::MetadataResponse build(const Node& node, const Wanted& wanted, const Refusals& refusals,
                             bool& asked) {
  const auto image = node.image();
  const base::Instant now = node.clock.now();
  asked = true;
  wire::MetadataResponse response;
  response.cluster_id = node.cluster_id;
  for (const auto& [id, broker] : image->brokers()) {
    const meta::Listener* address = broker->listener(wanted.listener);
    const bool there = !broker->fenced || node.losses.fenced_lately(id, now);
    if (!there || address == nullptr) continue;
    auto& out = response.brokers.emplace_back();
    out.node_id = id.value();
    out.host = address->host;
    out.port = address->port;
    if (!broker->rack.empty()) out.rack = broker->rack;
  }
  // Any broker forwards what concerns the controller: this one will do.
  response.controller_id = node.broker_id.value();
  if (wanted.cluster_operations) response.cluster_authorized_operations = kClusterOperations;
  if (wanted.all) {
    for (const auto& [name, topic] : image->topics()) {
      response.topics.push_back(describe(*topic, *image, wanted));
    }
    return response;
  }
  for (const auto& topic : wanted.topics) {
    const meta::Topic* found =
        by_id(topic) ? image->topic(topic.topic_id) : image->topic(topic.name.value_or(""));
    response.topics.push_back(found != nullptr ? describe(*found, *image, wanted)
                                               : missing(topic, refusals, wanted));
  }
  return response;
}

// Asks the controller for what is missing and may be created.
proto::CreateTopicsRequest to_create(const Node& node, const Wanted& wanted) {
  const auto image = node.image();
  proto::CreateTopicsRequest request;
  for (const auto& topic : wanted.topics) {
    if (by_id(topic) || !topic.name || image->topic(*topic.name) != nullptr) continue;
    if (meta::is_internal_topic(*topic.name)) continue;  // made by its coordinator
    auto* create = request.add_topics();
    create->set_name(*topic.name);
    create->set_partitions(-1);
    create->set_replication_factor(-1);
  }
  return request;
}

void create_then_reply(Context& context, Wanted wanted, proto::CreateTopicsRequest create,
                       Reply<wire::MetadataResponse> reply) {
  Node& node = context.node;
  io::Executor& home = context.reactor.executor;
  node.controller->create_topics(
      create, kAutoCreateTimeout, home,
      [&node, &home, &asked = context.use.metadata_asked, wanted = std::move(wanted),
       reply = std::move(reply)](std::expected<proto::CreateTopicsReply, CallError> made) mutable {
        Refusals refusals;
        base::Offset offset{-1};
        if (!made) {
          for (const auto& topic : wanted.topics) {
            if (topic.name) refusals[*topic.name] = ErrorCode::kLeaderNotAvailable;
          }
        } else {
          offset = base::Offset(made->offset());
          for (const auto& topic : made->topics()) {
            const auto code = static_cast<ErrorCode>(topic.error().code());
            if (code != ErrorCode::kNone) refusals[topic.name()] = code;
          }
        }
        node.hosting->when_applied(
            offset, home,
            [&node, &asked, wanted = std::move(wanted), refusals = std::move(refusals),
             reply = std::move(reply)]() mutable { reply(build(node, wanted, refusals, asked)); });
      });
}

// Who else leads what is wanted by name or id: so many of them at most.
std::set<base::BrokerId> other_leaders(const Node& node, const Wanted& wanted, std::size_t most) {
  std::set<base::BrokerId> leaders;
  const auto image = node.image();
  for (const auto& topic : wanted.topics) {
    const meta::Topic* found =
        by_id(topic) ? image->topic(topic.topic_id) : image->topic(topic.name.value_or(""));
    if (found == nullptr) continue;
    for (const meta::Partition& partition : found->partitions) {
      if (leaders.size() == most) return leaders;
      if (partition.leader != meta::kNoBroker && partition.leader != node.broker_id) {
        leaders.insert(partition.leader);
      }
    }
  }
  return leaders;
}

// To one who knew who leads, and may have lost a leader: it asked before on this connection, or was
// sent here by what another broker said. Lives on its reactor, held by whatever goes on with it.
class CheckedAnswer : public std::enable_shared_from_this<CheckedAnswer> {
 public:
  CheckedAnswer(Context& context, Wanted wanted, Reply<wire::MetadataResponse> reply)
      : node_(context.node),
        reactor_(context.reactor),
        wanted_(std::move(wanted)),
        asked_(context.use.metadata_asked),
        reply_(std::move(reply)) {}

  void begin() {
    auto leaders = other_leaders(node_, wanted_, kCheckedLeadersMax);
    std::erase_if(leaders, [this](base::BrokerId id) { return doubted(id); });
    node_.leader_check->run(reactor_, leaders, [self = shared_from_this()] {
      self->reactor_.after(RecentLosses::kDoubt, [self] { self->look(); });
      self->look();
    });
  }

 private:
  bool doubted(base::BrokerId id) const {
    return !MUTANT("metadata-names-lost-leaders") && node_.losses.doubted(id, node_.clock.now());
  }

  // Answers, or waits for what the controller decides.
  void look() {
    if (!reply_) return;
    const base::Offset seen = node_.image()->offset();
    const auto leaders = other_leaders(node_, wanted_, SIZE_MAX);
    const bool decided =
        std::ranges::none_of(leaders, [this](base::BrokerId id) { return doubted(id); });
    if (!decided && !node_.stopping) {
      return node_.hosting->when_applied(seen + 1, reactor_.executor,
                                         [self = shared_from_this()] { self->look(); });
    }
    auto reply = std::move(*reply_);
    reply_.reset();
    reply(build(node_, wanted_, {}, asked_));
  }

  Node& node_;
  Reactor& reactor_;
  const Wanted wanted_;
  bool& asked_;  // the connection's; the reply holds that
  std::optional<Reply<wire::MetadataResponse>> reply_;
};

}  // namespace

void metadata(Context& context, const wire::MetadataRequest& request,
              Reply<wire::MetadataResponse> reply) {
  Wanted wanted;
  wanted.version = context.version;
  wanted.listener = context.listener;
  wanted.topic_operations = request.include_topic_authorized_operations;
  wanted.cluster_operations = request.include_cluster_authorized_operations;
  // Version 0 has no null: empty means all there.
  wanted.all = !request.topics || (context.version == 0 && request.topics->empty());
  if (request.topics) wanted.topics = *request.topics;
  const bool may_create = context.node.config.auto_create_topics_enable &&
                          (context.version < 4 || request.allow_auto_topic_creation);
  if (!wanted.all && may_create) {
    auto create = to_create(context.node, wanted);
    if (create.topics_size() > 0) {
      return create_then_reply(context, std::move(wanted), std::move(create), std::move(reply));
    }
  }
  const bool in_use = context.use.metadata_asked || context.use.records;
  if (in_use && !wanted.all) {
    return std::make_shared<CheckedAnswer>(context, std::move(wanted), std::move(reply))->begin();
  }
  reply(build(context.node, wanted, {}, context.use.metadata_asked));
}

}  // namespace broker::api

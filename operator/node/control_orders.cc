// What Control orders: of brokers and controllers one by one, of topics gathered.
#include <map>
#include <utility>

#include "operator/node/control_calls.h"

namespace kube {
namespace {

using wire::ErrorCode;

// A voter is added once it has caught up.
constexpr base::Duration kJoinTimeout = std::chrono::seconds(30);

void add_changes(const ConfigChanges& changes,
                 proto::IncrementalAlterConfigsRequest::Resource& resource) {
  for (const auto& [key, value] : changes) {
    auto* config = resource.add_configs();
    config->set_key(key);
    config->set_op(value ? proto::CONFIG_OP_SET : proto::CONFIG_OP_DELETE);
    if (value) config->set_value(*value);
  }
}

// Gives each of those that wait what was said of its item, by name.
template <class Waiting, class NameOf>
void settle(Waiting& waiting, const std::map<std::string, ControlResult>& said, NameOf named) {
  for (auto& each : waiting) {
    const auto at = said.find(named(each.item));
    each.answer(at != said.end() ? at->second
                                 : ControlResult(std::unexpected("the controller left it out")));
  }
}

io::Task<ControlResult> none_of_its() { co_return std::unexpected("no order for a controller"); }

constexpr auto kTopicOf = [](const auto& item) { return item.topic; };

}  // namespace

// ---- orders about brokers and controllers

io::Task<ControlResult> Control::order(Action action) {
  co_return co_await std::visit(
      [this](auto& each) -> io::Task<ControlResult> {
        if constexpr (requires { carry_out(std::move(each)); }) {
          return carry_out(std::move(each));
        } else {
          return none_of_its();
        }
      },
      action);
}

io::Task<ControlResult> Control::carry_out(DrainBroker order) {
  proto::DrainBrokerRequest request;
  request.set_broker_id(order.broker);
  const auto reply =
      co_await ask<proto::DrainBrokerReply>("Admin/DrainBroker", request, kOrderTimeout);
  co_return reply ? verdict(reply->error()) : std::unexpected(reply.error());
}

io::Task<ControlResult> Control::carry_out(ResumeBroker order) {
  proto::ResumeBrokerRequest request;
  request.set_broker_id(order.broker);
  const auto reply =
      co_await ask<proto::ResumeBrokerReply>("Admin/ResumeBroker", request, kOrderTimeout);
  co_return reply ? verdict(reply->error()) : std::unexpected(reply.error());
}

io::Task<ControlResult> Control::carry_out(UnregisterBroker order) {
  proto::UnregisterBrokerRequest request;
  request.set_broker_id(order.broker);
  const auto reply =
      co_await ask<proto::UnregisterBrokerReply>("Admin/UnregisterBroker", request, kOrderTimeout);
  if (!reply) co_return std::unexpected(reply.error());
  co_return verdict(reply->error(), {ErrorCode::kBrokerIdNotRegistered});
}

io::Task<ControlResult> Control::carry_out(AddVoter order) {
  proto::AddVoterRequest request;
  request.set_id(order.controller);
  request.set_host(order.host);
  request.set_port(order.port);
  const auto reply = co_await ask<proto::AddVoterReply>("Admin/AddVoter", request, kJoinTimeout);
  if (!reply) co_return std::unexpected(reply.error());
  co_return verdict(reply->error(), {ErrorCode::kDuplicateVoter});
}

io::Task<ControlResult> Control::carry_out(RemoveVoter order) {
  proto::RemoveVoterRequest request;
  request.set_id(order.controller);
  const auto reply =
      co_await ask<proto::RemoveVoterReply>("Admin/RemoveVoter", request, kOrderTimeout);
  if (!reply) co_return std::unexpected(reply.error());
  co_return verdict(reply->error(), {ErrorCode::kVoterNotFound});
}

io::Task<ControlResult> Control::carry_out(EvenOut) {
  proto::RebalanceRequest request;
  request.set_execute(true);
  const auto reply = co_await ask<proto::RebalanceReply>("Admin/Rebalance", request, kOrderTimeout);
  co_return reply ? verdict(reply->error()) : std::unexpected(reply.error());
}

io::Task<ControlResult> Control::carry_out(AlterClusterConfigs order) {
  proto::IncrementalAlterConfigsRequest request;
  auto* resource = request.add_resources();
  resource->set_type(proto::CONFIG_RESOURCE_BROKER);
  add_changes(order.changes, *resource);
  const auto reply = co_await ask<proto::AlterConfigsReply>("Admin/IncrementalAlterConfigs",
                                                            request, kOrderTimeout);
  if (!reply) co_return std::unexpected(reply.error());
  if (auto whole = verdict(reply->error()); !whole) co_return whole;
  for (const auto& each : reply->resources()) {
    if (auto good = verdict(each.error()); !good) co_return good;
  }
  co_return ControlResult();
}

io::Task<ControlResult> Control::carry_out(Reassign order) {
  proto::AlterPartitionReassignmentsRequest request;
  auto* topic = request.add_topics();
  topic->set_name(order.topic);
  for (const auto& [index, replicas] : order.replicas) {
    auto* partition = topic->add_partitions();
    partition->set_partition(index);
    for (const std::int32_t id : replicas) partition->mutable_replicas()->add_ids(id);
  }
  const auto reply = co_await ask<proto::AlterPartitionReassignmentsReply>(
      "Admin/AlterPartitionReassignments", request, kOrderTimeout);
  if (!reply) co_return std::unexpected(reply.error());
  if (auto whole = verdict(reply->error()); !whole) co_return whole;
  for (const auto& told : reply->topics()) {
    for (const auto& each : told.partitions()) {
      if (auto good = verdict(each.error()); !good) co_return good;
    }
  }
  co_return ControlResult();
}

// ---- orders about topics: gathered

io::Task<ControlResult> Control::carry_out(CreateTopic order) {
  co_return co_await io::Callback<ControlResult>(
      [&](auto resume) { creates_.add(std::move(order), std::move(resume)); });
}
io::Task<ControlResult> Control::carry_out(AlterTopicConfigs order) {
  co_return co_await io::Callback<ControlResult>(
      [&](auto resume) { configs_.add(std::move(order), std::move(resume)); });
}
io::Task<ControlResult> Control::carry_out(CreatePartitions order) {
  co_return co_await io::Callback<ControlResult>(
      [&](auto resume) { partitions_.add(std::move(order), std::move(resume)); });
}
io::Task<ControlResult> Control::carry_out(DeleteTopic order) {
  co_return co_await io::Callback<ControlResult>(
      [&](auto resume) { deletes_.add(std::move(order), std::move(resume)); });
}

void Control::send_creates(Waiting<CreateTopic, ControlResult> waiting) {
  proto::CreateTopicsRequest request;
  for (const auto& each : waiting) {
    auto* topic = request.add_topics();
    topic->set_name(each.item.topic);
    topic->set_partitions(each.item.partitions);
    topic->set_replication_factor(each.item.replication_factor);
    for (const auto& [key, value] : each.item.configs) {
      auto* config = topic->add_configs();
      config->set_key(key);
      config->set_value(value);
    }
  }
  ask<proto::CreateTopicsReply>("Admin/CreateTopics", request.SerializeAsString(),
                                [waiting = std::move(waiting)](auto reply) mutable {
                                  if (!reply) return fail_all(waiting, reply.error());
                                  std::map<std::string, ControlResult> said;
                                  for (const auto& each : reply->topics()) {
                                    said[each.name()] =
                                        verdict(each.error(), {ErrorCode::kTopicAlreadyExists});
                                  }
                                  settle(waiting, said, kTopicOf);
                                });
}

void Control::send_configs(Waiting<AlterTopicConfigs, ControlResult> waiting) {
  proto::IncrementalAlterConfigsRequest request;
  for (const auto& each : waiting) {
    auto* resource = request.add_resources();
    resource->set_type(proto::CONFIG_RESOURCE_TOPIC);
    resource->set_name(each.item.topic);
    add_changes(each.item.changes, *resource);
  }
  ask<proto::AlterConfigsReply>("Admin/IncrementalAlterConfigs", request.SerializeAsString(),
                                [waiting = std::move(waiting)](auto reply) mutable {
                                  if (!reply) return fail_all(waiting, reply.error());
                                  std::map<std::string, ControlResult> said;
                                  for (const auto& each : reply->resources())
                                    said[each.name()] = verdict(each.error());
                                  settle(waiting, said, kTopicOf);
                                });
}

void Control::send_partitions(Waiting<CreatePartitions, ControlResult> waiting) {
  proto::CreatePartitionsRequest request;
  for (const auto& each : waiting) {
    auto* topic = request.add_topics();
    topic->set_name(each.item.topic);
    topic->set_count(each.item.count);
  }
  ask<proto::CreatePartitionsReply>("Admin/CreatePartitions", request.SerializeAsString(),
                                    [waiting = std::move(waiting)](auto reply) mutable {
                                      if (!reply) return fail_all(waiting, reply.error());
                                      std::map<std::string, ControlResult> said;
                                      for (const auto& each : reply->topics())
                                        said[each.name()] = verdict(each.error());
                                      settle(waiting, said, kTopicOf);
                                    });
}

void Control::send_deletes(Waiting<DeleteTopic, ControlResult> waiting) {
  proto::DeleteTopicsRequest request;
  for (const auto& each : waiting) {
    const auto id = base::Uuid::parse(each.item.topic_id).value_or(base::Uuid{});
    auto* topic = request.add_topics()->mutable_topic_id();
    topic->set_high(id.high);
    topic->set_low(id.low);
  }
  ask<proto::DeleteTopicsReply>("Admin/DeleteTopics", request.SerializeAsString(),
                                [waiting = std::move(waiting)](auto reply) mutable {
                                  if (!reply) return fail_all(waiting, reply.error());
                                  std::map<std::string, ControlResult> said;
                                  for (const auto& each : reply->topics()) {
                                    said[uuid_of(each.topic_id()).to_string()] =
                                        verdict(each.error(), {ErrorCode::kUnknownTopicId});
                                  }
                                  settle(waiting, said,
                                         [](const DeleteTopic& item) { return item.topic_id; });
                                });
}

}  // namespace kube

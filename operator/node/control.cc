#include "operator/node/control.h"

#include <map>
#include <utility>

#include "operator/node/control_calls.h"

namespace kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

constexpr base::Duration kLinger = milliseconds(5);
constexpr std::size_t kGatherMost = 200;
constexpr base::Duration kBrokersFresh = seconds(1);
constexpr int kEvenOutMoves = 1000;  // what the controller would say at most

BrokerSeen seen(const proto::DescribeClusterReply::Broker& from) {
  return {from.id(), from.rack(), from.fenced(), from.draining(), from.replicas(), from.leaders()};
}

template <class List>
std::vector<std::int32_t> ids_of(const List& list) {
  return {list.begin(), list.end()};
}

TopicSeen seen(const proto::DescribeTopicsReply::Topic& from) {
  TopicSeen out;
  out.id = uuid_of(from.topic_id()).to_string();
  for (const auto& each : from.partitions()) {
    out.partitions.push_back({ids_of(each.replicas()), ids_of(each.isr()), ids_of(each.adding()),
                              ids_of(each.removing()), each.leader()});
  }
  for (const auto& each : from.configs()) out.configs[each.key()] = each.value();
  return out;
}

FindingSeen::Kind kind_of(proto::FindingKind kind) {
  const bool known = kind > 0 && kind <= static_cast<int>(FindingSeen::Kind::kLeaderNotPreferred);
  return known ? static_cast<FindingSeen::Kind>(kind) : FindingSeen::Kind::kUnknown;
}

}  // namespace

Control::Control(io::Executor& executor, std::shared_ptr<io::RpcClient> client)
    : executor_(executor),
      client_(std::move(client)),
      describes_(executor, kLinger, kGatherMost,
                 [this](auto all) { send_describes(std::move(all)); }),
      creates_(executor, kLinger, kGatherMost, [this](auto all) { send_creates(std::move(all)); }),
      configs_(executor, kLinger, kGatherMost, [this](auto all) { send_configs(std::move(all)); }),
      partitions_(executor, kLinger, kGatherMost,
                  [this](auto all) { send_partitions(std::move(all)); }),
      deletes_(executor, kLinger, kGatherMost, [this](auto all) { send_deletes(std::move(all)); }) {
}

io::Task<std::expected<ControlSeen, std::string>> Control::observe() {
  ControlSeen out;
  const auto cluster = co_await ask<proto::DescribeClusterReply>(
      "Admin/DescribeCluster", proto::DescribeClusterRequest(), kAskTimeout);
  if (!cluster) co_return std::unexpected(cluster.error());
  if (auto good = verdict(cluster->error()); !good) co_return std::unexpected(good.error());
  const auto quorum = co_await ask<proto::DescribeQuorumReply>(
      "Admin/DescribeQuorum", proto::DescribeQuorumRequest(), kAskTimeout);
  if (!quorum) co_return std::unexpected(quorum.error());
  if (auto good = verdict(quorum->error()); !good) co_return std::unexpected(good.error());
  const auto health = co_await ask<proto::ClusterHealthReply>(
      "Admin/ClusterHealth", proto::ClusterHealthRequest(), kAskTimeout);
  if (!health) co_return std::unexpected(health.error());
  if (auto good = verdict(health->error()); !good) co_return std::unexpected(good.error());

  out.cluster_id = uuid_of(cluster->cluster_id()).to_string();
  for (const auto& each : cluster->brokers()) out.brokers.push_back(seen(each));
  for (const auto& each : cluster->configs()) out.cluster_configs[each.key()] = each.value();
  brokers_ = out.brokers;
  brokers_at_ = executor_.now();
  out.leader_id = quorum->leader_id();
  for (const auto& each : quorum->voters()) {
    const bool leads = each.id() == quorum->leader_id();
    out.voters.push_back(
        {each.id(), leads ? 0 : each.last_contact_ms(), leads ? 0 : each.last_caught_up_ms()});
  }
  out.healthy = health->healthy();
  for (const auto& each : health->findings()) {
    out.findings.push_back({kind_of(each.kind()), each.count(), each.broker_id(), each.message()});
  }
  co_return out;
}

io::Task<void> Control::answer(ClusterQuestions questions, ControlSeen& seen) {
  for (const std::int32_t id : questions.may_restart) {
    proto::MayRestartRequest request;
    request.set_broker_id(id);
    const auto reply =
        co_await ask<proto::MayRestartReply>("Admin/MayRestart", request, kAskTimeout);
    MayRestart& told = seen.may_restart[id];
    const auto good =
        reply ? verdict(reply->error()) : ControlResult(std::unexpected(reply.error()));
    if (!good) {
      told.reasons.push_back(good.error());
      continue;
    }
    told.yes = reply->yes();
    for (const auto& each : reply->reasons()) {
      told.reasons.push_back(each.topic() + "-" + std::to_string(each.partition()) + ": " +
                             each.message());
    }
  }
  for (const std::int32_t id : questions.drains) {
    proto::DrainBrokerRequest request;
    request.set_broker_id(id);
    const auto reply =
        co_await ask<proto::DrainBrokerReply>("Admin/DrainBroker", request, kAskTimeout);
    if (!reply || !verdict(reply->error())) continue;  // not told: looked at again later
    seen.drains[id] = {reply->replicas_left(),
                       reply->leaders_left(),
                       reply->moving(),
                       {reply->obstacles().begin(), reply->obstacles().end()}};
  }
  if (!questions.even_out) co_return;
  proto::RebalanceRequest request;
  request.set_moves_max(kEvenOutMoves);
  const auto reply = co_await ask<proto::RebalanceReply>("Admin/Rebalance", request, kAskTimeout);
  if (reply && verdict(reply->error())) seen.even_out_moves = reply->moves_size();
}

io::Task<std::expected<std::vector<BrokerSeen>, std::string>> Control::brokers() {
  if (!brokers_at_ || executor_.now() - *brokers_at_ >= kBrokersFresh) {
    const auto cluster = co_await ask<proto::DescribeClusterReply>(
        "Admin/DescribeCluster", proto::DescribeClusterRequest(), kAskTimeout);
    if (!cluster) co_return std::unexpected(cluster.error());
    if (auto good = verdict(cluster->error()); !good) co_return std::unexpected(good.error());
    brokers_.clear();
    for (const auto& each : cluster->brokers()) brokers_.push_back(seen(each));
    brokers_at_ = executor_.now();
  }
  co_return brokers_;
}

io::Task<Control::Described> Control::topic(std::string name) {
  co_return co_await io::Callback<Described>(
      [&](auto resume) { describes_.add(name, std::move(resume)); });
}

void Control::send_describes(Waiting<std::string, Described> waiting) {
  proto::DescribeTopicsRequest request;
  for (const auto& each : waiting) request.add_names(each.item);
  ask<proto::DescribeTopicsReply>(
      "Admin/DescribeTopics", request.SerializeAsString(),
      [waiting = std::move(waiting)](auto reply) mutable {
        if (!reply) return fail_all(waiting, reply.error());
        std::map<std::string, Described> said;
        for (const auto& each : reply->topics()) {
          if (each.error().code() == static_cast<int>(ErrorCode::kUnknownTopicOrPartition)) {
            said[each.name()] = std::nullopt;
          } else if (auto good = verdict(each.error()); !good) {
            said[each.name()] = std::unexpected(good.error());
          } else {
            said[each.name()] = seen(each);
          }
        }
        for (auto& each : waiting) {
          const auto at = said.find(each.item);
          each.answer(at != said.end() ? at->second
                                       : Described(std::unexpected("the controller left it out")));
        }
      });
}

}  // namespace kube

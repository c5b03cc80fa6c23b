// The controllers and brokers of a test's cluster: what the active controller answers.
#include <algorithm>
#include <utility>

#include "common/wire/error_code.h"
#include "operator/node/test_world.h"
#include "proto/controller.pb.h"

namespace kube {
namespace {

constexpr base::Duration kCatchUp = std::chrono::milliseconds(300);

void refuse(proto::Error* error, wire::ErrorCode code, const std::string& message) {
  error->set_code(static_cast<int>(code));
  error->set_message(message);
}

}  // namespace

// ---- what the active controller does with each request

struct TestAdmin {
  TestCluster& self;

  void operator()(const proto::DescribeClusterRequest&, proto::DescribeClusterReply& out) {
    out.mutable_cluster_id()->set_high(self.id_.high);
    out.mutable_cluster_id()->set_low(self.id_.low);
    for (const auto& [id, broker] : self.brokers) {
      auto* told = out.add_brokers();
      told->set_id(id);
      told->set_fenced(broker.fenced);
      told->set_draining(broker.draining);
      told->set_replicas(self.replicas_on(id));
    }
    for (const auto& [key, value] : self.configs) {
      auto* config = out.add_configs();
      config->set_key(key);
      config->set_value(value);
    }
  }
  void operator()(const proto::DescribeQuorumRequest&, proto::DescribeQuorumReply& out) {
    for (const std::int32_t id : self.voters) {
      const bool up = self.controllers_up.contains(id);
      if (up && out.leader_id() == 0) out.set_leader_id(id);
      auto* voter = out.add_voters();
      voter->set_id(id);
      voter->set_last_contact_ms(up ? 10 : 60'000);
      voter->set_last_caught_up_ms(up ? 10 : 60'000);
    }
  }
  void operator()(const proto::ClusterHealthRequest&, proto::ClusterHealthReply& out) {
    int fenced = 0;
    int behind = 0;
    for (const auto& [id, broker] : self.brokers) {
      if (broker.fenced) ++fenced;
      if (!self.in_sync(id) && self.replicas_on(id) > 0) ++behind;
      if (!broker.fenced) continue;
      auto* finding = out.add_findings();
      finding->set_kind(proto::FINDING_KIND_BROKER_FENCED);
      finding->set_count(1);
      finding->set_broker_id(id);
      finding->set_message("Broker is not there.");
    }
    if (behind > 0) {
      auto* finding = out.add_findings();
      finding->set_kind(proto::FINDING_KIND_UNDER_REPLICATED);
      finding->set_count(behind);
      finding->set_broker_id(-1);
      finding->set_message("Replicas are not in sync.");
    }
    out.set_healthy(fenced == 0 && behind == 0);
  }
  void operator()(const proto::MayRestartRequest& in, proto::MayRestartReply& out) {
    const auto at = self.brokers.find(in.broker_id());
    if (at == self.brokers.end()) {
      return refuse(out.mutable_error(), wire::ErrorCode::kBrokerIdNotRegistered, "unknown");
    }
    out.set_yes(std::ranges::all_of(self.brokers, [&](const auto& each) {
      return each.first == in.broker_id() || self.in_sync(each.first);
    }));
    if (!out.yes()) out.add_reasons()->set_message("another replica is not in sync");
  }
  void operator()(const proto::DrainBrokerRequest& in, proto::DrainBrokerReply& out) {
    const auto at = self.brokers.find(in.broker_id());
    if (at == self.brokers.end()) {
      return refuse(out.mutable_error(), wire::ErrorCode::kBrokerIdNotRegistered, "unknown");
    }
    if (!std::exchange(at->second.draining, true)) ++self.changes;
    out.set_replicas_left(self.replicas_on(in.broker_id()));
  }
  void operator()(const proto::ResumeBrokerRequest& in, proto::ResumeBrokerReply&) {
    const auto at = self.brokers.find(in.broker_id());
    if (at != self.brokers.end() && std::exchange(at->second.draining, false)) ++self.changes;
  }
  void operator()(const proto::UnregisterBrokerRequest& in, proto::UnregisterBrokerReply& out) {
    const auto at = self.brokers.find(in.broker_id());
    if (at == self.brokers.end()) {
      return refuse(out.mutable_error(), wire::ErrorCode::kBrokerIdNotRegistered, "unknown");
    }
    if (!at->second.fenced || self.replicas_on(in.broker_id()) > 0) {
      return refuse(out.mutable_error(), wire::ErrorCode::kInvalidRequest, "it is in use");
    }
    self.brokers.erase(at);
    ++self.changes;
  }
  void operator()(const proto::AddVoterRequest& in, proto::AddVoterReply& out) {
    if (self.voters.contains(in.id())) {
      return refuse(out.mutable_error(), wire::ErrorCode::kDuplicateVoter, "it is one");
    }
    if (!self.controllers_up.contains(in.id())) {
      return refuse(out.mutable_error(), wire::ErrorCode::kRequestTimedOut, "it does not answer");
    }
    self.voters.insert(in.id());
    ++self.changes;
  }
  void operator()(const proto::RemoveVoterRequest& in, proto::RemoveVoterReply& out) {
    if (self.voters.erase(in.id()) == 0) {
      return refuse(out.mutable_error(), wire::ErrorCode::kVoterNotFound, "it is none");
    }
    ++self.changes;
  }
  void operator()(const proto::RebalanceRequest& in, proto::RebalanceReply& out) {
    for (const auto& [id, broker] : self.brokers) {
      if (self.replicas_on(id) > 0 || self.topics.empty() || broker.draining) continue;
      out.add_moves()->add_to(id);
      if (!in.execute()) continue;
      self.topics.begin()->second.partitions.front().back() = id;
      ++self.changes;
    }
  }
  void operator()(const proto::DescribeTopicsRequest& in, proto::DescribeTopicsReply& out) {
    for (const std::string& name : in.names()) {
      auto* told = out.add_topics();
      told->set_name(name);
      const auto at = self.topics.find(name);
      if (at == self.topics.end()) {
        refuse(told->mutable_error(), wire::ErrorCode::kUnknownTopicOrPartition, "none");
        continue;
      }
      told->mutable_topic_id()->set_high(at->second.id.high);
      told->mutable_topic_id()->set_low(at->second.id.low);
      for (const auto& replicas : at->second.partitions) {
        auto* partition = told->add_partitions();
        partition->set_leader(replicas.front());
        for (const std::int32_t id : replicas) partition->add_replicas(id);
        for (const std::int32_t id : replicas) partition->add_isr(id);
      }
      for (const auto& [key, value] : at->second.configs) {
        auto* config = told->add_configs();
        config->set_key(key);
        config->set_value(value);
      }
    }
  }
  void operator()(const proto::CreateTopicsRequest& in, proto::CreateTopicsReply& out) {
    std::vector<std::int32_t> live;
    for (const auto& [id, broker] : self.brokers) {
      if (!broker.fenced && !broker.draining) live.push_back(id);
    }
    for (const auto& each : in.topics()) {
      auto* told = out.add_topics();
      told->set_name(each.name());
      const std::size_t wanted = each.replication_factor() > 0
                                     ? static_cast<std::size_t>(each.replication_factor())
                                     : std::min<std::size_t>(3, live.size());
      if (self.topics.contains(each.name())) {
        refuse(told->mutable_error(), wire::ErrorCode::kTopicAlreadyExists, "it is there");
      } else if (wanted == 0 || wanted > live.size()) {
        refuse(told->mutable_error(), wire::ErrorCode::kInvalidReplicationFactor, "too few");
      } else {
        auto& topic = self.topics[each.name()];
        topic.id = {9, ++self.last_topic_};
        live.resize(wanted);
        topic.partitions.assign(
            each.partitions() > 0 ? static_cast<std::size_t>(each.partitions()) : 1, live);
        for (const auto& config : each.configs()) topic.configs[config.key()] = config.value();
        ++self.changes;
      }
    }
  }
  void operator()(const proto::CreatePartitionsRequest& in, proto::CreatePartitionsReply& out) {
    for (const auto& each : in.topics()) {
      out.add_topics()->set_name(each.name());
      auto& partitions = self.topics.at(each.name()).partitions;
      partitions.resize(static_cast<std::size_t>(each.count()), partitions.front());
      ++self.changes;
    }
  }
  void operator()(const proto::IncrementalAlterConfigsRequest& in, proto::AlterConfigsReply& out) {
    for (const auto& each : in.resources()) {
      auto* told = out.add_resources();
      told->set_type(each.type());
      told->set_name(each.name());
      auto& configs = each.type() == proto::CONFIG_RESOURCE_BROKER
                          ? self.configs
                          : self.topics.at(each.name()).configs;
      for (const auto& config : each.configs()) {
        if (config.op() == proto::CONFIG_OP_DELETE) {
          configs.erase(config.key());
        } else {
          configs[config.key()] = config.value();
        }
      }
      ++self.changes;
    }
  }
  void operator()(const proto::AlterPartitionReassignmentsRequest& in,
                  proto::AlterPartitionReassignmentsReply&) {
    for (const auto& each : in.topics()) {
      for (const auto& partition : each.partitions()) {
        const auto& ids = partition.replicas().ids();
        self.topics.at(each.name()).partitions.at(static_cast<std::size_t>(partition.partition())) =
            {ids.begin(), ids.end()};
      }
      ++self.changes;
    }
  }
  void operator()(const proto::DeleteTopicsRequest& in, proto::DeleteTopicsReply& out) {
    for (const auto& each : in.topics()) {
      auto* told = out.add_topics();
      *told->mutable_topic_id() = each.topic_id();
      const base::Uuid id{each.topic_id().high(), each.topic_id().low()};
      const auto gone =
          std::erase_if(self.topics, [&](const auto& topic) { return topic.second.id == id; });
      if (gone == 0) refuse(told->mutable_error(), wire::ErrorCode::kUnknownTopicId, "none");
      self.changes += gone;
    }
  }
};

namespace {

template <class Request, class Reply>
std::string with(TestAdmin admin, const std::string& bytes) {
  Request request;
  Reply reply;
  if (!request.ParseFromString(bytes)) return "";
  admin(request, reply);
  return reply.SerializeAsString();
}

using Handler = std::string (*)(TestAdmin, const std::string&);
const std::map<std::string, Handler>& handlers() {
  using namespace proto;
  static const std::map<std::string, Handler> all = {
      {"Admin/DescribeCluster", &with<DescribeClusterRequest, DescribeClusterReply>},
      {"Admin/DescribeQuorum", &with<DescribeQuorumRequest, DescribeQuorumReply>},
      {"Admin/ClusterHealth", &with<ClusterHealthRequest, ClusterHealthReply>},
      {"Admin/MayRestart", &with<MayRestartRequest, MayRestartReply>},
      {"Admin/DrainBroker", &with<DrainBrokerRequest, DrainBrokerReply>},
      {"Admin/ResumeBroker", &with<ResumeBrokerRequest, ResumeBrokerReply>},
      {"Admin/UnregisterBroker", &with<UnregisterBrokerRequest, UnregisterBrokerReply>},
      {"Admin/AddVoter", &with<AddVoterRequest, AddVoterReply>},
      {"Admin/RemoveVoter", &with<RemoveVoterRequest, RemoveVoterReply>},
      {"Admin/Rebalance", &with<RebalanceRequest, RebalanceReply>},
      {"Admin/DescribeTopics", &with<DescribeTopicsRequest, DescribeTopicsReply>},
      {"Admin/CreateTopics", &with<CreateTopicsRequest, CreateTopicsReply>},
      {"Admin/CreatePartitions", &with<CreatePartitionsRequest, CreatePartitionsReply>},
      {"Admin/IncrementalAlterConfigs", &with<IncrementalAlterConfigsRequest, AlterConfigsReply>},
      {"Admin/AlterPartitionReassignments",
       &with<AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsReply>},
      {"Admin/DeleteTopics", &with<DeleteTopicsRequest, DeleteTopicsReply>},
  };
  return all;
}

}  // namespace

// ---- a cluster

io::IoResult<std::string> TestCluster::answer(const std::string& method,
                                              const std::string& request) {
  ++calls;
  if (!has_quorum()) return io::io_failure(ETIMEDOUT, method + ": no controller leads");
  const auto at = handlers().find(method);
  if (at == handlers().end()) return io::io_failure(ENOSYS, method);
  return at->second(TestAdmin{*this}, request);
}

bool TestCluster::has_quorum() const {
  const auto up =
      std::ranges::count_if(voters, [&](std::int32_t id) { return controllers_up.contains(id); });
  return !voters.empty() && static_cast<std::size_t>(up) * 2 > voters.size();
}

bool TestCluster::in_sync(std::int32_t broker) const {
  const auto at = brokers.find(broker);
  return at != brokers.end() && !at->second.fenced && at->second.since + kCatchUp <= world_.now();
}

std::int32_t TestCluster::replicas_on(std::int32_t broker) const {
  std::int32_t out = 0;
  for (const auto& [name, topic] : topics) {
    for (const auto& replicas : topic.partitions) {
      out += static_cast<std::int32_t>(std::ranges::count(replicas, broker));
    }
  }
  return out;
}

// One replica at a time off those that drain.
void TestCluster::move_replicas() {
  for (auto& [name, topic] : topics) {
    for (auto& replicas : topic.partitions) {
      for (std::int32_t& each : replicas) {
        if (!brokers.contains(each) || !brokers.at(each).draining) continue;
        for (const auto& [id, broker] : brokers) {
          if (broker.fenced || broker.draining || std::ranges::count(replicas, id) > 0) continue;
          each = id;
          return;
        }
      }
    }
  }
}

void TestCluster::look(const std::set<std::int32_t>& controllers, const std::set<std::int32_t>& up,
                       std::size_t controllers_wanted) {
  controllers_up = controllers;
  if (voters.empty() && controllers.size() >= controllers_wanted) voters = controllers;
  if (!has_quorum()) return;
  for (auto& [id, broker] : brokers) {
    if (!up.contains(id)) broker.fenced = true;
  }
  for (const std::int32_t id : up) {
    Broker& broker = brokers[id];
    if (std::exchange(broker.fenced, false)) broker.since = world_.now();
  }
  move_replicas();
}

}  // namespace kube

// What is there, as values to compare with what is wanted: for the operator.
#include "common/meta/apply.h"
#include "controller/cluster/movement.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

template <class Out>
void tell(const Replicas& ids, Out* out) {
  for (base::BrokerId id : ids) out->Add(id.value());
}

template <class Out>
void tell(const meta::Configs& configs, Out& out) {
  for (const auto& [key, value] : configs) {
    auto* config = out.add_configs();
    config->set_key(key);
    config->set_value(value);
  }
}

void tell(const meta::Topic& topic, proto::DescribeTopicsReply::Topic& out) {
  out.set_name(topic.name);
  meta::to_proto(topic.id, out.mutable_topic_id());
  out.set_internal(topic.is_internal);
  for (const meta::Partition& partition : topic.partitions) {
    auto* told = out.add_partitions();
    told->set_leader(partition.leader.value());
    tell(partition.replicas, told->mutable_replicas());
    tell(partition.isr, told->mutable_isr());
    tell(partition.adding, told->mutable_adding());
    tell(partition.removing, told->mutable_removing());
  }
  tell(topic.configs, out);
}

}  // namespace

Decision<proto::DescribeTopicsReply> describe_topics(const proto::DescribeTopicsRequest& request,
                                                     const meta::Image& image) {
  Decision<proto::DescribeTopicsReply> out;
  if (request.all()) {
    for (const auto& [name, topic] : image.topics()) tell(*topic, *out.reply.add_topics());
    return out;
  }
  if (request.names_size() > kDescribedTopicsMax) {
    set_error(out.reply.mutable_error(),
              {ErrorCode::kPolicyViolation,
               "More than " + std::to_string(kDescribedTopicsMax) + " topics in one request."});
    return out;
  }
  for (const std::string& name : request.names()) {
    auto* told = out.reply.add_topics();
    if (const meta::Topic* topic = image.topic(name)) {
      tell(*topic, *told);
    } else {
      told->set_name(name);
      set_error(told->mutable_error(),
                {ErrorCode::kUnknownTopicOrPartition, "There is no topic '" + name + "'."});
    }
  }
  return out;
}

Decision<proto::DescribeClusterReply> describe_cluster(const proto::DescribeClusterRequest&,
                                                       const meta::Image& image) {
  struct Held {
    std::int32_t replicas = 0;
    std::int32_t leaders = 0;
  };
  std::map<base::BrokerId, Held> held;
  for (const auto& [name, topic] : image.topics()) {
    for (const meta::Partition& partition : topic->partitions) {
      for (base::BrokerId id : partition.replicas) ++held[id].replicas;
      ++held[partition.leader].leaders;
    }
  }
  Decision<proto::DescribeClusterReply> out;
  meta::to_proto(image.cluster_id(), out.reply.mutable_cluster_id());
  for (const auto& [id, broker] : image.brokers()) {
    auto* told = out.reply.add_brokers();
    told->set_id(id.value());
    told->set_rack(broker->rack);
    told->set_fenced(broker->fenced);
    told->set_shutting_down(broker->shutting_down);
    told->set_draining(broker->draining);
    told->set_replicas(held[id].replicas);
    told->set_leaders(held[id].leaders);
    told->set_epoch(broker->epoch.value());
  }
  tell(image.cluster_configs(), out.reply);
  for (const auto& [name, level] : image.features()) {
    auto* feature = out.reply.add_features();
    feature->set_name(name);
    feature->set_level(level);
  }
  return out;
}

}  // namespace controller::cluster

// What the tests of decisions share.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/meta/apply.h"
#include "controller/cluster/decide.h"

namespace controller::cluster {

using wire::ErrorCode;

// A cluster that applies what is decided, as the controller does.
class Decide : public testing::Test {
 protected:
  Decide() {
    apply(bootstrap({1, 1}));
    settings.config_rules.validate =
        [](proto::ConfigResource, const meta::Configs& configs) -> std::optional<std::string> {
      if (configs.contains("bad")) return "Unknown config bad";
      return std::nullopt;
    };
    settings.config_rules.is_list = [](auto, std::string_view key) { return key == "list"; };
    settings.config_rules.default_value = [this](auto, std::string_view key) {
      if (key == "min.insync.replicas") return min_isr;
      return key == "list" ? std::string("delete") : std::string();
    };
  }

  std::int64_t apply(const std::vector<proto::Record>& records) {
    proto::RecordBatch batch;
    for (const auto& each : records) *batch.add_records() = each;
    auto step = meta::apply_entry(image, base::Offset(++offset), 1, batch.SerializeAsString());
    EXPECT_TRUE(step.has_value()) << (step ? "" : step.error());
    image = step->image;
    return offset;
  }
  void add_broker(std::int32_t id, const std::string& rack = "") {
    proto::RegisterBrokerRequest request;
    request.set_broker_id(id);
    request.set_rack(rack);
    request.mutable_incarnation()->set_low(static_cast<std::uint64_t>(100 + id));
    auto* listener = request.add_listeners();
    listener->set_name("PLAINTEXT");
    listener->set_host("localhost");
    listener->set_port(9092);
    apply(register_broker(request, *image, settings).records);
  }
  // A new process of a broker that sends heartbeats, on the disk that it has or on another one
  // (`disks`); answers its epoch. It stays fenced.
  std::int64_t enroll(std::int32_t id, std::int64_t previous_epoch = -1,
                      const std::string& rack = "") {
    proto::RegisterBrokerRequest request;
    request.set_broker_id(id);
    request.set_rack(rack);
    request.set_heartbeats(true);
    request.set_previous_broker_epoch(previous_epoch);
    request.mutable_incarnation()->set_low(++incarnations);
    request.add_directory_ids()->set_low(disks[id] + 1);
    auto* listener = request.add_listeners();
    listener->set_name("PLAINTEXT");
    listener->set_host("localhost");
    listener->set_port(9092);
    return apply(register_broker(request, *image, settings).records);
  }
  proto::HeartbeatReply beat(std::int32_t id, bool want_shutdown = false,
                             const Sessions& sessions = {}) {
    proto::HeartbeatRequest request;
    request.set_broker_id(id);
    request.set_broker_epoch(epoch_of(id));
    request.set_metadata_offset(offset);
    request.set_want_shutdown(want_shutdown);
    auto decision = heartbeat(request, *image, settings, sessions);
    if (!decision.records.empty()) apply(decision.records);
    return decision.reply;
  }
  void boot(std::int32_t id, std::int64_t previous_epoch = -1, const std::string& rack = "") {
    enroll(id, previous_epoch, rack);
    EXPECT_FALSE(beat(id).fenced());
  }
  // As boot, after a clean end.
  void reboot(std::int32_t id) { boot(id, epoch_of(id)); }
  void fence(std::int32_t id, bool silent = false) {
    apply(fence_broker(base::BrokerId(id), silent, *image, settings));
  }
  std::int64_t epoch_of(std::int32_t id) const {
    return image->broker(base::BrokerId(id))->epoch.value();
  }
  const meta::Partition& partition(const std::string& topic = "t", std::int32_t index = 0) const {
    return *image->partition(topic, index);
  }
  // A topic whose partitions have these replicas.
  void create_on(const std::string& name, const std::vector<std::vector<std::int32_t>>& replicas) {
    proto::CreateTopicsRequest request;
    auto* topic = add_topic(request, name, -1, -1);
    for (std::size_t p = 0; p < replicas.size(); ++p) {
      auto* assignment = topic->add_assignments();
      assignment->set_partition(static_cast<std::int32_t>(p));
      for (std::int32_t id : replicas[p]) assignment->add_replicas(id);
    }
    EXPECT_EQ(create(request), ErrorCode::kNone) << last_message;
  }
  void set_config(const std::string& topic, const std::string& key, const std::string& value) {
    proto::IncrementalAlterConfigsRequest request;
    auto* resource = request.add_resources();
    resource->set_type(proto::CONFIG_RESOURCE_TOPIC);
    resource->set_name(topic);
    auto* config = resource->add_configs();
    config->set_key(key);
    config->set_value(value);
    apply(incremental_alter_configs(request, *image, settings).records);
  }
  // The leader of the partition wants this ISR, all epochs right.
  proto::AlterPartitionRequest isr_request(const std::vector<std::int32_t>& isr,
                                           const std::string& topic = "t",
                                           std::int32_t index = 0) const {
    const meta::Partition& now = partition(topic, index);
    proto::AlterPartitionRequest request;
    request.set_broker_id(now.leader.value());
    request.set_broker_epoch(epoch_of(now.leader.value()));
    auto* asked = request.add_partitions();
    meta::to_proto(image->topic(topic)->id, asked->mutable_topic_id());
    asked->set_partition(index);
    asked->set_leader_epoch(now.leader_epoch.value());
    asked->set_partition_epoch(now.partition_epoch);
    for (std::int32_t id : isr) {
      auto* member = asked->add_isr();
      member->set_broker_id(id);
      const meta::Broker* broker = image->broker(base::BrokerId(id));
      member->set_broker_epoch(broker ? broker->epoch.value() : 0);
    }
    return request;
  }
  ErrorCode alter_isr(const proto::AlterPartitionRequest& request) {
    auto decision = alter_partition(request, *image, settings);
    if (!decision.records.empty()) apply(decision.records);
    const auto& error =
        decision.reply.has_error() ? decision.reply.error() : decision.reply.partitions(0).error();
    last_message = error.message();
    return static_cast<ErrorCode>(error.code());
  }
  static std::vector<base::BrokerId> ids(const std::vector<std::int32_t>& values) {
    std::vector<base::BrokerId> out;
    for (std::int32_t value : values) out.push_back(base::BrokerId(value));
    return out;
  }
  static proto::CreateTopicsRequest create_request(const std::string& name, int partitions = 1,
                                                   int factor = -1) {
    proto::CreateTopicsRequest request;
    add_topic(request, name, partitions, factor);
    return request;
  }
  static proto::CreateTopicsRequest::Topic* add_topic(proto::CreateTopicsRequest& request,
                                                      const std::string& name, int partitions = 1,
                                                      int factor = -1) {
    auto* topic = request.add_topics();
    topic->set_name(name);
    topic->set_partitions(partitions);
    topic->set_replication_factor(factor);
    return topic;
  }
  // Decides, applies, and answers the code of the one topic.
  ErrorCode create(const proto::CreateTopicsRequest& request) {
    auto decision = create_topics(request, *image, settings, random);
    if (!decision.records.empty()) apply(decision.records);
    last_message = decision.reply.topics(0).error().message();
    return static_cast<ErrorCode>(decision.reply.topics(0).error().code());
  }

  meta::ImagePtr image = std::make_shared<const meta::Image>();
  std::int64_t offset = 0;
  Settings settings;
  base::Random random{3};
  std::string last_message;
  std::string min_isr = "2";
  std::uint64_t incarnations = 1000;
  std::map<std::int32_t, std::uint64_t> disks;  // a broker's; another number is another disk
};

}  // namespace controller::cluster

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
    settings.config_rules.default_value = [](auto, std::string_view key) {
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
};

}  // namespace controller::cluster

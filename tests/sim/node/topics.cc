#include "tests/sim/node/topics.h"

#include "common/wire/msg/create_topics_request.h"
#include "common/wire/msg/create_topics_response.h"
#include "common/wire/msg/delete_records_request.h"
#include "common/wire/msg/delete_records_response.h"
#include "common/wire/msg/delete_topics_request.h"
#include "common/wire/msg/delete_topics_response.h"
#include "common/wire/msg/find_coordinator_request.h"
#include "common/wire/msg/find_coordinator_response.h"
#include "common/wire/msg/list_offsets_request.h"
#include "common/wire/msg/list_offsets_response.h"
#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/produce_request.h"
#include "common/wire/msg/produce_response.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using wire::ErrorCode;

constexpr const char* kChurned = "again";

wire::CreateTopicsRequest::CreatableTopic creatable(const TopicSpec& spec) {
  wire::CreateTopicsRequest::CreatableTopic topic;
  topic.name = spec.name;
  topic.num_partitions = spec.partitions;
  topic.replication_factor = 1;
  for (const auto& [key, value] : spec.configs) topic.configs.push_back({key, value});
  return topic;
}

}  // namespace

Administrator::Administrator(Facts& facts, const std::string& name, std::vector<TopicSpec> topics)
    : facts_(facts),
      random_(facts.world.random(name)),
      client_(facts.world, facts.network, name),
      topics_(std::move(topics)) {}

void Administrator::create_all() {
  wire::CreateTopicsRequest request;
  request.timeout_ms = 2000;
  for (const TopicSpec& spec : topics_) request.topics.push_back(creatable(spec));
  client_.call<wire::CreateTopicsResponse>(request, 7, [this](const auto* response) {
    if (response == nullptr) {
      facts_.world.after(milliseconds(50), [this] { create_all(); });
      return;
    }
    bool all = true;
    for (const auto& topic : response->topics) {
      all = all && (topic.error_code == ErrorCode::kNone ||
                    topic.error_code == ErrorCode::kTopicAlreadyExists);
    }
    if (!all) {
      facts_.world.after(milliseconds(50), [this] { create_all(); });
      return;
    }
    look_whether_created();
  });
  // The first to ask makes the offsets topic.
  client_.call<wire::FindCoordinatorResponse>(wire::FindCoordinatorRequest{.key = "g"}, 3,
                                              [](const auto*) {});
}

void Administrator::look_whether_created() {
  wire::MetadataRequest request;
  for (const TopicSpec& spec : topics_) request.topics->push_back({.name = spec.name});
  request.allow_auto_topic_creation = false;
  client_.call<wire::MetadataResponse>(request, 10, [this](const auto* response) {
    bool all = response != nullptr;
    if (response != nullptr) {
      for (const auto& topic : response->topics) all = all && topic.error_code == ErrorCode::kNone;
    }
    if (all) {
      created_ = true;
    } else {
      facts_.world.after(milliseconds(50), [this] { look_whether_created(); });
    }
  });
}

void Administrator::start_meddling() {
  meddling_ = true;
  meddle();
}

void Administrator::meddle() {
  if (!meddling_) return;
  facts_.world.after(milliseconds(random_.between(2, 80)), [this] { meddle(); });
  if (!client_.idle()) return;
  const TopicSpec& spec = topics_[random_.below(topics_.size())];
  const auto partition = static_cast<std::int32_t>(random_.between(0, spec.partitions));
  switch (random_.below(8)) {
    case 0:
      return delete_records(spec.name, partition);
    case 1:
    case 2:
      return churn();
    default:
      return sample_offsets(spec.name, partition, random_.chance(1, 2));
  }
}

void Administrator::delete_records(const std::string& topic, std::int32_t partition) {
  const auto& bounds = facts_.history(topic, partition).bounds();
  if (bounds.high_watermark <= bounds.start) return;
  delete_records_to(topic, partition, random_.between(bounds.start, bounds.high_watermark + 1));
}

void Administrator::delete_records_to(const std::string& topic, std::int32_t partition,
                                      std::int64_t offset) {
  PartitionHistory& history = facts_.history(topic, partition);
  const auto bounds = history.bounds();
  history.asked_to_delete(offset);
  wire::DeleteRecordsRequest request;
  request.timeout_ms = 2000;
  auto& in = request.topics.emplace_back();
  in.name = topic;
  in.partitions.push_back({.partition_index = partition, .offset = offset});
  client_.call<wire::DeleteRecordsResponse>(
      request, 2, [this, &history, bounds, offset](const auto* response) {
        if (response == nullptr) return;
        const auto& result = response->topics.at(0).partitions.at(0);
        facts_.world.trace("delete records", wire::name(result.error_code));
        if (result.error_code == ErrorCode::kOffsetOutOfRange) {
          return facts_.wrong("an offset below the high watermark cannot be deleted");
        }
        if (result.error_code != ErrorCode::kNone) return;
        ++done_;
        if (result.low_watermark < offset) facts_.wrong("DeleteRecords did not reach its offset");
        history.start_is(result.low_watermark, bounds, "DeleteRecords");
      });
}

void Administrator::sample_offsets(const std::string& topic, std::int32_t partition, bool latest) {
  PartitionHistory& history = facts_.history(topic, partition);
  const auto bounds = history.bounds();
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& in = request.topics.emplace_back();
  in.name = topic;
  in.partitions.push_back({.partition_index = partition, .timestamp = latest ? -1 : -2});
  client_.call<wire::ListOffsetsResponse>(
      request, 5, [this, &history, bounds, latest](const auto* response) {
        if (response == nullptr) return;
        const auto& found = response->topics.at(0).partitions.at(0);
        if (found.error_code == ErrorCode::kKafkaStorageError) return;
        if (found.error_code != ErrorCode::kNone) {
          return facts_.wrong("ListOffsets answered with " +
                              std::string(wire::name(found.error_code)));
        }
        ++done_;
        if (latest) {
          history.high_watermark_is(found.offset, bounds, "ListOffsets");
        } else {
          history.start_is(found.offset, bounds, "ListOffsets");
        }
      });
}

// ---- the topic that comes and goes

void Administrator::churn() {
  wire::MetadataRequest request;
  request.topics->push_back({.name = kChurned});
  request.allow_auto_topic_creation = false;
  client_.call<wire::MetadataResponse>(request, 12, [this](const auto* response) {
    if (response != nullptr && meddling_) churn_found(*response);
  });
}

void Administrator::churn_found(const wire::MetadataResponse& response) {
  const auto& topic = response.topics.at(0);
  const bool exists = topic.error_code == ErrorCode::kNone;
  if (!exists && topic.error_code != ErrorCode::kUnknownTopicOrPartition &&
      topic.error_code != ErrorCode::kLeaderNotAvailable) {
    return facts_.wrong("Metadata answered with " + std::string(wire::name(topic.error_code)));
  }
  if (exists && deleted_.contains(topic.topic_id)) return facts_.wrong("a deleted topic is back");
  if (!current_.is_zero() && (!exists || topic.topic_id != current_)) {
    return facts_.wrong("a topic is gone");
  }
  if (!exists) return create_churned();
  if (random_.chance(1, 3)) return delete_churned(topic.topic_id);
  produce_to_churned(topic.topic_id);
}

void Administrator::create_churned() {
  wire::CreateTopicsRequest request;
  request.timeout_ms = 2000;
  request.topics.push_back(creatable({.name = kChurned, .partitions = 2, .configs = {}}));
  client_.call<wire::CreateTopicsResponse>(request, 7, [this](const auto* response) {
    if (response == nullptr || response->topics.at(0).error_code != ErrorCode::kNone) return;
    current_ = response->topics.at(0).topic_id;
    ++done_;
  });
}

void Administrator::delete_churned(const base::Uuid& id) {
  current_ = {};
  to_be_deleted_.insert(id);
  wire::DeleteTopicsRequest request;
  request.timeout_ms = 2000;
  request.topics.push_back({.name = std::nullopt, .topic_id = id});
  client_.call<wire::DeleteTopicsResponse>(request, 6, [this, id](const auto* response) {
    if (response == nullptr || response->responses.at(0).error_code != ErrorCode::kNone) return;
    deleted_.insert(id);
    ++done_;
  });
}

void Administrator::produce_to_churned(const base::Uuid& id) {
  PartitionHistory& history = facts_.history(id.to_string(), 0);
  const Value value = facts_.new_value();
  history.sent(value);
  const base::Bytes bytes = make_value_batch({value}, 1'700'000'000'000, 10);
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1500;
  auto& topic = request.topic_data.emplace_back();
  topic.topic_id = id;
  topic.partition_data.push_back({.index = 0, .records = wire::Records::of(bytes)});
  client_.call<wire::ProduceResponse>(
      request, 13, [this, &history, value, id](const auto* response) {
        if (response == nullptr) return;
        const auto& result = response->responses.at(0).partition_responses.at(0);
        facts_.world.trace("churned produce", wire::name(result.error_code));
        if (result.error_code == ErrorCode::kUnknownTopicId && current_ == id) {
          return facts_.wrong("a topic that was acknowledged is not known");
        }
        if (result.error_code == ErrorCode::kNone) history.acknowledged(value, result.base_offset);
      });
}

}  // namespace sim

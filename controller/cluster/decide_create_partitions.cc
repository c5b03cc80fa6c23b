#include <map>
#include <set>

#include "controller/cluster/decide.h"
#include "controller/cluster/topic_rules.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

Verdict<std::vector<proto::Record>> grow(const proto::CreatePartitionsRequest::Topic& request,
                                         const meta::Image& image, base::Random& random) {
  const meta::Topic* topic = image.topic(request.name());
  if (!topic) {
    return refuse(ErrorCode::kUnknownTopicOrPartition, "No such topic or partition is known.");
  }
  const auto have = static_cast<std::int32_t>(topic->partitions.size());
  if (request.count() == have) {
    return refuse(ErrorCode::kInvalidPartitions,
                  "Topic already has " + std::to_string(have) + " partition(s).");
  }
  if (request.count() < have) {
    return refuse(ErrorCode::kInvalidPartitions, "The topic " + request.name() + " currently has " +
                                                     std::to_string(have) + " partition(s); " +
                                                     std::to_string(request.count()) +
                                                     " would not be an increase.");
  }
  const auto added = static_cast<std::size_t>(request.count() - have);
  const std::size_t factor = topic->partitions.front().replicas.size();
  std::vector<Replicas> partitions;
  if (request.has_assignments()) {
    if (static_cast<std::size_t>(request.assignments_size()) != added) {
      return refuse(
          ErrorCode::kInvalidReplicaAssignment,
          "Attempted to add " + std::to_string(added) + " additional partition(s), but only " +
              std::to_string(request.assignments_size()) + " assignment(s) were specified.");
    }
    for (const auto& each : request.assignments()) {
      Replicas replicas;
      for (std::int32_t id : each.ids()) replicas.push_back(base::BrokerId(id));
      if (auto good = check_assignment(replicas, factor, image); !good) {
        return std::unexpected(good.error());
      }
      partitions.push_back(std::move(replicas));
    }
  } else {
    auto placed = place_replicas(added, factor, image, random);
    if (!placed) return std::unexpected(placed.error());
    partitions = std::move(*placed);
  }
  std::vector<proto::Record> records;
  std::int32_t index = have;
  for (const Replicas& replicas : partitions) {
    records.push_back(new_partition(topic->id, index++, replicas, image));
  }
  return records;
}

}  // namespace

Decision<proto::CreatePartitionsReply> create_partitions(
    const proto::CreatePartitionsRequest& request, const meta::Image& image, base::Random& random) {
  Decision<proto::CreatePartitionsReply> out;
  std::map<std::string, int> times;
  std::int64_t asked = 0;
  for (const auto& topic : request.topics()) {
    ++times[topic.name()];
    const meta::Topic* found = image.topic(topic.name());
    if (found) {
      asked += std::max<std::int64_t>(
          0, topic.count() - static_cast<std::int64_t>(found->partitions.size()));
    }
  }
  std::set<std::string> answered;
  for (const auto& topic : request.topics()) {
    if (!answered.insert(topic.name()).second) continue;
    auto* reply = out.reply.add_topics();
    reply->set_name(topic.name());
    if (times[topic.name()] > 1) {
      set_error(reply->mutable_error(), {ErrorCode::kInvalidRequest, "The topic is named twice."});
      continue;
    }
    if (asked > kPartitionsPerRequestMax) {
      set_error(reply->mutable_error(),
                {ErrorCode::kPolicyViolation, "One request may make no more partitions than " +
                                                  std::to_string(kPartitionsPerRequestMax) + "."});
      continue;
    }
    auto records = grow(topic, image, random);
    if (!records) {
      set_error(reply->mutable_error(), records.error());
    } else if (!request.validate_only()) {
      out.records.insert(out.records.end(), records->begin(), records->end());
    }
  }
  return out;
}

}  // namespace controller::cluster

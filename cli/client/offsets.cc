#include "cli/client/offsets.h"

#include <fmt/format.h>

#include <map>

#include "cli/client/interrupt.h"
#include "common/wire/msg/list_offsets_request.h"
#include "common/wire/msg/list_offsets_response.h"

namespace cli {
namespace {

// Indexes of queries by the leader of their partition.
using ByLeader = std::map<std::int32_t, std::vector<std::size_t>>;
using Answers = std::vector<std::optional<std::optional<std::int64_t>>>;

struct Asking {
  Cluster& cluster;
  const TopicInfo& topic;
  const std::vector<OffsetQuery>& queries;
  bool read_committed;

  Try<wire::ListOffsetsResponse> ask(std::int32_t leader, const std::vector<std::size_t>& indexes,
                                     Deadline until) {
    auto connection = cluster.connect(Target::broker_id(leader), until);
    if (!connection) return std::unexpected(connection.error());
    wire::ListOffsetsRequest request;
    request.replica_id = -1;
    request.isolation_level = read_committed ? 1 : 0;
    request.timeout_ms = cluster.timeout_ms();
    auto& asked = request.topics.emplace_back();
    asked.name = topic.name;
    for (std::size_t index : indexes) {
      asked.partitions.push_back(
          {.partition_index = queries[index].partition, .timestamp = queries[index].timestamp});
    }
    auto reply = Cluster::exchange<wire::ListOffsetsResponse>(**connection, request, until);
    if (!reply) return std::unexpected(reply.error());
    return std::move(reply->body);
  }

  // Fills what the leaders answer; returns the first trouble.
  std::optional<Trouble> fill(Answers& answers, Deadline until) {
    std::optional<Trouble> first;
    auto note = [&](Trouble trouble) {
      if (!first || (first->retriable && !trouble.retriable)) first = std::move(trouble);
    };
    ByLeader by_leader;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      if (answers[i]) continue;
      auto partition = static_cast<std::size_t>(queries[i].partition);
      if (partition >= topic.partitions.size()) {
        return refusal(name_of(i), wire::ErrorCode::kUnknownTopicOrPartition);
      }
      std::int32_t leader = topic.partitions[partition].leader;
      if (leader < 0) {
        note(refusal(name_of(i), wire::ErrorCode::kLeaderNotAvailable));
      } else {
        by_leader[leader].push_back(i);
      }
    }
    for (const auto& [leader, indexes] : by_leader) {
      auto response = ask(leader, indexes, until);
      if (!response) {
        note(response.error());
      } else {
        take(*response, indexes, answers, note);
      }
    }
    return first;
  }

  template <class Note>
  void take(const wire::ListOffsetsResponse& response, const std::vector<std::size_t>& indexes,
            Answers& answers, Note note) {
    for (const auto& answered : response.topics) {
      for (const auto& partition : answered.partitions) {
        for (std::size_t index : indexes) {
          if (queries[index].partition != partition.partition_index) continue;
          if (partition.error_code != wire::ErrorCode::kNone) {
            note(refusal(name_of(index), partition.error_code));
          } else {
            answers[index] = partition.offset < 0 ? std::optional<std::int64_t>()
                                                  : std::optional(partition.offset);
          }
        }
      }
    }
    for (std::size_t index : indexes) {
      if (!answers[index]) {
        note({fmt::format("{}: the broker did not answer about it", name_of(index)), {}, true});
      }
    }
  }

  std::string name_of(std::size_t index) const {
    return fmt::format("partition {}-{}", topic.name, queries[index].partition);
  }
};

}  // namespace

std::vector<std::optional<std::int64_t>> list_offsets(Cluster& cluster, TopicInfo topic,
                                                      const std::vector<OffsetQuery>& queries,
                                                      bool read_committed) {
  Answers answers(queries.size());
  bool stale = false;
  cluster.retry(cluster.deadline(), [&](Deadline until) -> Try<bool> {
    if (stale) {
      auto fresh = cluster.try_topic(topic.name, false, until);
      if (!fresh) return std::unexpected(fresh.error());
      topic = std::move(*fresh);
    }
    stale = true;
    Asking asking{cluster, topic, queries, read_committed};
    if (auto trouble = asking.fill(answers, until)) return std::unexpected(std::move(*trouble));
    return true;
  });
  std::vector<std::optional<std::int64_t>> offsets;
  for (const auto& answer : answers) offsets.push_back(answer.value_or(std::nullopt));
  return offsets;
}

std::vector<std::optional<std::int64_t>> list_offsets_leniently(Cluster& cluster,
                                                                const TopicInfo& topic,
                                                                std::int64_t timestamp) {
  std::vector<OffsetQuery> queries;
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    queries.push_back({static_cast<std::int32_t>(i), timestamp});
  }
  Answers answers(queries.size());
  Asking asking{cluster, topic, queries, false};
  Deadline until = cluster.deadline().within(std::chrono::milliseconds(5000));
  // A leader that was just elected may not know it yet.
  for (int attempt = 0; attempt < 4; ++attempt) {
    auto trouble = asking.fill(answers, until);
    if (!trouble || !trouble->retriable || trouble->code == wire::ErrorCode::kLeaderNotAvailable) {
      break;
    }
    pause_for(std::chrono::milliseconds(50));
  }
  std::vector<std::optional<std::int64_t>> offsets;
  for (const auto& answer : answers) offsets.push_back(answer.value_or(std::nullopt));
  return offsets;
}

}  // namespace cli

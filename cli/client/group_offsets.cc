#include "cli/client/group_offsets.h"

#include <fmt/format.h>

#include "common/wire/msg/offset_commit_request.h"
#include "common/wire/msg/offset_commit_response.h"
#include "common/wire/msg/offset_fetch_request.h"
#include "common/wire/msg/offset_fetch_response.h"

namespace cli {
namespace {

using Committed = std::map<TopicPartition, CommittedOffset>;

// From version 10 on answers name topics by id alone; names are what people read.
constexpr Versions kFetchVersions{.min = 2, .max = 9};
constexpr Versions kCommitVersions{.min = 2, .max = 9};

template <class Topics>
std::optional<Trouble> collect(const Topics& topics, Committed& committed) {
  for (const auto& topic : topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != wire::ErrorCode::kNone) {
        return refusal(fmt::format("partition {}-{}", topic.name, partition.partition_index),
                       partition.error_code);
      }
      if (partition.committed_offset < 0) continue;
      committed[{topic.name, partition.partition_index}] = {partition.committed_offset,
                                                            partition.committed_leader_epoch,
                                                            partition.metadata.value_or("")};
    }
  }
  return std::nullopt;
}

std::optional<Trouble> collect_all(const std::string& group,
                                   const wire::OffsetFetchResponse& response,
                                   Committed& committed) {
  committed.clear();
  auto code = response.error_code;
  if (!response.groups.empty()) code = response.groups.front().error_code;
  if (code != wire::ErrorCode::kNone) return refusal("group " + group, code);
  if (response.groups.empty()) return collect(response.topics, committed);
  return collect(response.groups.front().topics, committed);
}

}  // namespace

std::map<TopicPartition, CommittedOffset> fetch_committed(Cluster& cluster,
                                                          const std::string& group, bool stable) {
  wire::OffsetFetchRequest request;
  request.group_id = group;
  request.topics.reset();
  request.groups.emplace_back().group_id = group;
  request.groups.back().topics.reset();
  request.require_stable = stable;
  Committed committed;
  cluster.call<wire::OffsetFetchResponse>(
      Target::coordinator(group), request,
      [&](const wire::OffsetFetchResponse& response) {
        return collect_all(group, response, committed);
      },
      kFetchVersions);
  return committed;
}

std::optional<Trouble> commit_offsets(Cluster& cluster, const Committer& who,
                                      const std::map<TopicPartition, std::int64_t>& offsets,
                                      Deadline deadline) {
  if (offsets.empty()) return std::nullopt;
  Target target = Target::coordinator(who.group);
  auto connection = cluster.connect(target, deadline);
  if (!connection) return connection.error();
  wire::OffsetCommitRequest request;
  request.group_id = who.group;
  request.generation_id_or_member_epoch = who.generation;
  request.member_id = who.member_id;
  for (const auto& [where, offset] : offsets) {
    if (request.topics.empty() || request.topics.back().name != where.first) {
      request.topics.emplace_back().name = where.first;
    }
    request.topics.back().partitions.push_back({.partition_index = where.second,
                                                .committed_offset = offset,
                                                .committed_leader_epoch = -1,
                                                .committed_metadata = ""});
  }
  auto reply = Cluster::exchange<wire::OffsetCommitResponse>(**connection, request, deadline,
                                                             kCommitVersions);
  if (!reply) return reply.error();
  for (const auto& topic : reply->body.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code == wire::ErrorCode::kNone) continue;
      Trouble trouble = refusal(fmt::format("group {}: commit of {}-{}", who.group, topic.name,
                                            partition.partition_index),
                                partition.error_code);
      cluster.forget_after(target, trouble);
      return trouble;
    }
  }
  return std::nullopt;
}

}  // namespace cli

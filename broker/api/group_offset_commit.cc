// OffsetCommit 2-10. Topics that do not exist are answered here, the rest by the coordinator.
// Version 10 names topics by id.
#include <algorithm>
#include <utility>

#include "broker/api/group_ask.h"
#include "broker/api/handlers.h"
#include "common/wire/msg/offset_commit_request.h"
#include "common/wire/msg/offset_commit_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

constexpr std::int16_t kTopicIdSince = 10;
// A longer retention than this is for ever.
constexpr std::int64_t kRetentionMsMax = 100LL * 365 * 24 * 3600 * 1000;

// Where in the response the coordinator's answers go, in their order.
struct Slot {
  std::size_t topic = 0;
  std::size_t partition = 0;
};

struct Sorted {
  group::CommitOffsets commit;
  std::vector<Slot> slots;
  wire::OffsetCommitResponse response;
};

Sorted sort_out(const meta::Image& image, const wire::OffsetCommitRequest& request,
                std::int16_t version) {
  Sorted out;
  const bool by_id = version >= kTopicIdSince;
  for (const auto& topic : request.topics) {
    const meta::Topic* known = by_id ? image.topic(topic.topic_id) : image.topic(topic.name);
    auto& out_topic = out.response.topics.emplace_back();
    out_topic.name = topic.name;
    out_topic.topic_id = topic.topic_id;
    for (const auto& partition : topic.partitions) {
      const std::int32_t index = partition.partition_index;
      auto& answer = out_topic.partitions.emplace_back();
      answer.partition_index = index;
      if (known == nullptr && by_id) {
        answer.error_code = ErrorCode::kUnknownTopicId;
      } else if (known == nullptr || index < 0 ||
                 static_cast<std::size_t>(index) >= known->partitions.size()) {
        answer.error_code = ErrorCode::kUnknownTopicOrPartition;
      } else {
        out.slots.push_back({out.response.topics.size() - 1, out_topic.partitions.size() - 1});
        out.commit.partitions.push_back({.at = {known->name, index},
                                         .topic_id = known->id,
                                         .offset = partition.committed_offset,
                                         .leader_epoch = partition.committed_leader_epoch,
                                         .metadata = partition.committed_metadata.value_or("")});
      }
    }
  }
  return out;
}

void fill_in(Sorted& sorted, const GroupAnswer& answer) {
  for (std::size_t i = 0; i < sorted.slots.size(); ++i) {
    const Slot& slot = sorted.slots[i];
    sorted.response.topics[slot.topic].partitions[slot.partition].error_code =
        answer ? std::get<group::OffsetsCommitted>(*answer).partitions[i].error : answer.error();
  }
}

}  // namespace

void offset_commit(Context& context, const wire::OffsetCommitRequest& request,
                   Reply<wire::OffsetCommitResponse> reply) {
  Sorted sorted = sort_out(*context.node.image(), request, context.version);
  if (sorted.slots.empty()) return reply(sorted.response);
  group::CommitOffsets commit = std::move(sorted.commit);
  commit.group_id = request.group_id;
  commit.generation = request.generation_id_or_member_epoch;
  commit.member_id = request.member_id;
  commit.instance_id = request.group_instance_id;
  if (request.retention_time_ms >= 0) {
    commit.retention =
        std::chrono::milliseconds(std::min(request.retention_time_ms, kRetentionMsMax));
  }
  context.node.groups->ask(
      request.group_id, group_caller(context), std::move(commit),
      [reply = std::move(reply), sorted = std::move(sorted)](GroupAnswer answer) mutable {
        fill_in(sorted, answer);
        reply(sorted.response);
      });
}

}  // namespace broker::api

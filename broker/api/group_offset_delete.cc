// OffsetDelete 0 (KIP-496). Topics that do not exist are answered here.
#include <utility>

#include "broker/api/group_ask.h"
#include "broker/api/handlers.h"
#include "common/wire/msg/offset_delete_request.h"
#include "common/wire/msg/offset_delete_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

// The answers come for the partitions that have no error yet, in their order.
void fill_in(wire::OffsetDeleteResponse& response, const group::OffsetsDeleted& deleted) {
  response.error_code = deleted.error;
  if (deleted.error != ErrorCode::kNone) {
    response.topics.clear();
    return;
  }
  std::size_t next = 0;
  for (auto& topic : response.topics) {
    for (auto& partition : topic.partitions) {
      if (partition.error_code != ErrorCode::kNone) continue;
      partition.error_code = deleted.partitions[next++].error;
    }
  }
}

}  // namespace

void offset_delete(Context& context, const wire::OffsetDeleteRequest& request,
                   Reply<wire::OffsetDeleteResponse> reply) {
  const auto image = context.node.image();
  wire::OffsetDeleteResponse response;
  group::DeleteOffsets remove{.group_id = request.group_id, .partitions = {}};
  for (const auto& topic : request.topics) {
    const bool is_known = image->topic(topic.name) != nullptr;
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& partition : topic.partitions) {
      out.partitions.push_back(
          {.partition_index = partition.partition_index,
           .error_code = is_known ? ErrorCode::kNone : ErrorCode::kUnknownTopicOrPartition});
      if (is_known) remove.partitions.push_back({topic.name, partition.partition_index});
    }
  }
  if (remove.partitions.empty() && !response.topics.empty()) return reply(response);
  context.node.groups->ask(
      request.group_id, group_caller(context), std::move(remove),
      [reply = std::move(reply), response = std::move(response)](GroupAnswer answer) mutable {
        fill_in(response, answer
                              ? std::get<group::OffsetsDeleted>(*answer)
                              : group::OffsetsDeleted{.error = answer.error(), .partitions = {}});
        reply(response);
      });
}

}  // namespace broker::api

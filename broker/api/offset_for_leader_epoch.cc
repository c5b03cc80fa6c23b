// OffsetForLeaderEpoch, versions 2-4 (KIP-101, KIP-320): where the log of a leader epoch ends here.
#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "common/wire/msg/offset_for_leader_epoch_request.h"
#include "common/wire/msg/offset_for_leader_epoch_response.h"

namespace broker::api {

void offset_for_leader_epoch(Context& context, const wire::OffsetForLeaderEpochRequest& request,
                             Reply<wire::OffsetForLeaderEpochResponse> reply) {
  const auto table = context.node.partitions->snapshot();
  wire::OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& out_topic = response.topics.emplace_back();
    out_topic.topic = topic.topic;
    for (const auto& asked : topic.partitions) {
      auto& out = out_topic.partitions.emplace_back();
      out.partition = asked.partition;
      auto [partition, error] = find_partition(*table, topic.topic, asked.partition);
      if (partition != nullptr) {
        error = check_leader(partition->bounds(), asked.current_leader_epoch);
      }
      out.error_code = error;
      if (error != wire::ErrorCode::kNone) continue;
      const auto end = partition->end_of_epoch(base::LeaderEpoch(asked.leader_epoch));
      if (!end) continue;
      out.leader_epoch = end->leader_epoch.value();
      out.end_offset = end->start.value();
    }
  }
  reply(response);
}

}  // namespace broker::api

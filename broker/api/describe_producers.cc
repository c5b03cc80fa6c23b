// DescribeProducers, version 0 (KIP-664): the idempotent producers that a partition remembers.
#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "common/wire/msg/describe_producers_request.h"
#include "common/wire/msg/describe_producers_response.h"

namespace broker::api {

void describe_producers(Context& context, const wire::DescribeProducersRequest& request,
                        Reply<wire::DescribeProducersResponse> reply) {
  const auto table = context.node.partitions->snapshot();
  wire::DescribeProducersResponse response;
  for (const auto& topic : request.topics) {
    auto& out_topic = response.topics.emplace_back();
    out_topic.name = topic.name;
    for (const std::int32_t index : topic.partition_indexes) {
      auto& out = out_topic.partitions.emplace_back();
      out.partition_index = index;
      auto [partition, error] = find_partition(*table, topic.name, index);
      if (partition != nullptr) error = check_leader(partition->bounds());
      out.error_code = error;
      if (error != wire::ErrorCode::kNone) continue;
      partition->with_log([&](Log& log) {
        log.producers().for_each([&](const ProducerEntry& entry) {
          auto& state = out.active_producers.emplace_back();
          state.producer_id = entry.producer_id.value();
          state.producer_epoch = entry.producer_epoch.value();
          state.last_sequence = entry.last_sequence();
          state.last_timestamp = entry.last_timestamp;
          state.coordinator_epoch = entry.coordinator_epoch;
          if (entry.current_txn_first_offset) {
            state.current_txn_start_offset = entry.current_txn_first_offset->value();
          }
        });
      });
    }
  }
  reply(response);
}

}  // namespace broker::api

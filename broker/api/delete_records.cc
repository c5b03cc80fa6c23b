// DeleteRecords, versions 0-2 (KIP-107): moves the start of partitions; offset -1 means the high
// watermark. The answer comes when the new start survives a crash.
#include <memory>

#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/delete_records_request.h"
#include "common/wire/msg/delete_records_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

constexpr std::int64_t kInvalidLowWatermark = -1;

// The answer while its partitions are at work.
struct Gathering {
  wire::DeleteRecordsResponse response;
  Reply<wire::DeleteRecordsResponse> reply;
  std::size_t missing = 0;

  void done() {
    if (--missing == 0) reply(response);
  }
};

}  // namespace

void delete_records(Context& context, const wire::DeleteRecordsRequest& request,
                    Reply<wire::DeleteRecordsResponse> reply) {
  const auto table = context.node.partitions->snapshot();
  auto gathering = std::make_shared<Gathering>(
      Gathering{.response = {}, .reply = std::move(reply), .missing = 1});
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    const auto& topic = request.topics[t];
    auto& out_topic = gathering->response.topics.emplace_back();
    out_topic.name = topic.name;
    for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
      const auto& asked = topic.partitions[p];
      auto& out = out_topic.partitions.emplace_back();
      out.partition_index = asked.partition_index;
      out.low_watermark = kInvalidLowWatermark;
      if (meta::is_internal_topic(topic.name)) {
        out.error_code = ErrorCode::kInvalidTopicException;
        continue;
      }
      auto [partition, error] = find_partition(*table, topic.name, asked.partition_index);
      if (partition != nullptr) error = check_leader(partition->bounds());
      if (error == ErrorCode::kNone) {
        const auto config = partition->config();
        if (config->compacts && !config->deletes) error = ErrorCode::kPolicyViolation;
        if (asked.offset < -1) error = ErrorCode::kOffsetOutOfRange;
      }
      out.error_code = error;
      if (error != ErrorCode::kNone) continue;
      ++gathering->missing;
      context.node.hosting->delete_records(
          partition, asked.offset == -1 ? std::nullopt : std::optional(base::Offset(asked.offset)),
          context.reactor.executor, [gathering, t, p](ErrorCode failed, base::Offset start) {
            auto& result = gathering->response.topics[t].partitions[p];
            result.error_code = failed;
            if (failed == ErrorCode::kNone) result.low_watermark = start.value();
            gathering->done();
          });
    }
  }
  gathering->done();
}

}  // namespace broker::api

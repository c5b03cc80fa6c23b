// WriteTxnMarkers 1-2: a coordinator ends transactions in partitions of ours; also how tools end
// one that hangs.
#include <memory>
#include <utility>

#include "broker/api/txn_handlers.h"
#include "broker/node/txn_markers.h"

namespace broker::api {

using wire::ErrorCode;

namespace {

struct Pending {
  Reply<wire::WriteTxnMarkersResponse> reply;
  wire::WriteTxnMarkersResponse response;
  std::size_t missing = 1;
  void one_done() {
    if (--missing == 0) reply(response);
  }
};

}  // namespace

void write_txn_markers(Context& context, const wire::WriteTxnMarkersRequest& request,
                       Reply<wire::WriteTxnMarkersResponse> reply) {
  auto all = std::make_shared<Pending>(Pending{.reply = std::move(reply), .response = {}});
  for (const auto& asked : request.markers) {
    auto& marker = all->response.markers.emplace_back();
    marker.producer_id = asked.producer_id;
    for (const auto& topic : asked.topics) {
      auto& out = marker.topics.emplace_back();
      out.name = topic.name;
      for (const std::int32_t partition : topic.partition_indexes) {
        out.partitions.push_back({.partition_index = partition});
      }
    }
  }
  // The response keeps its shape from here on: what was filled in stays where it is.
  for (std::size_t m = 0; m < request.markers.size(); ++m) {
    const auto& asked = request.markers[m];
    const TxnMarker marker{.producer = producer_of(asked.producer_id, asked.producer_epoch),
                           .commit = asked.transaction_result,
                           .coordinator_epoch = asked.coordinator_epoch,
                           .transaction_version = asked.transaction_version};
    for (auto& topic : all->response.markers[m].topics) {
      for (auto& partition : topic.partitions) {
        ++all->missing;
        write_marker(context.node, {topic.name, partition.partition_index}, marker,
                     context.reactor.executor, [all, to = &partition.error_code](ErrorCode error) {
                       *to = error;
                       all->one_done();
                     });
      }
    }
  }
  all->one_done();
}

}  // namespace broker::api

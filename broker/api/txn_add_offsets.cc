// AddOffsetsToTxn 0-4: a transaction will commit offsets of a group.
#include <utility>

#include "broker/api/txn_handlers.h"
#include "broker/group/partition_of.h"
#include "broker/node/coordinator.h"

namespace broker::api {

using wire::ErrorCode;

namespace {

constexpr std::int16_t kProducerFencedSince = 2;

}  // namespace

void add_offsets_to_txn(Context& context, const wire::AddOffsetsToTxnRequest& request,
                        Reply<wire::AddOffsetsToTxnResponse> reply) {
  const auto image = context.node.image();
  const meta::Topic* topic = image->topic(kOffsetsTopic);
  wire::AddOffsetsToTxnResponse response;
  if (topic == nullptr) {  // nobody has asked for the group's coordinator yet: try again
    context.node.groups->find(
        request.group_id, context.reactor.executor,
        [reply = std::move(reply), response](const GroupCoordinators::Place&) mutable {
          response.error_code = ErrorCode::kCoordinatorLoadInProgress;
          reply(response);
        });
    return;
  }
  const std::int32_t partition =
      group::partition_of(request.group_id, static_cast<std::int32_t>(topic->partitions.size()));
  context.node.transactions->ask(
      request.transactional_id,
      txn::AddPartitions{.id = request.transactional_id,
                         .producer = producer_of(request.producer_id, request.producer_epoch),
                         .partitions = {{std::string(kOffsetsTopic), partition}}},
      context.reactor.executor, [reply = std::move(reply), response](TxnAnswer answer) mutable {
        const ErrorCode error =
            answer ? std::get<txn::PartitionsAnswer>(*answer).error : answer.error();
        response.error_code = fencing_error(error, reply.version() >= kProducerFencedSince);
        reply(response);
      });
}

}  // namespace broker::api

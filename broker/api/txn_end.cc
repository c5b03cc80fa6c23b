// EndTxn 0-5. Since version 5 every transaction has its own epoch: the answer brings the next one.
#include <utility>

#include "broker/api/txn_handlers.h"

namespace broker::api {

using wire::ErrorCode;

namespace {

constexpr std::int16_t kProducerFencedSince = 2;
constexpr std::int16_t kNewEpochSince = 5;

}  // namespace

void end_txn(Context& context, const wire::EndTxnRequest& request,
             Reply<wire::EndTxnResponse> reply) {
  const std::int16_t client_version = context.version >= kNewEpochSince ? 2 : 0;
  context.node.transactions->ask(
      request.transactional_id,
      txn::EndTransaction{.id = request.transactional_id,
                          .producer = producer_of(request.producer_id, request.producer_epoch),
                          .commit = request.committed,
                          .client_version = client_version},
      context.reactor.executor, [reply = std::move(reply)](TxnAnswer answer) mutable {
        wire::EndTxnResponse response;
        response.error_code =
            answer ? std::get<txn::ProducerAnswer>(*answer).error : answer.error();
        if (response.error_code == ErrorCode::kNone && reply.version() >= kNewEpochSince) {
          const txn::Producer next = std::get<txn::ProducerAnswer>(*answer).producer;
          response.producer_id = next.id.value();
          response.producer_epoch = next.epoch.value();
        }
        response.error_code =
            fencing_error(response.error_code, reply.version() >= kProducerFencedSince);
        reply(response);
      });
}

}  // namespace broker::api

// InitProducerId, versions 0-5: ids for idempotent producers, and the owner of a transactional id.
#include "broker/api/handlers.h"
#include "broker/api/txn_handlers.h"
#include "broker/node/producer_ids.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"

namespace broker::api {

using wire::ErrorCode;

namespace {

constexpr std::int16_t kProducerFencedSince = 4;

void init_transactional(Context& context, const wire::InitProducerIdRequest& request,
                        Reply<wire::InitProducerIdResponse> reply) {
  txn::InitProducer asked{.id = *request.transactional_id,
                          .timeout_ms = request.transaction_timeout_ms,
                          .expected = {}};
  wire::InitProducerIdResponse refused;
  refused.producer_epoch = -1;
  const bool has_id = request.producer_id != -1;
  if (has_id != (request.producer_epoch != -1) || asked.id.empty()) {
    refused.error_code = ErrorCode::kInvalidRequest;
    return reply(refused);
  }
  if (has_id) asked.expected = producer_of(request.producer_id, request.producer_epoch);
  const std::string id = asked.id;
  context.node.transactions->ask(
      id, std::move(asked), context.reactor.executor,
      [refused, reply = std::move(reply)](TxnAnswer answer) mutable {
        wire::InitProducerIdResponse response = refused;
        response.error_code =
            answer ? std::get<txn::ProducerAnswer>(*answer).error : answer.error();
        if (response.error_code == ErrorCode::kNone) {
          const txn::Producer producer = std::get<txn::ProducerAnswer>(*answer).producer;
          response.producer_id = producer.id.value();
          response.producer_epoch = producer.epoch.value();
        }
        response.error_code =
            fencing_error(response.error_code, reply.version() >= kProducerFencedSince);
        reply(response);
      });
}

}  // namespace

void init_producer_id(Context& context, const wire::InitProducerIdRequest& request,
                      Reply<wire::InitProducerIdResponse> reply) {
  if (request.transactional_id) return init_transactional(context, request, std::move(reply));
  wire::InitProducerIdResponse response;
  response.producer_epoch = -1;
  // A client that lost its sequence comes with its old id: as in Kafka it simply gets a new one.
  context.node.producer_ids->next(
      context.reactor.executor,
      [response, reply = std::move(reply)](std::expected<base::ProducerId, ErrorCode> id) mutable {
        if (id) {
          response.producer_id = id->value();
          response.producer_epoch = 0;
        } else {
          response.error_code = id.error();
        }
        reply(response);
      });
}

}  // namespace broker::api

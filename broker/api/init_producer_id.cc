// InitProducerId, versions 0-5: ids for idempotent producers. Transactional ids are refused as a
// broker without a transaction coordinator would: there is none in this release.
#include "broker/api/handlers.h"
#include "broker/node/producer_ids.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"

namespace broker::api {

using wire::ErrorCode;

void init_producer_id(Context& context, const wire::InitProducerIdRequest& request,
                      Reply<wire::InitProducerIdResponse> reply) {
  wire::InitProducerIdResponse response;
  response.producer_epoch = -1;
  if (request.transactional_id) {
    response.error_code = request.transactional_id->empty() ? ErrorCode::kInvalidRequest
                                                            : ErrorCode::kCoordinatorNotAvailable;
    return reply(response);
  }
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

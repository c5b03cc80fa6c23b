// UnregisterBroker, version 0 (KIP-500): a broker that is gone for good is forgotten.
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/unregister_broker_request.h"
#include "common/wire/msg/unregister_broker_response.h"

namespace broker::api {

void unregister_broker(Context& context, const wire::UnregisterBrokerRequest& request,
                       Reply<wire::UnregisterBrokerResponse> reply) {
  constexpr std::int32_t kTimeoutMs = 60'000;
  proto::UnregisterBrokerRequest call;
  call.set_broker_id(request.broker_id);
  Node& node = context.node;
  io::Executor& home = context.reactor.executor;
  node.controller->unregister_broker(
      call, timeout_of(kTimeoutMs), home,
      [&node, &home, reply = std::move(reply)](
          std::expected<proto::UnregisterBrokerReply, CallError> made) mutable {
        wire::UnregisterBrokerResponse response;
        const CallError failed = whole_error(made);
        if (failed.code != wire::ErrorCode::kNone) {
          response.error_code = failed.code;
          response.error_message = failed.message;
          return reply(response);
        }
        node.hosting->when_applied(base::Offset(made->offset()), home,
                                   [response = std::move(response),
                                    reply = std::move(reply)]() mutable { reply(response); });
      });
}

}  // namespace broker::api

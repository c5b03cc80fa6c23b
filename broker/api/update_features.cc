// UpdateFeatures, versions 0-2 (KIP-584): all of the request or nothing.
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/update_features_request.h"
#include "common/wire/msg/update_features_response.h"

namespace broker::api {

using wire::ErrorCode;

void update_features(Context& context, const wire::UpdateFeaturesRequest& request,
                     Reply<wire::UpdateFeaturesResponse> reply) {
  constexpr std::int8_t kUpgrade = 1;
  constexpr std::int8_t kUnsafeDowngrade = 3;
  proto::UpdateFeaturesRequest call;
  call.set_validate_only(request.validate_only);
  for (const auto& update : request.feature_updates) {
    auto* each = call.add_features();
    each->set_name(update.feature);
    each->set_level(update.max_version_level);
    each->set_upgrade_type(context.version >= 1     ? update.upgrade_type
                           : update.allow_downgrade ? kUnsafeDowngrade
                                                    : kUpgrade);
  }
  Node& node = context.node;
  io::Executor& home = context.reactor.executor;
  node.controller->update_features(
      call, timeout_of(request.timeout_ms), home,
      [&node, &home, version = context.version, reply = std::move(reply)](
          std::expected<proto::UpdateFeaturesReply, CallError> made) mutable {
        wire::UpdateFeaturesResponse response;
        const CallError failed = whole_error(made);
        if (failed.code != ErrorCode::kNone) {
          response.error_code = failed.code;
          response.error_message = failed.message;
          return reply(response);
        }
        for (const auto& feature : made->features()) {
          auto& out = response.results.emplace_back();
          out.feature = feature.name();
          set_error(feature.error(), out.error_code, out.error_message);
          // Version 2 has only one error for all.
          if (version >= 2 && out.error_code != ErrorCode::kNone &&
              response.error_code == ErrorCode::kNone) {
            response.error_code = out.error_code;
            response.error_message = out.feature + ": " + out.error_message.value_or("");
          }
        }
        node.hosting->when_applied(base::Offset(made->offset()), home,
                                   [response = std::move(response),
                                    reply = std::move(reply)]() mutable { reply(response); });
      });
}

}  // namespace broker::api

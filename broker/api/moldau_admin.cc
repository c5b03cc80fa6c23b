// Moldau Admin, version 0, an API of our own that is not advertised: passes a call of service Admin
// (proto/controller.proto) on to the active controller, so that one broker's address is all that
// people and scripts need. Why: docs/decisions/0010-admin-over-kafka.md.
#include <algorithm>
#include <iterator>

#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "common/wire/msg/moldau_admin_request.h"
#include "common/wire/msg/moldau_admin_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

// What Kafka's own protocol has no word for, or fewer words than people need.
constexpr std::string_view kMethods[] = {
    "Admin/AddVoter",
    "Admin/AlterPartitionReassignments",
    "Admin/ClusterHealth",
    "Admin/DescribeQuorum",
    "Admin/DrainBroker",
    "Admin/ElectLeaders",
    "Admin/ListPartitionReassignments",
    "Admin/MayRestart",
    "Admin/Rebalance",
    "Admin/RemoveVoter",
    "Admin/ResumeBroker",
    "Admin/UnregisterBroker",
};

}  // namespace

void moldau_admin(Context& context, const wire::MoldauAdminRequest& request,
                  Reply<wire::MoldauAdminResponse> reply) {
  wire::MoldauAdminResponse response;
  if (std::ranges::find(kMethods, request.method) == std::end(kMethods)) {
    response.error_code = ErrorCode::kUnsupportedVersion;
    response.error_message = "no method " + request.method;
    return reply(response);
  }
  context.node.controller->forward(
      request.method, std::string(base::as_text(request.payload)), timeout_of(request.timeout_ms),
      context.reactor.executor,
      [reply = std::move(reply)](std::expected<std::string, CallError> answer) mutable {
        wire::MoldauAdminResponse out;
        if (answer) {
          const auto bytes = base::as_bytes(*answer);
          out.payload.assign(bytes.begin(), bytes.end());
        } else {
          out.error_code = answer.error().code;
          out.error_message = answer.error().message;
        }
        reply(out);
      });
}

}  // namespace broker::api

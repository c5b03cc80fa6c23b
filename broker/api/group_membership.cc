// JoinGroup 0-9, SyncGroup 0-5, Heartbeat 0-4, LeaveGroup 0-5: handed to the group's coordinator as
// they are. The rules are in broker/group.
#include <utility>

#include "broker/api/group_ask.h"
#include "broker/api/handlers.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

// `refused` makes the response of an error that comes before any coordinator was asked.
template <class Request, class Response, class Refused>
void pass_on(Context& context, const Request& request, Reply<Response> reply, Refused refused) {
  context.node.groups->ask(
      request.group_id, group_caller(context), request,
      [reply = std::move(reply), refused = std::move(refused)](GroupAnswer answer) mutable {
        reply(answer ? std::get<Response>(*answer) : refused(answer.error()));
      });
}

}  // namespace

void join_group(Context& context, const wire::JoinGroupRequest& request,
                Reply<wire::JoinGroupResponse> reply) {
  pass_on(context, request, std::move(reply), [member_id = request.member_id](ErrorCode error) {
    return wire::JoinGroupResponse{.error_code = error, .member_id = member_id};
  });
}

void sync_group(Context& context, const wire::SyncGroupRequest& request,
                Reply<wire::SyncGroupResponse> reply) {
  pass_on(context, request, std::move(reply),
          [](ErrorCode error) { return wire::SyncGroupResponse{.error_code = error}; });
}

void heartbeat(Context& context, const wire::HeartbeatRequest& request,
               Reply<wire::HeartbeatResponse> reply) {
  pass_on(context, request, std::move(reply),
          [](ErrorCode error) { return wire::HeartbeatResponse{.error_code = error}; });
}

void leave_group(Context& context, const wire::LeaveGroupRequest& request,
                 Reply<wire::LeaveGroupResponse> reply) {
  pass_on(context, request, std::move(reply),
          [](ErrorCode error) { return wire::LeaveGroupResponse{.error_code = error}; });
}

}  // namespace broker::api

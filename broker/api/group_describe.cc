// ListGroups 0-5, DescribeGroups 0-6, DeleteGroups 0-3: many groups, each asked of its coordinator.
#include <utility>

#include "broker/api/group_ask.h"
#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "common/wire/msg/delete_groups_request.h"
#include "common/wire/msg/delete_groups_response.h"
#include "common/wire/msg/describe_groups_request.h"
#include "common/wire/msg/describe_groups_response.h"
#include "common/wire/msg/list_groups_request.h"
#include "common/wire/msg/list_groups_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

// A list that may lack groups is not given out: the first coordinator that cannot answer decides.
// Those of other brokers are asked there.
wire::ListGroupsResponse merged(std::vector<GroupAnswer> answers) {
  wire::ListGroupsResponse response;
  for (GroupAnswer& answer : answers) {
    const ErrorCode error = answer ? std::get<group::ListedGroups>(*answer).error : answer.error();
    if (error == ErrorCode::kNotCoordinator) continue;
    if (error != ErrorCode::kNone) return {.error_code = error, .groups = {}};
    for (auto& group : std::get<group::ListedGroups>(*answer).groups) {
      response.groups.push_back({.group_id = std::move(group.group_id),
                                 .protocol_type = std::move(group.protocol_type),
                                 .group_state = std::move(group.state),
                                 .group_type = std::move(group.type)});
    }
  }
  return response;
}

void describe(group::DescribedGroup from, bool with_operations,
              wire::DescribeGroupsResponse::DescribedGroup& to) {
  to.error_code = from.error;
  to.error_message = std::move(from.error_message);
  to.group_state = std::move(from.state);
  to.protocol_type = std::move(from.protocol_type);
  to.protocol_data = std::move(from.protocol);
  if (with_operations && from.error == ErrorCode::kNone) {
    to.authorized_operations = kGroupOperations;
  }
  for (group::DescribedMember& member : from.members) {
    to.members.push_back({.member_id = std::move(member.member_id),
                          .group_instance_id = std::move(member.instance_id),
                          .client_id = std::move(member.client_id),
                          .client_host = std::move(member.client_host),
                          .member_metadata = std::move(member.metadata),
                          .member_assignment = std::move(member.assignment)});
  }
}

}  // namespace

void list_groups(Context& context, const wire::ListGroupsRequest& request,
                 Reply<wire::ListGroupsResponse> reply) {
  context.node.groups->ask_all(
      group_caller(context), {.states = request.states_filter, .types = request.types_filter},
      [reply = std::move(reply)](std::vector<GroupAnswer> answers) mutable {
        reply(merged(std::move(answers)));
      });
}

void describe_groups(Context& context, const wire::DescribeGroupsRequest& request,
                     Reply<wire::DescribeGroupsResponse> reply) {
  auto all = std::make_shared<GroupGather<wire::DescribeGroupsResponse>>(std::move(reply));
  all->response.groups.resize(request.groups.size());
  const bool with_operations = request.include_authorized_operations;
  for (std::size_t i = 0; i < request.groups.size(); ++i) {
    const std::string& group_id = request.groups[i];
    all->response.groups[i].group_id = group_id;
    all->wait_for_one();
    context.node.groups->ask(group_id, group_caller(context), group::DescribeGroup{group_id},
                             [all, i, with_operations](GroupAnswer answer) {
                               auto& to = all->response.groups[i];
                               if (answer) {
                                 describe(std::get<group::DescribedGroup>(std::move(*answer)),
                                          with_operations, to);
                               } else {
                                 to.error_code = answer.error();
                               }
                               all->one_done();
                             });
  }
  all->one_done();
}

void delete_groups(Context& context, const wire::DeleteGroupsRequest& request,
                   Reply<wire::DeleteGroupsResponse> reply) {
  auto all = std::make_shared<GroupGather<wire::DeleteGroupsResponse>>(std::move(reply));
  all->response.results.resize(request.groups_names.size());
  for (std::size_t i = 0; i < request.groups_names.size(); ++i) {
    const std::string& group_id = request.groups_names[i];
    all->response.results[i].group_id = group_id;
    all->wait_for_one();
    context.node.groups->ask(group_id, group_caller(context), group::DeleteGroup{group_id},
                             [all, i](GroupAnswer answer) {
                               auto& to = all->response.results[i];
                               to.error_code = answer ? std::get<group::GroupDeleted>(*answer).error
                                                      : answer.error();
                               if (to.error_code != ErrorCode::kNone) {
                                 to.error_message = std::string(default_message(to.error_code));
                               }
                               all->one_done();
                             });
  }
  all->one_done();
}

}  // namespace broker::api

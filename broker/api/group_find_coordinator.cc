// FindCoordinator 0-6: which broker coordinates a group or a transactional id. Version 4 asks for
// many at once. Kinds: 0 group; 1 transactional id; 2 share group (version 6) has no coordinator in
// this release.
#include <utility>

#include "broker/api/group_ask.h"
#include "broker/api/handlers.h"
#include "broker/node/txn_coordinator.h"
#include "common/wire/msg/find_coordinator_request.h"
#include "common/wire/msg/find_coordinator_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;
using Coordinator = wire::FindCoordinatorResponse::Coordinator;

constexpr std::int16_t kBatchSince = 4;
constexpr std::int16_t kShareSince = 6;
enum Kind : std::int8_t { kGroup = 0, kTransaction = 1, kShare = 2 };

void set_error(Coordinator& to, ErrorCode error, std::string_view message) {
  to.node_id = -1;
  to.host = "";
  to.port = -1;
  to.error_code = error;
  to.error_message = message.empty() ? std::string(default_message(error)) : std::string(message);
}

// Why there is no looking for a coordinator of this kind.
wire::Error check_kind(std::int8_t kind, std::int16_t version) {
  switch (kind) {
    case kGroup:
    case kTransaction:
      return {};
    case kShare:
      if (version < kShareSince) break;
      return {.code = ErrorCode::kInvalidRequest,
              .message = "this release has no share coordinator"};
    default:
      break;
  }
  return {.code = ErrorCode::kInvalidRequest, .message = "unknown kind of coordinator"};
}

void place(const Node& node, std::string_view listener, const auto& found, Coordinator& to) {
  if (found.error != ErrorCode::kNone) return set_error(to, found.error, found.message);
  const auto image = node.image();
  const meta::Broker* broker = image->broker(found.broker);
  const meta::Listener* address = broker == nullptr ? nullptr : broker->listener(listener);
  if (address == nullptr) {
    return set_error(to, ErrorCode::kCoordinatorNotAvailable,
                     "the coordinator's broker has no such listener");
  }
  to.node_id = found.broker.value();
  to.host = address->host;
  to.port = address->port;
}

// Versions below 4 have room for one.
wire::FindCoordinatorResponse single(const wire::FindCoordinatorResponse& batch) {
  const Coordinator& only = batch.coordinators.front();
  return {.error_code = only.error_code,
          .error_message = only.error_message,
          .node_id = only.node_id,
          .host = only.host,
          .port = only.port,
          .coordinators = {}};
}

}  // namespace

void find_coordinator(Context& context, const wire::FindCoordinatorRequest& request,
                      Reply<wire::FindCoordinatorResponse> reply) {
  const bool is_batch = context.version >= kBatchSince;
  const std::vector<std::string> keys =
      is_batch ? request.coordinator_keys : std::vector{request.key};
  struct Pending {
    Reply<wire::FindCoordinatorResponse> reply;
    wire::FindCoordinatorResponse response;
    std::size_t missing = 1;
    bool is_batch;
    void one_done() {
      if (--missing == 0) reply(is_batch ? response : single(response));
    }
  };
  auto all = std::make_shared<Pending>(
      Pending{.reply = std::move(reply), .response = {}, .is_batch = is_batch});
  all->response.coordinators.resize(keys.size());
  const wire::Error error = check_kind(request.key_type, context.version);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Coordinator& to = all->response.coordinators[i];
    to.key = keys[i];
    if (error.code != ErrorCode::kNone) {
      set_error(to, error.code, error.message);
      continue;
    }
    ++all->missing;
    auto done = [all, i, &node = context.node,
                 listener = std::string(context.listener)](const auto& found) {
      place(node, listener, found, all->response.coordinators[i]);
      all->one_done();
    };
    if (request.key_type == kTransaction) {
      context.node.transactions->find(keys[i], context.reactor.executor, std::move(done));
    } else {
      context.node.groups->find(keys[i], context.reactor.executor, std::move(done));
    }
  }
  all->one_done();
}

}  // namespace broker::api
